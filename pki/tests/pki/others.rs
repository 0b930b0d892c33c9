//! Certificates before OpenSSL and GnuTLS: both judge every kind, and shake hands with the other.

use core::time::Duration;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;

use pki::authority::Profile;
use rcgen::KeyPair;
use rsa::rand_core::OsRng;
use tre_wire::denylist::TpmManufacturer;
use tre_wire::role::Role;

use crate::fixture::{self, FreshDomain, ROLES, certified, issued, run, text, tool};

/// PEM files for one handshake.
struct Files {
    fresh: FreshDomain,
    /// Key, leaf and authority of a meter.
    client: PathBuf,
    /// The same of a TRE.
    server: PathBuf,
}

fn files() -> Files {
    let fresh = fixture::domain();
    let client = fresh.folder.path().join("client.pem");
    fs::write(&client, issued(&fresh, Role::Meter, "home.017").to_pem().as_bytes()).expect("ours");
    let (key, leaf) = certified(&fresh, Profile::TreServer, "tre-1.example");
    let authority = fs::read(fresh.path().join("tre-authority.pem")).expect("a certificate");
    let leaf = to_pem(&fresh, &leaf);
    let server = fresh.folder.path().join("server.pem");
    let whole = [key.serialize_pem().as_bytes(), leaf.as_bytes(), &authority].concat();
    fs::write(&server, whole).expect("ours");
    Files { fresh, client, server }
}

fn to_pem(fresh: &FreshDomain, der: &[u8]) -> String {
    let file = fresh.folder.path().join("leaf.der");
    fs::write(&file, der).expect("ours");
    tool("openssl", &["x509", "-in", text(&file)])
}

/// A child process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; nothing else is left to do.
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// Starts a server and waits until it listens; what it says goes to `log`.
fn server(name: &str, arguments: &[&str], port: u16, log: &Path) -> Running {
    let said = File::create(log).expect("a file");
    let mut command = Command::new(name);
    command.args(arguments).stdin(Stdio::piped());
    command.stderr(said.try_clone().expect("a handle")).stdout(said);
    let running = Running(command.spawn().expect("run `make deps`"));
    for _ in 0..200 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return running;
        }
        sleep(Duration::from_millis(50));
    }
    panic!("{name} does not listen: {}", fs::read_to_string(log).unwrap_or_default());
}

/// Runs a client that sends a line and waits for an answer; all that it said.
fn client(name: &str, arguments: &[&str]) -> String {
    let mut command = Command::new("timeout");
    command.args(["20", name]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("run `make deps`");
    let mut input = child.stdin.take().expect("a pipe");
    // A peer that was refused reads no more.
    let _sent = input.write_all(b"hello\n");
    sleep(Duration::from_secs(2));
    drop(input);
    let output = child.wait_with_output().expect("ended");
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&said).into_owned()
}

fn port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

