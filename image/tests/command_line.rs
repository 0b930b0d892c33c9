//! `tre-image` as people and scripts meet it: exit codes, sentences, files. Nothing here boots.

#![forbid(unsafe_code)]
#![expect(clippy::expect_used, reason = "the lint's exemption for tests leaves out their helpers")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;
use tre_wire::disk;

fn folder() -> TempDir {
    tempfile::tempdir().expect("temporary folder")
}

fn tre_image(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tre-image")).args(arguments).output().expect("starts")
}

/// What was said on the error stream, after the exit code was found right.
fn refused(output: &Output, code: i32) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

/// A deployment with the demonstration policy and one (never parsed) certificate of each kind.
fn deployment(folder: &Path) -> PathBuf {
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/../pki/policies/demo.json");
    let policy = fs::read_to_string(policy).expect("committed");
    let path = folder.join("deployment.json");
    let text = format!(
        r#"{{"format":2,"trust_domain":"tre.test","tre_authorities":["3000"],
        "grid_authorities":["3000"],"status_key":"3000","policy":{policy}}}"#
    );
    fs::write(&path, text).expect("writes");
    path
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn a_disk_is_the_header_the_deployment_as_it_lies_and_zeros() {
    let folder = folder();
    let (out, file) = (folder.path().join("data.img"), deployment(folder.path()));
    let output = tre_image(&["disk", "--out", text(&out), "--deployment", text(&file)]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let file = fs::read(file).expect("reads");
    let found = fs::read(out).expect("reads");
    let mut expected = vec![0; 64 * 1024 * 1024];
    expected[..12].copy_from_slice(b"TRE-DISK\x00\x00\x00\x01");
    let block = &mut expected[0x1_0000..];
    block[..12].copy_from_slice(b"TRE-DEPL\x00\x00\x00\x01");
    block[12..16].copy_from_slice(&u32::try_from(file.len()).expect("short").to_be_bytes());
    block[16..][..file.len()].copy_from_slice(&file);
    assert!(found == expected, "the disk's bytes are not as laid out");

    // The appliance finds it with the function that it uses.
    let start = usize::try_from(disk::DEPLOYMENT.offset).expect("64 bits");
    assert_eq!(disk::deployment_file(&found[start..]), Ok(file.as_slice()));
}

#[test]
fn an_existing_disk_is_left_alone() {
    let folder = folder();
    let (out, file) = (folder.path().join("data.img"), deployment(folder.path()));
    fs::write(&out, b"sealed").expect("writes");
    let output = tre_image(&["disk", "--out", text(&out), "--deployment", text(&file)]);
    let said = refused(&output, 1);
    assert!(said.contains("exists already and is left alone"), "{said}");
    assert_eq!(fs::read(out).expect("still there"), b"sealed");
}

#[test]
fn a_missing_deployment_file_is_named() {
    let folder = folder();
    let (out, file) = (folder.path().join("data.img"), folder.path().join("nowhere.json"));
    let output = tre_image(&["disk", "--out", text(&out), "--deployment", text(&file)]);
    let said = refused(&output, 1);
    assert!(said.contains(text(&file)), "{said}");
    assert!(!out.exists());
}

/// A `run` of a machine in `folder` that has no boot disk and no data disk.
fn run(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tre-image"));
    command.arg("run");
    for (option, file) in [("--state", "state"), ("--disk", "data.img"), ("--image", "tre.img")] {
        command.arg(option).arg(folder.join(file));
    }
    command
}

/// A data disk without content, and a boot disk that has the first sector of one.
fn make_disks(folder: &Path) {
    let mut sector = [0; 512];
    sector[0x36..0x39].copy_from_slice(b"FAT");
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    fs::write(folder.join("tre.img"), sector).expect("writes");
    image::disk::create_blank(&folder.join("data.img")).expect("writes");
}

#[test]
fn a_missing_boot_image_is_named_with_its_remedy() {
    let folder = folder();
    let said = refused(&run(folder.path()).output().expect("starts"), 1);
    let image = folder.path().join("tre.img");
    let image = text(&image);
    let expected =
        format!("tre-image: boot image {image} is missing: 'tre-image build' makes one\n");
    assert_eq!(said, expected);
}

#[test]
fn a_boot_disk_without_a_file_system_is_named() {
    let folder = folder();
    make_disks(folder.path());
    fs::write(folder.path().join("tre.img"), b"MZ").expect("writes");
    let said = refused(&run(folder.path()).output().expect("starts"), 1);
    assert!(said.contains("tre.img is no boot image: 'tre-image build' makes one"), "{said}");
}

#[test]
fn a_missing_variable_store_is_named_with_its_remedy() {
    let folder = folder();
    make_disks(folder.path());
    let store = folder.path().join("vars.fd");
    let mut command = run(folder.path());
    let said = refused(&command.arg("--secure-boot").arg(store).output().expect("starts"), 1);
    assert!(said.contains("vars.fd is missing: 'tre-image variables' makes one"), "{said}");
}

/// Certificates of the test domain for secure boot.
fn vector(name: &str) -> String {
    format!("{}/../tests/vectors/secure-boot/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn variables(out: &Path, allowed: &[&str]) -> Output {
    let (platform, exchange) = (vector("platform-key.crt"), vector("key-exchange-key.crt"));
    let keys = ["variables", "--platform-key", &platform, "--key-exchange-key", &exchange];
    tre_image(&[&keys[..], &["--out", text(out)], allowed].concat())
}

#[test]
fn a_variable_store_is_the_same_each_time_and_never_overwritten() {
    let folder = folder();
    let (one, two) = (folder.path().join("one.fd"), folder.path().join("two.fd"));
    let signer = vector("signer.crt");
    let allowed = ["--certificate", signer.as_str()];
    for path in [&one, &two] {
        let output = variables(path, &allowed);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(fs::read(&one).expect("made") == fs::read(&two).expect("made"), "two stores differ");
    let said = refused(&variables(&one, &allowed), 1);
    assert!(said.contains("one.fd exists already and is left alone"), "{said}");
}

#[test]
fn what_is_no_certificate_or_no_efi_file_makes_no_store() {
    let folder = folder();
    let (out, other) = (folder.path().join("vars.fd"), folder.path().join("other"));
    fs::write(&other, b"neither").expect("writes");
    let said = refused(&variables(&out, &["--certificate", text(&other)]), 1);
    assert!(said.contains("is no X.509 certificate, in PEM or DER"), "{said}");
    refused(&variables(&out, &["--image-hash", text(&other)]), 1);
    assert!(!out.exists());
    // Nothing that may start is no store either.
    refused(&variables(&out, &[]), 2);
}

#[test]
fn a_key_that_firmware_cannot_verify_with_is_named() {
    let folder = folder();
    let (out, key) = (folder.path().join("vars.fd"), folder.path().join("ec.crt"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
        .args(["-subj", "/CN=P-256", "-keyout", "/dev/null", "-out", text(&key)])
        .output()
        .expect("openssl is installed");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let said = refused(&variables(&out, &["--certificate", text(&key)]), 1);
    assert!(said.contains("ec.crt has another key than RSA"), "{said}");
}

#[test]
fn a_missing_program_is_named_with_its_package() {
    let folder = folder();
    make_disks(folder.path());
    let said = refused(&run(folder.path()).env("PATH", folder.path()).output().expect("starts"), 1);
    assert!(said.contains("is missing: run 'make deps' (Debian package swtpm-tools)"), "{said}");
}

#[test]
fn a_port_in_use_is_named() {
    let folder = folder();
    make_disks(folder.path());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("bound").port();
    let mut command = run(folder.path());
    let said = refused(&command.args(["--port", &port.to_string()]).output().expect("starts"), 1);
    let expected = format!("port {port} of 127.0.0.1 cannot be had: choose another with --port");
    assert!(said.contains(&expected), "{said}");
}

#[test]
fn wrong_usage_is_told_apart_from_refusal() {
    for arguments in [
        &["run"][..],
        &["disk", "--out", "x"],
        &["build", "--memory", "5"],
        &["build", "--tpm", "tpm-spi"],
        &["run", "--state", "s", "--disk", "d", "--smp", "9"],
        &["nothing"],
    ] {
        refused(&tre_image(arguments), 2);
    }
    assert!(tre_image(&["--help"]).status.success());
}

/// Files that are not what they are given as: each message names the file and what was expected,
/// down to the last cause, and says nothing twice.
#[test]
fn a_message_says_every_cause_and_each_once() {
    let folder = folder();
    let words = folder.path().join("words.md");
    fs::write(&words, "# Words").expect("writes");
    let words = words.to_str().expect("UTF-8");
    let out = folder.path().join("out");
    let out = out.to_str().expect("UTF-8");
    for (arguments, expected) in [
        (&["boot-disk", "--efi", words, "--out", out][..], "MZ"),
        (&["manifest", "--from", words, "--out", out], "manifest"),
        (&["manifest", "--from", out, "--out", out], "No such file"),
        (&["tcb", "--manifest", words], "manifest"),
        (&["tcb", "--manifest", out], "No such file"),
    ] {
        let said = refused(&tre_image(arguments), 1);
        let said = said.trim_end();
        assert!(said.contains(expected), "{said}");
        assert!(said.contains(words) || said.contains(out), "{said}");
        let tail = said.rsplit(": ").next().expect("a sentence");
        assert_eq!(said.matches(tail).count(), 1, "{said}");
        assert!(said.matches(": ").count() >= 2, "expected a cause in: {said}");
    }
}
