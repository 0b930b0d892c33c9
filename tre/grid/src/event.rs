//! One demand-response event, from its opening to the last slot of what was promised.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use tre_wire::hex::Hex32;
use tre_wire::id::{EventId, PeerId};
use tre_wire::message::dsm::{EventState, EventTerms, PseudoBid};
use tre_wire::message::meter::{Bid, BidOutcome, Delivery};
use tre_wire::policy::DemandResponse;

use crate::compliance::{Baseline, Baselines, Promise};
use crate::demand_response::Credit;
use crate::randomness::{Purpose, Stream, shuffle};
use crate::releases::Closing;

/// A bid with whom to credit: the account that the bidding meter served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Placed {
    pub(crate) bid: Bid,
    pub(crate) point: u32,
    pub(crate) account: u32,
    pub(crate) tariff: u32,
    pub(crate) baseline: Baseline,
}

/// A bid under its single-use id.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Offer {
    pub(crate) pseudo: PseudoBid,
    pub(crate) placed: Placed,
}

/// Where an event stands, with what is known then. What is known of a bidder goes by its account:
/// who follows at the point has another, and another meter of the same household has the same.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Stage {
    Open(BTreeMap<u32, Placed>),
    /// In the order in which they went out.
    Closed(Vec<Offer>),
    /// The link from id to bidder is gone; how many won has stayed, and whether each bidder did.
    Settled {
        end: End,
        pseudo_bids: Vec<PseudoBid>,
        accepted: usize,
        fared: BTreeMap<u32, Fared>,
    },
}

/// How one bid fared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fared {
    Lost,
    Won(Delivery),
}

