//! Replays recorded readings as slots pass, and bids by a simple rule.
//!
//! Row `i` belongs to slot `start + i` and is sent after that slot has ended, within its grace.
//! What fails in passing is tried again over a new connection, attested anew; what the TRE or this
//! end refuses ends the replay.

use core::time::Duration;
use std::collections::BTreeMap;

use serde::Serialize;
use tre_wire::id::EventId;
use tre_wire::message::dsm::EventTerms;
use tre_wire::message::kept::{Content, Kept};
use tre_wire::message::meter::{Bid, BidRequest, MeterOutcome, Reading, Receipt, ReceiptStatus};
use tre_wire::problem::ProblemType;
use tre_wire::units::{Slot, WattHours};

use crate::bidding::BidRule;
use crate::clock::until;
use crate::jitter::Jitter;
use crate::meter::{Meter, MeterError};
use crate::patience::Patience;

mod agenda;

use agenda::{Agenda, Due};

/// What is replayed, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The readings, one a slot.
    pub readings: Vec<WattHours>,
    /// The slot of the first.
    pub start: Slot,
    /// How to bid.
    pub rule: BidRule,
    /// What decides the random times; another one for every meter.
    pub seed: u64,
    /// How long to try again while nothing succeeds.
    pub patience: Duration,
}

/// Something that happened, for whoever watches.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Step<'a> {
    /// A batch has its receipts, signed; a step for each reading follows.
    Receipted {
        /// As the TRE sent them, checked, with what it takes to check them later.
        kept: &'a Kept,
    },
    /// A reading has its receipt.
    Sent {
        /// The receipt, checked.
        receipt: Receipt,
        /// Readings receipted so far, this one among them.
        done: usize,
        /// All readings of the plan.
        all: usize,
    },
    /// An event is answered.
    Answered {
        /// The event.
        event: &'a EventId,
        /// The bid; `None` for nothing on offer.
        bid: Option<Bid>,
    },
    /// The TRE would not take the answer to an event.
    NotTaken {
        /// The event.
        event: &'a EventId,
        /// Why not.
        refusal: &'a MeterError,
    },
    /// Something failed that may pass.
    TryingAgain {
        /// What failed.
        error: &'a MeterError,
        /// When it is tried again.
        wait: Duration,
    },
}

/// What a replay came to.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Summary {
    /// Receipts, by what became of the reading.
    pub receipts: BTreeMap<ReceiptStatus, u64>,
    /// Every answer to an event that the TRE took.
    pub answers: Vec<BidRequest>,
    /// How those events went for us.
    pub outcomes: Vec<MeterOutcome>,
    /// Connections that were attested.
    pub attestations: u64,
    /// Failures that passed.
    pub retries: u64,
}

/// Why a replay ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The TRE refuses, or is refused.
    #[error(transparent)]
    Refused(MeterError),
    /// Nothing succeeded for as long as the plan allows.
    #[error("tried for {} s without success; last: {last}", .patience.as_secs())]
    OutOfPatience {
        /// How long.
        patience: Duration,
        /// What failed last.
        last: MeterError,
    },
}

impl Summary {
    /// How many readings the TRE refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        let refused = self.receipts.iter().filter(|(status, _)| is_refusal(**status));
        refused.map(|(_, count)| *count).fold(0, u64::saturating_add)
    }
}

/// Whether a reading counts for nothing.
const fn is_refusal(status: ReceiptStatus) -> bool {
    match status {
        ReceiptStatus::Accepted
        | ReceiptStatus::Replaced
        | ReceiptStatus::Repeated
        | ReceiptStatus::AcceptedLate
        | ReceiptStatus::OverCapacity => false,
        ReceiptStatus::Closed
        | ReceiptStatus::NotYet
        | ReceiptStatus::NoConnection
        | ReceiptStatus::StaleSequence => true,
    }
}

