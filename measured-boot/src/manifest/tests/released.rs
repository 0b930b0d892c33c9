//! Format 2 beside format 1: each reads back, nothing between them does, and lists end.

use alloc::{format, string::String, vec, vec::Vec};

use serde_json::{Value, json};

use super::{manifest, refusal};
use crate::{
    digest::sha256,
    limits::{MAX_COMPONENTS, MAX_TCB_PACKAGES, MAX_TCB_PHASES, MAX_TCB_PORTS, MAX_VERSIONS},
    manifest::{
        ReferenceManifest, Release, ReleaseNumber,
        tcb::{
            KernelOptions, NativeLibrary, Origin, RustPackage, SystemCall, TcbReport, UnsafeCode,
        },
    },
};

/// A manifest as the first build of the appliance wrote it, before there was a format 2.
const FORMAT_1: &str = include_str!("../../../../tests/vectors/manifest/format-1.json");

/// One of format 2, with one entry in each list of the report.
const FORMAT_2: &str = include_str!("../../../../tests/vectors/manifest/format-2.json");

fn released() -> ReferenceManifest {
    let tcb = TcbReport {
        rust: vec![RustPackage {
            name: "tred".into(),
            version: "0.1.0".into(),
            origin: Origin::Own,
            code_lines: 3,
            unsafe_code: UnsafeCode { blocks: 2, functions: 1, implementations: 0 },
        }],
        native: vec![NativeLibrary {
            name: "glibc".into(),
            version: "2.36".into(),
            objects: 7,
            linked_bytes: 4096,
            code_lines: None,
        }],
        kernel: KernelOptions { built_in: 300, beyond_smallest: 100, modules: 0 },
        system_calls: vec![SystemCall {
            name: "read".into(),
            phases: vec!["start".into(), "serve".into()],
            condition: None,
            reason: "TPM device".into(),
        }],
        ports: vec![443],
    };
    ReferenceManifest { release: Some(Release { number: ReleaseNumber(7), tcb }), ..manifest() }
}

fn value() -> Value {
    serde_json::to_value(released()).unwrap()
}

