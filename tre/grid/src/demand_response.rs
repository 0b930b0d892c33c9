//! Demand-response events: bids in, pseudo-bids out, one decision. `[TRE14 III-E]`
//!
//! Until the deadline nobody but its bidder knows of a bid. At the deadline, once, all bids go out
//! together in random order, each under a fresh random id. The link from id to bidder lives until
//! the decision and is then dropped. What a bidder wins is credited inside its running bill.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use tre_wire::bounds;
use tre_wire::hex::Hex32;
use tre_wire::id::{EventId, PeerId};
use tre_wire::message::dsm::{Decision, EventState, EventTerms, OpenEvent, PseudoBid};
use tre_wire::message::meter::{Bid, BidOutcome};
use tre_wire::policy::Policy;
use tre_wire::units::{NanoCurrency, NetWattHours, Slot, UnixMillis, WattHours};

use crate::connections::Stint;
use crate::randomness::{Purpose, Stream, shuffle};
use crate::refusal::{BidRefusal, CancelRefusal, DecisionRefusal, EventRefusal};

/// A bid with whom to credit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Placed {
    bid: Bid,
    account: u32,
    tariff: u32,
}

/// A bid under its single-use id.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Offer {
    pseudo: PseudoBid,
    bidder: PeerId,
    account: u32,
    tariff: u32,
}

/// Where an event stands, with what is known then.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Stage {
    Open(BTreeMap<PeerId, Placed>),
    /// In the order in which they went out.
    Closed(Vec<Offer>),
    /// The link from id to bidder is gone; whether each bidder won has stayed.
    Settled {
        end: End,
        pseudo_bids: Vec<PseudoBid>,
        won: BTreeMap<PeerId, bool>,
    },
}

/// How an event was settled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Decided,
    Lapsed,
    Cancelled,
}

/// One event.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: EventId,
    pub(crate) dsm: PeerId,
    pub(crate) terms: EventTerms,
    stage: Stage,
}

/// What an accepted bid earns, and whose.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Credit {
    pub(crate) account: u32,
    pub(crate) tariff: u32,
    pub(crate) amount: NanoCurrency,
}

/// All events of a TRE, in the order in which they were opened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Events(pub(crate) Vec<Event>);

impl Event {
    pub(crate) const fn state(&self) -> EventState {
        match self.stage {
            Stage::Open(_) => EventState::Open,
            Stage::Closed(_) => EventState::Closed,
            Stage::Settled { end: End::Decided, .. } => EventState::Decided,
            Stage::Settled { end: End::Lapsed, .. } => EventState::Lapsed,
            Stage::Settled { end: End::Cancelled, .. } => EventState::Cancelled,
        }
    }

    /// The pseudo-bids, once they are out.
    pub(crate) fn pseudo_bids(&self) -> Option<Vec<PseudoBid>> {
        match &self.stage {
            Stage::Open(_) => None,
            Stage::Closed(offers) => Some(offers.iter().map(|offer| offer.pseudo).collect()),
            Stage::Settled { pseudo_bids, .. } => Some(pseudo_bids.clone()),
        }
    }

    /// How many pseudo-bids won.
    pub(crate) fn accepted(&self) -> usize {
        match &self.stage {
            Stage::Open(_) | Stage::Closed(_) => 0,
            Stage::Settled { won, .. } => won.values().filter(|&&won| won).count(),
        }
    }

    /// How the event went for one meter.
    pub(crate) fn outcome(&self, meter: &PeerId) -> BidOutcome {
        let pending = match &self.stage {
            Stage::Open(bids) => bids.contains_key(meter),
            Stage::Closed(offers) => offers.iter().any(|offer| offer.bidder == *meter),
            Stage::Settled { won, .. } => {
                return match won.get(meter) {
                    Some(true) => BidOutcome::Accepted,
                    Some(false) => BidOutcome::Rejected,
                    None => BidOutcome::NoBid,
                };
            }
        };
        if pending { BidOutcome::Pending } else { BidOutcome::NoBid }
    }

    /// Account and tariff of every bid that may still win.
    fn uncredited(&self) -> Vec<(u32, u32)> {
        match &self.stage {
            Stage::Open(bids) => bids.values().map(|bid| (bid.account, bid.tariff)).collect(),
            Stage::Closed(offers) => {
                offers.iter().map(|offer| (offer.account, offer.tariff)).collect()
            }
            Stage::Settled { .. } => Vec::new(),
        }
    }

    /// The deadline has passed: the pseudo-bids are made.
    fn close(&mut self, seed: &[u8; 32]) {
        let Stage::Open(bids) = &mut self.stage else { return };
        let mut ids = Stream::new(seed, Purpose::Ids, 0, self.id.as_str());
        let bids = core::mem::take(bids).into_iter();
        let mut offers: Vec<Offer> = bids
            .map(|(bidder, Placed { bid, account, tariff })| {
                let pseudo = PseudoBid { id: Hex32(ids.bytes()), bid };
                Offer { pseudo, bidder, account, tariff }
            })
            .collect();
        let mut order = Stream::new(seed, Purpose::Order, 0, self.id.as_str());
        if !shuffle(&mut offers, &mut order) {
            // The ids are random too, so their order is as good as the one that failed.
            offers.sort_by_key(|offer| offer.pseudo.id);
        }
        self.stage = Stage::Closed(offers);
    }

