//! From an empty folder to a serving TRE and a certified fleet, by the three scripts in
//! `pki/scripts/` alone, with a real `tred` on a software TPM; then all three once more.

#![forbid(unsafe_code)]
#![expect(clippy::expect_used, reason = "a test stops where its own tools fail")]

#[cfg(test)]
mod firmware;
#[cfg(test)]
mod held_key;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use attest_verifier::core::measured_boot::manifest::Purpose;
use attest_verifier::{AttestedStream, ClientIdentity, Trust};
use tre_tests::domain::now;
use tre_tests::hosted::HostedMachine;
use tre_tests::place;
use tre_tests::trust::hosted_manifest;
use tre_tpm::swtpm::Swtpm;

/// A folder with a passphrase in it, and nothing else.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("passphrase");
        fs::write(&file, "correct horse battery staple\n").expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("ours");
        Self { folder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What the script answers; it must end well.
    fn journey(&self, script: &str, arguments: &[&str]) -> String {
        let output = Command::new(place::root().join("pki/scripts").join(script))
            .args(arguments)
            .current_dir(self.folder.path())
            .env("TRE_PKI", place::program("tre-pki").expect("built"))
            .env("TRE_PKI_PASSPHRASE_FILE", self.at("passphrase"))
            .output()
            .expect("a script");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{script} {arguments:?}: {said}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Every file of the domain with its content.
    fn domain(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        files(&self.at("grid"))
    }

    /// A manifest of what the machine measures, for real boxes, in force from now on.
    fn manifest(&self, machine: &HostedMachine) {
        let log = fs::read(machine.event_log()).expect("a log");
        let mut manifest = hosted_manifest(&log).expect("a manifest");
        let second = now().expect("the time").get() / 1_000;
        manifest.purpose = Purpose::Production;
        manifest.locked = true;
        manifest.valid_from = second.checked_sub(60);
        manifest.valid_until = second.checked_add(86_400);
        let bytes = serde_json::to_vec(&manifest).expect("encoded");
        fs::write(self.at("manifest.json"), bytes).expect("written");
    }

    /// What a fleet's maker sends: one file with a request for each meter.
    fn requests(&self) {
        let mut all = Vec::new();
        for id in ["home-1", "home-2"] {
            let (key, out) = (self.at(&format!("{id}.key.pem")), self.at(&format!("{id}.csr")));
            let made = Command::new(place::program("tre-pki").expect("built"))
                .args(["request", "meter", id, "--trust-domain", "grid.example"])
                .args([Path::new("--key"), &key, Path::new("--out"), &out])
                .output();
            assert!(made.expect("started").status.success());
            all.extend(fs::read(&out).expect("a request"));
        }
        fs::write(self.at("fleet.csr"), all).expect("written");
    }
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let content = fs::read(&path).expect("a file");
            found.insert(path, content);
        }
    }
    found
}

#[tokio::test]
async fn three_journeys_lead_from_nothing_to_an_attested_connection_and_change_nothing_twice() {
    let desk = Desk::new();
    let policy = place::root().join("pki/policies/demo.json");
    let policy = policy.to_str().expect("plain").to_owned();
    let start = ["grid", "grid.example", policy.as_str()];
    desk.journey("start-domain.sh", &start);
    let machine = HostedMachine::make_in(&desk.at("box"), &desk.at("grid/deployment.json"));
    let machine = machine.expect("a machine");
    desk.manifest(&machine);
    let running = machine.start().expect("a TRE");
    let address = running.address().to_string();
    let roots = machine.ek_roots().to_str().expect("plain").to_owned();
    let enrol = ["grid", "tre-1", address.as_str(), "manifest.json", roots.as_str()];
    let answer = desk.journey("enrol-tre.sh", &enrol);
    assert!(answer.contains("enrolled spiffe://grid.example/tre/tre-1"), "{answer}");
    assert!(answer.contains("1 TREs enrolled\n  tre-1 "), "{answer}");
    desk.requests();
    let fleet = ["grid", "fleet.csr", "fleet"];
    let answer = desk.journey("issue-fleet.sh", &fleet);
    assert!(answer.contains("3 roles with a certificate in force"), "{answer}");

    // What came of it is worth something: a meter of the fleet attests the box, and is let in.
    let (key, issued) = (desk.at("home-1.key.pem"), desk.at("fleet/000001/meter-home-1.pem"));
    let whole = [fs::read(key).expect("a key"), fs::read(issued).expect("a certificate")].concat();
    let own = desk.at("home-1.pem");
    fs::write(&own, whole).expect("written");
    fs::set_permissions(&own, fs::Permissions::from_mode(0o600)).expect("ours");
    let (deployment, manifests) = (desk.at("grid/deployment.json"), [desk.at("manifest.json")]);
    let trust = Trust::load(&deployment, &manifests, &desk.at("grid/domain/release.pem"));
    let (trust, meter) = (trust.expect("trust"), ClientIdentity::load(&own).expect("readable"));
    let tre_id = "tre-1".parse().expect("a name");
    let now = now().expect("the time");
    let stream = AttestedStream::connect(&address, &tre_id, &trust, Some(&meter), now).await;
    assert_eq!(stream.expect("attested").attested().identity().id, tre_id);

    let before = desk.domain();
    for (script, arguments) in [
        ("start-domain.sh", start.as_slice()),
        ("enrol-tre.sh", &enrol),
        ("issue-fleet.sh", &fleet),
    ] {
        let answer = desk.journey(script, arguments);
        let there = answer.contains("there already: ") || answer.contains("are answered in ");
        assert!(there, "{script}: {answer}");
        assert_eq!(desk.domain(), before, "{script} changed something");
    }
}

/// Takes the certificate of the RSA key out of the TPM, as if its maker had put none there.
fn without_rsa_certificate(state: &Path) {
    let tpm = Swtpm::start(state).expect("a TPM");
    let undefined = Command::new("tpm2_nvundefine")
        .args(["-T", &format!("swtpm:path={}", tpm.socket().display())])
        .args(["-C", "p", "0x01c00002"])
        .output()
        .expect("tpm2_nvundefine; run `make deps`");
    assert!(undefined.status.success(), "{}", String::from_utf8_lossy(&undefined.stderr));
}

#[test]
fn a_box_with_the_certificate_of_a_p384_key_alone_is_enrolled_by_that_key() {
    let desk = Desk::new();
    let policy = place::root().join("pki/policies/demo.json");
    let policy = policy.to_str().expect("plain").to_owned();
    desk.journey("start-domain.sh", &["grid", "grid.example", &policy]);
    let machine = HostedMachine::make_in(&desk.at("box"), &desk.at("grid/deployment.json"));
    let machine = machine.expect("a machine");
    without_rsa_certificate(&desk.at("box/tpm"));
    desk.manifest(&machine);
    let running = machine.start().expect("a TRE");
    let address = running.address().to_string();
    let roots = machine.ek_roots().to_str().expect("plain").to_owned();
    desk.journey("enrol-tre.sh", &["grid", "tre-1", &address, "manifest.json", &roots]);
    let record = fs::read(desk.at("grid/domain/enrolled/tre-1.json")).expect("a record");
    let record: serde_json::Value = serde_json::from_slice(&record).expect("JSON");
    let name = record["endorsement_key_name"].as_str().expect("text");
    // A Name by SHA-384: its identifier, then 48 bytes.
    assert!(name.starts_with("000c") && name.len() == 100, "{name}");
}