fn decoded(text: &str) -> ReferenceManifest {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_manifest_of_the_first_format_still_reads() {
    let found = decoded(FORMAT_1);
    assert_eq!(found.release, None);
    assert_eq!(found.image.len, 4_194_304);
    assert_eq!(found.components.len(), 6);
    // And says the same when written again: nothing of format 2 gets into it.
    let again: Value = serde_json::to_value(&found).unwrap();
    assert_eq!(again, serde_json::from_str::<Value>(FORMAT_1).unwrap());
}

#[test]
fn a_manifest_of_the_second_format_is_the_committed_file() {
    // What is predicted may change its words; the format does not.
    let manifest = ReferenceManifest { pcrs: decoded(FORMAT_2).pcrs, ..released() };
    assert_eq!(decoded(FORMAT_2), manifest);
    let pretty = serde_json::to_string_pretty(&manifest).unwrap();
    assert_eq!(format!("{pretty}\n"), FORMAT_2);
}

#[test]
fn any_other_format_is_refused() {
    for format in [0, 3, u32::MAX] {
        let mut other = value();
        other["format"] = json!(format);
        let expected = format!("expected manifest format 1 or 2, found {format}");
        assert_eq!(refusal(&other), expected);
    }
}

/// A format that we do not know is named even if what follows it is unknown too.
#[test]
fn an_unknown_format_is_named_before_what_it_brings() {
    let text = r#"{ "format": 3, "expected_pcrs": [] }"#;
    let error = serde_json::from_str::<ReferenceManifest>(text).unwrap_err();
    let expected = "expected manifest format 1 or 2, found 3 at line 1 column 13";
    assert_eq!(format!("{error}"), expected);
}

#[test]
fn format_1_with_a_field_of_format_2_is_refused() {
    for field in ["release", "tcb"] {
        let mut mixed = serde_json::to_value(manifest()).unwrap();
        mixed[field] = value()[field].clone();
        assert_eq!(refusal(&mixed), format!("manifest format 1: expected no `{field}`, found one"));
    }
    let mut renamed = value();
    renamed["format"] = json!(1);
    assert_eq!(refusal(&renamed), "manifest format 1: expected no `release`, found one");
}

#[test]
fn format_2_without_a_field_of_its_own_is_refused() {
    for field in ["release", "tcb"] {
        let mut missing = value();
        missing.as_object_mut().unwrap().remove(field);
        let expected = format!("manifest format 2: expected `{field}`, found none");
        assert_eq!(refusal(&missing), expected);
    }
}

#[test]
fn a_field_of_format_2_is_never_null() {
    for field in ["release", "tcb"] {
        let mut null = value();
        null[field] = Value::Null;
        assert!(refusal(&null).starts_with("invalid type: null"), "{}", refusal(&null));
        null["format"] = json!(1);
        assert!(refusal(&null).starts_with("invalid type: null"), "{}", refusal(&null));
    }
}

#[test]
fn a_release_number_is_a_u32() {
    for number in [json!(-1), json!(4_294_967_296_u64), json!("7"), json!(7.0)] {
        let mut wrong = value();
        wrong["release"] = number;
        let refusal = refusal(&wrong);
        assert!(refusal.contains("expected u32"), "{refusal}");
    }
    assert!(ReleaseNumber(7) < ReleaseNumber(8));
}

#[test]
fn every_field_of_the_report_is_needed_and_no_other_is_taken() {
    for path in ["/tcb", "/tcb/rust/0", "/tcb/rust/0/unsafe_code", "/tcb/kernel"] {
        let mut unknown = value();
        unknown.pointer_mut(path).unwrap()["extra"] = json!(1);
        assert!(refusal(&unknown).starts_with("unknown field `extra`"), "{path}");
        let fields: Vec<String> =
            value().pointer(path).unwrap().as_object().unwrap().keys().cloned().collect();
        // serde reads an option that is left out as none.
        for field in fields.into_iter().filter(|field| field != "code_lines") {
            let mut missing = value();
            missing.pointer_mut(path).unwrap().as_object_mut().unwrap().remove(&field);
            assert_eq!(refusal(&missing), format!("missing field `{field}`"), "{path}");
        }
    }
}

/// One entry more than the bound is refused; as many as the bound are taken.
#[test]
fn every_list_ends_at_its_bound() {
    for (path, most) in [
        ("/components", MAX_COMPONENTS),
        ("/tcb/rust", MAX_TCB_PACKAGES),
        ("/tcb/ports", MAX_TCB_PORTS),
        ("/tcb/system_calls/0/phases", MAX_TCB_PHASES),
    ] {
        let mut long = value();
        let list = long.pointer_mut(path).unwrap().as_array_mut().unwrap();
        let entry = list.first().unwrap().clone();
        list.resize(most, entry.clone());
        assert!(serde_json::from_value::<ReferenceManifest>(long.clone()).is_ok(), "{path}");
        long.pointer_mut(path).unwrap().as_array_mut().unwrap().push(entry);
        assert_eq!(refusal(&long), format!("expected at most {most} entries, found more"));
    }
    let mut long = value();
    long["packages"] = (0..=MAX_VERSIONS).map(|n| (format!("{n}"), json!("1"))).collect();
    let expected = format!("expected at most {MAX_VERSIONS} versions, found more");
    assert_eq!(refusal(&long), expected);
    let mut long = value();
    let again = long["pcrs"][9].clone();
    long["pcrs"].as_array_mut().unwrap().push(again);
    assert_eq!(refusal(&long), "expected at most 24 entries, found more");
    let mut long = value();
    let events = &mut long["pcrs"][0]["expectation"]["recorded"]["events"];
    let event = json!({ "description": "again", "digest": format!("{}", sha256(b"again")) });
    *events = Value::Array(vec![event; crate::limits::MAX_EVENTS + 1]);
    assert_eq!(refusal(&long), "expected at most 4096 entries, found more");
}
