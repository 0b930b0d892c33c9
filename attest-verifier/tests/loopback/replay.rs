//! Event logs replayed in every bank, beside what `tpm2_eventlog` reads in the same files.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use attest_verifier::core::measured_boot::digest::sha256;
use attest_verifier::core::measured_boot::eventlog::{EventLog, EventType, LogError};
use attest_verifier::core::measured_boot::pcr::PcrIndex;
use attest_verifier::core::measured_boot::reader::ReadError;
use attest_verifier::core::measured_boot::tpm::AlgorithmId;
use attest_verifier::core::wire::hex;
use attest_verifier::{ReplayError, Replayed, replay};

/// PCR values by bank and number, in hexadecimal.
type Values = BTreeMap<String, BTreeMap<u8, String>>;

/// The log of one boot of our own kernel, as committed.
const RECORDED: &[u8] = include_bytes!("../../../tests/vectors/eventlog/recorder.bin");

fn ours(log: &[u8]) -> Values {
    let replayed = replay(log).unwrap();
    let bank = replayed.banks.iter().map(|bank| {
        let pcrs = bank.pcrs.iter().map(|(pcr, value)| (*pcr, hex::encode(value)));
        (bank.algorithm.to_string(), pcrs.collect())
    });
    bank.collect()
}

/// The `pcrs:` section of Debian's tpm2-tools.
fn theirs(path: &Path) -> Values {
    let output = Command::new("tpm2_eventlog")
        .arg(path)
        .output()
        .unwrap_or_else(|error| panic!("tpm2_eventlog: {error}; apt-get install tpm2-tools"));
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    let (_, section) = text.split_once("\npcrs:\n").unwrap();
    let mut values = Values::new();
    let mut bank = String::new();
    for line in section.lines() {
        match line.trim().split_once(':') {
            Some((name, "")) => bank = name.to_owned(),
            Some((pcr, value)) => {
                let value = value.trim().strip_prefix("0x").unwrap().to_owned();
                let pcr = pcr.trim().parse().unwrap();
                values.entry(bank.clone()).or_default().insert(pcr, value);
            }
            None => panic!("{line:?} in {section}"),
        }
    }
    values
}

fn written(log: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("eventlog.bin");
    fs::write(&path, log).unwrap();
    (folder, path)
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_attest-verifier")).args(arguments).output().unwrap()
}

/// Every hash that the other reader knows, with the length of its digests.
const BANKS: [(AlgorithmId, usize); 5] = [
    (AlgorithmId::SHA1, 20),
    (AlgorithmId::SHA256, 32),
    (AlgorithmId::SHA384, 48),
    (AlgorithmId::SHA512, 64),
    (AlgorithmId::SM3_256, 32),
];

/// A log of these banks. A digest is made of the event's own text: no reader compares it.
fn log(banks: &[(AlgorithmId, usize)], events: &[(u32, EventType, &[u8])]) -> Vec<u8> {
    let number = |value: usize| u32::try_from(value).unwrap().to_le_bytes();
    let mut header = b"Spec ID Event03\0\0\0\0\0\0\x02\0\x02".to_vec();
    header.extend(number(banks.len()));
    for (algorithm, len) in banks {
        header.extend(algorithm.0.to_le_bytes());
        header.extend(u16::try_from(*len).unwrap().to_le_bytes());
    }
    header.push(0);
    let mut log = [[0; 4], EventType::NO_ACTION.0.to_le_bytes()].concat();
    log.extend([0; 20]);
    log.extend(number(header.len()));
    log.extend(header);
    for (pcr, event_type, data) in events {
        log.extend(pcr.to_le_bytes());
        log.extend(event_type.0.to_le_bytes());
        log.extend(number(banks.len()));
        for (algorithm, len) in banks {
            log.extend(algorithm.0.to_le_bytes());
            log.extend(sha256(data).0.iter().cycle().take(*len));
        }
        log.extend(number(data.len()));
        log.extend(*data);
    }
    log
}

