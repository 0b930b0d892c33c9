//! `tre-pki sign-manifest`: what it signs, what it refuses, and that OpenSSL agrees.

use std::fs;
use std::path::PathBuf;

use attest_verifier::core::release::{ReleaseKey, UnverifiedManifest, signed_bytes};
use measured_boot::digest::sha256;
use measured_boot::manifest::{Purpose, ReferenceManifest};
use serde_json::Value;
use tre_wire::hex;

use crate::command_line::{Desk, Ended, desk, refused, tre_pki};
use crate::fixture::{manifest, run, text};

/// A desk with a manifest that `spoil` has changed.
fn desk_with(spoil: impl FnOnce(&mut ReferenceManifest)) -> Desk {
    let desk = desk();
    fs::write(desk.at("manifest.json"), manifest(spoil)).expect("written");
    desk
}

fn sign(desk: &Desk, more: &[&str]) -> Ended {
    sign_in(desk, "domain", more)
}

fn sign_in(desk: &Desk, domain: &str, more: &[&str]) -> Ended {
    let (manifest, domain) = (desk.at("manifest.json"), desk.at(domain));
    let fixed = ["sign-manifest", text(&manifest), "--domain", text(&domain)];
    tre_pki(&[fixed.as_slice(), more].concat())
}

#[test]
fn a_manifest_is_signed_as_it_lies_and_what_was_signed_is_said() {
    let desk = desk_with(|_| {});
    let before = fs::read(desk.at("manifest.json")).expect("there");
    let signed = sign(&desk, &[]);
    assert_eq!((signed.code, signed.said.as_str()), (0, ""), "{signed:?}");
    let image = sha256(b"image").to_string();
    for word in
        [image.as_str(), "no release number", "2023-11-14T22:13:20Z", "2096-10-02T07:06:40Z"]
    {
        assert!(signed.answered.contains(word), "{word} in {}", signed.answered);
    }
    assert_eq!(fs::read(desk.at("manifest.json")).expect("there"), before);
    let signature = fs::read(desk.at("manifest.json.sig")).expect("there");
    let key = fs::read(desk.at("domain/release.pem")).expect("there");
    let key = ReleaseKey::from_pem(&key).expect("a key");
    let unverified = UnverifiedManifest { file: &before, signature: &signature };
    let released = unverified.verify(&key).expect("its signature").read().expect("a manifest");
    assert_eq!(released.manifest().image.sha256, sha256(b"image"));
    refused(&sign(&desk, &[]), 1, "expected no file ");
}

/// The signed bytes, put together by hand from the documentation, before another program.
#[test]
fn openssl_verifies_the_signature_over_label_length_and_hash() {
    let desk = desk_with(|_| {});
    let signed = sign(&desk, &["--json"]);
    assert_eq!(signed.code, 0, "{signed:?}");
    let answer: Value = serde_json::from_str(&signed.answered).expect("JSON");
    let file = fs::read(desk.at("manifest.json")).expect("there");
    assert_eq!(answer["manifest_sha256"], sha256(&file).to_string());
    let length = u64::try_from(file.len()).expect("in range").to_be_bytes();
    let bytes = [b"tre-manifest-v1".as_slice(), &length, &sha256(&file).0].concat();
    assert_eq!(bytes, signed_bytes(&file, None));
    let signature = fs::read(desk.at("manifest.json.sig")).expect("there");
    let signature: Value = serde_json::from_slice(&signature).expect("JSON");
    let der = hex::decode(signature["signature"].as_str().expect("text")).expect("hexadecimal");
    let put = |name: &str, bytes: &[u8]| -> PathBuf {
        fs::write(desk.at(name), bytes).expect("written");
        desk.at(name)
    };
    let (der, message) = (put("der", &der), put("message", &bytes));
    let (other, key) = (put("other", b"another message"), desk.at("domain/release.pem"));
    let verify = |message: &PathBuf| {
        let fixed = ["dgst", "-sha256", "-verify", text(&key), "-signature", text(&der)];
        run("openssl", &[fixed.as_slice(), &[text(message)]].concat()).status.success()
    };
    assert!(verify(&message));
    assert!(!verify(&other));
}

