//! What is remembered: nothing older is believed, and no honest box is refused.

use std::vec::Vec;

use measured_boot::manifest::ReleaseNumber;
use measured_boot::tpm::ClockInfo;
use proptest::prelude::*;

use super::scene::Scene;
use crate::channel::View;
use crate::past::{Past, PastError};
use crate::verdict::{self, Attested, Facts};

fn attest(scene: &Scene) -> Attested<View> {
    let (identity, reference, now) = (Scene::identity(), scene.reference(), Scene::now());
    verdict::attest(&scene.play(), scene.session(), &identity, &reference, now).unwrap()
}

/// Clock 5,000 ms, 7 resets, 2 restarts, epoch 3, release 4.
fn facts() -> Facts {
    let clock = ClockInfo { clock_ms: 5_000, reset_count: 7, restart_count: 2, safe: true };
    let facts = attest(&Scene::honest()).facts().clone();
    Facts { clock, state_epoch: 3, release: Some(ReleaseNumber(4)), ..facts }
}

fn after(change: impl FnOnce(&mut Facts)) -> Result<(), PastError> {
    let mut later = facts();
    let past = Past::of(&later);
    change(&mut later);
    past.check(&later)
}

#[test]
fn the_same_again_is_not_older() {
    assert_eq!(after(|_| {}), Ok(()));
}

#[test]
fn an_older_quote_after_a_newer_is_refused() {
    let older = |facts: &mut Facts| facts.clock.clock_ms = 4_999;
    assert_eq!(after(older), Err(PastError::Clock { expected: 5_000, found: 4_999 }));
}

#[test]
fn an_older_quote_of_a_boot_whose_clock_is_not_safe_is_refused() {
    let mut newer = facts();
    newer.clock.safe = false;
    let older = ClockInfo { clock_ms: 4_999, ..newer.clock };
    let found = Past::of(&newer).check(&Facts { clock: older, ..newer });
    assert_eq!(found, Err(PastError::Clock { expected: 5_000, found: 4_999 }));
}

#[test]
fn a_lower_reset_count_is_refused_whatever_else_advanced() {
    let restored = |facts: &mut Facts| {
        facts.clock = ClockInfo { clock_ms: 9_000, reset_count: 6, restart_count: 9, safe: false };
        facts.state_epoch = 9;
    };
    assert_eq!(after(restored), Err(PastError::ResetCount { expected: 7, found: 6 }));
}

#[test]
fn a_lower_restart_count_within_a_reset_is_refused() {
    let restored = |facts: &mut Facts| {
        facts.clock.restart_count = 1;
        facts.clock.clock_ms = 9_000;
    };
    assert_eq!(after(restored), Err(PastError::RestartCount { expected: 2, found: 1 }));
}

#[test]
fn a_reset_begins_counting_restarts_anew() {
    let reset = |facts: &mut Facts| {
        facts.clock = ClockInfo { clock_ms: 5_001, reset_count: 8, restart_count: 0, safe: true };
        facts.state_epoch = 4;
    };
    assert_eq!(after(reset), Ok(()));
}

#[test]
fn a_power_cut_may_set_the_clock_back() {
    let cut = |facts: &mut Facts| {
        facts.clock = ClockInfo { clock_ms: 4_096, reset_count: 8, restart_count: 0, safe: false };
        facts.state_epoch = 4;
    };
    assert_eq!(after(cut), Ok(()));
}

#[test]
fn a_clock_that_calls_itself_safe_does_not_go_back_across_a_reset() {
    let restored = |facts: &mut Facts| {
        facts.clock = ClockInfo { clock_ms: 4_999, reset_count: 8, restart_count: 0, safe: true };
        facts.state_epoch = 4;
    };
    assert_eq!(after(restored), Err(PastError::SafeClock { expected: 5_000, found: 4_999 }));
}

/// The clock seen before a power cut is not forgotten because of the power cut.
#[test]
fn a_safe_clock_is_held_against_the_greatest_ever_seen() {
    let mut later = facts();
    let first = Past::of(&later);
    later.clock = ClockInfo { clock_ms: 4_096, reset_count: 8, restart_count: 0, safe: false };
    later.state_epoch = 4;
    let past = first.joined(Past::of(&later)).unwrap();
    later.clock.clock_ms = 4_097;
    assert_eq!(past.check(&later), Ok(()));
    later.clock.safe = true;
    let refused = PastError::SafeClock { expected: 5_000, found: 4_097 };
    assert_eq!(past.check(&later), Err(refused));
}

#[test]
fn a_lower_epoch_is_refused() {
    let restored = |facts: &mut Facts| {
        facts.state_epoch = 2;
        facts.clock.reset_count = 8;
    };
    let restarted = |facts: &mut Facts| facts.state_epoch = 2;
    assert_eq!(after(restarted), Err(PastError::StateEpoch { expected: 3, found: 2 }));
    assert_eq!(after(restored), Err(PastError::StateEpoch { expected: 4, found: 2 }));
}

/// A disk that was set back by one start counts up to the very number that was seen.
#[test]
fn the_same_epoch_after_another_reset_is_refused() {
    let reset = |facts: &mut Facts| facts.clock.reset_count = 8;
    assert_eq!(after(reset), Err(PastError::StateEpoch { expected: 4, found: 3 }));
    // Whoever sends the TPM the commands can have it restart without a reset.
    let restarted = |facts: &mut Facts| facts.clock.restart_count = 3;
    assert_eq!(after(restarted), Err(PastError::StateEpoch { expected: 4, found: 3 }));
}