const ACTION: EventType = EventType::EFI_ACTION;

#[test]
fn our_own_boot_replays_as_another_reader_replays_it() {
    let (_folder, path) = written(RECORDED);
    assert_eq!(ours(RECORDED), theirs(&path));
}

#[test]
fn every_bank_is_replayed_with_its_own_hash() {
    let events = [(0, ACTION, b"one".as_slice()), (4, ACTION, b"two"), (4, ACTION, b"three")];
    let log = log(&BANKS, &events);
    let values = ours(&log);
    let names: Vec<&str> = values.keys().map(String::as_str).collect();
    assert_eq!(names, ["sha1", "sha256", "sha384", "sha512", "sm3_256"]);
    let (_folder, path) = written(&log);
    assert_eq!(values, theirs(&path));
}

#[test]
fn a_dynamic_launch_is_read_as_another_reader_reads_it() {
    let events = [(0, ACTION, b"one".as_slice()), (17, ACTION, b"launch"), (23, ACTION, b"last")];
    let log = log(&BANKS, &events);
    let (_folder, path) = written(&log);
    assert_eq!(ours(&log), theirs(&path));
}

/// A note extends nothing, whatever its digest, and the startup locality is PCR 0's first last
/// byte. `[PFP]` Literals: the tpm2-tools of Debian 12 extend notes and leave the locality out.
#[test]
fn notes_extend_nothing_and_the_locality_is_where_pcr_0_begins() {
    for (locality, expected) in [
        (0, "c7e3347570821fed43690c2125ce36b1fb0ca7787ba0f219b8e75ee0fc7b4644"),
        (3, "6d7c58a95f4ee9f48f5ba4967c1945e651f67295d4541f3d9ff23002c120eb4f"),
        (4, "9a9a9f8b7759f0066976535eb1216cc5ca29a0a8af446be5d90552d10a5057ee"),
    ] {
        let note = [b"StartupLocality\0".as_slice(), &[locality]].concat();
        let events = [
            (0, EventType::NO_ACTION, note.as_slice()),
            (0, ACTION, b"one"),
            (5, EventType::NO_ACTION, b"a note of sixteen bytes and more"),
        ];
        let log = log(&BANKS, &events);
        let sha256 = &ours(&log)["sha256"];
        assert_eq!(sha256[&0], expected, "locality {locality}");
        assert_eq!(sha256[&5], "0".repeat(64));
        // The same PCRs are listed, in the same banks.
        let (_folder, path) = written(&log);
        let listed = |values: Values| -> Vec<(String, Vec<u8>)> {
            values.into_iter().map(|(bank, pcrs)| (bank, pcrs.into_keys().collect())).collect()
        };
        assert_eq!(listed(ours(&log)), listed(theirs(&path)));
    }
}

/// H-CRTM: PCR 0 begins with 4. `[TPM2-P1]` The tpm2-tools of Debian 12 leave that out.
#[test]
fn a_hardware_root_of_trust_begins_pcr_0_with_4() {
    let events = [(0, EventType::EFI_HCRTM_EVENT, b"HCRTM".as_slice()), (0, ACTION, b"one")];
    let expected = "ef0b6533933bb6e1e07ca6cff4f2118206ce34bea7ee6aabf15657138941a118";
    assert_eq!(ours(&log(&BANKS, &events))["sha256"][&0], expected);
}

/// Logs of other people's machines lie outside the project, in the folder `TRE_EVENT_LOGS`.
#[test]
fn logs_from_the_field_replay_as_another_reader_replays_them() {
    let Some(folder) = std::env::var_os("TRE_EVENT_LOGS") else {
        say("skipped 1: TRE_EVENT_LOGS is not set; only committed logs were replayed");
        return;
    };
    let mut replayed = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "bin") {
            let (bytes, theirs) = (fs::read(&path).unwrap(), theirs(&path));
            assert_eq!(ours(&bytes), theirs, "{}", path.display());
            // And what the verifier judges by is that bank.
            let judged = EventLog::parse(&bytes).unwrap().replay().unwrap();
            for (pcr, value) in &theirs["sha256"] {
                let pcr = PcrIndex::new(*pcr).unwrap();
                assert_eq!(judged.value(pcr).to_string(), *value, "{}: {pcr}", path.display());
            }
            replayed += 1;
        }
    }
    say(&format!("replayed {replayed} logs of TRE_EVENT_LOGS"));
    assert!(replayed > 0, "no *.bin in {}", folder.display());
}

