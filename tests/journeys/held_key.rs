//! A meter whose key is in its own TPM: certified by the key's own request, let in by the TRE, and
//! nobody without that TPM is.

use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use tre_tests::hosted::{Hosted, HostedMachine};
use tre_tests::place;
use tre_tpm::swtpm::{Manufacturer, Swtpm};

use crate::Desk;

const HANDLE: &str = "0x81000100";

/// A meter with a TPM of its own. The TPM's place on the machine stays while it is exchanged.
struct Meter<'a> {
    desk: &'a Desk,
    tpm: Swtpm,
}

impl<'a> Meter<'a> {
    fn new(desk: &'a Desk, state: &str) -> Self {
        let manufacturer = Manufacturer::open(&desk.at("meters")).expect("a manufacturer");
        manufacturer.make(&desk.at(state)).expect("a TPM");
        let tpm = Swtpm::start(&desk.at(state)).expect("a running TPM");
        let link = desk.at("tpm");
        for end in ["", ".ctrl"] {
            let at = |path: &Path| PathBuf::from(format!("{}{end}", path.display()));
            fs::remove_file(at(&link)).ok();
            std::os::unix::fs::symlink(at(&tpm.socket()), at(&link)).expect("a link");
        }
        Self { desk, tpm }
    }

    fn place(&self) -> String {
        format!("swtpm:path={}", self.desk.at("tpm").display())
    }

    /// Asks for a certificate for the key, which is made if need be.
    fn request(&self, key: &str, out: &str) -> (Option<i32>, String) {
        let fixed = ["request", "meter", "home-9", "--trust-domain", "grid.example"];
        let tpm = ["--tpm", &self.place(), "--handle", HANDLE, "--key", key, "--out", out];
        self.desk.tre_pki(&[fixed.as_slice(), &tpm].concat())
    }

    /// The meter's account: the exit code, and what was said.
    fn calls(&self, running: &Hosted, identity: &str) -> (Option<i32>, String) {
        client(self.desk, running, &["meter", "account"], identity)
    }
}

/// Runs `tre-client` with `identity`.
fn client(desk: &Desk, running: &Hosted, call: &[&str], identity: &str) -> (Option<i32>, String) {
    let output = Command::new(place::program("tre-client").expect("built"))
        .args(call)
        .args(["--tre", &running.address().to_string(), "--tre-id", "tre-1"])
        .args(["--deployment", "grid/deployment.json", "--manifest", "manifest.json"])
        .args(["--release-key", "grid/domain/release.pem", "--identity", identity])
        .env("TSS2_LOG", "all+none")
        .current_dir(desk.at(""))
        .output()
        .expect("started");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).expect("UTF-8"))
}

fn succeeded((code, said): (Option<i32>, String)) -> String {
    assert_eq!(code, Some(0), "{said}");
    said
}

/// A domain, an enrolled TRE, and a connection point for the meter.
fn serving(desk: &Desk) -> Hosted {
    let policy = place::root().join("pki/policies/demo.json");
    desk.journey("start-domain.sh", &["grid", "grid.example", policy.to_str().expect("plain")]);
    let machine = HostedMachine::make_in(&desk.at("box"), &desk.at("grid/deployment.json"));
    let machine = machine.expect("a machine");
    desk.manifest(&machine);
    let running = machine.start().expect("a TRE");
    let (address, roots) = (running.address().to_string(), machine.ek_roots().to_path_buf());
    let roots = roots.to_str().expect("plain");
    desk.journey("enrol-tre.sh", &["grid", "tre-1", &address, "manifest.json", roots]);
    let issue = ["issue", "registrar", "reg-1", "--domain", "grid/domain", "--out", "reg-1.pem"];
    succeeded(desk.tre_pki(&issue));
    let point = ["registrar", "put-connection", "point-9", "--account", "account-9"];
    let stands = ["--meter", "home-9", "--supplier", "light", "--tariff", "day"];
    let call = [point.as_slice(), &stands, &["--capacity-w", "5000"]].concat();
    succeeded(client(desk, &running, &call, "reg-1.pem"));
    running
}