/// Replays `plan`; tells `watch` of every step.
///
/// # Errors
///
/// [`ReplayError`].
pub async fn replay(
    meter: &mut Meter,
    plan: &Plan,
    watch: &mut (dyn FnMut(Step<'_>) + Send),
) -> Result<Summary, ReplayError> {
    let (policy, now) = (meter.policy().clone(), meter.tre_now());
    let rows = plan.readings.len();
    let mut jitter = Jitter::new(plan.seed);
    let agenda = Agenda::new(policy, plan.start, rows, now, Jitter::new(jitter.below(u64::MAX)));
    let mut run = Run { meter, plan, agenda, summary: Summary::default(), watch };
    let mut patience = Patience::new(plan.patience, jitter);
    while let Some((at, due)) = run.agenda.next() {
        tokio::time::sleep(until(run.meter.tre_now(), at)).await;
        match run.act(due).await {
            Ok(()) => patience.succeeded(),
            Err(error) if error.is_passing() => {
                let Some(wait) = patience.failed(run.meter.link().now()) else {
                    return Err(ReplayError::OutOfPatience {
                        patience: plan.patience,
                        last: error,
                    });
                };
                (run.watch)(Step::TryingAgain { error: &error, wait });
                run.summary.retries = run.summary.retries.saturating_add(1);
                tokio::time::sleep(wait).await;
            }
            Err(error) => return Err(ReplayError::Refused(error)),
        }
    }
    run.summary.attestations = run.meter.link().attestations();
    Ok(run.summary)
}

/// A replay under way.
struct Run<'a> {
    meter: &'a mut Meter,
    plan: &'a Plan,
    agenda: Agenda,
    summary: Summary,
    watch: &'a mut (dyn FnMut(Step<'_>) + Send),
}

impl Run<'_> {
    /// Does one thing. What fails leaves the agenda as it was: doing it again does no harm.
    async fn act(&mut self, due: Due) -> Result<(), MeterError> {
        self.meter.compare_clocks().await?;
        match due {
            Due::Send => self.send().await,
            Due::Ask => self.ask().await,
            Due::Answer(event, terms) => self.answer(&event, &terms).await,
        }
    }

    async fn send(&mut self) -> Result<(), MeterError> {
        let rows = self.agenda.ready(self.meter.tre_now());
        let readings: Vec<Reading> = rows.clone().filter_map(|row| self.reading(row)).collect();
        if readings.is_empty() {
            // The clocks were compared anew, and the slot has not ended after all.
            self.agenda.sent_before(rows.start);
            return Ok(());
        }
        let batch = self.meter.send_readings(readings).await?;
        let receipts = batch.receipts.clone();
        let meter = self.meter.link().own().identity().id.clone();
        let kept = self.meter.keep(Content::Receipts { meter, receipts: batch });
        (self.watch)(Step::Receipted { kept: &kept });
        for (done, receipt) in (rows.start..rows.end).zip(receipts) {
            let done = done.saturating_add(1);
            self.agenda.sent_before(done);
            let count = self.summary.receipts.entry(receipt.status).or_default();
            *count = count.saturating_add(1);
            (self.watch)(Step::Sent { receipt, done, all: self.plan.readings.len() });
        }
        Ok(())
    }

    /// The reading of one row. A slot's number serves as the meter's counter: it never goes back,
    /// and a replay that is begun again repeats itself.
    fn reading(&self, row: usize) -> Option<Reading> {
        let (slot, import_wh) = (self.agenda.slot_of(row), *self.plan.readings.get(row)?);
        Some(Reading { slot, import_wh, export_wh: WattHours::default(), seq: slot.get() })
    }

    async fn ask(&mut self) -> Result<(), MeterError> {
        let events = self.meter.events().await?;
        let outcomes = self.meter.outcomes().await?;
        self.agenda.asked(self.meter.tre_now(), &events);
        let answered = |outcome: &MeterOutcome| {
            self.summary.answers.iter().any(|answer| answer.event == outcome.event)
        };
        let ours: Vec<MeterOutcome> = outcomes.into_iter().filter(answered).collect();
        for outcome in ours {
            let known = self.summary.outcomes.iter_mut().find(|old| old.event == outcome.event);
            match known {
                Some(known) => *known = outcome,
                None => self.summary.outcomes.push(outcome),
            }
        }
        Ok(())
    }

    async fn answer(&mut self, event: &EventId, terms: &EventTerms) -> Result<(), MeterError> {
        let recent = self.plan.readings.get(..self.agenda.sent()).unwrap_or_default();
        let bid = self.plan.rule.bid(recent, terms, &self.meter.policy().demand_response);
        match self.meter.bid(event, bid).await {
            Ok(()) => {
                (self.watch)(Step::Answered { event, bid });
                self.summary.answers.push(BidRequest { event: event.clone(), bid });
            }
            Err(refusal) if is_about_this_event(&refusal) => {
                (self.watch)(Step::NotTaken { event, refusal: &refusal });
            }
            Err(error) => return Err(error),
        }
        self.agenda.answered(event);
        Ok(())
    }
}

