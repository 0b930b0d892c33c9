//! The simple rule by which a replayed meter bids.
//!
//! It offers a share of what it has drawn of late: mean of its recent readings, times the slots of
//! the event, times the share, rounded down to the policy's quantity step. It asks one price,
//! rounded down to the price step. Nothing to offer is a bid of nothing, which is sent all the
//! same: a bidder must look like a non-bidder.

use core::str::FromStr;

use tre_wire::message::dsm::EventTerms;
use tre_wire::message::meter::Bid;
use tre_wire::policy::DemandResponse;
use tre_wire::units::{PricePerKwh, Share, Slot, WattHours};

/// How many of its latest readings a meter takes the mean of: a day of quarter hours.
pub const RECENT: usize = 96;

/// What share of its mean consumption a meter offers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Offer {
    /// None: every bid is `null`.
    Nothing,
    /// This share.
    Of(Share),
}

/// A text that names no offer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("expected `none`, or `share=` and a whole percentage from 1 to 100, such as share=25")]
pub struct NotAnOffer;

impl FromStr for Offer {
    type Err = NotAnOffer;

    fn from_str(text: &str) -> Result<Self, NotAnOffer> {
        if text == "none" {
            return Ok(Self::Nothing);
        }
        let percent: u32 =
            text.strip_prefix("share=").and_then(|rest| rest.parse().ok()).ok_or(NotAnOffer)?;
        let millionths = u64::from(percent).saturating_mul(10_000);
        Share::new(millionths).map(Self::Of).map_err(|_| NotAnOffer)
    }
}

/// How a meter bids.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BidRule {
    /// How much it offers.
    pub offer: Offer,
    /// The price it asks.
    pub price: PricePerKwh,
}

impl BidRule {
    /// The bid on an event, after `recent` readings, on the steps of `rules`; `None` for nothing
    /// on offer, or a price that the policy does not allow.
    #[must_use]
    pub fn bid(
        &self,
        recent: &[WattHours],
        terms: &EventTerms,
        rules: &DemandResponse,
    ) -> Option<Bid> {
        let Offer::Of(share) = self.offer else { return None };
        let latest = recent.iter().rev().take(RECENT);
        let (count, total) = latest.fold((0_u128, 0_u128), |(count, total), energy| {
            (count.saturating_add(1), total.saturating_add(u128::from(energy.get())))
        });
        // At most 10^9 Wh x 2^53 slots x 10^6 millionths: under 2^104.
        let slots = u128::from(slots_of(terms));
        let scaled = total.saturating_mul(slots).saturating_mul(u128::from(share.get()));
        let offered = scaled.checked_div(count.saturating_mul(1_000_000))?;
        let offered = u64::try_from(offered).unwrap_or(u64::MAX).min(WattHours::MAX.get());
        let quantity_wh = WattHours::new(down_to(offered, rules.quantity_step_wh.get())).ok()?;
        let price = u64::try_from(self.price.get()).ok()?;
        let price = down_to(price, u64::try_from(rules.price_step.get()).ok()?);
        let price = PricePerKwh::new(i64::try_from(price).ok()?).ok()?;
        let allowed = price.get() > 0 && price <= rules.price_most;
        (quantity_wh.get() > 0 && allowed).then_some(Bid { quantity_wh, price })
    }
}

/// How many slots an event spans.
fn slots_of(terms: &EventTerms) -> u64 {
    let EventTerms { from_slot, to_slot, .. } = terms;
    Slot::since(*to_slot, *from_slot)
}

/// The greatest multiple of `step` that is at most `value`.
fn down_to(value: u64, step: u64) -> u64 {
    value.saturating_sub(value.checked_rem(step).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tre_wire::message::dsm::Direction;
    use tre_wire::units::UnixMillis;

    fn wh(number: u64) -> WattHours {
        WattHours::new(number).expect("in range")
    }

    fn price(number: i64) -> PricePerKwh {
        PricePerKwh::new(number).expect("in range")
    }

    fn rules() -> DemandResponse {
        DemandResponse {
            quantity_step_wh: wh(100),
            price_step: price(10_000),
            price_most: price(500_000),
            event_slots_most: 96,
            baseline_slots: 4,
            tolerance_millionths: 0,
            penalty_millionths: 0,
        }
    }

    fn terms(slots: u64) -> EventTerms {
        let from_slot = Slot::new(1_000).expect("in range");
        let deadline = UnixMillis::default();
        let direction = Direction::Reduce;
        EventTerms { direction, from_slot, to_slot: from_slot.plus(slots), deadline }
    }

    fn rule(offer: &str, asked: i64) -> BidRule {
        BidRule { offer: offer.parse().expect("an offer"), price: price(asked) }
    }

    #[test]
    fn a_share_of_the_mean_is_offered_on_the_steps_of_the_policy() {
        // Mean 400 Wh, 4 slots, a quarter: 400 Wh. At 25.5 cents: 25 cents.
        let bid = rule("share=25", 255_000).bid(&[wh(300), wh(500)], &terms(4), &rules());
        assert_eq!(bid, Some(Bid { quantity_wh: wh(400), price: price(250_000) }));
        // Mean 399.5 Wh: 399 Wh, rounded down to the step.
        let bid = rule("share=25", 250_000).bid(&[wh(300), wh(499)], &terms(4), &rules());
        assert_eq!(bid, Some(Bid { quantity_wh: wh(300), price: price(250_000) }));
    }

    #[test]
    fn readings_of_long_ago_do_not_count() {
        let mut recent = vec![wh(1_000_000)];
        recent.extend([wh(100); RECENT]);
        let bid = rule("share=100", 10_000).bid(&recent, &terms(1), &rules());
        assert_eq!(bid.map(|bid| bid.quantity_wh), Some(wh(100)));
    }

    #[test]
    fn nothing_to_offer_is_no_bid() {
        let none = |rule: BidRule, recent: &[WattHours]| rule.bid(recent, &terms(4), &rules());
        assert_eq!(none(rule("none", 250_000), &[wh(1_000)]), None);
        assert_eq!(none(rule("share=25", 250_000), &[]), None);
        assert_eq!(none(rule("share=25", 250_000), &[wh(99)]), None);
    }

    #[test]
    fn a_price_that_the_policy_refuses_is_no_bid() {
        for asked in [-10_000, 0, 9_999, 510_000] {
            let bid = rule("share=25", asked).bid(&[wh(1_000)], &terms(4), &rules());
            assert_eq!(bid, None, "{asked}");
        }
    }

    #[test]
    fn an_enormous_offer_stays_within_what_can_be_sent() {
        let bid = rule("share=100", 10_000).bid(&[WattHours::MAX], &terms(10_000), &rules());
        assert_eq!(bid.map(|bid| bid.quantity_wh), Some(WattHours::MAX));
    }

    #[test]
    fn anything_else_is_no_offer() {
        for bad in ["", "None", "share", "share=", "share=0", "share=101", "share=-1", "25"] {
            assert_eq!(bad.parse::<Offer>(), Err(NotAnOffer), "{bad}");
        }
    }
}
