//! `corim export` and `corim import`: values in, values out, no judgement.

use core::fmt::Write as _;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context as _;
use attest_verifier::core::measured_boot::digest::sha256;
use attest_verifier::core::measured_boot::manifest::ReferenceManifest;
use attest_verifier::core::release::read_manifest;
use attest_verifier::corim::{LEFT_OUT, ReferenceValues};
use attest_verifier::{read_corim, read_manifest_file};
use serde::Serialize;

use crate::{CorimExport, CorimImport, Ending, answer, complain};

pub(crate) fn export(command: &CorimExport) -> anyhow::Result<Ending> {
    let file = read_manifest_file(&command.manifest)?;
    let named = || command.manifest.display().to_string();
    let manifest = decoded(&command.manifest, &file)?;
    let id = format!("tre-manifest:{}", sha256(&file));
    let bytes = ReferenceValues::of(&manifest).to_corim(&id).with_context(named)?;
    let out = command.out.display();
    std::fs::write(&command.out, bytes).with_context(|| out.to_string())?;
    let mut text = format!("wrote {out} as {id}; unsigned, and left out:");
    for part in LEFT_OUT {
        text.push_str("\n  ");
        text.push_str(part);
    }
    answer(&text)?;
    Ok(Ending::Accepted)
}

fn decoded(path: &Path, file: &[u8]) -> anyhow::Result<ReferenceManifest> {
    read_manifest(file)
        .with_context(|| format!("{}: expected a reference manifest", path.display()))
}

pub(crate) fn import(command: &CorimImport) -> anyhow::Result<Ending> {
    let file = read_corim(&command.corim)?;
    let values =
        ReferenceValues::from_corim(&file).with_context(|| command.corim.display().to_string())?;
    answer(&if command.json { json(&values)? } else { table(&values) })?;
    let Some(path) = &command.against else { return Ok(Ending::Accepted) };
    let expected = ReferenceValues::of(&decoded(path, &read_manifest_file(path)?)?);
    let differences = differences(&rows(&expected), &rows(&values));
    for (name, expected, found) in &differences {
        complain(format_args!(
            "{}: {name}: expected {expected} as in {}, found {found}",
            command.corim.display(),
            path.display(),
        ));
    }
    Ok(if differences.is_empty() { Ending::Accepted } else { Ending::Refused })
}

/// Name, expected, found: every value that is not the same in both.
fn differences(expected: &[Row], found: &[Row]) -> Vec<(String, String, String)> {
    let by_name = |rows: &[Row]| rows.iter().cloned().collect::<BTreeMap<_, _>>();
    let (expected, found) = (by_name(expected), by_name(found));
    let names: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    let other = names.into_iter().filter(|name| expected.get(*name) != found.get(*name));
    let value = |rows: &BTreeMap<String, String>, name: &String| {
        rows.get(name).map_or("none", String::as_str).to_owned()
    };
    other.map(|name| (name.clone(), value(&expected, name), value(&found, name))).collect()
}

#[derive(Serialize)]
struct Shown<'a> {
    platform: &'a str,
    image_sha256: String,
    efi_sha256: String,
    authenticode: String,
    firmware_sha256: String,
    components: BTreeMap<&'a str, String>,
    pcrs: BTreeMap<u8, String>,
    release: Option<u32>,
    valid_from: Option<u64>,
    valid_until: Option<u64>,
}

fn json(values: &ReferenceValues) -> anyhow::Result<String> {
    let components = values.components.iter();
    let pcrs = values.pcrs.iter();
    let shown = Shown {
        platform: &values.platform,
        image_sha256: values.image.to_string(),
        efi_sha256: values.efi.to_string(),
        authenticode: values.authenticode.to_string(),
        firmware_sha256: values.firmware.to_string(),
        components: components.map(|(name, value)| (name.as_str(), value.to_string())).collect(),
        pcrs: pcrs.map(|(pcr, value)| (pcr.number(), value.to_string())).collect(),
        release: values.release,
        valid_from: values.valid_from,
        valid_until: values.valid_until,
    };
    Ok(serde_json::to_string_pretty(&shown)?)
}

/// A value's name, and the value in words.
type Row = (String, String);

/// Every value, in the order in which people are shown them.
fn rows(values: &ReferenceValues) -> Vec<Row> {
    let files = [
        ("image", values.image),
        ("efi", values.efi),
        ("authenticode", values.authenticode),
        ("firmware", values.firmware),
    ];
    let files = files.map(|(name, value)| (name.to_owned(), value.to_string()));
    let numbers = [
        ("release", values.release.map(u64::from)),
        ("valid from", values.valid_from),
        ("valid until", values.valid_until),
    ];
    let numbers = numbers.into_iter();
    let platform = ("platform".to_owned(), values.platform.clone());
    let components = values.components.iter();
    [platform]
        .into_iter()
        .chain(files)
        .chain(components.map(|(name, value)| (name.clone(), value.to_string())))
        .chain(values.pcrs.iter().map(|(pcr, value)| (pcr.to_string(), value.to_string())))
        .chain(numbers.filter_map(|(name, value)| Some((name.to_owned(), value?.to_string()))))
        .collect()
}

/// For people. Writing into a String cannot fail.
fn table(values: &ReferenceValues) -> String {
    let mut text = String::new();
    for (name, value) in rows(values) {
        let _written = writeln!(text, "{name:<16} {value}");
    }
    text.push_str("unsigned: nobody answers for these values");
    text
}
