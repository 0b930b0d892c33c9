//! What a replayed meter does next, and when: no clock, no socket, only the order of things.
//!
//! One fixed schedule for everyone: a reading a slot, at a random time of the grace after it;
//! events and outcomes asked for at fixed intervals; one answer to every event, at a random time
//! before its deadline, whether there is something on offer or not. Whoever watches learns nothing
//! about who bids.

use std::collections::BTreeMap;

use tre_wire::bounds;
use tre_wire::id::EventId;
use tre_wire::message::dsm::{EventState, EventTerms};
use tre_wire::message::meter::EventNotice;
use tre_wire::policy::Policy;
use tre_wire::units::{Slot, UnixMillis};

use crate::jitter::Jitter;

/// What is to be done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Due {
    /// Send what is due of the readings.
    Send,
    /// Ask for events and outcomes.
    Ask,
    /// Answer one event.
    Answer(EventId, EventTerms),
}

/// How far the answer to one event is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Answer {
    /// It will be given at this time.
    Planned(UnixMillis, EventTerms),
    /// It is given, or it is too late; the event is not over.
    Given,
    /// The event is over.
    Over,
}

/// What is left to do.
#[derive(Clone, Debug)]
pub(crate) struct Agenda {
    policy: Policy,
    start: Slot,
    rows: usize,
    sent: usize,
    send_at: UnixMillis,
    ask_at: UnixMillis,
    answers: BTreeMap<EventId, Answer>,
    jitter: Jitter,
}

impl Agenda {
    /// The agenda at `now` of a meter with `rows` readings, the first of them of slot `start`.
    pub(crate) fn new(
        policy: Policy,
        start: Slot,
        rows: usize,
        now: UnixMillis,
        jitter: Jitter,
    ) -> Self {
        let (answers, sent) = (BTreeMap::new(), 0);
        let mut agenda =
            Self { policy, start, rows, sent, send_at: now, ask_at: now, answers, jitter };
        agenda.plan_sending();
        // Meters that start together do not ask together.
        agenda.ask_at = now.plus(agenda.jitter.below(agenda.ask_every()));
        agenda
    }

    /// What is due first, and when; `None` if nothing is left to do.
    pub(crate) fn next(&self) -> Option<(UnixMillis, Due)> {
        if self.is_over() {
            return None;
        }
        let planned = self.answers.iter().filter_map(|(event, answer)| match *answer {
            Answer::Planned(at, terms) => Some((at, Due::Answer(event.clone(), terms))),
            Answer::Given | Answer::Over => None,
        });
        let sending = (self.sent < self.rows).then_some((self.send_at, Due::Send));
        let asking = (self.ask_at, Due::Ask);
        sending.into_iter().chain(planned).chain([asking]).min_by_key(|(at, _)| *at)
    }

    /// Every reading is sent, and no event that was seen meanwhile is still going on.
    fn is_over(&self) -> bool {
        self.sent >= self.rows && self.answers.values().all(|answer| *answer == Answer::Over)
    }

    /// The slot of one row.
    pub(crate) fn slot_of(&self, row: usize) -> Slot {
        self.start.plus(u64::try_from(row).unwrap_or(u64::MAX))
    }

    /// The rows to send at `now`: those whose slot has ended, as many as fit into one batch.
    pub(crate) fn ready(&self, now: UnixMillis) -> core::ops::Range<usize> {
        let most = self.sent.saturating_add(bounds::READINGS).min(self.rows);
        let ended = |row: &usize| self.policy.start_of(self.slot_of(*row).next()) <= now;
        let ready = (self.sent..most).take_while(ended).count();
        self.sent..self.sent.saturating_add(ready)
    }

    /// How many rows are receipted.
    pub(crate) const fn sent(&self) -> usize {
        self.sent
    }

    /// The rows before `row` are receipted.
    pub(crate) fn sent_before(&mut self, row: usize) {
        self.sent = row.max(self.sent);
        self.plan_sending();
    }

    /// The next reading goes out at a random time of the first half of the grace; the second half
    /// is for trying again.
    fn plan_sending(&mut self) {
        let end = self.policy.start_of(self.slot_of(self.sent).next());
        self.send_at = end.plus(self.jitter.below(self.policy.grace_ms / 2));
    }

    /// What the TRE said of events at `now`, when it was asked.
    pub(crate) fn asked(&mut self, now: UnixMillis, events: &[EventNotice]) {
        self.ask_at = now.plus(self.ask_every());
        let all_sent = self.sent >= self.rows;
        for notice in events {
            let known = self.answers.get(&notice.event);
            match (known, notice.state) {
                (_, EventState::Decided | EventState::Lapsed | EventState::Cancelled) => {
                    self.answers.insert(notice.event.clone(), Answer::Over);
                }
                // What begins after the last reading is not waited for.
                (None, EventState::Open) if !all_sent => self.plan_answer(now, notice),
                (None | Some(_), EventState::Open | EventState::Closed) => {}
            }
        }
        // An event that the TRE has forgotten has no outcome.
        self.answers.retain(|event, _| events.iter().any(|notice| notice.event == *event));
    }

    /// An event is answered at a random time of the first three quarters of what is left.
    fn plan_answer(&mut self, now: UnixMillis, notice: &EventNotice) {
        let left = notice.terms.deadline.get().saturating_sub(now.get());
        let at = now.plus(self.jitter.below(left.saturating_sub(left / 4)));
        self.answers.insert(notice.event.clone(), Answer::Planned(at, notice.terms));
    }

