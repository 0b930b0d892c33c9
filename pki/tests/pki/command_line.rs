//! `tre-pki` as a newcomer or a script runs it: files, modes, exit codes, one sentence a refusal.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use serde_json::Value;
use tempfile::TempDir;
use tre_wire::deployment::{Deployment, measurement};
use tre_wire::hex;

use crate::fixture::{manifest, passphrase_file, text, tool};

pub(crate) struct Desk {
    folder: TempDir,
}

/// A folder with a domain of its own, of the same name, made by the program.
pub(crate) fn strangers_desk() -> Desk {
    let desk = Desk { folder: tempfile::tempdir().expect("a folder") };
    let made = desk.init();
    assert_eq!((made.code, made.said.as_str()), (0, ""), "{}", made.answered);
    assert!(made.answered.contains("grid.example"), "{}", made.answered);
    desk
}

/// A folder with a domain in it. Encrypting keys takes its time: it is made
/// once, and everybody gets a copy.
pub(crate) fn desk() -> Desk {
    static MADE: LazyLock<Desk> = LazyLock::new(strangers_desk);
    let desk = Desk { folder: tempfile::tempdir().expect("a folder") };
    tool("cp", &["-a", text(&MADE.at("domain")), text(&desk.at("domain"))]);
    desk
}

/// How the program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) answered: String,
    pub(crate) said: String,
}

/// Runs the program; the passphrase of every key is in a file.
pub(crate) fn tre_pki(arguments: &[&str]) -> Ended {
    with_passphrase(Some(passphrase_file()), arguments)
}

/// Runs the program away from any terminal, with the passphrase in `file` or without any.
pub(crate) fn with_passphrase(file: Option<&Path>, arguments: &[&str]) -> Ended {
    let mut command = Command::new("setsid");
    command.arg("--wait").arg(env!("CARGO_BIN_EXE_tre-pki")).args(arguments);
    command.env_remove("TRE_PKI_PASSPHRASE_FILE").stdin(Stdio::null());
    command.envs(file.map(|file| ("TRE_PKI_PASSPHRASE_FILE", file)));
    let output = command.output().expect("setsid of util-linux");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let code = output.status.code().expect("an exit code");
    Ended { code, answered: text(output.stdout), said: text(output.stderr) }
}

impl Desk {
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn init(&self) -> Ended {
        let domain = self.at("domain");
        tre_pki(&["init", "--domain", text(&domain), "--trust-domain", "grid.example"])
    }

    pub(crate) fn issue(&self, role: &str, id: &str, out: &str, others: &[&str]) -> Ended {
        let (domain, out) = (self.at("domain"), self.at(out));
        let fixed = ["issue", role, id, "--domain", text(&domain), "--out", text(&out)];
        tre_pki(&[fixed.as_slice(), others].concat())
    }

    fn deployment(&self, policy: &str, out: &str, others: &[&str]) -> Ended {
        let (domain, out) = (self.at("domain"), self.at(out));
        let policy = format!("{}/policies/{policy}.json", env!("CARGO_MANIFEST_DIR"));
        let fixed = [
            "deployment",
            "--domain",
            text(&domain),
            "--policy",
            policy.as_str(),
            "--out",
            text(&out),
        ];
        tre_pki(&[fixed.as_slice(), others].concat())
    }

    pub(crate) fn names(&self) -> Vec<String> {
        names(self.folder.path())
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry.expect("an entry").file_name().into_string().expect("plain")
    };
    let mut names: Vec<_> = entries.map(name).collect();
    names.sort();
    names
}

pub(crate) fn refused(ended: &Ended, code: i32, why: &str) {
    assert_eq!(ended.code, code, "{ended:?}");
    assert_eq!(ended.answered, "", "{ended:?}");
    assert!(ended.said.contains(why), "expected {why:?} in {ended:?}");
}

#[test]
fn a_domain_is_these_files_and_its_keys_are_its_owners_alone() {
    let desk = desk();
    let expected = [
        ("domain.json", 0o644),
        ("enrolled", 0o755),
        ("grid-authority.key.pem", 0o600),
        ("grid-authority.pem", 0o644),
        ("release.key.pem", 0o600),
        ("release.pem", 0o644),
        ("root.key.pem", 0o600),
        ("root.pem", 0o644),
        ("status.key.pem", 0o600),
        ("status.pem", 0o644),
        ("tre-authority.key.pem", 0o600),
        ("tre-authority.pem", 0o644),
    ];
    let domain = desk.at("domain");
    assert_eq!(names(&domain), expected.map(|(name, _)| name));
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    for (name, expected) in expected.iter().filter(|(name, _)| *name != "enrolled") {
        assert_eq!(mode(&domain.join(name)), *expected, "{name}");
    }
    assert_eq!(mode(&domain), 0o700);
    for key in ["root", "tre-authority", "grid-authority", "release", "status"] {
        let path = domain.join(format!("{key}.key.pem"));
        let pem = fs::read_to_string(path).expect("a key");
        assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"), "{key} lies in clear");
    }
    refused(&desk.init(), 1, "expected no ");
    assert_eq!(desk.names(), ["domain"]);
}