#[test]
fn the_signature_goes_where_it_is_wanted() {
    let desk = desk_with(|_| {});
    let out = desk.at("elsewhere.sig");
    assert_eq!(sign(&desk, &["--out", text(&out)]).code, 0);
    assert_eq!(desk.names(), ["domain", "elsewhere.sig", "manifest.json"]);
}

#[test]
fn what_must_not_be_released_is_refused_and_leaves_nothing() {
    let refusal = |spoil: fn(&mut ReferenceManifest), more: &[&str], why: &str| {
        let desk = desk_with(spoil);
        refused(&sign(&desk, more), 1, why);
        assert_eq!(desk.names(), ["domain", "manifest.json"]);
    };
    let reason = ["--unlocked-because", "kernel 6.1.1 came in overnight"];
    refusal(|manifest| manifest.valid_until = None, &[], "expected an end date (valid_until)");
    refusal(
        |manifest| manifest.valid_until = Some(1_700_000_001),
        &[],
        "one that ended at 1700000001",
    );
    refusal(|manifest| manifest.valid_from = Some(4_000_000_001), &[], "before the end date");
    refusal(|manifest| manifest.locked = false, &[], "found `locked: false`");
    refusal(|manifest| manifest.locked = false, &["--unlocked-because", " "], "a reason of 1 to ");
    refusal(|_| {}, &reason, "expected no reason for unlocked inputs");
    refusal(|manifest| manifest.purpose = Purpose::Demo, &[], "tre-pki init --demo");
    let desk = desk();
    for other in [&b"{}"[..], b"", b"not JSON"] {
        fs::write(desk.at("manifest.json"), other).expect("written");
        refused(&sign(&desk, &[]), 1, "expected a reference manifest: ");
    }
    let twice = String::from_utf8(manifest(|_| {})).expect("UTF-8");
    let twice = twice.replacen('{', r#"{"locked":false,"#, 1);
    fs::write(desk.at("manifest.json"), twice).expect("written");
    refused(&sign(&desk, &[]), 1, "duplicate field `locked`");
    assert_eq!(desk.names(), ["domain", "manifest.json"]);
}

#[test]
fn an_unlocked_manifest_is_signed_with_its_reason() {
    let desk = desk_with(|manifest| manifest.locked = false);
    let reason = "kernel 6.1.1 came in overnight";
    let signed = sign(&desk, &["--unlocked-because", reason]);
    assert_eq!(signed.code, 0, "{signed:?}");
    assert!(signed.answered.contains("NOT those of the lock file"), "{signed:?}");
    let signature = fs::read(desk.at("manifest.json.sig")).expect("there");
    let signature: Value = serde_json::from_slice(&signature).expect("JSON");
    assert_eq!(signature["unlocked_because"], reason);
}

#[test]
fn a_demo_manifest_is_signed_in_a_demo_domain_alone() {
    let desk = desk_with(|manifest| manifest.purpose = Purpose::Demo);
    let demo = desk.at("demo");
    let made =
        tre_pki(&["init", "--demo", "--domain", text(&demo), "--trust-domain", "demo.example"]);
    assert_eq!(made.code, 0, "{made:?}");
    assert!(made.answered.contains("DEMO domain"), "{made:?}");
    let signed = sign_in(&desk, "demo", &[]);
    assert_eq!(signed.code, 0, "{signed:?}");
    assert!(signed.answered.contains("for DEMO"), "{signed:?}");
}

/// Domains made before the word `purpose` was in their file are for production.
#[test]
fn a_domain_without_a_purpose_is_for_production() {
    let desk = desk_with(|manifest| manifest.purpose = Purpose::Demo);
    let header = br#"{"format":1,"trust_domain":"grid.example"}"#;
    fs::write(desk.at("domain/domain.json"), header).expect("written");
    refused(&sign(&desk, &[]), 1, "expected a manifest for PRODUCTION");
}
