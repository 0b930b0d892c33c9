//! The command line of the verifier against a TRE that changes, falls silent, and comes back.

use core::time::Duration;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use pki::file::{self, Access};
use rcgen::{KeyPair, PublicKeyData as _};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tre_tests::hosted::{Hosted, log_of_another_image};
use tre_tests::place;
use tre_wire::role::Role;

use super::Household;

/// Who is asked for, and what it must be: the options that every command takes.
fn options(household: &Household) -> Vec<String> {
    let at = |name: &str| household.domain.folder().join(name);
    let (manifest, signature) = (at("manifest.json"), at("manifest.json.sig"));
    let for_real_boxes = household.reference.for_real_boxes(&household.domain);
    let (file, signed) = for_real_boxes.expect("signed");
    fs::write(&manifest, file).expect("a manifest");
    fs::write(&signature, signed).expect("its signature");
    let shown = |path: &Path| path.to_str().expect("a path").to_owned();
    let release_key = household.domain.domain().release_key_path();
    let files = [
        ("--deployment", household.domain.deployment()),
        ("--manifest", manifest),
        ("--release-key", release_key),
    ];
    let mut options = vec!["--tre-id".to_owned(), household.tre_id.to_string()];
    for (option, file) in files {
        options.extend([option.to_owned(), shown(&file)]);
    }
    options
}

fn command(name: &str, running: &str, household: &Household, more: &[&str]) -> Command {
    let mut command = Command::new(place::program("attest-verifier").expect("built"));
    command.arg(name).arg(running).args(options(household)).args(more);
    command
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

#[tokio::test]
async fn a_watch_tells_of_a_tre_that_falls_silent_changes_and_returns() {
    use std::os::unix::fs::PermissionsExt as _;
    let (household, running) = Household::make().await;
    let at = |name: &str| household.domain.folder().join(name).to_str().expect("a path").to_owned();
    let (log, hook, told) = (at("watched"), at("hook"), at("told"));
    fs::write(&hook, format!("#!/bin/sh\necho \"$1 $2\" >> {told}\n")).expect("a hook");
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o700)).expect("a hook to run");
    let once = ["--log", &log, "--hook", &hook, "--times", "1"];
    let look = |address: &str| command("watch", address, &household, &once).output().expect("runs");
    let goes = |output: &Output, code: i32, word: &str| {
        let said = text(output);
        assert!(output.status.code() == Some(code) && said.contains(word), "{word}: {said}");
    };
    let address = running.address().to_string();
    goes(&look(&address), 0, " accepted, ");
    drop(running);
    goes(&look(&address), 1, " silent");
    let honest = fs::read(household.machine.event_log()).expect("the log of a boot");
    let other = log_of_another_image(&honest).expect("the log of another");
    fs::write(household.machine.event_log(), other).expect("another image");
    let changed = household.machine.start().expect("a changed TRE");
    goes(&look(&changed.address().to_string()), 1, " refused: ");
    drop(changed);
    fs::write(household.machine.event_log(), honest).expect("the image again");
    let again = household.machine.start().expect("the TRE again");
    household.set_time(&again).await;
    goes(&look(&again.address().to_string()), 0, " accepted, ");
    let told = fs::read_to_string(told).expect("what the hook was told");
    assert_eq!(told, "silent tre-1\nrefused tre-1\nreturned tre-1\n");
    let mut check = Command::new(place::program("attest-verifier").expect("built"));
    check.args(["watch", "--check", "--log", &log]).args(options(&household));
    goes(&check.output().expect("runs"), 0, "4 verdicts derived again");
}

/// A running proxy; dropping it ends it.
struct Carrier {
    child: Child,
    address: String,
}

