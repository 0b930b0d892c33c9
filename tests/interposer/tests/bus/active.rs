//! Somebody who alters, withholds and repeats, command by command.

use measured_boot::pcr::PcrIndex;
use tre_interposer::{Exchange, Frame};
use tre_tpm::{Tpm as _, TpmError, UnsealError};

use crate::scene::{OPERATIONS, Operation, SECRET, Scene, code, extend, own, seal, unseal};

/// What an error says of whoever stands between.
fn kind(error: TpmError) -> &'static str {
    match error {
        TpmError::CommandRefused { .. } => "command refused",
        TpmError::AnswerForged { .. } => "answer forged",
        TpmError::AnswerMalformed { .. } => "answer malformed",
        TpmError::NoAnswer { .. } => "no answer",
        TpmError::Forgotten { .. } => "forgotten",
        TpmError::OwnerTaken { .. } => "owner taken",
        TpmError::Desynchronized { .. } => "desynchronized",
        TpmError::Failed { .. } => "failed",
        other => panic!("{other:?}"),
    }
}

#[derive(Clone, Copy, Debug)]
enum Deed {
    AlterCommand,
    AlterAnswer,
    AlterAnswersProof,
    CutAnswer,
    WithholdCommand,
    WithholdAnswer,
    RepeatCommand,
    ForgetSession,
}

/// Where the parameters of this command's answer begin: behind a handle, if there is one.
fn parameters(code: u32) -> usize {
    match code {
        code::CREATE_PRIMARY | code::LOAD => 18,
        _ => 14,
    }
}

/// `TPM2_FlushContext` of the first session. `[TPM2-P3]`
fn flush_first_session(like: &Frame) -> Frame {
    let bytes = [0x80, 0x01, 0, 0, 0, 14, 0, 0, 0x01, 0x65, 0x02, 0, 0, 0];
    let frame = Frame::read(&mut bytes.as_slice()).expect("a frame").expect("a frame");
    assert_ne!(&frame, like);
    frame
}

/// Does the deed to the first command of the operation's code and returns what came of it.
fn attacked(scene: &mut Scene, operation: &Operation, deed: Deed) -> Result<(), TpmError> {
    scene.restart();
    if operation.code == code::POLICY_SECRET {
        own(&mut scene.direct()).expect("owned");
    }
    let object = scene.sealed();
    let mut armed = true;
    let code = operation.code;
    let (_between, mut tpm) = scene.through(move |command, pass| {
        if command.code() != code || !core::mem::take(&mut armed) {
            return pass(command).map(Some);
        }
        let last = command.bytes().len() - 1;
        Ok(match deed {
            Deed::AlterCommand => Some(pass(&command.altered_at(last))?),
            Deed::AlterAnswer => {
                let at = parameters(code);
                pass(command).map(|answer| Some(answer.altered_at(at)))?
            }
            Deed::AlterAnswersProof => {
                let answer = pass(command)?;
                Some(answer.altered_at(answer.bytes().len() - 1))
            }
            Deed::CutAnswer => {
                let answer = pass(command)?;
                let content = &answer.bytes()[10..answer.bytes().len() - 1];
                Some(answer.with_content(content))
            }
            Deed::WithholdCommand => None,
            Deed::WithholdAnswer => {
                pass(command)?;
                None
            }
            Deed::RepeatCommand => {
                pass(command)?;
                Some(pass(command)?)
            }
            Deed::ForgetSession => {
                pass(&flush_first_session(command))?;
                Some(pass(command)?)
            }
        })
    });
    (operation.run)(&mut tpm, &object)
}

/// Every operation ends with this error, whatever it was about.
fn every_operation_ends_in(deed: Deed, expected: &str) {
    let mut scene = Scene::new();
    for operation in &OPERATIONS {
        let refused = attacked(&mut scene, operation, deed).expect_err(operation.name);
        assert_eq!(kind(refused), expected, "{}: {refused}", operation.name);
    }
}