#[test]
fn releases_that_number_no_epoch_are_believed_after_a_reset() {
    let unnumbered = Facts { state_epoch: 0, ..facts() };
    let mut later = unnumbered.clone();
    later.clock.reset_count = 8;
    assert_eq!(Past::of(&unnumbered).check(&later), Ok(()));
    let numbered = Facts { state_epoch: 1, ..later };
    assert_eq!(Past::of(&unnumbered).check(&numbered), Ok(()));
}

#[test]
fn an_older_release_or_none_is_refused() {
    let expected = Some(ReleaseNumber(4));
    for found in [Some(ReleaseNumber(3)), None] {
        let refused = Err(PastError::Release { expected, found });
        assert_eq!(after(|facts| facts.release = found), refused);
    }
}

#[test]
fn another_key_under_the_same_name_is_refused() {
    let (first, second) = (Scene::honest(), Scene::honest());
    let (past, other) = (attest(&first).past(), attest(&second));
    let (expected, found) = (first.public().name(), second.public().name());
    let refused = PastError::AttestationKey { expected, found };
    assert_eq!(past.joined(other.past()), Err(refused));
    assert_eq!(other.not_before(&past), Err(refused));
}

#[test]
fn a_refusal_says_what_was_expected_and_found() {
    let refused = after(|facts| facts.clock.reset_count = 6).unwrap_err();
    let text = std::string::ToString::to_string(&refused);
    assert_eq!(text, "past: expected at least 7 TPM resets, found 6");
}

/// What happens to an honest box, or is done with it.
#[derive(Clone, Copy, Debug)]
enum Step {
    Runs(u16),
    Restarts,
    Resets,
    PowerCut,
    Epoch,
    Update,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (1_u16..).prop_map(Step::Runs),
        Just(Step::Restarts),
        Just(Step::Resets),
        Just(Step::PowerCut),
        Just(Step::Epoch),
        Just(Step::Update),
    ];
    prop::collection::vec(step, 1..40)
}

/// A TPM that keeps its clock every 4,096 ms, and otherwise when it is shut down in order.
#[derive(Clone, Debug)]
struct Honest {
    facts: Facts,
    kept_ms: u64,
}

impl Honest {
    #[expect(clippy::arithmetic_side_effects, reason = "forty steps stay far below every bound")]
    fn does(&mut self, step: Step) {
        let clock = &mut self.facts.clock;
        match step {
            Step::Runs(ms) => {
                clock.clock_ms += u64::from(ms);
                let kept = clock.clock_ms & !0xfff;
                if kept > self.kept_ms {
                    (self.kept_ms, clock.safe) = (kept, true);
                }
            }
            Step::Restarts => {
                clock.restart_count += 1;
                self.facts.state_epoch += 1;
            }
            Step::Resets => {
                (clock.reset_count, clock.restart_count) = (clock.reset_count + 1, 0);
                self.facts.state_epoch += 1;
            }
            Step::PowerCut => {
                *clock = ClockInfo {
                    clock_ms: self.kept_ms,
                    reset_count: clock.reset_count + 1,
                    restart_count: 0,
                    safe: false,
                };
                self.facts.state_epoch += 1;
            }
            Step::Epoch => self.facts.state_epoch += 1,
            Step::Update => {
                self.facts.release = self.facts.release.map(|number| ReleaseNumber(number.0 + 1));
            }
        }
    }
}

proptest! {
    /// Whatever happens to an honest box, it is believed; and once it was seen, no earlier
    /// state of it that differs is.
    #[test]
    fn honest_boxes_are_believed_and_their_earlier_states_are_not(steps in steps()) {
        let facts = { let mut facts = facts(); facts.clock.clock_ms = 4_096; facts };
        let mut tre = Honest { facts, kept_ms: 4_096 };
        let mut past = Past::of(&tre.facts);
        let mut seen = std::vec![tre.facts.clone()];
        for step in steps {
            tre.does(step);
            prop_assert_eq!(past.check(&tre.facts), Ok(()));
            past = past.joined(Past::of(&tre.facts)).unwrap();
            seen.push(tre.facts.clone());
        }
        let last = seen.pop().unwrap();
        for earlier in seen {
            prop_assert_eq!(past.check(&earlier).is_ok(), same(&earlier, &last));
        }
    }

    /// In whatever order two writers note what they saw, the same is remembered.
    #[test]
    fn joining_knows_no_order(left in steps(), right in steps()) {
        let first = facts();
        let walk = |steps: Vec<Step>| {
            let mut tre = Honest { facts: first.clone(), kept_ms: 4_096 };
            steps.into_iter().for_each(|step| tre.does(step));
            Past::of(&tre.facts)
        };
        let (left, right) = (walk(left), walk(right));
        prop_assert_eq!(left.joined(right), right.joined(left));
        prop_assert_eq!(left.joined(left), Ok(left));
    }
}

/// Equal, but for the word that the clock is safe.
fn same(one: &Facts, other: &Facts) -> bool {
    let place = |facts: &Facts| {
        let ClockInfo { clock_ms, reset_count, restart_count, safe: _ } = facts.clock;
        (clock_ms, reset_count, restart_count, facts.state_epoch, facts.release)
    };
    place(one) == place(other)
}
