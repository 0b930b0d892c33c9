//! Faulty evidence as files, put to this verifier and to `tpm2_checkquote` and `tpm2_eventlog`.
//!
//! What those tools miss stands in a table in `docs/ATTESTATION.md`, which is held here.

use std::fs;
use std::path::Path;

use attest_verifier::core::check::Mismatch as _;
use attest_verifier::core::measured_boot::digest::sha256;
use attest_verifier::core::measured_boot::eventlog::EventType;
use attest_verifier::core::measured_boot::pcr::{PcrIndex, PcrSelection};
use attest_verifier::core::measured_boot::tpm::{Attribute, Name, ObjectAttributes, Quote};
use attest_verifier::core::past::PastError;
use attest_verifier::core::refusal::Refusal;
use attest_verifier::core::wire::attestation::{Evidence, Path as Place};
use attest_verifier::core::wire::hex::Hex32;
use attest_verifier::core::wire::message::StartState;
use attest_verifier::core::{quote, verdict};
use attest_verifier::export;
use rcgen::KeyPair;

use crate::export::{check_quote, run};
use crate::scene::{Certified, IMAGE, LogEvent, NOW, Scene, Seen, authority};
use crate::signing::sign;

/// One thing that is wrong.
struct Fault {
    /// In the words of the table.
    name: &'static str,
    /// Makes it so.
    make: fn() -> Case,
}

/// A box, and the evidence that its victim gets.
struct Case {
    scene: Scene,
    evidence: Evidence,
}

fn scene(spoil: impl FnOnce(&mut Scene)) -> Case {
    let mut scene = Scene::honest();
    spoil(&mut scene);
    let evidence = scene.play();
    Case { scene, evidence }
}

fn evidence(spoil: impl FnOnce(&Scene, &mut Evidence)) -> Case {
    let mut case = scene(|_| {});
    spoil(&case.scene, &mut case.evidence);
    case
}

fn seen(spoil: impl FnOnce(&mut Seen)) -> Case {
    evidence(|scene, evidence| {
        let mut seen = scene.seen();
        spoil(&mut seen);
        *evidence = scene.answer(&seen);
    })
}

fn attest(alter: fn(Vec<u8>) -> Vec<u8>) -> Case {
    scene(|scene| scene.attest = alter)
}

fn image(scene: &mut Scene) -> &mut LogEvent {
    scene.log.iter_mut().find(|event| event.digest == IMAGE).unwrap()
}

