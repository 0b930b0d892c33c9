//! The recorded log, against Debian's `tpm2_eventlog` as an independent reader.
//!
//! Logs from machines in the field are replayed in the tests of the verifier's `replay`.

use std::{collections::BTreeMap, path::Path, process::Command, string::String};

use super::*;

#[test]
fn our_own_log_replays_as_another_reader_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/eventlog/recorder.bin");
    let reader = other_reader(&path);
    assert_eq!(reader.len(), 8);
    for (pcr, value) in reader {
        let pcr = PcrIndex::new(pcr).unwrap();
        assert_eq!(recorded_pcrs().value(pcr).to_string(), value);
    }
}

/// The `sha256` part of the `pcrs` section that `tpm2_eventlog` prints.
fn other_reader(path: &Path) -> BTreeMap<u8, String> {
    let output = Command::new("tpm2_eventlog")
        .arg(path)
        .output()
        .unwrap_or_else(|error| panic!("tpm2_eventlog: {error}; apt-get install tpm2-tools"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, pcrs) = text.split_once("\npcrs:\n").unwrap();
    let (_, bank) = pcrs.split_once("  sha256:\n").unwrap();
    let line = |line: &str| {
        let (pcr, value) = line.split_once(':')?;
        Some((pcr.trim().parse().ok()?, value.trim().strip_prefix("0x")?.into()))
    };
    bank.lines().map_while(line).collect()
}
