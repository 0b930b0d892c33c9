//! Demand-response events: bids in, pseudo-bids out, one decision. `[TRE14 III-E]`
//!
//! Until the deadline nobody but its bidder knows of a bid. At the deadline, once, all bids go out
//! together in random order, each under a fresh random id. The link from id to bidder lives until
//! the decision and is then dropped. What a bidder wins is credited inside its running bill, and
//! what it did not deliver is charged there ([`crate::compliance`]).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use tre_wire::bounds;
use tre_wire::hex::Hex32;
use tre_wire::id::{EventId, PeerId};
use tre_wire::message::dsm::{Decision, OpenEvent};
use tre_wire::message::meter::Bid;
use tre_wire::policy::Policy;
use tre_wire::units::{NanoCurrency, NetWattHours, Slot, UnixMillis, WattHours};

use crate::compliance::Baselines;
use crate::connections::Stint;
use crate::event::{End, Event, Fared, Offer, Placed, Stage};
use crate::event_rules::{judge_bid, judge_terms};
use crate::refusal::{BidRefusal, CancelRefusal, DecisionRefusal, EventRefusal};
use crate::releases::Closing;

/// What an accepted bid earns, which is negative, or a broken promise costs; and whose.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Credit {
    pub(crate) account: u32,
    pub(crate) tariff: u32,
    pub(crate) amount: NanoCurrency,
}

/// All events of a TRE, in the order in which they were opened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Events(pub(crate) Vec<Event>);

impl Events {
    /// The demand side manager's own event of that name.
    pub(crate) fn own(&self, dsm: &PeerId, id: &EventId) -> Option<&Event> {
        self.0.iter().find(|event| event.id == *id && event.dsm == *dsm)
    }

    /// Account and tariff of every bid that may still be credited or charged.
    pub(crate) fn unsettled(&self) -> BTreeSet<(u32, u32)> {
        self.0.iter().flat_map(Event::unsettled).collect()
    }

    /// Takes in a slot that closes; what those are charged who did not deliver.
    pub(crate) fn meter(&mut self, closing: &Closing<'_>) -> Vec<Credit> {
        let rules = &closing.policy.demand_response;
        self.0.iter_mut().flat_map(|event| event.meter(closing, rules)).collect()
    }

    /// The earliest deadline of an open event.
    pub(crate) fn next_deadline(&self) -> Option<UnixMillis> {
        let open = self.0.iter().filter(|event| matches!(event.stage, Stage::Open(_)));
        open.map(|event| event.terms.deadline).min()
    }

    /// The earliest slot with which an undecided event lapses.
    pub(crate) fn next_lapse(&self) -> Option<Slot> {
        let closed = self.0.iter().filter(|event| matches!(event.stage, Stage::Closed(_)));
        closed.map(|event| event.terms.from_slot).min()
    }

    /// Opens an event, or refuses and changes nothing.
    pub(crate) fn open(
        &mut self,
        dsm: &PeerId,
        body: &OpenEvent,
        (now, policy): (UnixMillis, &Policy),
        freeze: impl FnOnce() -> Baselines,
    ) -> Result<(), EventRefusal> {
        if self.0.iter().any(|event| event.id == body.event) {
            return Err(EventRefusal::Used);
        }
        judge_terms(&body.terms, now, policy)?;
        self.make_room(dsm)?;
        let begun = policy.slot_at(now);
        let mut held = self.0.iter().map(|event| &event.baselines);
        let baselines = held.find(|it| it.serve(begun, policy)).cloned().unwrap_or_else(freeze);
        let (id, dsm, terms) = (body.event.clone(), dsm.clone(), body.terms);
        let (stage, promises) = (Stage::Open(BTreeMap::new()), Vec::new());
        self.0.push(Event { id, dsm, terms, stage, baselines, promises, unmetered: false });
        Ok(())
    }

    /// Sees that there is a place for one event more. The event that was opened first among those
    /// that are over is forgotten for it, and its name with it: of the manager's own once it has its
    /// share of places, so that none drives out what others' meters are still to read.
    fn make_room(&mut self, dsm: &PeerId) -> Result<(), EventRefusal> {
        let own = self.0.iter().filter(|event| event.dsm == *dsm).count();
        let over = if own >= bounds::EVENTS_PER_MANAGER {
            let over = self.0.iter().position(|event| event.dsm == *dsm && event.over());
            over.ok_or(EventRefusal::Share { most: bounds::EVENTS_PER_MANAGER })?
        } else if self.0.len() >= bounds::EVENTS {
            let over = self.0.iter().position(Event::over);
            over.ok_or(EventRefusal::Full { most: bounds::EVENTS })?
        } else {
            return Ok(());
        };
        self.0.remove(over);
        Ok(())
    }