/// Whether the TRE refused one bid, and nothing else is wrong. To bid again because no more bids are
/// taken would show that there was one: who does not bid never needs to.
fn is_about_this_event(refusal: &MeterError) -> bool {
    let MeterError::Link(error) = refusal else { return false };
    matches!(
        error.problem(),
        Some(
            ProblemType::TooLate
                | ProblemType::NotFound
                | ProblemType::OutOfBounds
                | ProblemType::Full
        )
    )
}

#[cfg(test)]
mod tests {
    use attest_verifier::RequestError;
    use tre_wire::problem::Problem;

    use super::*;
    use crate::ClientIdentity;
    use crate::link::{LinkError, Target};

    #[expect(dead_code, reason = "that it compiles is the test: many meters run as tasks")]
    fn meters_are_tasks(target: Target, credential: ClientIdentity, mut meter: Meter, plan: Plan) {
        fn is_task(_: impl Future<Output: Send> + Send) {}
        is_task(Meter::connect(target, credential));
        is_task(async move { replay(&mut meter, &plan, &mut |_| {}).await });
    }

    #[test]
    fn a_bid_that_is_one_too_many_is_not_made_again() {
        let refused = |kind| {
            let problem = Problem::new(kind, String::from("why"));
            let path = String::from("/v1/bids");
            MeterError::Link(LinkError::Request(RequestError::Problem { path, problem }))
        };
        let about = |kind: &&ProblemType| is_about_this_event(&refused(**kind));
        let about: Vec<_> = ProblemType::ALL.iter().filter(about).map(|kind| kind.urn()).collect();
        // Who has nothing on offer is refused none of these but for the first two.
        assert_eq!(
            about,
            [
                "urn:tre:problem:not-found",
                "urn:tre:problem:out-of-bounds",
                "urn:tre:problem:too-late",
                "urn:tre:problem:full",
            ]
        );
    }

    #[test]
    fn readings_that_count_are_told_from_those_that_do_not() {
        let receipts = BTreeMap::from([
            (ReceiptStatus::Accepted, 90),
            (ReceiptStatus::AcceptedLate, 3),
            (ReceiptStatus::OverCapacity, 2),
            (ReceiptStatus::Closed, 4),
            (ReceiptStatus::NoConnection, 1),
        ]);
        assert_eq!(Summary { receipts, ..Summary::default() }.refused(), 5);
    }

    #[test]
    fn a_summary_is_json_with_the_words_of_the_interface() {
        let receipts = BTreeMap::from([(ReceiptStatus::AcceptedLate, 3)]);
        let summary = Summary { receipts, ..Summary::default() };
        let found = serde_json::to_string(&summary).expect("encodes");
        let expected = "{\"receipts\":{\"accepted_late\":3},\"answers\":[],\"outcomes\":[],\
                        \"attestations\":0,\"retries\":0}";
        assert_eq!(found, expected);
    }
}
