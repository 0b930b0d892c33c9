//! What an event may ask for, and what a bid may offer.

use tre_wire::bounds;
use tre_wire::message::dsm::EventTerms;
use tre_wire::message::meter::Bid;
use tre_wire::policy::Policy;
use tre_wire::units::{UnixMillis, WattHours};

use crate::connections::Stint;
use crate::refusal::{BidRefusal, EventRefusal};

/// An event begins after its deadline, which is to come, and has a bounded length. Both are near
/// enough that it holds its place, and what its bids are held to, for a bounded time.
pub(crate) fn judge_terms(
    terms: &EventTerms,
    now: UnixMillis,
    policy: &Policy,
) -> Result<(), EventRefusal> {
    let EventTerms { from_slot: from, to_slot: to, deadline, .. } = *terms;
    if deadline <= now {
        return Err(EventRefusal::DeadlinePassed { now, found: deadline });
    }
    if from <= policy.slot_at(deadline) {
        let least = policy.slot_at(deadline).next();
        return Err(EventRefusal::StartsTooEarly { least, found: from });
    }
    let (begun, window) = (policy.slot_at(now), policy.monitoring.window_slots);
    let most = policy.start_of(begun.plus(window));
    if deadline > most {
        return Err(EventRefusal::DeadlineTooFar { most, found: deadline });
    }
    let most = begun.plus(window.saturating_mul(bounds::EVENT_WINDOWS));
    if from > most {
        return Err(EventRefusal::StartsTooLate { most, found: from });
    }
    let most = policy.demand_response.event_slots_most;
    if to <= from || to.since(from) > most {
        return Err(EventRefusal::Length { most, from, to });
    }
    Ok(())
}

/// Public steps, so that no unusual number names its bidder, and no more than the connection can
/// carry. `[TRE14 III-E]`: "the TRE performs bounds checking on all bids".
pub(crate) fn judge_bid(
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
