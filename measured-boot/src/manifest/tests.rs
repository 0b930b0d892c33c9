//! What a manifest may say, and what it may not.

mod released;

use alloc::{format, string::ToString as _, vec};

use serde_json::{Value, json};

use super::*;
use crate::{
    digest::sha256,
    pcr::{PcrIndex, replayed},
    predict::tests::recorded_expectations,
};

/// A manifest of format 1.
fn manifest() -> ReferenceManifest {
    let version = |name: &str| Versions([(name.into(), "1.0".into())].into());
    ReferenceManifest {
        release: None,
        purpose: Purpose::Demo,
        image: FileRecord { name: "tre.img".into(), len: 5_242_880, sha256: sha256(b"image") },
        efi: EfiRecord { len: 2_843_648, sha256: sha256(b"efi"), authenticode: sha256(b"hash") },
        components: vec![Component { name: "/init".into(), len: 3, sha256: sha256(b"elf") }],
        platform: Platform {
            name: "qemu-q35".into(),
            firmware_sha256: sha256(b"firmware"),
            machine: "q35".into(),
            memory_mib: 256,
            cpus: 1,
            tpm: "tpm-crb".into(),
        },
        pcrs: recorded_expectations(),
        tools: version("rustc"),
        packages: version("ovmf"),
        valid_from: Some(1_700_000_000),
        valid_until: None,
        locked: false,
    }
}

fn value() -> Value {
    serde_json::to_value(manifest()).unwrap()
}

/// The message of the refusal of `value`.
fn refusal(value: &Value) -> String {
    serde_json::from_value::<ReferenceManifest>(value.clone()).unwrap_err().to_string()
}

#[test]
fn manifest_reads_back() {
    let json = serde_json::to_string_pretty(&manifest()).unwrap();
    assert_eq!(serde_json::from_str::<ReferenceManifest>(&json).unwrap(), manifest());
}

#[test]
fn json_form_is_the_literal() {
    let mut value = value();
    let pcrs = value["pcrs"].take();
    let digest = |text: &str| sha256(text.as_bytes()).to_string();
    assert_eq!(
        value,
        json!({
            "format": 1,
            "purpose": "DEMO",
            "image": { "name": "tre.img", "len": 5_242_880, "sha256": digest("image") },
            "efi": { "len": 2_843_648, "sha256": digest("efi"), "authenticode": digest("hash") },
            "components": [{ "name": "/init", "len": 3, "sha256": digest("elf") }],
            "platform": {
                "name": "qemu-q35",
                "firmware_sha256": digest("firmware"),
                "machine": "q35",
                "memory_mib": 256,
                "cpus": 1,
                "tpm": "tpm-crb",
            },
            "pcrs": null,
            "tools": { "rustc": "1.0" },
            "packages": { "ovmf": "1.0" },
            "valid_from": 1_700_000_000,
            "valid_until": null,
            "locked": false,
        })
    );
    let separator = sha256(&[0; 4]);
    let expected = json!({ "pcr": 3, "expectation": { "exact": {
        "value": replayed(PcrIndex::P3, [&separator]).to_string(),
        "events": [{ "description": "separator", "digest": separator.to_string() }],
        "reason": "nothing but the separator",
    } } });
    assert_eq!(pcrs[3], expected);
    let expected = json!({ "pcr": 16, "expectation": { "waived": {
        "reason": "resettable by any software",
    } } });
    assert_eq!(pcrs[16], expected);
    assert!(pcrs[11]["expectation"]["deployment"].is_object());
    assert!(pcrs[0]["expectation"]["recorded"].is_object());
    assert_eq!(pcrs.as_array().unwrap().len(), 24);
}

#[test]
fn unknown_or_missing_field_is_refused() {
    let mut unknown = value();
    unknown["platform"]["extra"] = json!(1);
    assert!(refusal(&unknown).starts_with("unknown field `extra`"));
    let mut unknown = value();
    unknown["pcrs"][4]["expectation"]["exact"]["extra"] = json!(1);
    assert!(refusal(&unknown).starts_with("unknown field `extra`"));
    for (field, _) in value().as_object().unwrap() {
        let mut missing = value();
        missing.as_object_mut().unwrap().remove(field);
        let optional = field.starts_with("valid_");
        let found = serde_json::from_value::<ReferenceManifest>(missing.clone());
        assert_eq!(found.is_ok(), optional, "{field}");
        if !optional {
            assert_eq!(refusal(&missing), format!("missing field `{field}`"));
        }
    }
}