    /// The event is answered, or can no longer be.
    pub(crate) fn answered(&mut self, event: &EventId) {
        if let Some(answer @ Answer::Planned(..)) = self.answers.get_mut(event) {
            *answer = Answer::Given;
        }
    }

    /// Events and outcomes are asked for once a slot, at least once a minute and at most once a
    /// second. Unit: ms.
    fn ask_every(&self) -> u64 {
        self.policy.slot_ms.clamp(1_000, 60_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tre_wire::message::dsm::Direction;

    const POLICY: &str = include_str!("../../../../tests/vectors/v1/messages/policy.json");

    /// Slots of 1,000 ms and a grace of 400 ms.
    fn policy() -> Policy {
        let mut policy: Policy = serde_json::from_str(POLICY).expect("a policy");
        (policy.slot_ms, policy.grace_ms) = (1_000, 400);
        policy
    }

    fn ms(number: u64) -> UnixMillis {
        UnixMillis::new(number).expect("in range")
    }

    fn slot(number: u64) -> Slot {
        Slot::new(number).expect("in range")
    }

    fn agenda(rows: usize) -> Agenda {
        Agenda::new(policy(), slot(10), rows, ms(10_000), Jitter::new(1))
    }

    fn notice(state: EventState) -> EventNotice {
        let terms = EventTerms {
            direction: Direction::Reduce,
            from_slot: slot(15),
            to_slot: slot(16),
            deadline: ms(14_000),
        };
        EventNotice { event: "peak".parse().expect("an id"), terms, state }
    }

    #[test]
    fn a_reading_goes_out_after_its_slot_and_within_half_the_grace() {
        for seed in 0..100 {
            let mut agenda = Agenda::new(policy(), slot(10), 2, ms(10_000), Jitter::new(seed));
            assert!((11_000..11_200).contains(&agenda.send_at.get()), "{}", agenda.send_at);
            agenda.sent_before(1);
            assert!((12_000..12_200).contains(&agenda.send_at.get()), "{}", agenda.send_at);
        }
    }

    #[test]
    fn only_ended_slots_are_ready_and_never_more_than_a_batch() {
        let agenda = agenda(1_000);
        assert_eq!(agenda.ready(ms(10_999)), 0..0);
        assert_eq!(agenda.ready(ms(11_000)), 0..1);
        assert_eq!(agenda.ready(ms(13_999)), 0..3);
        assert_eq!(agenda.ready(ms(9_000_000)), 0..bounds::READINGS);
    }

    #[test]
    fn rows_that_are_receipted_are_not_sent_again() {
        let mut agenda = agenda(3);
        agenda.sent_before(2);
        assert_eq!(agenda.ready(ms(20_000)), 2..3);
        agenda.sent_before(3);
        assert_eq!(agenda.ready(ms(20_000)), 3..3);
        assert_eq!(agenda.next(), None);
    }

    #[test]
    fn an_open_event_is_answered_once_before_its_deadline() {
        for seed in 0..100 {
            let mut agenda = Agenda::new(policy(), slot(10), 9, ms(10_000), Jitter::new(seed));
            agenda.asked(ms(10_000), &[notice(EventState::Open)]);
            let Some(Answer::Planned(at, _)) = agenda.answers.values().next() else {
                panic!("expected a plan, found {:?}", agenda.answers);
            };
            assert!((10_000..13_000).contains(&at.get()), "{at}");
            agenda.answered(&notice(EventState::Open).event);
            agenda.asked(ms(10_500), &[notice(EventState::Open)]);
            assert_eq!(agenda.answers.values().next(), Some(&Answer::Given));
        }
    }

    #[test]
    fn an_event_is_waited_for_until_it_is_over() {
        for over in [EventState::Decided, EventState::Lapsed, EventState::Cancelled] {
            let mut agenda = agenda(1);
            agenda.asked(ms(10_000), &[notice(EventState::Open)]);
            agenda.answered(&notice(EventState::Open).event);
            agenda.sent_before(1);
            assert!(matches!(agenda.next(), Some((_, Due::Ask))));
            agenda.asked(ms(14_500), &[notice(EventState::Closed)]);
            assert!(matches!(agenda.next(), Some((_, Due::Ask))));
            agenda.asked(ms(15_000), &[notice(over)]);
            assert_eq!(agenda.next(), None);
        }
    }

    #[test]
    fn an_event_that_the_tre_forgot_is_not_waited_for() {
        let mut agenda = agenda(1);
        agenda.asked(ms(10_000), &[notice(EventState::Open)]);
        agenda.sent_before(1);
        assert!(agenda.next().is_some());
        agenda.asked(ms(11_000), &[]);
        assert_eq!(agenda.next(), None);
    }

    #[test]
    fn events_after_the_last_reading_are_not_waited_for() {
        let mut agenda = agenda(1);
        agenda.sent_before(1);
        agenda.asked(ms(11_500), &[notice(EventState::Open)]);
        assert_eq!(agenda.next(), None);
    }

    #[test]
    fn an_event_that_closed_unseen_is_not_answered() {
        let mut agenda = agenda(1);
        agenda.asked(ms(14_000), &[notice(EventState::Closed)]);
        assert!(agenda.answers.is_empty());
    }

    #[test]
    fn asking_goes_by_slots_whoever_bids() {
        let mut agenda = agenda(9);
        agenda.asked(ms(10_000), &[]);
        assert_eq!(agenda.ask_at, ms(11_000));
        agenda.asked(ms(11_000), &[notice(EventState::Open)]);
        assert_eq!(agenda.ask_at, ms(12_000));
    }
}
