//! TPM firmware that the domain denies: refused at enrolment, and by a verifier in the quote.

use std::fs;
use std::process::Command;

use attest_verifier::core::refusal::Refusal;
use attest_verifier::{AttestError, AttestedStream, ClientIdentity, DenyListFiles, Trust};
use tre_tests::domain::now;
use tre_tests::hosted::{Hosted, HostedMachine};
use tre_tests::place;

use crate::Desk;

/// Every version of a manufacturer's.
const ALL: [&str; 2] = ["0000000000000000", "ffffffffffffffff"];

/// The manufacturer in the certificates of our software TPMs, and another.
const OURS: &str = "id:00001014";
const OTHER: &str = "id:49465800";

impl Desk {
    /// Runs `tre-pki`: its exit code, and what it said.
    pub(crate) fn tre_pki(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = Command::new(place::program("tre-pki").expect("built"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env("TRE_PKI_PASSPHRASE_FILE", self.at("passphrase"))
            .output()
            .expect("started");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).expect("UTF-8"))
    }

    fn deny(&self, manufacturer: &str, more: &[&str]) {
        let fixed = ["deny", "--domain", "grid/domain", "--out", "denied.json", manufacturer];
        let (code, said) = self.tre_pki(&[fixed.as_slice(), &ALL, more].concat());
        assert_eq!(code, Some(0), "{said}");
    }

    fn enrol(&self, running: &Hosted, machine: &HostedMachine) -> (Option<i32>, String) {
        let roots = machine.ek_roots().to_str().expect("plain");
        let address = running.address().to_string();
        let fixed = ["enrol", &address, "--tre-id", "tre-1", "--domain", "grid/domain"];
        let files = ["--deployment", "grid/deployment.json", "--manifest", "manifest.json"];
        let others = ["--ek-roots", roots, "--operator", "op.pem"];
        self.tre_pki(&[fixed.as_slice(), &files, &others].concat())
    }

    /// What a meter that knows the newest denylist makes of the box.
    async fn attest(&self, running: &Hosted) -> Result<AttestedStream, AttestError> {
        let manifests = [self.at("manifest.json")];
        let release_key = self.at("grid/domain/release.pem");
        let trust = Trust::load(&self.at("grid/deployment.json"), &manifests, &release_key);
        let status_key = self.at("grid/domain/status.pem");
        let files = DenyListFiles { list: self.at("denied.json"), status_key };
        let now = now().expect("the time");
        let trust = trust.expect("trust").denying(&files, now).expect("a denylist");
        let meter = ClientIdentity::load(&self.at("meter.pem")).expect("readable");
        let tre_id = "tre-1".parse().expect("a name");
        let address = running.address().to_string();
        AttestedStream::connect(&address, &tre_id, &trust, Some(&meter), now).await
    }
}

#[tokio::test]
async fn denied_firmware_is_not_enrolled_and_an_enrolled_box_with_it_is_refused() {
    let desk = Desk::new();
    let policy = place::root().join("pki/policies/demo.json");
    desk.journey("start-domain.sh", &["grid", "grid.example", policy.to_str().expect("plain")]);
    let machine = HostedMachine::make_in(&desk.at("box"), &desk.at("grid/deployment.json"));
    let machine = machine.expect("a machine");
    desk.manifest(&machine);
    for arguments in [
        ["sign-manifest", "manifest.json", "--domain", "grid/domain"].as_slice(),
        &["issue", "operator", "op-1", "--domain", "grid/domain", "--out", "op.pem"],
        &["issue", "meter", "home-1", "--domain", "grid/domain", "--out", "meter.pem"],
    ] {
        let (code, said) = desk.tre_pki(arguments);
        assert_eq!(code, Some(0), "{said}");
    }
    let running = machine.start().expect("a TRE");

    desk.deny(OTHER, &["--reason", "not this one"]);
    desk.deny(OURS, &["--reason", "CVE-0000-0001"]);
    let (code, said) = desk.enrol(&running, &machine);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("not enrolled: firmware: expected TPM firmware that no"), "{said}");
    assert!(said.contains("of id:00001014, denied at") && said.contains("CVE-0000-0001"), "{said}");
    assert_eq!(fs::read_dir(desk.at("grid/domain/enrolled")).expect("a folder").count(), 0);

    desk.deny(OURS, &["--lift"]);
    let (code, said) = desk.enrol(&running, &machine);
    assert_eq!(code, Some(0), "{said}");
    let address = running.address().to_string();
    let set = ["set-time", &address, "--tre-id", "tre-1", "--domain", "grid/domain"];
    let (code, said) = desk.tre_pki(&set);
    assert_eq!(code, Some(0), "{said}");
    // The other manufacturer's firmware is denied still: the certificate says whose this is.
    desk.attest(&running).await.expect("attested");

    desk.deny(OURS, &["--reason", "CVE-0000-0002"]);
    let refused = desk.attest(&running).await;
    let Err(AttestError::Refused(Refusal::Firmware(error))) = refused else {
        panic!("expected denied firmware, found {refused:?}");
    };
    assert_eq!((error.sequence, error.entry.reason.as_str()), (4, "CVE-0000-0002"));
}