#[test]
fn a_role_gets_key_and_certificates_in_one_private_file_once() {
    let desk = desk();
    let issued = desk.issue("meter", "home-017", "meter.pem", &["--json"]);
    assert_eq!(issued.code, 0, "{issued:?}");
    let answer: Value = serde_json::from_str(&issued.answered).expect("JSON");
    assert_eq!(answer["identity"], "spiffe://grid.example/meter/home-017");
    let path = desk.at("meter.pem");
    assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    let pem = fs::read_to_string(&path).expect("a file");
    let blocks: Vec<&str> = pem.lines().filter(|line| line.starts_with("-----BEGIN")).collect();
    let (key, certificate) = ("-----BEGIN PRIVATE KEY-----", "-----BEGIN CERTIFICATE-----");
    assert_eq!(blocks, [key, certificate, certificate]);
    let identity = attest_verifier::ClientIdentity::load(&path).expect("an identity");
    assert_eq!(answer["spki_sha256"], identity.key_hash().to_string());

    refused(&desk.issue("meter", "home-018", "meter.pem", &[]), 1, "expected no file ");
    assert_eq!(fs::read_to_string(&path).expect("a file"), pem);
}

#[test]
fn what_is_no_role_certificate_is_refused_and_leaves_nothing() {
    let desk = desk();
    refused(&desk.issue("tre", "tre-1", "x.pem", &[]), 1, "tre-pki enrol");
    refused(&desk.issue("meter", "m", "x.pem", &["--days", "0"]), 1, "1 to ");
    refused(&desk.issue("meter", "m", "x.pem", &["--days", "398"]), 1, "at most 397 days");
    refused(&desk.issue("king", "m", "x.pem", &[]), 2, "expected one of meter, dno");
    for odd in ["", "Meter", "a/b", "../m", "a b", "m\n", "ä", ".", "m?", &"a".repeat(49)] {
        refused(&desk.issue("meter", odd, "x.pem", &[]), 2, "expected ");
    }
    assert_eq!(desk.names(), ["domain"]);
    let elsewhere = tre_pki(&["issue", "meter", "m", "--domain", "missing", "--out", "x.pem"]);
    refused(&elsewhere, 1, "made by `tre-pki init`");
}

#[test]
fn a_trust_domain_with_odd_characters_is_refused_as_usage() {
    let folder = tempfile::tempdir().expect("a folder");
    let domain = folder.path().join("domain");
    for odd in ["", "Grid.example", "grid example", "grid/example", "-x"] {
        let name = format!("--trust-domain={odd}");
        let ended = tre_pki(&["init", "--domain", text(&domain), &name]);
        refused(&ended, 2, "expected ");
    }
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

#[test]
fn a_deployment_says_what_pcr_11_begins_with() {
    let desk = desk();
    let deployed = desk.deployment("production", "deployment.json", &["--json"]);
    assert_eq!(deployed.code, 0, "{deployed:?}");
    let file = fs::read(desk.at("deployment.json")).expect("a file");
    assert_eq!(Deployment::from_json(&file).expect("a deployment").policy.name, "production");
    let answer: Value = serde_json::from_str(&deployed.answered).expect("JSON");
    assert_eq!(answer["measurement"], hex::encode(&measurement(&file)));
    refused(&desk.deployment("demo", "deployment.json", &[]), 1, "expected no file ");
    refused(&desk.deployment("missing", "other.json", &[]), 1, "cannot read ");
    assert_eq!(desk.names(), ["deployment.json", "domain"]);
}

/// A desk with all that `enrol` needs but a box.
struct EnrolmentDesk {
    desk: Desk,
    roots: PathBuf,
}

fn enrolment_desk() -> EnrolmentDesk {
    furnished(desk())
}

fn furnished(desk: Desk) -> EnrolmentDesk {
    assert_eq!(desk.deployment("demo", "deployment.json", &[]).code, 0);
    assert_eq!(desk.issue("operator", "op", "operator.pem", &[]).code, 0);
    fs::write(desk.at("manifest.json"), manifest(|_| {})).expect("written");
    let (file, domain) = (desk.at("manifest.json"), desk.at("domain"));
    let signed = tre_pki(&["sign-manifest", text(&file), "--domain", text(&domain)]);
    assert_eq!(signed.code, 0, "{signed:?}");
    // Any self-issued certificate stands for a maker: no box gets far enough to need another.
    let roots = desk.at("roots");
    fs::create_dir(&roots).expect("a folder");
    fs::copy(desk.at("domain/root.pem"), roots.join("root.pem")).expect("copied");
    EnrolmentDesk { desk, roots }
}

impl EnrolmentDesk {
    fn enrol(&self, address: &str, others: &[&str]) -> Ended {
        let at = |name| self.desk.at(name).into_os_string().into_string().expect("plain");
        let (domain, deployment) = (at("domain"), at("deployment.json"));
        let (manifest, operator) = (at("manifest.json"), at("operator.pem"));
        let fixed = [
            "enrol",
            address,
            "--tre-id",
            "tre-1",
            "--domain",
            domain.as_str(),
            "--deployment",
            deployment.as_str(),
            "--manifest",
            manifest.as_str(),
            "--ek-roots",
            text(&self.roots),
            "--operator",
            operator.as_str(),
        ];
        let ended = tre_pki(&[fixed.as_slice(), others].concat());
        assert_eq!(self.records().iter().filter(|name| *name != "tre-1.json").count(), 0);
        ended
    }

    fn records(&self) -> Vec<String> {
        names(&self.desk.at("domain/enrolled"))
    }
}

/// An address where nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address").to_string()
}