#[test]
fn field_twice_is_refused() {
    let json = serde_json::to_string(&manifest()).unwrap();
    let twice = json.replacen("\"locked\":false", "\"locked\":true,\"locked\":false", 1);
    let error = serde_json::from_str::<ReferenceManifest>(&twice).unwrap_err().to_string();
    assert!(error.starts_with("duplicate field `locked`"), "{error}");
    let twice = json.replacen("\"rustc\":", "\"rustc\":\"0.9\",\"rustc\":", 1);
    let error = serde_json::from_str::<ReferenceManifest>(&twice).unwrap_err().to_string();
    assert!(error.starts_with("expected each name once, found one again"), "{error}");
}

#[test]
fn missing_pcr_is_refused() {
    let mut value = value();
    value["pcrs"].as_array_mut().unwrap().remove(9);
    assert_eq!(refusal(&value), "expected all 24 PCRs, found none for PCR 9");
}

#[test]
fn repeated_pcr_is_refused() {
    let mut value = value();
    value["pcrs"][10] = value["pcrs"][9].clone();
    assert_eq!(refusal(&value), "expected each PCR once, found PCR 9 again");
}

#[test]
fn pcr_24_is_refused() {
    let mut value = value();
    value["pcrs"][9]["pcr"] = json!(24);
    assert_eq!(refusal(&value), "expected a PCR from 0 to 23, found 24");
}

#[test]
fn waiving_any_pcr_but_16_and_23_is_refused() {
    for pcr in PcrIndex::all().filter(|pcr| ![16, 23].contains(&pcr.number())) {
        let mut value = value();
        let waived = json!({ "waived": { "reason": "trust me" } });
        value["pcrs"][usize::from(pcr.number())]["expectation"] = waived;
        assert_eq!(refusal(&value), format!("expected only PCR 16 and 23 waived, found {pcr}"));
    }
}

#[test]
fn deployment_in_any_pcr_but_11_is_refused() {
    let entries = recorded_expectations();
    let reason = "any".to_string();
    let other = entries.iter().map(|(pcr, expectation)| match pcr {
        PcrIndex::P9 => (pcr, Expectation::Deployment { reason: reason.clone() }),
        _ => (pcr, expectation.clone()),
    });
    let error = ExpectationError::NotDeployment { pcr: PcrIndex::P9 };
    assert_eq!(PcrExpectations::new(other), Err(error));
}

#[test]
fn value_that_contradicts_its_events_is_refused() {
    let entries = recorded_expectations();
    let other = entries.iter().map(|(pcr, expectation)| match (pcr, expectation) {
        (PcrIndex::P3, Expectation::Exact { events, reason, .. }) => {
            let (events, reason) = (events.clone(), reason.clone());
            (pcr, Expectation::Exact { value: Sha256Digest::ZERO, events, reason })
        }
        _ => (pcr, expectation.clone()),
    });
    let error = ExpectationError::Value {
        pcr: PcrIndex::P3,
        replayed: replayed(PcrIndex::P3, [&sha256(&[0; 4])]),
        value: Sha256Digest::ZERO,
    };
    assert_eq!(PcrExpectations::new(other), Err(error));
}

#[test]
fn platform_definition_reads_back() {
    let log = crate::eventlog::EventLog::parse(crate::eventlog::tests::RECORDED).unwrap();
    let definition = PlatformDefinition {
        platform: manifest().platform,
        pcr0: crate::predict::record(&log, PcrIndex::P0).unwrap(),
        pcr1: crate::predict::record(&log, PcrIndex::P1).unwrap(),
    };
    let json = serde_json::to_string(&definition).unwrap();
    assert_eq!(serde_json::from_str::<PlatformDefinition>(&json).unwrap(), definition);
    let extra = json.replacen("\"pcr0\":", "\"pcr7\":[],\"pcr0\":", 1);
    let error = serde_json::from_str::<PlatformDefinition>(&extra).unwrap_err().to_string();
    assert!(error.starts_with("unknown field `pcr7`"), "{error}");
}