impl Drop for Carrier {
    fn drop(&mut self) {
        // Already gone is as good as killed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn carrier(household: &Household, running: &Hosted, lists: &[&str]) -> Carrier {
    let meter = household.domain.credential(Role::Meter, "meter-1").expect("a credential");
    let more = ["--every", "1", "--identity", meter.to_str().expect("a path")];
    let more = [&more[..], lists].concat();
    let address = running.address().to_string();
    let mut proxy = command("proxy", &address, household, &more);
    let mut child = proxy.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("runs");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
    let address = line.trim().strip_prefix("listening on ").expect("where it listens").to_owned();
    Carrier { child, address }
}

/// The TRE's keys on a list that came when the proxy had long begun.
#[tokio::test]
async fn a_proxy_closes_when_the_tre_is_revoked_while_it_runs() {
    let (household, running) = Household::make().await;
    let at = |name: &str| household.domain.folder().join(name).to_str().expect("UTF-8").to_owned();
    let list = at("revocations.json");
    let revoke = |more: &[&str]| {
        let home = household.domain.home();
        let home = home.to_str().expect("UTF-8");
        let mut command = Command::new(place::program("tre-pki").expect("built"));
        command.args(["revoke", "--domain", home, "--out", &list]).args(more);
        let output = command.output().expect("runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    revoke(&["--refresh"]);
    let key = household.domain.home().join("status.pem");
    let key = key.to_str().expect("UTF-8");
    let proxy = carrier(&household, &running, &["--revocations", &list, "--status-key", key]);
    let mut plain = connect(&proxy);
    plain.write_all(b"GET /v1/account HTTP/1.1\r\nhost: tre-1\r\n\r\n").expect("sent");
    let mut status = [0; 9];
    plain.read_exact(&mut status).expect("an answer through the proxy");
    revoke(&["tre", "tre-1", "--reason", "key-compromise"]);
    // It ends, however it ends; a proxy that kept it open would run into the bound.
    if let Err(error) = plain.read_to_end(&mut Vec::new()) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
    }
}

/// Software that knows nothing of attestation: a plain connection to this machine.
fn connect(proxy: &Carrier) -> TcpStream {
    let stream = TcpStream::connect(&proxy.address).expect("the proxy listens");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a bound");
    stream
}

#[tokio::test]
async fn a_proxy_carries_to_a_proven_tre_and_closes_when_it_falls_silent() {
    let (household, running) = Household::make().await;
    let proxy = carrier(&household, &running, &[]);
    let mut plain = connect(&proxy);
    plain.write_all(b"GET /v1/account HTTP/1.1\r\nhost: tre-1\r\n\r\n").expect("sent");
    let mut status = [0; 9];
    plain.read_exact(&mut status).expect("an answer through the proxy");
    assert_eq!(&status, b"HTTP/1.1 ");
    drop(running);
    let mut rest = Vec::new();
    // It ends, however it ends; a proxy that kept it open would run into the bound.
    if let Err(error) = plain.read_to_end(&mut rest) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
    }
    let mut later = connect(&proxy);
    let mut nothing = Vec::new();
    let ended = later.read_to_end(&mut nothing);
    assert!(nothing.is_empty(), "{ended:?}: {nothing:?}");
}

/// Its kernel holds every socket open, and nobody answers behind them: the attestation beside the
/// connection runs into its bounds (10 s to connect, 20 s to shake hands, 60 s to answer).
#[tokio::test]
async fn a_proxy_closes_when_the_tre_stands_still_with_its_sockets_open() {
    let (household, running) = Household::make().await;
    let proxy = carrier(&household, &running, &[]);
    let mut plain = connect(&proxy);
    plain.set_read_timeout(Some(Duration::from_secs(100))).expect("a bound");
    plain.write_all(b"GET /v1/account HTTP/1.1\r\nhost: tre-1\r\n\r\n").expect("sent");
    let mut status = [0; 9];
    plain.read_exact(&mut status).expect("an answer through the proxy");
    let process = Pid::from_raw(running.id().try_into().expect("a process id"));
    kill_process(process.expect("a process id"), Signal::STOP).expect("stopped");
    // It ends, however it ends; a proxy that kept it open would run into the bound.
    if let Err(error) = plain.read_to_end(&mut Vec::new()) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
    }
}

#[tokio::test]
async fn a_token_of_a_genuine_tre_affirms_it() {
    let (household, running) = Household::make().await;
    let key = KeyPair::generate().expect("a key");
    let at = |name: &str| household.domain.folder().join(name);
    let (token, key_file) = (at("token.jwt"), at("token-key.pem"));
    file::write_new(&key_file, key.serialize_pem().as_bytes(), Access::Owner).expect("written");
    let shown = |path: &Path| path.to_str().expect("a path").to_owned();
    let (token_option, key_option) = (shown(&token), shown(&key_file));
    let more = ["--token", &token_option, "--token-key", &key_option];
    let address = running.address().to_string();
    let output = command("verify", &address, &household, &more).output().expect("runs");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let token = fs::read_to_string(token).expect("a token");
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.der_bytes())
        .verify(signed.as_bytes(), &from_base64(signature))
        .expect("signed with the key that was given");
    let (_, claims) = signed.split_once('.').expect("three parts");
    let claims: Value = serde_json::from_slice(&from_base64(claims)).expect("JSON");
    assert_eq!(claims["submods"]["tre-1"]["ear_status"], "affirming", "{claims:#}");
}

/// The bytes of base64 for addresses, as another program decodes them.
fn from_base64(text: &str) -> Vec<u8> {
    let mut standard = text.replace('-', "+").replace('_', "/");
    while !standard.len().is_multiple_of(4) {
        standard.push('=');
    }
    let mut decoder = Command::new("base64");
    decoder.arg("--decode").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut decoder = decoder.spawn().expect("base64");
    let mut input = decoder.stdin.take().expect("its input");
    input.write_all(standard.as_bytes()).expect("written");
    drop(input);
    let output = decoder.wait_with_output().expect("base64");
    assert!(output.status.success(), "{text}");
    output.stdout
}