const FAULTS: &[Fault] = &[
    Fault {
        name: "magic that is not a TPM's",
        make: || attest(|bytes| [&[0xfe], &bytes[1..]].concat()),
    },
    Fault {
        name: "a signed statement that is no quote",
        make: || {
            attest(|mut bytes| {
                bytes[5] = 0x17;
                bytes
            })
        },
    },
    Fault { name: "a byte behind the quote", make: || attest(|bytes| [&bytes[..], &[0]].concat()) },
    Fault { name: "a quote cut short", make: || attest(|bytes| bytes[..bytes.len() - 1].to_vec()) },
    Fault {
        name: "values that were not quoted",
        make: || evidence(|_, evidence| evidence.pcrs[4] = Hex32([0xaa; 32])),
    },
    Fault {
        name: "a value more than there are PCRs",
        make: || evidence(|_, evidence| evidence.pcrs.push(Hex32([0; 32]))),
    },
    Fault {
        name: "a quote that answers another nonce",
        make: || seen(|seen| seen.nonce = [0x99; 32]),
    },
    Fault {
        name: "a signature by another key",
        make: || {
            evidence(|_, evidence| {
                let other = KeyPair::generate().unwrap();
                evidence.signature.0 = sign(&other, evidence.attest.as_slice());
            })
        },
    },
    Fault { name: "no signature", make: || evidence(|_, evidence| evidence.signature.0.clear()) },
    Fault {
        name: "an attestation key that signs anything",
        make: || {
            scene(|scene| {
                let word = scene.attributes.word() & !Attribute::Restricted.mask();
                scene.attributes = ObjectAttributes::from_word(word).unwrap();
            })
        },
    },
    Fault {
        name: "an attestation key under the owner hierarchy",
        make: || scene(|scene| scene.qualified_signer = |name: Name| name),
    },
    Fault {
        name: "an attestation key that nobody certified",
        make: || {
            evidence(|scene, evidence| {
                let stranger = authority("somebody else");
                let certificate = scene.aik_certificate.sign(&scene.aik, &stranger);
                evidence.attestation_key_chain[0].0 = certificate.to_vec();
            })
        },
    },
    Fault {
        name: "another TRE's attestation key",
        make: || {
            scene(|scene| {
                let uris = vec!["spiffe://grid.example/tre/tre-2".to_owned()];
                scene.aik_certificate = Certified { uris, ..scene.aik_certificate.clone() };
            })
        },
    },
    Fault { name: "another TRE", make: || scene(|scene| "tre-2".clone_into(&mut scene.tre_id)) },
    Fault {
        name: "a relay: another connection's quote",
        make: || seen(|seen| seen.exporter = [0x99; 32]),
    },
    Fault {
        name: "a quote for another server key",
        make: || seen(|seen| seen.server_key = sha256(b"another key")),
    },
    Fault {
        name: "another place in the batch",
        make: || {
            evidence(|_, evidence| {
                evidence.path = Place { index: 0, count: 2, siblings: vec![Hex32([7; 32])] };
            })
        },
    },
    Fault {
        name: "a PCR left out of the quote",
        make: || {
            scene(|scene| {
                let hole = PcrSelection::of([PcrIndex::P4]);
                scene.selection = PcrSelection::ALL.without(hole);
            })
        },
    },
    Fault {
        name: "the SHA-1 bank in the quote",
        make: || {
            attest(|mut bytes| {
                let bank = bytes.len() - (2 + 32) - (1 + 3) - 1;
                bytes[bank] = 0x04;
                bytes
            })
        },
    },
    Fault {
        name: "a log of the SHA-1 bank alone",
        make: || scene(|scene| scene.log_bank = (0x0004, 20)),
    },
    Fault { name: "firmware that measured nothing", make: || scene(|scene| scene.log.clear()) },
    Fault {
        name: "a modified image",
        make: || scene(|scene| image(scene).digest = sha256(b"another image")),
    },
    Fault {
        name: "a modified image, named in its event as the right one",
        make: || {
            scene(|scene| {
                let event = image(scene);
                event.data = IMAGE.0.to_vec();
                event.event_type = EventType::EFI_BOOT_SERVICES_APPLICATION;
                event.digest = sha256(b"another image");
            })
        },
    },
    Fault {
        name: "an external kernel command line in PCR 9",
        make: || {
            scene(|scene| {
                let event = LogEvent { pcr: PcrIndex::P9, ..image(scene).clone() };
                scene.log.push(event);
            })
        },
    },
    Fault {
        name: "an event behind the separator of PCR 7",
        make: || {
            scene(|scene| {
                let event = LogEvent { pcr: PcrIndex::P7, ..image(scene).clone() };
                scene.log.push(event);
            })
        },
    },
    Fault {
        name: "another deployment",
        make: || scene(|scene| scene.started[0] = sha256(b"another deployment")),
    },
    Fault {
        name: "secrets still within reach: not \"started\"",
        make: || scene(|scene| scene.started.truncate(1)),
    },
    Fault { name: "a log cut between events", make: || log(|scene| drop(scene.log.pop())) },
    Fault {
        name: "a log cut inside an event",
        make: || {
            evidence(|_, evidence| evidence.event_log.0.truncate(evidence.event_log.0.len() - 1))
        },
    },
    Fault {
        name: "bytes behind the log",
        make: || evidence(|_, evidence| evidence.event_log.0.extend([0; 3])),
    },
    Fault {
        name: "an event more than was measured",
        make: || {
            log(|scene| {
                let event = image(scene).clone();
                scene.log.push(event);
            })
        },
    },
    Fault { name: "a log in another order", make: || log(|scene| scene.log.swap(0, 1)) },
    Fault {
        name: "a log of another boot",
        make: || log(|scene| image(scene).digest = sha256(b"another image")),
    },
    Fault {
        name: "an expired manifest",
        make: || scene(|scene| scene.manifest.valid_until = Some(NOW / 1_000 - 1)),
    },
    Fault { name: "a time of another day", make: || scene(|scene| scene.time -= 86_400_000) },
    Fault { name: "a TPM that was set back", make: || scene(|scene| scene.clock.reset_count -= 1) },
    Fault { name: "state that was set back", make: || scene(|scene| scene.state_epoch -= 1) },
    Fault { name: "a locked box", make: || scene(|scene| scene.state = StartState::Locked) },
];

