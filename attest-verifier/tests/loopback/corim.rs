//! Manifest values as CoRIM and back: the same, and nothing that is not ours comes in.

use std::fs;
use std::process::{Command, Output};

use attest_verifier::core::measured_boot::component::Component;
use attest_verifier::core::measured_boot::digest::{Sha256Digest, sha256};
use attest_verifier::core::measured_boot::manifest::ReferenceManifest;
use attest_verifier::core::measured_boot::pcr::PcrIndex;
use attest_verifier::corim::{CorimError, ReferenceValues, VENDOR};
use corim::builder::{ComidBuilder, CorimBuilder};
use corim::types::common::{MeasuredElement, TagIdChoice};
use corim::types::corim::CorimId;
use corim::types::environment::EnvironmentMap;
use corim::types::measurement::{Digest, MeasurementMap, MeasurementValuesMap, SvnChoice};
use corim::types::triples::{EndorsedTriple, ReferenceTriple};
use serde_json::Value;

use crate::scene::{IMAGE, Scene};

fn manifest() -> ReferenceManifest {
    let mut manifest = Scene::honest().manifest;
    for name in ["/init", "command-line", "kernel"] {
        let (name, sha256) = (name.to_owned(), sha256(name.as_bytes()));
        manifest.components.push(Component { name, len: 1, sha256 });
    }
    manifest
}

fn values() -> ReferenceValues {
    ReferenceValues { release: Some(7), ..ReferenceValues::of(&manifest()) }
}

#[test]
fn values_come_back_as_they_went() {
    let plain = ReferenceValues::of(&manifest());
    let undated = ReferenceValues { valid_from: None, valid_until: None, ..values() };
    let open = ReferenceValues { valid_from: None, ..values() };
    for values in [values(), plain, undated, open] {
        let corim = values.to_corim("tre-manifest:test").unwrap();
        assert_eq!(ReferenceValues::from_corim(&corim).unwrap(), values);
        assert_eq!(values.to_corim("tre-manifest:test").unwrap(), corim, "deterministic");
    }
}

/// Every PCR with a value of its own, and the image: what a judge needs of a manifest.
#[test]
fn the_values_are_the_manifests() {
    let (manifest, values) = (manifest(), values());
    assert_eq!((values.image, values.authenticode), (manifest.image.sha256, IMAGE));
    let missing: Vec<u8> = PcrIndex::all()
        .filter(|pcr| !values.pcrs.contains_key(pcr))
        .map(|pcr| pcr.number())
        .collect();
    assert_eq!(missing, [11, 16, 23]);
    for (pcr, value) in &values.pcrs {
        let (_, expectation) = manifest.pcrs.iter().find(|(other, _)| other == pcr).unwrap();
        let json = serde_json::to_value(expectation).unwrap();
        let kind = json.as_object().unwrap().values().next().unwrap();
        assert_eq!(kind["value"], value.to_string(), "{pcr}");
    }
}

#[test]
fn a_corim_cut_or_lengthened_is_refused() {
    let corim = values().to_corim("x").unwrap();
    for len in 0..corim.len() {
        let refused = ReferenceValues::from_corim(&corim[..len]);
        assert!(matches!(refused, Err(CorimError::Decode(_))), "{len}: {refused:?}");
    }
    let longer = [corim.as_slice(), &[0]].concat();
    assert!(matches!(ReferenceValues::from_corim(&longer), Err(CorimError::Decode(_))));
}

fn digest(bytes: &[u8]) -> MeasurementValuesMap {
    let mut values = MeasurementValuesMap::new();
    values.digests = Some(vec![Digest::new(1, bytes.to_vec())]);
    values
}

fn measurement(key: &str, mval: MeasurementValuesMap) -> MeasurementMap {
    let mkey = Some(MeasuredElement::Text(key.to_owned()));
    MeasurementMap { mkey, mval, authorized_by: None }
}

/// A CoRIM as a stranger would write it.
fn refusal(vendor: &str, measurements: Vec<MeasurementMap>, endorsed: bool) -> CorimError {
    let environment = EnvironmentMap::for_class(vendor, "test");
    let mut comid = ComidBuilder::new(TagIdChoice::Text("x".to_owned()))
        .add_reference_triple(ReferenceTriple::new(environment.clone(), measurements));
    if endorsed {
        let more = vec![measurement("image", digest(&[9; 32]))];
        comid = comid.add_endorsed_triple(EndorsedTriple::new(environment, more));
    }
    let corim = CorimBuilder::new(CorimId::Text("x".to_owned()));
    let corim = corim.add_comid_tag(comid.build().unwrap()).unwrap().build_bytes().unwrap();
    ReferenceValues::from_corim(&corim).unwrap_err()
}

#[test]
fn what_our_export_does_not_write_is_refused_by_its_name() {
    let right = digest(&[1; 32]);
    let one = |key: &str, values: &MeasurementValuesMap| vec![measurement(key, values.clone())];
    let other = refusal("somebody else", one("image", &right), false);
    assert!(matches!(other, CorimError::Environment), "{other}");
    let endorsed = refusal(VENDOR, ours(), true);
    assert!(matches!(endorsed, CorimError::More), "{endorsed}");
    let missing = refusal(VENDOR, one("image", &right), false);
    assert!(matches!(missing, CorimError::Missing { key: "pcrs" }), "{missing}");
    let twice = [one("image", &right), one("image", &digest(&[2; 32]))].concat();
    assert!(matches!(refusal(VENDOR, twice, false), CorimError::Repeated { .. }));
    let nameless = vec![MeasurementMap { mkey: None, mval: right.clone(), authorized_by: None }];
    assert!(matches!(refusal(VENDOR, nameless, false), CorimError::Key));
    let wrong = refusal(VENDOR, one("pcrs", &right), false);
    assert!(matches!(wrong, CorimError::Value { .. }), "{wrong}");
}