/// How an event was settled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
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
    pub(crate) stage: Stage,
    /// Until the deadline.
    pub(crate) baselines: Baselines,
    /// What won and is judged, until the event's last slot has closed: in the order of accounts,
    /// which says nothing of the ids.
    pub(crate) promises: Vec<Promise>,
    /// Whether the TRE did not run in a slot of the event.
    pub(crate) unmetered: bool,
}

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
            Stage::Settled { accepted, .. } => *accepted,
        }
    }

    /// How the event went for one account.
    pub(crate) fn outcome(&self, account: u32) -> BidOutcome {
        let pending = match &self.stage {
            Stage::Open(bids) => bids.contains_key(&account),
            Stage::Closed(offers) => offers.iter().any(|offer| offer.placed.account == account),
            Stage::Settled { fared, .. } => {
                return match fared.get(&account) {
                    Some(Fared::Won(_)) => BidOutcome::Accepted,
                    Some(Fared::Lost) => BidOutcome::Rejected,
                    None => BidOutcome::NoBid,
                };
            }
        };
        if pending { BidOutcome::Pending } else { BidOutcome::NoBid }
    }

    /// What an account offers, while that is known.
    pub(crate) fn bid_of(&self, account: u32) -> Option<Bid> {
        match &self.stage {
            Stage::Open(bids) => bids.get(&account).map(|placed| placed.bid),
            Stage::Closed(offers) => {
                let own = offers.iter().find(|offer| offer.placed.account == account);
                own.map(|offer| offer.placed.bid)
            }
            Stage::Settled { .. } => {
                let own = self.promises.iter().find(|promise| promise.account == account);
                own.map(|promise| promise.bid)
            }
        }
    }

    /// Whether an account delivered what it won with.
    pub(crate) fn delivery(&self, account: u32) -> Delivery {
        match &self.stage {
            Stage::Open(_) | Stage::Closed(_) => Delivery::None,
            Stage::Settled { fared, .. } => match fared.get(&account) {
                Some(Fared::Won(delivery)) => *delivery,
                Some(Fared::Lost) | None => Delivery::None,
            },
        }
    }

    /// Account and tariff of every bid that may still be credited or charged.
    pub(crate) fn unsettled(&self) -> Vec<(u32, u32)> {
        let promised = self.promises.iter().map(|promise| (promise.account, promise.tariff));
        match &self.stage {
            Stage::Open(bids) => bids.values().map(|bid| (bid.account, bid.tariff)).collect(),
            Stage::Closed(offers) => {
                let placed = offers.iter().map(|offer| offer.placed);
                placed.map(|placed| (placed.account, placed.tariff)).collect()
            }
            Stage::Settled { .. } => promised.collect(),
        }
    }

    /// Forgets an account that is over, whose number another may get. All its bids are settled: its
    /// last bill waited for them.
    pub(crate) fn forget(&mut self, account: u32) {
        if let Stage::Settled { fared, .. } = &mut self.stage {
            fared.remove(&account);
        }
    }

    /// Whether nothing more can come of the event.
    pub(crate) fn over(&self) -> bool {
        matches!(self.stage, Stage::Settled { .. }) && self.promises.is_empty()
    }

    /// The deadline has passed: the pseudo-bids are made.
    pub(crate) fn close(&mut self, seed: &[u8; 32]) {
        let Stage::Open(bids) = &mut self.stage else { return };
        let mut ids = Stream::new(seed, Purpose::Ids, 0, self.id.as_str());
        let bids = core::mem::take(bids).into_iter();
        let mut offers: Vec<Offer> = bids
            .map(|(_, placed)| {
                let pseudo = PseudoBid { id: Hex32(ids.bytes()), bid: placed.bid };
                Offer { pseudo, placed }
            })
            .collect();
        let mut order = Stream::new(seed, Purpose::Order, 0, self.id.as_str());
        if !shuffle(&mut offers, &mut order) {
            // The ids are random too, so their order is as good as the one that failed.
            offers.sort_by_key(|offer| offer.pseudo.id);
        }
        self.stage = Stage::Closed(offers);
        self.baselines = Baselines::Unjudged;
    }

    /// Ends a closed event with the accepted set, and drops the link from id to bidder.
    pub(crate) fn settle(&mut self, accepted: &BTreeSet<Hex32>, end: End) {
        let Stage::Closed(offers) = &mut self.stage else { return };
        let offers = core::mem::take(offers);
        let pseudo_bids = offers.iter().map(|offer| offer.pseudo).collect();
        let mut fared = BTreeMap::new();
        for Offer { pseudo, placed } in offers {
            let how = match placed.baseline {
                _ if !accepted.contains(&pseudo.id) => Fared::Lost,
                None => Fared::Won(Delivery::NotJudged),
                Some(baseline) => {
                    self.promises.push(Promise::new(&placed, baseline));
                    Fared::Won(Delivery::Pending)
                }
            };
            fared.insert(placed.account, how);
        }
        // In the order of the ids they would say whose each is.
        self.promises.sort_by_key(|promise| promise.account);
        self.stage = Stage::Settled { end, pseudo_bids, accepted: accepted.len(), fared };
    }

    /// Takes in a slot that closes; after the last one, what broken promises cost.
    pub(crate) fn meter(&mut self, closing: &Closing<'_>, rules: &DemandResponse) -> Vec<Credit> {
        let terms = self.terms;
        if self.promises.is_empty() || closing.slot < terms.from_slot {
            return Vec::new();
        }
        self.unmetered |= !closing.metered;
        self.promises.iter_mut().for_each(|promise| promise.meter(closing));
        if closing.slot.next() < terms.to_slot {
            return Vec::new();
        }
        let mut penalties = Vec::new();
        let promises = core::mem::take(&mut self.promises);
        let Stage::Settled { fared, .. } = &mut self.stage else { return penalties };
        for promise in promises {
            let delivery = match promise.kept(&terms, rules) {
                _ if self.unmetered => Delivery::NotJudged,
                true => Delivery::Delivered,
                false => {
                    penalties.push(promise.penalty(rules));
                    Delivery::Short
                }
            };
            fared.insert(promise.account, Fared::Won(delivery));
        }
        penalties
    }
}
