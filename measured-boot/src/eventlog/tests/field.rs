//! Logs from machines in the field, against Debian's `tpm2_eventlog` as an independent reader.

use std::{collections::BTreeMap, env, eprintln, fs, path::Path, process::Command, string::String};

use super::*;

#[test]
fn logs_from_the_field_replay_as_another_reader_says() {
    let Ok(folder) = env::var("TRE_EVENT_LOGS") else {
        eprintln!("not run: TRE_EVENT_LOGS unset");
        return;
    };
    let mut compared = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "bin") {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let log = EventLog::parse(&bytes).unwrap();
        assert!(!log.events().is_empty());
        let replayed = log.replay().unwrap();
        let Some(reader) = other_reader(&path) else {
            eprintln!("not compared: tpm2_eventlog (Debian package tpm2-tools) cannot be run");
            return;
        };
        assert!(!reader.is_empty());
        // The other reader lists only PCRs that an event extends.
        for pcr in PcrIndex::all() {
            let touched = log.events_of(pcr).next().is_some();
            let expected = touched.then(|| replayed.value(pcr).to_string());
            assert_eq!(reader.get(&pcr.number()), expected.as_ref(), "{}: {pcr}", path.display());
        }
        compared += 1;
    }
    assert!(compared > 0, "no log in TRE_EVENT_LOGS");
}

#[test]
fn our_own_log_replays_as_another_reader_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/eventlog/recorder.bin");
    let Some(reader) = other_reader(&path) else {
        eprintln!("not run: tpm2_eventlog (Debian package tpm2-tools) cannot be run");
        return;
    };
    assert_eq!(reader.len(), 8);
    for (pcr, value) in reader {
        let pcr = PcrIndex::new(pcr).unwrap();
        assert_eq!(recorded_pcrs().value(pcr).to_string(), value);
    }
}

/// The `sha256` part of the `pcrs` section that `tpm2_eventlog` prints; `None` if it is not there.
fn other_reader(path: &Path) -> Option<BTreeMap<u8, String>> {
    let output = Command::new("tpm2_eventlog").arg(path).output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, pcrs) = text.split_once("\npcrs:\n").unwrap();
    let (_, bank) = pcrs.split_once("  sha256:\n").unwrap();
    let line = |line: &str| {
        let (pcr, value) = line.split_once(':')?;
        Some((pcr.trim().parse().ok()?, value.trim().strip_prefix("0x")?.into()))
    };
    Some(bank.lines().map_while(line).collect())
}