    /// Ends a closed event with the accepted set, and drops the link from id to bidder.
    fn settle(&mut self, accepted: &BTreeSet<Hex32>, end: End) {
        let Stage::Closed(offers) = &mut self.stage else { return };
        let offers = core::mem::take(offers);
        let pseudo_bids = offers.iter().map(|offer| offer.pseudo).collect();
        let won = offers.into_iter();
        let won = won.map(|offer| (offer.bidder, accepted.contains(&offer.pseudo.id))).collect();
        self.stage = Stage::Settled { end, pseudo_bids, won };
    }
}

impl Events {
    /// The demand side manager's own event of that name.
    pub(crate) fn own(&self, dsm: &PeerId, id: &EventId) -> Option<&Event> {
        self.0.iter().find(|event| event.id == *id && event.dsm == *dsm)
    }

    /// Account and tariff of every bid that may still win.
    pub(crate) fn uncredited(&self) -> BTreeSet<(u32, u32)> {
        self.0.iter().flat_map(Event::uncredited).collect()
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

    /// Opens an event, or refuses and changes nothing. When there is no room, the event that was
    /// opened first among those that are over is forgotten, and its name with it.
    pub(crate) fn open(
        &mut self,
        dsm: &PeerId,
        body: &OpenEvent,
        now: UnixMillis,
        policy: &Policy,
    ) -> Result<(), EventRefusal> {
        if self.0.iter().any(|event| event.id == body.event) {
            return Err(EventRefusal::Used);
        }
        judge_terms(&body.terms, now, policy)?;
        if self.0.len() >= bounds::EVENTS {
            let mut events = self.0.iter();
            let over = events.position(|event| matches!(event.stage, Stage::Settled { .. }));
            let over = over.ok_or(EventRefusal::Full { most: bounds::EVENTS })?;
            self.0.remove(over);
        }
        let (id, dsm, terms) = (body.event.clone(), dsm.clone(), body.terms);
        self.0.push(Event { id, dsm, terms, stage: Stage::Open(BTreeMap::new()) });
        Ok(())
    }

    /// Takes, replaces or withdraws a bid, or refuses and changes nothing.
    pub(crate) fn bid(
        &mut self,
        meter: &PeerId,
        stint: &Stint,
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
            bids.remove(meter);
            return Ok(());
        };
        judge_bid(bid, &event.terms, stint, policy)?;
        if bids.len() >= bounds::BIDS && !bids.contains_key(meter) {
            return Err(BidRefusal::Full { most: bounds::BIDS });
        }
        let placed = Placed { bid, account: stint.account, tariff: stint.tariff };
        bids.insert(meter.clone(), placed);
        Ok(())
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
                let won = core::mem::take(bids).into_keys().map(|bidder| (bidder, false));
                let (won, pseudo_bids) = (won.collect(), Vec::new());
                event.stage = Stage::Settled { end: End::Cancelled, pseudo_bids, won };
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
    Credit { account: offer.account, tariff: offer.tariff, amount: price.cost_of(owed) }
}

fn judge_terms(terms: &EventTerms, now: UnixMillis, policy: &Policy) -> Result<(), EventRefusal> {
    let EventTerms { from_slot: from, to_slot: to, deadline, .. } = *terms;
    if deadline <= now {
        return Err(EventRefusal::DeadlinePassed { now, found: deadline });
    }
    if from <= policy.slot_at(deadline) {
        let least = policy.slot_at(deadline).next();
        return Err(EventRefusal::StartsTooEarly { least, found: from });
    }
    let most = policy.demand_response.event_slots_most;
    if to <= from || to.since(from) > most {
        return Err(EventRefusal::Length { most, from, to });
    }
    Ok(())
}

/// Public steps, so that no unusual number names its bidder, and no more than the connection can
/// carry. `[TRE14 III-E]`: "the TRE performs bounds checking on all bids".
fn judge_bid(
    bid: Bid,
    terms: &EventTerms,
    stint: &Stint,
    policy: &Policy,
) -> Result<(), BidRefusal> {
    let rules = &policy.demand_response;
    let (quantity, step) = (bid.quantity_wh, rules.quantity_step_wh);
    if quantity.get() == 0 || !quantity.get().is_multiple_of(step.get()) {
        return Err(BidRefusal::QuantityStep { step, found: quantity });
    }
    let slots = terms.to_slot.since(terms.from_slot);
    let most = WattHours::new(stint.most_wh(policy, slots)).unwrap_or(WattHours::MAX);
    if quantity > most {
        return Err(BidRefusal::QuantityRange { most, found: quantity });
    }
    let (price, most, step) = (bid.price, rules.price_most, rules.price_step);
    if price.get() <= 0 || price > most {
        return Err(BidRefusal::PriceRange { most, found: price });
    }
    if price.get().checked_rem(step.get()) != Some(0) {
        return Err(BidRefusal::PriceStep { step, found: price });
    }
    Ok(())
}