#[test]
fn an_altered_command_is_refused_by_the_tpm() {
    let mut scene = Scene::new();
    for operation in &OPERATIONS {
        let refused = attacked(&mut scene, operation, Deed::AlterCommand);
        let refused = refused.expect_err(operation.name);
        assert_eq!(kind(refused), refusal(operation), "{}: {refused}", operation.name);
    }
}

/// What a TPM's refusal of a command is taken for. It says of an altered command what it says of a
/// wrong authorization; only the owner's can be wrong.
fn refusal(operation: &Operation) -> &'static str {
    match operation.name {
        "own" | "prove ownership" | "storage key" => "owner taken",
        _ => "command refused",
    }
}

#[test]
fn an_answer_whose_proof_was_altered_is_noticed() {
    every_operation_ends_in(Deed::AlterAnswersProof, "answer forged");
}

#[test]
fn an_altered_answer_is_noticed() {
    let mut scene = Scene::new();
    for operation in OPERATIONS.iter().filter(|operation| {
        // Their answers have no parameters.
        !matches!(operation.code, code::PCR_EXTEND | code::POLICY_PCR | code::HIERARCHY_CHANGE_AUTH)
    }) {
        let refused = attacked(&mut scene, operation, Deed::AlterAnswer).expect_err(operation.name);
        let found = kind(refused);
        // An altered length may be found before the proof is looked at.
        assert!(
            matches!(found, "answer forged" | "answer malformed"),
            "{}: {refused:?}",
            operation.name
        );
    }
}

#[test]
fn a_cut_answer_is_noticed() {
    let mut scene = Scene::new();
    for operation in &OPERATIONS {
        let refused = attacked(&mut scene, operation, Deed::CutAnswer).expect_err(operation.name);
        assert_eq!(kind(refused), "answer malformed", "{}: {refused}", operation.name);
    }
}

#[test]
fn a_withheld_command_is_noticed() {
    every_operation_ends_in(Deed::WithholdCommand, "no answer");
}

#[test]
fn a_withheld_answer_is_noticed() {
    every_operation_ends_in(Deed::WithholdAnswer, "no answer");
}

#[test]
fn a_repeated_command_is_refused_by_the_tpm() {
    let mut scene = Scene::new();
    for operation in OPERATIONS.iter().filter(|operation| operation.code != code::UNSEAL) {
        let refused = attacked(&mut scene, operation, Deed::RepeatCommand);
        let refused = refused.expect_err(operation.name);
        assert_eq!(kind(refused), refusal(operation), "{}: {refused}", operation.name);
    }
}

/// The first has used the policy up.
#[test]
fn a_repeated_unsealing_finds_no_policy_fulfilled() {
    let scene = Scene::new();
    let object = scene.sealed();
    let (_between, mut tpm) = scene.through(|command, pass| {
        if command.code() == code::UNSEAL {
            pass(command)?;
        }
        pass(command).map(Some)
    });
    let refused = tpm.unseal(&object).map(|_| ());
    assert!(matches!(refused, Err(UnsealError::PolicyRefused { .. })), "{refused:?}");
}

#[test]
fn a_tpm_that_forgot_the_session_is_noticed() {
    let mut scene = Scene::new();
    for operation in OPERATIONS.iter().filter(|operation| operation.code == code::QUOTE) {
        let refused =
            attacked(&mut scene, operation, Deed::ForgetSession).expect_err(operation.name);
        assert_eq!(kind(refused), "forgotten", "{refused}");
    }
}

#[test]
fn a_repeated_extension_extends_once() {
    let scene = Scene::new();
    let (_between, mut tpm) = scene.through(|command, pass| {
        let answer = pass(command)?;
        if command.code() == code::PCR_EXTEND {
            pass(command)?;
        }
        Ok(Some(answer))
    });
    let mut once = scene.direct();
    extend(&mut tpm).expect("extended");
    let found = once.read_pcrs().expect("PCRs").value(PcrIndex::P23);
    let event = measured_boot::digest::sha256(b"event");
    let parts = [[0; 32].as_slice(), &event.0];
    assert_eq!(found, measured_boot::digest::sha256_of_parts(parts));
}