/// Says it where a test that passes is heard too; `tests/scripts/test.sh` counts "skipped 1:".
fn say(what: &str) {
    writeln!(std::io::stderr(), "event logs: {what}").unwrap();
}

#[test]
fn a_bank_of_an_unknown_hash_is_refused_by_its_name() {
    let algorithm = AlgorithmId::SHA3_256;
    let log = log(&[(AlgorithmId::SHA256, 32), (algorithm, 32)], &[(0, ACTION, b"one")]);
    assert_eq!(replay(&log), Err(ReplayError::Bank { algorithm }));
}

/// A `UEFI_VARIABLE_DATA` that says these lengths.
fn variable(name_units: u64, value_len: u64) -> Vec<u8> {
    let lengths = [name_units.to_le_bytes(), value_len.to_le_bytes()].concat();
    [&[7; 16][..], &lengths, b"d\0b\0", b"value"].concat()
}

#[test]
fn data_that_is_shorter_than_it_says_is_refused_with_event_and_offset() {
    let event_type = EventType::EFI_VARIABLE_DRIVER_CONFIG;
    let refusal = |event_type, data: &[u8]| {
        let log = log(&BANKS[1..2], &[(0, ACTION, b"one"), (7, event_type, data)]);
        (replay(&log).map(drop), log.len() - data.len())
    };
    let (good, _) = refusal(event_type, &variable(2, 5));
    assert_eq!(good, Ok(()));
    let event = 2;
    for (name_units, value_len, at, needed, left) in
        [(2, 6, 36, 6, 5), (u64::MAX, 5, 32, usize::MAX, 9), (2, u64::MAX, 36, usize::MAX, 5)]
    {
        let (found, start) = refusal(event_type, &variable(name_units, value_len));
        let source = ReadError::Truncated { offset: start + at, needed, left };
        assert_eq!(found, Err(ReplayError::Data { event, event_type, source }));
    }
    for (event_type, shortest) in [
        (event_type, 32),
        (EventType::EFI_VARIABLE_BOOT, 32),
        (EventType::EFI_VARIABLE_BOOT2, 32),
        (EventType::EFI_VARIABLE_AUTHORITY, 32),
        (EventType::EFI_PLATFORM_FIRMWARE_BLOB, 16),
        (EventType::EFI_BOOT_SERVICES_APPLICATION, 32),
        (EventType::EFI_BOOT_SERVICES_DRIVER, 32),
        (EventType::EFI_RUNTIME_SERVICES_DRIVER, 32),
    ] {
        assert_eq!(refusal(event_type, &vec![0; shortest]).0, Ok(()), "{event_type}");
        let (found, start) = refusal(event_type, &vec![0; shortest - 1]);
        let error = found.unwrap_err();
        assert!(matches!(error, ReplayError::Data { event: 2, .. }), "{error}");
        let said = error.to_string();
        let offset = said.split("at offset ").nth(1).and_then(|rest| rest.split(':').next());
        let offset: usize = offset.unwrap().parse().unwrap();
        assert!((start..start + shortest).contains(&offset), "{said}");
    }
}

