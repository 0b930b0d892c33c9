//! A listener.

use tre_interposer::{Exchange, Interposer};
use tre_tpm::{EsapiTpm, Tpm as _};

use crate::scene::{OWNER, SECRET, Scene, extend, own, seal, unseal};

/// Panics if eight bytes of `secret` in a row were heard.
fn not_heard(between: &Interposer, secret: &[u8; 32]) {
    for Exchange { command, answer } in between.heard() {
        for frame in [Some(&command), answer.as_ref()].into_iter().flatten() {
            let clear = secret.windows(8).any(|part| contains(frame.bytes(), part));
            assert!(!clear, "a secret was heard in clear: command {:#x}", command.code());
        }
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn listened(scene: &Scene) -> (Interposer, EsapiTpm) {
    scene.through(|command, pass| pass(command).map(Some))
}

#[test]
fn a_listener_does_not_hear_what_is_sealed() {
    let scene = Scene::new();
    let (between, mut tpm) = listened(&scene);
    seal(&mut tpm).expect("sealed");
    not_heard(&between, &SECRET);
}

#[test]
fn a_listener_does_not_hear_what_is_unsealed() {
    let scene = Scene::new();
    let object = scene.sealed();
    let (between, mut tpm) = listened(&scene);
    unseal(&mut tpm, &object).expect("unsealed");
    not_heard(&between, &SECRET);
}

#[test]
fn a_listener_does_not_hear_the_owners_authorization() {
    let scene = Scene::new();
    let (between, mut tpm) = listened(&scene);
    own(&mut tpm).expect("owned");
    own(&mut tpm).expect("proven");
    not_heard(&between, &OWNER);
}

#[test]
fn a_listener_does_not_hear_random_bytes() {
    let scene = Scene::new();
    let (between, mut tpm) = listened(&scene);
    let mut bytes = [0; 32];
    tpm.random(&mut bytes).expect("random");
    not_heard(&between, &bytes);
}

/// The ear works: what is no secret is heard.
#[test]
fn a_listener_hears_what_is_extended() {
    let scene = Scene::new();
    let (between, mut tpm) = listened(&scene);
    extend(&mut tpm).expect("extended");
    let event = measured_boot::digest::sha256(b"event");
    let heard = between.heard();
    assert!(heard.iter().any(|exchange| contains(exchange.command.bytes(), &event.0)));
}