#[test]
fn an_extension_that_was_answered_by_an_old_answer_is_not_believed() {
    let scene = Scene::new();
    let mut old = None;
    let (_between, mut tpm) = scene.through(move |command, pass| {
        if command.code() != code::PCR_EXTEND {
            return pass(command).map(Some);
        }
        if old.is_none() {
            old = Some(pass(command)?);
        }
        Ok(old.clone())
    });
    extend(&mut tpm).expect("extended");
    let refused = extend(&mut tpm).expect_err("never reached the TPM");
    assert_eq!(kind(refused), "answer forged", "{refused}");
}

#[test]
fn a_quote_that_was_answered_by_an_old_quote_is_noticed() {
    let scene = Scene::new();
    let mut old: Option<Frame> = None;
    let (_between, mut tpm) = scene.through(move |command, pass| {
        let answer = pass(command)?;
        if command.code() != code::QUOTE {
            return Ok(Some(answer));
        }
        Ok(Some(old.replace(answer.clone()).unwrap_or(answer)))
    });
    tpm.quote(&[1; 32]).expect("a quote");
    let refused = tpm.quote(&[2; 32]).map(|_| ()).expect_err("an old one");
    assert_eq!(kind(refused), "answer forged", "{refused}");
    // Nothing is believed from then on: the box has to be restarted.
    let refused = tpm.quote(&[3; 32]).map(|_| ()).expect_err("no more");
    assert_eq!(kind(refused), "desynchronized", "{refused}");
}

/// The stack leaves a session as the last answer had it. It must never be used again.
#[test]
fn after_any_error_the_next_secret_is_still_encrypted() {
    type Answer = fn(Frame) -> Frame;
    let deeds: [Answer; 3] = [
        // The TPM fails, or somebody says so.
        |_| Frame::refusal(0x101),
        // The session's attributes: before the proof's length and its 32 bytes.
        |answer| answer.altered_at(answer.bytes().len() - 35),
        |answer| answer.altered_at(answer.bytes().len() - 1),
    ];
    let mut scene = Scene::new();
    for deed in deeds {
        scene.restart();
        let mut armed = true;
        let (between, mut tpm) = scene.through(move |command, pass| {
            let answer = pass(command)?;
            let now = command.code() == code::PCR_EXTEND && core::mem::take(&mut armed);
            Ok(Some(if now { deed(answer) } else { answer }))
        });
        extend(&mut tpm).expect_err("an error");
        // In a new session, or not at all.
        if let Err(refused) = seal(&mut tpm) {
            assert_eq!(kind(refused), "desynchronized", "{refused}");
        }
        for Exchange { command, .. } in between.heard() {
            let clear = SECRET
                .windows(8)
                .any(|part| command.bytes().windows(part.len()).any(|window| window == part));
            assert!(!clear, "a secret was heard in clear");
        }
    }
}

/// What no session stops: a refusal carries no proof. It is believed, and costs no more than a
/// service that fails.
#[test]
fn a_forged_refusal_is_a_failure_and_no_more() {
    let mut scene = Scene::new();
    let object = scene.sealed();
    for operation in OPERATIONS.iter().filter(|operation| operation.code != code::POLICY_SECRET) {
        let code = operation.code;
        let (_between, mut tpm) = scene.through(move |command, pass| {
            if command.code() == code {
                Ok(Some(Frame::refusal(0x101)))
            } else {
                pass(command).map(Some)
            }
        });
        let refused = (operation.run)(&mut tpm, &object).expect_err(operation.name);
        assert_eq!(kind(refused), "failed", "{}: {refused}", operation.name);
        drop(tpm);
        scene.restart();
        unseal(&mut scene.direct(), &object).expect("nothing was lost");
    }
}