#[test]
fn openssl_and_gnutls_follow_every_certificate_to_the_root() {
    let fresh = fixture::domain();
    let root = fresh.path().join("root.pem");
    let judge = |leaf: &str, authority: &str| {
        let between = fresh.path().join(authority);
        let file = fresh.folder.path().join("chain.pem");
        let above = fs::read_to_string(&between).expect("a certificate");
        fs::write(&file, format!("{leaf}{above}")).expect("ours");
        let chain = ["-CAfile", text(&root), "-untrusted", text(&between), text(&file)];
        tool("openssl", &[["verify", "-x509_strict"].as_slice(), &chain].concat());
        let chain = ["--verify", "--load-ca-certificate", text(&root), "--infile", text(&file)];
        let said = tool("certtool", &chain);
        assert!(said.contains("Chain verification output: Verified."), "{said}");
    };
    for role in ROLES {
        judge(&issued(&fresh, role, "name.1_x").issued().to_pem(), "grid-authority.pem");
    }
    for profile in [Profile::TreServer, Profile::AttestationKey, Profile::DocumentKey] {
        let (_, leaf) = certified(&fresh, profile, "tre-1.example");
        judge(&to_pem(&fresh, &leaf), "tre-authority.pem");
    }
    // As enrolment certifies an attestation key: with the TPM's manufacturer in the subject.
    let (key, authority) = (KeyPair::generate().expect("a key"), fresh.domain.tre_authority());
    let (tre, maker) = (fresh.identity(Role::Tre, "tre-1"), TpmManufacturer(*b"MAKR"));
    let leaf = authority.expect("an authority").certify_attestation_key(
        &tre,
        &key,
        Some(maker),
        fixture::days(90),
        &mut OsRng,
    );
    let pem = to_pem(&fresh, &leaf.expect("certified"));
    judge(&pem, "tre-authority.pem");
    let file = fresh.folder.path().join("chain.pem");
    let said = tool("openssl", &["x509", "-noout", "-subject", "-in", text(&file)]);
    assert!(said.contains("2.23.133.2.1 = id:4D414B52"), "{said}");
    let strangers = fixture::domain().path().join("root.pem");
    let file = fresh.folder.path().join("chain.pem");
    let other = ["--verify", "--load-ca-certificate", text(&strangers), "--infile", text(&file)];
    assert!(!run("certtool", &other).status.success());
}

#[test]
fn openssl_shakes_hands_with_gnutls() {
    let files = files();
    let (root, log) = (files.fresh.path().join("root.pem"), files.fresh.folder.path().join("log"));
    let (port, own) = (port(), text(&files.server));
    let number = port.to_string();
    let keys = ["--x509certfile", own, "--x509keyfile", own, "--x509cafile", text(&root)];
    let rest = ["--require-client-cert", "--verify-client-cert", "--echo", "-p", number.as_str()];
    let _server = server("gnutls-serv", &[keys.as_slice(), &rest].concat(), port, &log);
    let (address, own) = (format!("127.0.0.1:{port}"), text(&files.client));
    let between = files.fresh.path().join("grid-authority.pem");
    let fixed = ["s_client", "-connect", &address, "-CAfile", text(&root), "-tls1_3", "-quiet"];
    let strict = ["-verify_return_error", "-verify", "3", "-purpose", "sslserver"];
    let keys = ["-cert", own, "-key", own, "-cert_chain", text(&between)];
    let said = client("openssl", &[fixed.as_slice(), &strict, &keys].concat());
    assert!(said.contains("hello"), "{said}");
    // Without a certificate nobody is served.
    let said = client("openssl", &[fixed.as_slice(), &strict].concat());
    assert!(!said.contains("hello"), "{said}");
}

#[test]
fn gnutls_shakes_hands_with_openssl() {
    let files = files();
    let (root, log) = (files.fresh.path().join("root.pem"), files.fresh.folder.path().join("log"));
    let (port, own) = (port(), text(&files.server));
    let (number, between) = (port.to_string(), files.fresh.path().join("tre-authority.pem"));
    let fixed = ["s_server", "-accept", number.as_str(), "-tls1_3", "-rev", "-Verify", "3"];
    let keys = ["-cert", own, "-key", own, "-cert_chain", text(&between), "-CAfile", text(&root)];
    let strict = ["-verify_return_error"];
    let _server = server("openssl", &[fixed.as_slice(), &keys, &strict].concat(), port, &log);
    let own = text(&files.client);
    // Our certificates name no host: that is the one thing that GnuTLS may find wrong.
    let fixed = ["-p", number.as_str(), "127.0.0.1", "--insecure", "--x509cafile", text(&root)];
    let keys = ["--x509certfile", own, "--x509keyfile", own];
    let said = client("gnutls-cli", &[fixed.as_slice(), &keys].concat());
    assert!(said.contains("olleh"), "{said}");
    let only = "NOT trusted. The name in the certificate does not match the expected. \n";
    assert!(said.contains(only), "{said}");
    let said = client("gnutls-cli", &fixed);
    assert!(!said.contains("olleh"), "{said}");
}
