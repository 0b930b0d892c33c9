//! PCRs predicted from certificates and hashes, beside what TPMs quoted after real boots with
//! secure boot on.

#![forbid(unsafe_code)]
#![expect(clippy::expect_used, reason = "the lint's exemption for tests leaves out their helpers")]

use std::fs;
use std::path::{Path, PathBuf};

use image::variables::certificate::Certificate;
use image::variables::{self, Allowed, Keys, SecureBootState, signatures};
use measured_boot::digest::Sha256Digest;
use measured_boot::eventlog::EventLog;
use measured_boot::manifest::Expectation;
use measured_boot::pcr::PcrIndex;
use measured_boot::predict;
use measured_boot::secure_boot::SecureBoot;

/// Authenticode hash of the image that was booted; see the vectors' README.
const BOOTED: &str = "7a3bb06fd3be62e0ea48c49e6f3f38c9ef8c00e71371e76eade2ff4ccbe94f89";

fn vector(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/secure-boot").join(name)
}

fn certificate(name: &str) -> Certificate {
    Certificate::load(&vector(name)).expect("committed")
}

/// What a store says that is made from the committed certificates.
fn state(allowed: Allowed) -> SecureBootState {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("vars.fd");
    let keys = Keys {
        platform_key: certificate("platform-key.crt"),
        key_exchange_keys: vec![certificate("key-exchange-key.crt")],
        allowed: vec![allowed],
    };
    variables::create(&path, &keys).expect("makes");
    variables::read(&path).expect("reads")
}

fn quoted(name: &str) -> Vec<Sha256Digest> {
    let lines = fs::read_to_string(vector(name)).expect("committed");
    let value = |line: &str| line.split_once(' ').expect("two columns").1.parse().expect("hex");
    lines.lines().map(value).collect()
}

fn holds(boot: &str, allowed: Allowed) {
    let log = fs::read(vector(&format!("{boot}.log"))).expect("committed");
    let log = EventLog::parse(&log).expect("a log");
    let quoted = quoted(&format!("{boot}.pcrs"));
    let recorded = |pcr| predict::record(&log, pcr).expect("a SHA-256 bank");

    let state = state(allowed);
    let variables = state.variables();
    let entries = signatures::read(variables.allowed).expect("reads");
    assert_eq!(entries.len(), 1);
    let only = entries.first().expect("one");
    let secure_boot = SecureBoot::On { variables, authority: only.entry };
    let (pcr0, pcr1) = (recorded(PcrIndex::P0), recorded(PcrIndex::P1));
    let authenticode = BOOTED.parse().expect("hex");
    let expected = predict::expectations(authenticode, &secure_boot, &pcr0, &pcr1);
    for ((pcr, expectation), quoted) in expected.expect("a prediction").iter().zip(quoted) {
        match expectation {
            Expectation::Exact { value, events, .. }
            | Expectation::Recorded { value, events, .. } => {
                assert_eq!(*value, quoted, "{boot}: {pcr}");
                let found = log.events_of(pcr).map(|event| event.sha256().expect("a digest"));
                assert!(found.eq(events.iter().map(|event| event.digest)), "{boot}: {pcr}");
            }
            Expectation::Deployment { .. } | Expectation::Waived { .. } => {}
        }
    }
}

#[test]
fn a_boot_allowed_by_hash_measures_what_is_predicted() {
    holds("by-hash", Allowed::Hash(BOOTED.parse().expect("hex")));
}

#[test]
fn a_boot_allowed_by_certificate_measures_what_is_predicted() {
    holds("by-certificate", Allowed::Certificate(certificate("signer.crt")));
}
