//! Each token that must not come into force, with its own refusal.

use core::convert::Infallible;

use rcgen::{KeyPair, PublicKeyData as _};
use tre_wire::hex::{Hex32, HexBytes};
use tre_wire::json;
use tre_wire::signed::SignatureError;
use tre_wire::time::FORMAT;

use super::*;
use crate::clock::Clock;
use crate::peer::sha256;
use crate::status_key::tests::signed_by;

const POLICY: &str = include_str!("../../../../pki/policies/demo.json");

const NOON: u64 = 1_772_000_000_000;

fn ms(number: u64) -> UnixMillis {
    UnixMillis::new(number).expect("in range")
}

/// A TRE that handed out the nonce of sevens when its process began.
struct Scene {
    key: KeyPair,
    nonces: TimeNonces,
    elapsed: Duration,
    mark: UnixMillis,
}

fn scene() -> Scene {
    let mut nonces = TimeNonces::default();
    let drawn = nonces.at(Duration::ZERO, || Ok::<_, Infallible>([7; 32]));
    assert_eq!(drawn, Ok([7; 32]));
    let key = KeyPair::generate().expect("random source");
    Scene { key, nonces, elapsed: Duration::from_secs(1), mark: ms(NOON) }
}

fn token() -> TimeToken {
    TimeToken {
        format: FORMAT,
        trust_domain: "grid.example".parse().expect("a domain"),
        tre_id: "tre-1".parse().expect("a name"),
        nonce: Hex32([7; 32]),
        value: ms(NOON),
    }
}

/// The token and a signature, labelled and reasoned as said.
fn put(token: &TimeToken, key: &KeyPair, label: &str, reason: Option<&str>) -> PutTime {
    let (token, signature) = signed_by(key, token, label, reason);
    PutTime { token, signature }
}

impl Scene {
    fn judge(&self, put: &PutTime) -> Result<TimeToken, TimeRefusal> {
        let key = StatusKey::of(&HexBytes(self.key.subject_public_key_info())).expect("P-256");
        let (trust_domain, tre_id) =
            ("grid.example".parse().expect("a domain"), "tre-1".parse().expect("a name"));
        let own = Addressee { key: &key, trust_domain: &trust_domain, tre_id: &tre_id };
        own.judge(put, (&self.nonces, self.elapsed), self.mark)
    }

    fn signed(&self, token: &TimeToken) -> Result<TimeToken, TimeRefusal> {
        self.judge(&put(token, &self.key, LABEL, None))
    }
}

#[test]
fn a_token_for_this_nonce_of_this_tre_comes_into_force() {
    let judged = scene().signed(&token());
    assert!(judged.as_ref().is_ok_and(|judged| *judged == token()), "{judged:?}");
}

#[test]
fn a_token_that_is_not_signed_as_one_by_the_status_key_is_refused() {
    use NotSigned::{Reason, Signature};
    let (scene, other) = (scene(), KeyPair::generate().expect("random source"));
    let refused = scene.judge(&put(&token(), &other, LABEL, None));
    let by_other =
        matches!(refused, Err(TimeRefusal::NotSigned(Signature(SignatureError::OtherKey { .. }))));
    assert!(by_other, "{refused:?}");
    // Somebody else's signature under our key's name.
    let mut forged = put(&token(), &other, LABEL, None);
    let id = |key: &KeyPair| Hex32(sha256(&key.subject_public_key_info())).to_string();
    forged.signature = forged.signature.replace(&id(&other), &id(&scene.key));
    let refused = scene.judge(&forged);
    let invalid =
        matches!(refused, Err(TimeRefusal::NotSigned(Signature(SignatureError::Invalid))));
    assert!(invalid, "{refused:?}");
    let refused = scene.judge(&put(&token(), &scene.key, "tre-revocations-v1", None));
    let labelled =
        matches!(refused, Err(TimeRefusal::NotSigned(Signature(SignatureError::Label { .. }))));
    assert!(labelled, "{refused:?}");
    let mut altered = put(&token(), &scene.key, LABEL, None);
    altered.token = altered.token.replace("1772", "1773");
    let refused = scene.judge(&altered);
    let other_file =
        matches!(refused, Err(TimeRefusal::NotSigned(Signature(SignatureError::OtherFile { .. }))));
    assert!(other_file, "{refused:?}");
    let refused = scene.judge(&put(&token(), &scene.key, LABEL, Some("why not")));
    assert!(matches!(refused, Err(TimeRefusal::NotSigned(Reason))), "{refused:?}");
}