/// Every measurement of a CoRIM of ours.
fn ours() -> Vec<MeasurementMap> {
    let bytes = values().to_corim("x").unwrap();
    let (_, comids) = corim::validate::decode_and_validate_at(&bytes, 1_700_000_000).unwrap();
    let triples = comids[0].triples.reference_triples.clone().unwrap();
    triples[0].measurements().to_vec()
}

/// Our own CoRIM with one measurement in another's place.
fn spoilt(key: &str, mval: &MeasurementValuesMap) -> CorimError {
    let mut measurements = ours();
    let named = Some(MeasuredElement::Text(key.to_owned()));
    match measurements.iter_mut().find(|measurement| measurement.mkey == named) {
        Some(measurement) => measurement.mval = mval.clone(),
        None => measurements.push(measurement(key, mval.clone())),
    }
    refusal(VENDOR, measurements, false)
}

#[test]
fn one_wrong_measurement_spoils_the_whole() {
    assert!(matches!(spoilt("extra", &digest(&[1; 32])), CorimError::Unknown { .. }));
    assert!(matches!(spoilt("image", &digest(&[1; 31])), CorimError::Value { .. }));
    let mut sha384 = MeasurementValuesMap::new();
    sha384.digests = Some(vec![Digest::new(7, vec![1; 48])]);
    assert!(matches!(spoilt("image", &sha384), CorimError::Value { .. }));
    let mut both = digest(&[1; 32]);
    both.digests.as_mut().unwrap().push(Digest::new(1, vec![2; 32]));
    assert!(matches!(spoilt("image", &both), CorimError::Value { .. }));
    let mut more = digest(&[1; 32]);
    more.svn = Some(SvnChoice::ExactValue(1));
    assert!(matches!(spoilt("image", &more), CorimError::Value { .. }));
    let mut least = MeasurementValuesMap::new();
    least.svn = Some(SvnChoice::MinValue(1));
    assert!(matches!(spoilt("release", &least), CorimError::Value { .. }));
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_attest-verifier")).args(arguments).output().unwrap()
}

#[test]
fn the_command_exports_and_imports_and_says_what_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (file, out) = (at("manifest.json"), at("manifest.corim"));
    fs::write(&file, serde_json::to_vec(&manifest()).unwrap()).unwrap();
    let exported = run(&["corim", "export", "--manifest", &file, "--out", &out]);
    assert_eq!(exported.status.code(), Some(0), "{exported:?}");
    let said = String::from_utf8(exported.stdout).unwrap();
    for word in ["unsigned", "PCR 11", "the events of each PCR"] {
        assert!(said.contains(word), "{word} in {said}");
    }
    let imported = run(&["corim", "import", &out, "--json"]);
    assert_eq!(imported.status.code(), Some(0), "{imported:?}");
    let answer: Value = serde_json::from_slice(&imported.stdout).unwrap();
    let expected = ReferenceValues::of(&manifest());
    assert_eq!(answer["image_sha256"], expected.image.to_string());
    let pcrs = answer["pcrs"].as_object().unwrap();
    assert_eq!(pcrs.len(), 21);
    for (pcr, value) in pcrs {
        let pcr = PcrIndex::new(pcr.parse().unwrap()).unwrap();
        assert_eq!(*value, expected.pcrs[&pcr].to_string());
    }
    let table = run(&["corim", "import", &out]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.contains(&expected.image.to_string()), "{table}");
    fs::write(&out, Sha256Digest::ONES.0).unwrap();
    let refused = run(&["corim", "import", &out]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
}

#[test]
fn an_import_against_another_manifest_names_each_difference() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (file, other, out) = (at("manifest.json"), at("other.json"), at("manifest.corim"));
    let mut changed = manifest();
    fs::write(&file, serde_json::to_vec(&changed).unwrap()).unwrap();
    changed.image.sha256 = Sha256Digest::ONES;
    changed.valid_until = Some(4_100_000_000);
    fs::write(&other, serde_json::to_vec(&changed).unwrap()).unwrap();
    let exported = run(&["corim", "export", "--manifest", &file, "--out", &out]);
    assert_eq!(exported.status.code(), Some(0), "{exported:?}");
    let same = run(&["corim", "import", &out, "--against", &file]);
    assert_eq!((same.status.code(), same.stderr.len()), (Some(0), 0), "{same:?}");
    let differs = run(&["corim", "import", &out, "--against", &other, "--json"]);
    assert_eq!(differs.status.code(), Some(1), "{differs:?}");
    let said = String::from_utf8(differs.stderr).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    let image = format!(": image: expected {}", Sha256Digest::ONES);
    assert!(lines[0].contains(&image) && lines[0].contains(&other), "{said}");
    assert!(lines[1].contains(": valid until: expected 4100000000"), "{said}");
}
