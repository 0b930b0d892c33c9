//! A software TPM with certificates of its manufacturer, driven by Debian's tpm2-tools.

use core::time::Duration;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};

use pki::ek::EkRoots;
use tempfile::TempDir;
use tre_wire::hex::HexBytes;

use crate::fixture::{text, tool};

/// A manufacturer: root, intermediate, and a folder with the two certificates.
pub(crate) struct Manufacturer {
    folder: TempDir,
}

impl Manufacturer {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let ca = folder.path().join("ca");
        fs::create_dir(&ca).expect("a folder");
        let ca = text(&ca);
        let local = format!(
            "statedir = {ca}\nsigningkey = {ca}/signkey.pem\nissuercert = {ca}/issuercert.pem\n\
             certserial = {ca}/certserial\n"
        );
        let options = "--platform-manufacturer Example\n--platform-version 1\n\
                       --platform-model QEMU\n";
        let at = |name: &str| folder.path().join(name);
        let setup = format!(
            "create_certs_tool = swtpm_localca\ncreate_certs_tool_config = {}\n\
             create_certs_tool_options = {}\n",
            at("localca.conf").display(),
            at("localca.options").display()
        );
        fs::write(at("localca.conf"), local).expect("written");
        fs::write(at("localca.options"), options).expect("written");
        fs::write(at("setup.conf"), setup).expect("written");
        Self { folder }
    }

    /// A new TPM with this manufacturer's certificates in it, running.
    pub(crate) fn tpm(&self) -> Tpm {
        let state = tempfile::tempdir().expect("a folder");
        let config = self.folder.path().join("setup.conf");
        tool(
            "swtpm_setup",
            &[
                "--tpm2",
                "--createek",
                "--ecc",
                "--create-ek-cert",
                "--lock-nvram",
                "--overwrite",
                "--pcr-banks",
                "sha256",
                "--vmid",
                "tre",
                "--tpmstate",
                text(state.path()),
                "--config",
                text(&config),
            ],
        );
        Tpm::start(state)
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("ca/swtpm-localca-rootca-cert.pem")
    }

    pub(crate) fn intermediate(&self) -> PathBuf {
        self.folder.path().join("ca/issuercert.pem")
    }

    /// Both certificates as the operator lists them. There once a TPM was made.
    pub(crate) fn listed(&self) -> EkRoots {
        listed(&[&self.root(), &self.intermediate()]).expect("certificates")
    }
}

/// A folder with these files, as the operator lists them.
pub(crate) fn listed(files: &[&Path]) -> Result<EkRoots, pki::ek::RootsError> {
    let folder = tempfile::tempdir().expect("a folder");
    for (index, file) in files.iter().enumerate() {
        fs::copy(file, folder.path().join(format!("{index}.pem"))).expect("copied");
    }
    EkRoots::load(folder.path())
}

/// A running software TPM; its process ends with it.
pub(crate) struct Tpm {
    state: TempDir,
    process: Child,
    port: u16,
}

impl Drop for Tpm {
    fn drop(&mut self) {
        let ended = self.process.kill().and_then(|()| self.process.wait());
        assert!(ended.is_ok() || std::thread::panicking(), "{ended:?}");
    }
}

impl Tpm {
    fn start(state: TempDir) -> Self {
        // One at a time from the choice of ports to the answer: nobody takes another's.
        static STARTING: Mutex<()> = Mutex::new(());
        let _alone = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..20 {
            let Some((port, control)) = two_free_ports() else { continue };
            let mut process = Command::new("swtpm")
                .args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear"])
                .arg("--tpmstate")
                .arg(format!("dir={}", state.path().display()))
                .arg("--server")
                .arg(format!("type=tcp,port={port},bindaddr=127.0.0.1,disconnect"))
                .arg("--ctrl")
                .arg(format!("type=tcp,port={control},bindaddr=127.0.0.1"))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("swtpm; run `make deps`");
            if answers(&mut process, control) {
                return Self { state, process, port };
            }
            drop(process.kill());
            drop(process.wait());
        }
        panic!("no swtpm came up on a free pair of ports");
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.state.path().join(name)
    }

    fn run(&self, name: &str, arguments: &[&str]) -> Output {
        Command::new(name)
            .args(arguments)
            .env("TPM2TOOLS_TCTI", format!("swtpm:host=127.0.0.1,port={}", self.port))
            .current_dir(self.state.path())
            .output()
            .unwrap_or_else(|error| panic!("cannot start {name} ({error}): run `make deps`"))
    }

