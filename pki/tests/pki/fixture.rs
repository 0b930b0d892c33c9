//! What several tests start from.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use measured_boot::digest::sha256;
use measured_boot::manifest::{
    EfiRecord, FileRecord, Platform, Purpose, ReferenceManifest, Versions,
};
use measured_boot::predict;
use measured_boot::secure_boot::SecureBoot;
use pki::authority::Profile;
use pki::domain::Domain;
use pki::file::{Access, write_new};
use pki::issue::{self, Credential};
use pki::passphrase::Passphrase;
use pki::validity::Validity;
use rcgen::KeyPair;
use rsa::rand_core::OsRng;
use rustls::pki_types::CertificateDer;
use tempfile::TempDir;
use tre_wire::role::{Identity, Role};
use tre_wire::units::UnixMillis;
use zeroize::Zeroizing;

/// One day. Unit: milliseconds.
pub(crate) const DAY_MS: u64 = 86_400_000;

/// A fresh domain in a folder that goes with it.
pub(crate) struct FreshDomain {
    pub(crate) folder: TempDir,
    pub(crate) domain: Domain,
}

pub(crate) fn domain() -> FreshDomain {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("domain");
    let name = "grid.example".parse().expect("a name");
    let domain = Domain::init_demo(&path, name, now(), &mut OsRng).expect("a new domain");
    FreshDomain { folder, domain }
}

impl FreshDomain {
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("domain")
    }

    pub(crate) fn identity(&self, role: Role, id: &str) -> Identity {
        self.domain.identity(role, id.parse().expect("an id"))
    }
}

/// Every role that the grid authority certifies.
pub(crate) const ROLES: [Role; 6] =
    [Role::Meter, Role::Dno, Role::Supplier, Role::Dsm, Role::Registrar, Role::Operator];

/// A fresh role certificate.
pub(crate) fn issued(fresh: &FreshDomain, role: Role, id: &str) -> Credential {
    let authority = fresh.domain.grid_authority().expect("an authority");
    issue::issue(&authority, fresh.identity(role, id), days(30), &mut OsRng).expect("issued")
}

/// A fresh key of a TRE, certified as enrolment does it.
pub(crate) fn certified(
    fresh: &FreshDomain,
    profile: Profile,
    id: &str,
) -> (KeyPair, CertificateDer<'static>) {
    let key = KeyPair::generate().expect("a key");
    let identity = fresh.identity(Role::Tre, id);
    let authority = fresh.domain.tre_authority().expect("an authority");
    let leaf = authority.certify(profile, &identity, &key, days(90), &mut OsRng);
    (key, leaf.expect("certified"))
}

/// What the keys of the domains made on the command line are encrypted under.
pub(crate) const PASSPHRASE: &str = "correct horse battery staple";

/// A file of mode 0600 with [`PASSPHRASE`].
pub(crate) fn passphrase_file() -> &'static Path {
    static FILE: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("passphrase");
        let line = format!("{PASSPHRASE}\n");
        write_new(&path, line.as_bytes(), Access::Owner).expect("written");
        (folder, path)
    });
    &FILE.1
}

pub(crate) fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(Zeroizing::new(text.as_bytes().to_vec())).expect("long enough")
}

/// The present: `openssl` reads the same clock.
#[expect(clippy::disallowed_methods, reason = "the tools it is compared with read it too")]
pub(crate) fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    UnixMillis::new(u64::try_from(since.as_millis()).expect("in range")).expect("in range")
}

pub(crate) fn days(days: u32) -> Validity {
    Validity::of_days(now(), days).expect("a life")
}

/// Runs a tool that others wrote; its output as text, and that it ended well.
pub(crate) fn tool(name: &str, arguments: &[&str]) -> String {
    let output = run(name, arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{name} {arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

pub(crate) fn run(name: &str, arguments: &[&str]) -> Output {
    Command::new(name)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("cannot start {name} ({error}): run `make deps`"))
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("plain paths")
}

/// A manifest that is whole and may be released, but for what `spoil` does; no box measures to it.
pub(crate) fn manifest(spoil: impl FnOnce(&mut ReferenceManifest)) -> Vec<u8> {
    let pcrs = predict::expectations(sha256(b"code"), &SecureBoot::PRISTINE, &[], &[]);
    let mut manifest = ReferenceManifest {
        release: None,
        purpose: Purpose::Production,
        image: FileRecord { name: String::from("tre.img"), len: 1, sha256: sha256(b"image") },
        efi: EfiRecord { len: 1, sha256: sha256(b"efi"), authenticode: sha256(b"code") },
        components: Vec::new(),
        platform: Platform {
            name: String::from("none"),
            firmware_sha256: sha256(b"firmware"),
            machine: String::from("q35"),
            memory_mib: 256,
            cpus: 1,
            tpm: String::from("tpm-crb"),
        },
        pcrs: pcrs.expect("a prediction"),
        tools: Versions::default(),
        packages: Versions::default(),
        valid_from: Some(1_700_000_000),
        valid_until: Some(4_000_000_000),
        locked: true,
    };
    spoil(&mut manifest);
    serde_json::to_vec(&manifest).expect("encoded")
}
