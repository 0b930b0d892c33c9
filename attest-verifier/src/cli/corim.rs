//! `corim export` and `corim import`: values in, values out, no judgement.

use core::fmt::Write as _;
use std::collections::BTreeMap;

use anyhow::Context as _;
use attest_verifier::core::measured_boot::digest::sha256;
use attest_verifier::core::release::read_manifest;
use attest_verifier::corim::{LEFT_OUT, ReferenceValues};
use attest_verifier::{read_corim, read_manifest_file};
use serde::Serialize;

use crate::{CorimExport, CorimImport, Ending, answer};

pub(crate) fn export(command: &CorimExport) -> anyhow::Result<Ending> {
    let file = read_manifest_file(&command.manifest)?;
    let named = || command.manifest.display().to_string();
    let manifest = read_manifest(&file)
        .with_context(|| format!("{}: expected a reference manifest", named()))?;
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

pub(crate) fn import(command: &CorimImport) -> anyhow::Result<Ending> {
    let file = read_corim(&command.corim)?;
    let values =
        ReferenceValues::from_corim(&file).with_context(|| command.corim.display().to_string())?;
    answer(&if command.json { json(&values)? } else { table(&values) })?;
    Ok(Ending::Accepted)
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

/// For people. Writing into a String cannot fail.
fn table(values: &ReferenceValues) -> String {
    let mut text = format!("platform {}\n", values.platform);
    let files = [
        ("image", values.image),
        ("efi", values.efi),
        ("authenticode", values.authenticode),
        ("firmware", values.firmware),
    ];
    for (name, value) in files {
        let _written = writeln!(text, "{name:<16} {value}");
    }
    for (name, value) in &values.components {
        let _written = writeln!(text, "{name:<16} {value}");
    }
    for (pcr, value) in &values.pcrs {
        let _written = writeln!(text, "{:<16} {value}", pcr.to_string());
    }
    if let Some(release) = values.release {
        let _written = writeln!(text, "{:<16} {release}", "release");
    }
    for (name, second) in [("valid from", values.valid_from), ("valid until", values.valid_until)] {
        if let Some(second) = second {
            let _written = writeln!(text, "{name:<16} {second}");
        }
    }
    text.push_str("unsigned: nobody answers for these values");
    text
}