    pub(crate) fn tool(&self, name: &str, arguments: &[&str]) {
        let output = self.run(name, arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{name} {arguments:?}: {said}");
    }

    /// TPMT_PUBLIC of the RSA-2048 endorsement key, which stays as `ek.ctx`.
    pub(crate) fn endorsement_key(&self) -> Vec<u8> {
        self.endorsement_key_of("rsa")
    }

    /// The same of the endorsement key of another algorithm, as Debian's tool names them.
    pub(crate) fn endorsement_key_of(&self, algorithm: &str) -> Vec<u8> {
        self.tool("tpm2_createek", &["-c", "ek.ctx", "-G", algorithm, "-u", "ek.pub"]);
        self.forget();
        public_area(&self.file("ek.pub"))
    }

    /// The Name of a key whose context is `<key>.ctx`, as the TPM says it.
    pub(crate) fn name(&self, key: &str) -> Vec<u8> {
        self.tool("tpm2_readpublic", &["-c", &format!("{key}.ctx"), "-n", "name"]);
        self.forget();
        fs::read(self.file("name")).expect("written")
    }

    /// TPMT_PUBLIC of a key of the AIK profile, which stays as `<name>.ctx`.
    pub(crate) fn attestation_key(&self, name: &str) -> Vec<u8> {
        let attributes =
            "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|sign";
        self.endorsement_primary(name, attributes)
    }

    /// TPMT_PUBLIC of a P-256 primary of the endorsement hierarchy with these attributes.
    pub(crate) fn endorsement_primary(&self, name: &str, attributes: &str) -> Vec<u8> {
        let context = format!("{name}.ctx");
        let scheme = "ecc256:ecdsa-sha256:null";
        self.tool(
            "tpm2_createprimary",
            &["-C", "e", "-G", scheme, "-g", "sha256", "-a", attributes, "-c", &context],
        );
        let public = format!("{name}.pub");
        self.tool("tpm2_readpublic", &["-c", &context, "-o", &public]);
        self.forget();
        public_area(&self.file(&public))
    }

    /// The certificates (DER) of the RSA-2048 and the P-384 endorsement key.
    pub(crate) fn certificates(&self) -> Vec<HexBytes> {
        let read = |index: &str| {
            self.tool("tpm2_nvread", &[index, "-o", "certificate.der"]);
            HexBytes(fs::read(self.file("certificate.der")).expect("written"))
        };
        vec![read("0x1c00002"), read("0x1c00016")]
    }

    /// What the TPM makes of a credential: the secret, or what the tool says.
    ///
    /// `id_object` and `encrypted_secret` come with their sizes, as `tpm2_makecredential` frames
    /// them.
    pub(crate) fn activate(
        &self,
        key: &str,
        id_object: &[u8],
        encrypted_secret: &[u8],
    ) -> Result<Vec<u8>, String> {
        let magic_and_version = [0xba, 0xdc, 0xc0, 0xde, 0, 0, 0, 1];
        let blob = [magic_and_version.as_slice(), id_object, encrypted_secret].concat();
        fs::write(self.file("credential"), blob).expect("written");
        self.tool("tpm2_startauthsession", &["--policy-session", "-S", "session"]);
        self.tool("tpm2_policysecret", &["-S", "session", "-c", "e"]);
        let context = format!("{key}.ctx");
        let mut arguments = vec!["-c", context.as_str(), "-C", "ek.ctx", "-i", "credential"];
        arguments.extend(["-o", "secret"]);
        // A key named by SHA-384 is of a high template: its own authorization, empty, is enough.
        let high = public_area(&self.file("ek.pub")).get(2..4) == Some(&[0x00, 0x0c]);
        if !high {
            arguments.extend(["-P", "session:session"]);
        }
        let output = self.run("tpm2_activatecredential", &arguments);
        self.forget();
        if output.status.success() {
            Ok(fs::read(self.file("secret")).expect("written"))
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// Unloads keys and sessions: nothing manages the TPM's few places for them.
    fn forget(&self) {
        for what in ["-t", "-l", "-s"] {
            self.tool("tpm2_flushcontext", &[what]);
        }
    }
}

/// The TPMT_PUBLIC inside a TPM2B_PUBLIC in a file.
fn public_area(file: &Path) -> Vec<u8> {
    let bytes = fs::read(file).expect("written");
    let (size, area) = bytes.split_first_chunk::<2>().expect("a size");
    assert_eq!(usize::from(u16::from_be_bytes(*size)), area.len());
    area.to_vec()
}

/// A free port whose successor is free: the tools expect the control channel there.
fn two_free_ports() -> Option<(u16, u16)> {
    let first = TcpListener::bind(("127.0.0.1", 0)).ok()?;
    let port = first.local_addr().ok()?.port();
    let control = port.checked_add(1)?;
    TcpListener::bind(("127.0.0.1", control)).ok().map(|_| (port, control))
}

fn answers(process: &mut Child, port: u16) -> bool {
    for _ in 0..200 {
        if process.try_wait().expect("a child").is_some() {
            return false;
        }
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    false
}
