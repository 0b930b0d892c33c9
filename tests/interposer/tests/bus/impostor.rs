//! Somebody with a key of his own.

use tre_tpm::{Tpm as _, TpmError};

use crate::scene::{Scene, code};

#[test]
fn another_tpm_in_between_is_refused() {
    let (ours, his) = (Scene::new(), Scene::new());
    let expected = ours.direct().storage_key().expect("a key").name();
    let found = his.direct().storage_key().expect("a key").name();
    // All that is said goes to his TPM, whose memory he can read.
    let (between, mut tpm) = his.through(|command, pass| pass(command).map(Some));
    let refused = tpm.expect_storage_key(expected).expect_err("his key");
    assert_eq!(refused, TpmError::OtherStorageKey { expected, found });
    // Nothing but the public area was asked for.
    let codes: Vec<u32> = between.heard().iter().map(|exchange| exchange.command.code()).collect();
    assert!(codes.iter().all(|code| *code == code::READ_PUBLIC), "{codes:x?}");
}

#[test]
fn the_enrolled_key_is_taken() {
    let scene = Scene::new();
    let expected = scene.direct().storage_key().expect("a key").name();
    let (_between, mut tpm) = scene.through(|command, pass| pass(command).map(Some));
    assert_eq!(tpm.expect_storage_key(expected), Ok(()));
}

#[test]
fn his_key_shown_in_place_of_ours_is_refused_whenever_it_is_shown() {
    for shown in [1, 2, 3] {
        let (ours, his) = (Scene::new(), Scene::new());
        let expected = ours.direct().storage_key().expect("a key").name();
        let (watch, mut honest) = his.through(|command, pass| pass(command).map(Some));
        honest.expect_storage_key(his.direct().storage_key().expect("a key").name()).expect("his");
        let heard = watch.heard();
        let answer = heard.iter().find(|exchange| exchange.command.code() == code::READ_PUBLIC);
        let his_answer = answer.and_then(|exchange| exchange.answer.clone());
        let mut left = shown;
        let (_between, mut tpm) = ours.through(move |command, pass| {
            if command.code() == code::READ_PUBLIC && left > 0 {
                left -= 1;
                return Ok(his_answer.clone());
            }
            pass(command).map(Some)
        });
        let refused = tpm.expect_storage_key(expected);
        assert!(matches!(refused, Err(TpmError::OtherStorageKey { .. })), "{shown}: {refused:?}");
    }
}