/// The true quote beside the log of a box that is spoilt.
fn log(spoil: impl FnOnce(&mut Scene)) -> Case {
    let mut case = scene(|_| {});
    let mut other = Scene::honest();
    spoil(&mut other);
    case.evidence.event_log = other.play().event_log;
    case
}

impl Case {
    /// The check that refuses it here, in a session of a verifier that knows the box as it was.
    fn refused_here(&self) -> String {
        let Self { scene, evidence } = self;
        let (identity, reference, now) = (Scene::identity(), scene.reference(), Scene::now());
        let verdict = verdict::attest(evidence, scene.session(), &identity, &reference, now);
        let refusal = match verdict {
            Err(refusal) => refusal,
            Ok(attested) => {
                // The same key, as it was seen with 7 resets and in epoch 3.
                let mut past = attested.past();
                (past.reset_count, past.state_epoch) = (7, 3);
                let refused: PastError = attested.not_before(&past).unwrap_err();
                Refusal::Past(refused)
            }
        };
        refusal.check().to_string()
    }

    /// What `tpm2_checkquote` and `tpm2_eventlog` say of the files.
    fn refused_there(&self, folder: &Path) -> [bool; 2] {
        let answer = quote::expected_answer(&self.evidence, &self.scene.session());
        export(folder, &self.evidence, &answer).unwrap();
        let quote = check_quote(folder);
        let log = run(folder, "tpm2_eventlog", &["eventlog.bin"]);
        [quote, log].map(|output| !output.status.success())
    }
}

fn table() -> String {
    let mut table = String::from(
        "| fault | refused here by | `tpm2_checkquote` | `tpm2_eventlog` |\n|---|---|---|---|\n",
    );
    let mut missed: Vec<&str> = Vec::new();
    for Fault { name, make } in FAULTS {
        let case = make();
        let folder = tempfile::tempdir().unwrap();
        let here = case.refused_here();
        let there = case.refused_there(folder.path());
        let words = there.map(|refused| if refused { "refuses" } else { "accepts" });
        let [quote, log] = words;
        missed.extend((!there.contains(&true)).then_some(name));
        table += &format!("| {name} | `{here}` | {quote} | {log} |\n");
    }
    table + &format!("\n{} of {} are missed by both tools.\n", missed.len(), FAULTS.len())
}

/// Also that each is refused here at all: whatever else is right with it.
#[test]
fn what_other_tools_miss_is_as_the_table_in_the_docs_says() {
    let honest = scene(|_| {});
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(honest.refused_there(folder.path()), [false; 2], "nothing is wrong with it");
    assert!(Quote::parse(honest.evidence.attest.as_slice()).is_ok());
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ATTESTATION.md");
    let docs = fs::read_to_string(docs).unwrap();
    let found = table();
    assert!(docs.contains(&found), "docs/ATTESTATION.md should hold this table:\n\n{found}");
}