#[test]
fn a_token_of_another_format_domain_or_tre_is_refused() {
    let later = TimeToken { format: 2, ..token() };
    let refused = scene().signed(&later);
    let by_number = matches!(refused, Err(TimeRefusal::Token(TokenError::Format { found: 2 })));
    assert!(by_number, "{refused:?}");
    let other = TimeToken { trust_domain: "other.example".parse().expect("a domain"), ..token() };
    let refused = scene().signed(&other);
    let of_other = matches!(refused, Err(TimeRefusal::Token(TokenError::OtherDomain { .. })));
    assert!(of_other, "{refused:?}");
    let other = TimeToken { tre_id: "tre-2".parse().expect("a name"), ..token() };
    let refused = scene().signed(&other);
    let for_other = matches!(refused, Err(TimeRefusal::Token(TokenError::OtherTre { .. })));
    assert!(for_other, "{refused:?}");
}

#[test]
fn a_token_for_another_nonce_an_answered_one_or_an_old_one_is_refused() {
    let mut scene = scene();
    let refused = scene.signed(&TimeToken { nonce: Hex32([8; 32]), ..token() });
    assert!(matches!(refused, Err(TimeRefusal::Nonce(NonceRefusal::Unknown))), "{refused:?}");
    scene.elapsed = bounds::TIME_NONCE_LIFE.saturating_add(Duration::from_millis(1));
    let refused = scene.signed(&token());
    let expired = matches!(refused, Err(TimeRefusal::Nonce(NonceRefusal::Expired { .. })));
    assert!(expired, "{refused:?}");
    scene.elapsed = Duration::from_secs(2);
    let file = json::encode(&token()).expect("JSON");
    scene.nonces.spend(&[7; 32], sha256(&file));
    let refused = scene.signed(&token());
    assert!(matches!(refused, Err(TimeRefusal::Nonce(NonceRefusal::Replayed))), "{refused:?}");
    let refused = scene.signed(&TimeToken { value: ms(NOON + 1), ..token() });
    assert!(matches!(refused, Err(TimeRefusal::Nonce(NonceRefusal::Answered))), "{refused:?}");
}

#[test]
fn a_token_below_the_sealed_mark_is_refused() {
    let refused = scene().signed(&TimeToken { value: ms(NOON - 1), ..token() });
    assert!(matches!(refused, Err(TimeRefusal::BelowMark(_))), "{refused:?}");
}

#[tokio::test]
async fn tokens_are_judged_one_after_the_other_and_none_is_turned_away() {
    let (pace, clock) = (Pace::default(), Clock::start(UnixMillis::default()));
    let pause = bounds::TIME_TOKEN_PAUSE;
    tokio::join!(pace.turn(false), pace.turn(false), pace.turn(false), async {
        // Another kind of peer does not wait for them.
        pace.turn(true).await;
        assert!(clock.elapsed() < pause.saturating_mul(3), "{:?}", clock.elapsed());
    });
    assert!(clock.elapsed() >= pause.saturating_mul(3), "{:?}", clock.elapsed());
}

#[test]
fn a_time_that_the_grid_cannot_follow_to_is_refused_before_it_is_sealed() {
    let policy: Policy = json::decode(POLICY.as_bytes()).expect("a policy");
    let latest = ms(NOON);
    let slots = |slots: u64| latest.plus(policy.slot_ms * slots);
    within_reach(&policy, latest, slots(SLOTS_PER_STEP - 1)).expect("in reach");
    let refused = within_reach(&policy, latest, slots(SLOTS_PER_STEP));
    assert!(matches!(refused, Err(TimeRefusal::TooFar { .. })), "{refused:?}");
}
