//! `tre-image date` and `tre-image tcb`, on the committed manifests of each format.

#![forbid(unsafe_code)]
#![expect(clippy::expect_used, reason = "the lint's exemption for tests leaves out their helpers")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use measured_boot::manifest::ReferenceManifest;
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().expect("temporary folder")
}

fn committed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/manifest").join(name)
}

fn date(manifest: &Path, days: [&str; 2], out: &Path) -> Output {
    let [from, until] = days;
    Command::new(env!("CARGO_BIN_EXE_tre-image"))
        .args(["date", "--from", from, "--until", until])
        .arg("--manifest")
        .arg(manifest)
        .arg("--out")
        .arg(out)
        .output()
        .expect("starts")
}

/// What was said on the error stream, after the exit code was found right and nothing written.
fn refused(output: &Output, code: i32, out: &Path) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(!out.exists(), "nothing may be written");
    said
}

#[test]
fn a_dated_copy_is_the_same_every_time_and_differs_in_its_dates_alone() {
    let folder = folder();
    for name in ["format-1.json", "format-2.json"] {
        let outs = [folder.path().join("once.json"), folder.path().join("again.json")];
        for out in &outs {
            let output = date(&committed(name), ["2026-12-01", "2027-11-30"], out);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        let bytes = outs.map(|out| fs::read(out).expect("written"));
        assert_eq!(bytes[0], bytes[1]);
        let dated: ReferenceManifest = serde_json::from_slice(&bytes[0]).expect("a manifest");
        let undated = fs::read(committed(name)).expect("committed");
        let undated: ReferenceManifest = serde_json::from_slice(&undated).expect("a manifest");
        let (valid_from, valid_until) = (Some(1_796_083_200), Some(1_827_619_199));
        assert_eq!(dated, ReferenceManifest { valid_from, valid_until, ..undated });
    }
}

#[test]
fn reversed_dates_are_refused() {
    let folder = folder();
    let out = folder.path().join("dated.json");
    let output = date(&committed("format-2.json"), ["2027-01-02", "2027-01-01"], &out);
    let expected = "tre-image: expected a last day not before the first day 2027-01-02, \
                    found 2027-01-01\n";
    assert_eq!(refused(&output, 1, &out), expected);
}

#[test]
fn what_is_no_day_is_wrong_usage() {
    let folder = folder();
    let out = folder.path().join("dated.json");
    for from in ["2027-02-30", "2027-1-1", "01.01.2027", "2027-01-01T00:00:00Z", ""] {
        refused(&date(&committed("format-2.json"), [from, "2027-12-31"], &out), 2, &out);
    }
}

#[test]
fn a_mixture_of_formats_is_refused_by_name() {
    let folder = folder();
    let (mixed, out) = (folder.path().join("mixed.json"), folder.path().join("dated.json"));
    let text = fs::read_to_string(committed("format-2.json")).expect("committed");
    fs::write(&mixed, text.replace("\"format\": 2", "\"format\": 1")).expect("written");
    let said = refused(&date(&mixed, ["2027-01-01", "2027-12-31"], &out), 1, &out);
    assert!(said.contains("manifest format 1: expected no `release`, found one"), "{said}");
}

#[test]
fn a_manifest_without_a_report_is_told_what_to_do() {
    let output = Command::new(env!("CARGO_BIN_EXE_tre-image"))
        .args(["tcb", "--manifest"])
        .arg(committed("format-1.json"))
        .output()
        .expect("starts");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("found one of format 1: run 'tre-image build'"), "{said}");
}
