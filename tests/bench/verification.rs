//! Processor time to verify one evidence, in one run with others on the same evidence: the tools
//! `tpm2_checkquote` and `tpm2_eventlog`, and the signature checks and hashes alone.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use attest_verifier::core::channel::View;
use attest_verifier::core::quote;
use attest_verifier::core::reference::Reference;
use attest_verifier::core::release::{ReleaseKey, UnverifiedManifest};
use attest_verifier::core::verdict;
use attest_verifier::export;
use measured_boot::digest::Sha256Digest;
use measured_boot::eventlog::EventLog;
use measured_boot::manifest::Purpose;
use measured_boot::pcr::{PcrIndex, PcrSelection, PcrValues};
use measured_boot::tpm::{AikPublic, EcdsaSignature, Public};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use rustls::pki_types::CertificateDer;
use tre_decoders::Recorded;
use tre_wire::attestation::Evidence;
use tre_wire::json;
use tre_wire::role::Identity;

use crate::attestation_usage::Usage;

/// How often we verify in one round.
const REPEATS: u32 = 2_000;

/// How often the tools do: each run is a process of its own.
const TOOL_RUNS: u32 = 40;

/// Signatures under one evidence: the TLS certificate's, the attestation key certificate's, the
/// quote's. All are P-256 over SHA-256.
const SIGNATURES: u32 = 3;

/// Processor time for one evidence, four ways. Unit: microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    /// From the bytes that came to the verdict.
    pub(crate) whole: u64,
    /// From the decoded evidence to the verdict.
    pub(crate) appraisal: u64,
    /// Its signature checks and hashes alone.
    pub(crate) bare: u64,
    /// `tpm2_checkquote` and `tpm2_eventlog`.
    pub(crate) tools: u64,
}

/// The committed record of a conversation, and what it is held against.
struct Scene {
    recorded: Recorded,
    bytes: Vec<u8>,
    reference: Reference,
    identity: Identity,
}

/// Measures `rounds` times, all four in each.
///
/// # Errors
///
/// When a part is not as recorded, or a tool refuses.
pub(crate) fn measure(rounds: u32) -> Result<Vec<Round>> {
    let scene = Scene::recorded()?;
    (0..rounds).map(|_| scene.round()).collect()
}

impl Scene {
    fn recorded() -> Result<Self> {
        let recorded = Recorded::committed().context("the recorded evidence")?;
        let key = ReleaseKey::from_pem(recorded.release_key.as_bytes())?;
        let file = recorded.manifest.as_slice();
        let signature = recorded.manifest_signature.as_slice();
        let manifest = UnverifiedManifest { file, signature }.verify(&key)?.read()?;
        let deployment = recorded.deployment.as_slice();
        let reference = Reference::new(deployment, vec![manifest], Purpose::Demo)?;
        let identity = reference.identity_of_tre(recorded.tre_id.clone());
        let bytes = json::encode(&recorded.evidence)?;
        Ok(Self { recorded, bytes, reference, identity })
    }

    fn session(&self) -> View {
        let chain = self.recorded.server_chain.iter();
        View {
            nonce: self.recorded.nonce.0,
            exporter: self.recorded.exporter.0,
            server_chain: chain.map(|der| CertificateDer::from(der.0.clone())).collect(),
            client_key: None,
        }
    }

    fn round(&self) -> Result<Round> {
        let bare = self.bare()?;
        Ok(Round {
            whole: timed(REPEATS, || {
                let evidence: Evidence = json::decode_at_most(&self.bytes, self.bytes.len())?;
                self.verify(&evidence)
            })?,
            appraisal: timed(REPEATS, || self.verify(&self.recorded.evidence))?,
            bare: timed(REPEATS, || bare.run())?,
            tools: self.tools()?,
        })
    }

    fn verify(&self, evidence: &Evidence) -> Result<()> {
        let now = self.recorded.evidence.time;
        verdict::attest(evidence, self.session(), &self.identity, &self.reference, now)?;
        Ok(())
    }

    fn bare(&self) -> Result<Bare> {
        let evidence = &self.recorded.evidence;
        let key = AikPublic::check(&Public::parse(evidence.attestation_key.as_slice())?)?;
        let log = EventLog::parse(evidence.event_log.as_slice())?;
        let digests = log.events().iter();
        Ok(Bare {
            key: key.point().to_sec1(),
            message: evidence.attest.0.clone(),
            signature: EcdsaSignature::parse(evidence.signature.as_slice())?.to_fixed(),
            digests: digests.filter_map(|event| event.extends().zip(event.sha256())).collect(),
        })
    }

    fn tools(&self) -> Result<u64> {
        let folder = tempfile::tempdir().context("a folder for the tools' files")?;
        let evidence = &self.recorded.evidence;
        let answer = quote::expected_answer(evidence, &self.session());
        export(folder.path(), evidence, &answer)?;
        let answer = fs::read_to_string(folder.path().join("qualification.hex"))?;
        let key = ["-u", "aik.pem", "-m", "quote.attest", "-s", "quote.sig", "-g", "sha256"];
        let rest = ["-q", answer.as_str(), "-f", "pcrs.bin"];
        let tool = |name: &str, arguments: &[&str]| -> Result<()> {
            let mut command = Command::new(name);
            command.args(arguments).current_dir(folder.path());
            let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
            ensure!(status.with_context(|| name.to_owned())?.success(), "{name} refuses");
            Ok(())
        };
        let before = Usage::of_ended_children()?;
        for _ in 0..TOOL_RUNS {
            tool("tpm2_checkquote", &[&key[..], &rest[..]].concat())?;
            tool("tpm2_eventlog", &["eventlog.bin"])?;
        }
        let used = Usage::of_ended_children()?.since(before).cpu_us;
        used.checked_div(u64::from(TOOL_RUNS)).context("no runs")
    }
}

/// The cryptography of one verification, with everything else done before.
struct Bare {
    key: [u8; 65],
    message: Vec<u8>,
    signature: [u8; 64],
    digests: Vec<(PcrIndex, Sha256Digest)>,
}

impl Bare {
    fn run(&self) -> Result<()> {
        for _ in 0..SIGNATURES {
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.key)
                .verify(&self.message, &self.signature)
                .ok()
                .context("the recorded signature")?;
        }
        let mut values = PcrValues::initial(measured_boot::pcr::StartupLocality::default());
        self.digests.iter().for_each(|(pcr, digest)| values.extend(*pcr, digest));
        ensure!(values.quoted_digest(PcrSelection::ALL) != Sha256Digest::ZERO, "no values");
        Ok(())
    }
}

/// Our own processor time for one of `repeats`. Unit: microseconds.
fn timed(repeats: u32, mut run: impl FnMut() -> Result<()>) -> Result<u64> {
    let own = std::process::id();
    let before = Usage::of(own)?;
    for _ in 0..repeats {
        run()?;
    }
    let used = Usage::of(own)?.since(before).cpu_us;
    used.checked_div(u64::from(repeats)).context("no repeats")
}