/// What the meter is answered once its connection point is in force: at the next slot.
fn answered(meter: &Meter<'_>, running: &Hosted, identity: &str) -> String {
    for _ in 0..20 {
        let (code, said) = meter.calls(running, identity);
        if code == Some(0) {
            return said;
        }
        assert!(said.contains("account"), "{said}");
        thread::sleep(Duration::from_millis(500));
    }
    panic!("expected an account within ten seconds");
}

/// The calls that must fail say so, and why.
fn refused((code, said): (Option<i32>, String), why: &str) {
    assert_eq!((code, said.contains(why)), (Some(1), true), "expected {why}, found {said}");
}

/// Puts a key's file and certificates into one.
fn join(desk: &Desk, parts: [&str; 2], out: &str) {
    let whole = parts.map(|name| fs::read(desk.at(name)).expect("a file"));
    fs::write(desk.at(out), whole.concat()).expect("written");
}

#[test]
fn a_meter_with_its_key_in_its_tpm_is_let_in_and_nobody_without_that_tpm() {
    let desk = Desk::new();
    let running = serving(&desk);
    let meter = Meter::new(&desk, "tpm-of-home-9");
    succeeded(meter.request("home-9.key.pem", "home-9.csr"));
    let domain = ["--domain", "grid/domain", "--out", "home-9.crt.pem"];
    let issue = ["issue", "meter", "home-9", "--csr", "home-9.csr"];
    succeeded(desk.tre_pki(&[issue.as_slice(), &domain].concat()));
    join(&desk, ["home-9.key.pem", "home-9.crt.pem"], "home-9.pem");

    // The call is answered as every meter's is: over mutual TLS, by its name.
    let said = answered(&meter, &running, "home-9.pem");
    assert!(said.contains("account-9"), "{said}");

    // Renewed, the file names the same key, and is as good.
    let renew = ["renew", "home-9.pem", "--domain", "grid/domain", "--out", "home-9.next.pem"];
    succeeded(desk.tre_pki(&renew));
    let said = answered(&meter, &running, "home-9.next.pem");
    assert!(said.contains("account-9"), "{said}");

    the_key_is_asked_for_again_and_not_replaced(&desk, &meter);
    no_file_holds_a_private_key(&desk);
    drop(meter.tpm);
    another_tpm_is_refused(&desk, &running);
}

fn the_key_is_asked_for_again_and_not_replaced(desk: &Desk, meter: &Meter<'_>) {
    let said = succeeded(meter.request("home-9.key.pem", "home-9.again.csr"));
    assert!(said.contains("found the key home-9.key.pem"), "{said}");
    let why = "expected nothing at handle 0x81000100, found a key";
    refused(meter.request("fresh.key.pem", "fresh.csr"), why);
    assert!(!desk.at("fresh.key.pem").exists() && !desk.at("fresh.csr").exists());
}

fn no_file_holds_a_private_key(desk: &Desk) {
    let entries = fs::read_dir(desk.at("")).expect("a folder");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry")).collect();
    files.retain(|file| file.file_name().to_string_lossy().starts_with("home-9"));
    assert_eq!(files.len(), 6, "all files of the meter are looked at");
    for file in files {
        let text = fs::read_to_string(file.path()).expect("text");
        assert!(!text.contains("PRIVATE KEY"), "{}", file.path().display());
    }
}

/// The meter's file on a machine with another TPM, at first without any key in it.
fn another_tpm_is_refused(desk: &Desk, running: &Hosted) {
    let thief = Meter::new(desk, "tpm-of-a-thief");
    let why = "expected a signing key at handle 0x81000100, found none";
    refused(thief.calls(running, "home-9.pem"), why);
    succeeded(thief.request("thief.key.pem", "thief.csr"));
    let why = "expected at handle 0x81000100 the key with the SHA-256";
    refused(thief.calls(running, "home-9.pem"), why);
    // The thief's own key beside the meter's certificate.
    join(desk, ["thief.key.pem", "home-9.crt.pem"], "thief.pem");
    let why = "expected a key that fits the first certificate";
    refused(thief.calls(running, "thief.pem"), why);
}