#[test]
fn nobody_at_the_address_enrols_nothing() {
    let desk = enrolment_desk();
    refused(&desk.enrol(&nobody(), &[]), 1, "connection refused at 127.0.0.1:");
    assert_eq!(desk.records(), Vec::<String>::new());
}

#[test]
fn a_taken_name_is_refused_before_anybody_is_asked() {
    let desk = enrolment_desk();
    let record = desk.desk.at("domain/enrolled/tre-1.json");
    fs::write(&record, "kept").expect("written");
    refused(&desk.enrol(&nobody(), &[]), 1, "expected no TRE named tre-1 in this domain");
    assert_eq!(fs::read_to_string(&record).expect("there"), "kept");
}

#[test]
fn a_copy_of_the_record_overwrites_nothing() {
    let desk = enrolment_desk();
    let copy = desk.desk.at("copy.json");
    fs::write(&copy, "kept").expect("written");
    let ended = desk.enrol(&nobody(), &["--record", text(&copy)]);
    refused(&ended, 1, "expected no file ");
    assert_eq!(fs::read_to_string(&copy).expect("there"), "kept");
}

#[test]
fn each_unusable_input_of_an_enrolment_is_named() {
    let desk = enrolment_desk();
    let spoil = |name: &str, content: &[u8], why: &str| {
        let path = desk.desk.at(name);
        let kept = fs::read(&path).expect("there");
        fs::write(&path, content).expect("written");
        refused(&desk.enrol(&nobody(), &[]), 1, why);
        fs::write(&path, kept).expect("written");
    };
    let another = manifest(|manifest| manifest.platform.memory_mib = 512);
    spoil("manifest.json", &another, "the file with SHA-256");
    spoil("manifest.json", b"{}", "found 2 bytes");
    spoil("manifest.json.sig", b"{}", "signature file is not readable");
    spoil("domain/release.pem", b"none", "expected a PEM public key");
    spoil("deployment.json", b"{}", "deployment is not readable");
    spoil("operator.pem", b"none", "operator.pem");
    spoil("roots/root.pem", b"none", "self-issued root certificate");
    spoil("domain/tre-authority.key.pem", b"none", "expected one PEM private key (PKCS#8) in ");

    let signature = desk.desk.at("manifest.json.sig");
    let kept = fs::read(&signature).expect("there");
    fs::remove_file(&signature).expect("removed");
    refused(&desk.enrol(&nobody(), &[]), 1, "expected the signature of ");
    fs::write(&signature, kept).expect("written");

    // The deployment of another domain, of the same name and of another.
    let stranger = furnished(strangers_desk());
    let theirs = fs::read(stranger.desk.at("deployment.json")).expect("a deployment");
    spoil("deployment.json", &theirs, "names this domain's TRE authority");
    let renamed = String::from_utf8(theirs).expect("UTF-8");
    let renamed = renamed.replace("grid.example", "other.example");
    spoil("deployment.json", renamed.as_bytes(), "a deployment of grid.example, found one of");
}