    /// Takes, replaces or withdraws the bid of the account that the stint names and that has been at
    /// the point since slot `there`, or refuses and changes nothing.
    pub(crate) fn bid(
        &mut self,
        (point, stint, there): (u32, &Stint, Slot),
        (event, bid): (&EventId, Option<Bid>),
        policy: &Policy,
    ) -> Result<(), BidRefusal> {
        let event = self.0.iter_mut().find(|found| found.id == *event);
        let event = event.ok_or(BidRefusal::UnknownEvent)?;
        let deadline = event.terms.deadline;
        let Stage::Open(bids) = &mut event.stage else {
            return Err(BidRefusal::TooLate { deadline });
        };
        let Some(bid) = bid else {
            bids.remove(&stint.account);
            return Ok(());
        };
        judge_bid(bid, &event.terms, stint, policy)?;
        let slots = policy.demand_response.baseline_slots;
        let baseline = event.baselines.of(point, there).ok_or(BidRefusal::NoBaseline { slots })?;
        if bids.len() >= bounds::BIDS && !bids.contains_key(&stint.account) {
            return Err(BidRefusal::Full { most: bounds::BIDS });
        }
        let Stint { account, tariff, .. } = *stint;
        let placed = Placed { bid, point, account, tariff, baseline };
        bids.insert(account, placed);
        Ok(())
    }

    /// Forgets an account that is over.
    pub(crate) fn forget(&mut self, account: u32) {
        self.0.iter_mut().for_each(|event| event.forget(account));
    }

    /// Closes every open event whose deadline is at or before `now`.
    pub(crate) fn pass_deadlines(&mut self, now: UnixMillis, seed: &[u8; 32]) {
        let due = self.0.iter_mut().filter(|event| event.terms.deadline <= now);
        due.for_each(|event| event.close(seed));
    }

    /// `slot` begins: an event that begins with it and is not decided never will be.
    pub(crate) fn begin(&mut self, slot: Slot) {
        let due = self.0.iter_mut().filter(|event| event.terms.from_slot <= slot);
        due.for_each(|event| event.settle(&BTreeSet::new(), End::Lapsed));
    }

    /// Takes an event back that is not decided: every bid loses. Taken back before the deadline it
    /// shows no bid, then or later. To take back what was taken back is done already.
    pub(crate) fn cancel(&mut self, dsm: &PeerId, id: &EventId) -> Result<(), CancelRefusal> {
        let event = self.0.iter_mut().find(|event| event.id == *id && event.dsm == *dsm);
        let event = event.ok_or(CancelRefusal::UnknownEvent)?;
        match &mut event.stage {
            Stage::Open(bids) => {
                let lost = core::mem::take(bids).into_keys().map(|bidder| (bidder, Fared::Lost));
                let (fared, pseudo_bids) = (lost.collect(), Vec::new());
                let end = End::Cancelled;
                event.stage = Stage::Settled { end, pseudo_bids, accepted: 0, fared };
                event.baselines = Baselines::Unjudged;
            }
            Stage::Closed(_) => event.settle(&BTreeSet::new(), End::Cancelled),
            Stage::Settled { end: End::Cancelled, .. } => {}
            Stage::Settled { end: End::Decided, .. } => return Err(CancelRefusal::Decided),
            Stage::Settled { end: End::Lapsed, .. } => {
                return Err(CancelRefusal::Lapsed { from: event.terms.from_slot });
            }
        }
        Ok(())
    }

    /// Carries out the decision, or refuses all of it and changes nothing.
    ///
    /// `[TRE14 III-E]`: bill - (bid-q x bid-p) for every accepted bid.
    pub(crate) fn decide(
        &mut self,
        dsm: &PeerId,
        id: &EventId,
        body: &Decision,
    ) -> Result<Vec<Credit>, DecisionRefusal> {
        let event = self.0.iter_mut().find(|event| event.id == *id && event.dsm == *dsm);
        let event = event.ok_or(DecisionRefusal::UnknownEvent)?;
        let offers = match &event.stage {
            Stage::Closed(offers) => offers,
            Stage::Open(_) => {
                return Err(DecisionRefusal::TooEarly { deadline: event.terms.deadline });
            }
            Stage::Settled { end: End::Lapsed, .. } => {
                return Err(DecisionRefusal::Lapsed { from: event.terms.from_slot });
            }
            Stage::Settled { end: End::Cancelled, .. } => return Err(DecisionRefusal::Cancelled),
            Stage::Settled { end: End::Decided, .. } => return Err(DecisionRefusal::Decided),
        };
        let known: BTreeMap<Hex32, &Offer> =
            offers.iter().map(|offer| (offer.pseudo.id, offer)).collect();
        let mut accepted = BTreeSet::new();
        let mut credits = Vec::new();
        for (position, id) in body.accepted.iter().enumerate() {
            let offer = known.get(id).ok_or(DecisionRefusal::UnknownId { position })?;
            if !accepted.insert(*id) {
                return Err(DecisionRefusal::Twice { position });
            }
            credits.push(credit(offer));
        }
        event.settle(&accepted, End::Decided);
        Ok(credits)
    }
}

/// What the offer takes off the running bill.
fn credit(offer: &Offer) -> Credit {
    let Bid { quantity_wh, price } = offer.pseudo.bid;
    let owed: NetWattHours = WattHours::default().net_of(quantity_wh);
    let Placed { account, tariff, .. } = offer.placed;
    Credit { account, tariff, amount: price.cost_of(owed) }
}