/// The words beside a digest are no part of it: which ones were measured is said.
#[test]
fn data_that_was_not_measured_is_named_and_the_values_stay() {
    let good = variable(2, 5);
    let events = [
        (0, ACTION, b"one".as_slice()),
        (7, EventType::EFI_VARIABLE_DRIVER_CONFIG, &good),
        (1, EventType::EFI_VARIABLE_BOOT, &good),
        (4, EventType::SEPARATOR, &[0; 4]),
        (5, EventType::IPL, b"free"),
    ];
    let banks = &BANKS[..2];
    let log = log(banks, &events);
    let whole = replay(&log).unwrap();
    // The filler digest of the first bank is the SHA-256, cut.
    let named = |replayed: &Replayed| -> Vec<(usize, Vec<AlgorithmId>)> {
        replayed.mismatches.iter().map(|found| (found.event, found.banks.clone())).collect()
    };
    let sha1 = vec![AlgorithmId::SHA1];
    assert_eq!(whole.events, 5);
    assert_eq!(named(&whole), [1, 2, 3, 4].map(|event| (event, sha1.clone())));
    let place = log.windows(3).position(|window| window == b"one").unwrap();
    let mut changed = log.clone();
    changed[place] = b'O';
    let found = replay(&changed).unwrap();
    assert_eq!(named(&found)[0], (1, vec![AlgorithmId::SHA1, AlgorithmId::SHA256]));
    assert_eq!((found.banks, found.events), (whole.banks, 5));

    let (_folder, path) = written(&changed);
    let output = run(&["replay", path.to_str().unwrap(), "--json"]);
    // The values are printed all the same, for whoever wants to see what was measured.
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.starts_with(b"{"), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("event 1, at offset") && said.contains(": 5 events"), "{said}");
}

/// The value of a boot variable is measured, not the whole; some firmware measures the whole.
#[test]
fn a_boot_variable_may_be_measured_by_its_value() {
    let data = variable(2, 5);
    let mut log = log(&BANKS[1..2], &[(1, EventType::EFI_VARIABLE_BOOT, &data)]);
    assert_eq!(replay(&log).unwrap().mismatches, []);
    let place = log.len() - data.len() - 4 - 32;
    log[place..place + 32].copy_from_slice(&sha256(b"value").0);
    assert_eq!(replay(&log).unwrap().mismatches, []);
    log[place] ^= 1;
    assert_eq!(replay(&log).unwrap().mismatches.len(), 1);
}

/// Cut anywhere but between two events: refused, and the offset is said.
#[test]
fn a_log_cut_anywhere_is_refused_with_the_offset() {
    let events = [(0, ACTION, b"one".as_slice()), (4, ACTION, b"two")];
    let whole = log(&BANKS, &events);
    let mut accepted = Vec::new();
    for len in 0..whole.len() {
        match replay(&whole[..len]) {
            Ok(_) => accepted.push(len),
            Err(error) => assert!(error.to_string().contains("offset"), "{len}: {error}"),
        }
    }
    assert_eq!(accepted, [log(&BANKS, &events[..1]).len()]);
    let header = log(&BANKS, &[]);
    assert_eq!(replay(&header), Err(ReplayError::NoEvents { offset: header.len() }));
}

#[test]
fn a_damaged_log_ends_with_exit_code_1_naming_offset_and_expectation() {
    let first = log(&BANKS, &[]).len();
    let mut log = log(&BANKS, &[(0, ACTION, b"one")]);
    log[first] = 24;
    let expected = LogError::Pcr { event: 1, offset: first, found: 24 };
    assert_eq!(replay(&log), Err(ReplayError::Log(expected)));
    let (_folder, path) = written(&log);
    let output = run(&["replay", path.to_str().unwrap(), "--json"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&format!("at offset {first}")) && said.contains("expected"), "{said}");
}

#[test]
fn the_command_answers_in_json_and_in_text() {
    let (_folder, path) = written(RECORDED);
    let path = path.to_str().unwrap();
    let output = run(&["replay", path, "--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let json: Values = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json, ours(RECORDED));
    let output = run(&["replay", path]);
    let text = String::from_utf8(output.stdout).unwrap();
    for (bank, pcrs) in &json {
        assert!(text.contains(&format!("{bank}:\n")), "{text}");
        assert!(pcrs.values().all(|value| text.contains(value.as_str())), "{text}");
    }
    let output = run(&["replay", "/nonexistent/eventlog.bin"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}
