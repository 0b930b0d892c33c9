//! Merit order: which pseudo-bids a demand side manager takes. `[TRE14 III-E]`
//!
//! The cheapest first, up to a wanted quantity and never beyond it: a bid is all or nothing, and
//! one that would pass the quantity is passed over for the next. Among equal prices the single-use
//! id decides, which is random: nobody is favoured twice.

use tre_wire::hex::Hex32;
use tre_wire::message::dsm::PseudoBid;
use tre_wire::units::WattHours;

/// The accepted set and what it adds up to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Selection {
    /// Ids of the accepted pseudo-bids, cheapest first.
    pub accepted: Vec<Hex32>,
    /// Their energy together. Unit: Wh.
    pub quantity_wh: u64,
}

/// Chooses among `pseudo_bids` in merit order.
#[must_use]
pub fn select(pseudo_bids: &[PseudoBid], wanted: WattHours) -> Selection {
    let mut order: Vec<&PseudoBid> = pseudo_bids.iter().collect();
    order.sort_by_key(|offer| (offer.bid.price, offer.id));
    let mut selection = Selection { accepted: Vec::new(), quantity_wh: 0 };
    for offer in order {
        let together = selection.quantity_wh.saturating_add(offer.bid.quantity_wh.get());
        if together <= wanted.get() {
            selection.quantity_wh = together;
            selection.accepted.push(offer.id);
        }
    }
    selection
}

#[cfg(test)]
mod tests {
    use super::*;
    use tre_wire::message::meter::Bid;
    use tre_wire::units::PricePerKwh;

    fn offer(id: u8, quantity: u64, price: i64) -> PseudoBid {
        let quantity_wh = WattHours::new(quantity).expect("in range");
        let price = PricePerKwh::new(price).expect("in range");
        PseudoBid { id: Hex32([id; 32]), bid: Bid { quantity_wh, price } }
    }

    fn chosen(offers: &[PseudoBid], wanted: u64) -> (Vec<u8>, u64) {
        let selection = select(offers, WattHours::new(wanted).expect("in range"));
        (selection.accepted.iter().map(|id| id.0[0]).collect(), selection.quantity_wh)
    }

    #[test]
    fn the_cheapest_come_first() {
        let offers = [offer(1, 100, 30), offer(2, 100, 10), offer(3, 100, 20)];
        assert_eq!(chosen(&offers, 200), (vec![2, 3], 200));
    }

    #[test]
    fn the_wanted_quantity_is_never_passed() {
        let offers = [offer(1, 100, 10), offer(2, 200, 20), offer(3, 50, 30)];
        assert_eq!(chosen(&offers, 299), (vec![1, 3], 150));
        assert_eq!(chosen(&offers, 300), (vec![1, 2], 300));
        assert_eq!(chosen(&offers, 99), (vec![3], 50));
        assert_eq!(chosen(&offers, 0), (vec![], 0));
    }

    #[test]
    fn equal_prices_are_ordered_by_the_random_id() {
        let offers = [offer(9, 100, 10), offer(4, 100, 10)];
        assert_eq!(chosen(&offers, 100), (vec![4], 100));
    }
}
