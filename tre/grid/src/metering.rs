//! A meter's batch, and what its readings do to bills and alerts.
//!
//! The same reading feeds monitoring and billing. `[TRE14 III-D]`

use alloc::vec::Vec;

use tre_wire::bounds;
use tre_wire::id::PeerId;
use tre_wire::message::meter::{Reading, Receipt, ReceiptStatus};
use tre_wire::policy::OverCapacity;
use tre_wire::units::{PricePerKwh, Slot};

use crate::connections::Stint;
use crate::grid::Grid;
use crate::names::index;
use crate::readings::{Slotful, Taken, Value};
use crate::refusal::ReadingRefusal;

impl Grid {
    /// Takes a batch: each reading for itself, in the order sent, a receipt each.
    pub(crate) fn take_readings(
        &mut self,
        meter: &PeerId,
        readings: &[Reading],
    ) -> Result<Vec<Receipt>, ReadingRefusal> {
        let (most, found) = (bounds::READINGS, readings.len());
        if found == 0 || found > most {
            return Err(ReadingRefusal::BatchSize { most, found });
        }
        let take = |reading: &Reading| {
            let status = self.take_reading(meter, reading);
            let Reading { slot, import_wh, export_wh, seq } = *reading;
            Receipt { slot, import_wh, export_wh, seq, status }
        };
        Ok(readings.iter().map(take).collect())
    }

    fn take_reading(&mut self, meter: &PeerId, reading: &Reading) -> ReceiptStatus {
        let slot = reading.slot;
        if slot > self.begun {
            return ReceiptStatus::NotYet;
        }
        let open = slot >= self.first_open;
        if !open && !self.takes_late(slot) {
            return ReceiptStatus::Closed;
        }
        let Some((point, &stint)) = self.connections.of_meter(meter, slot) else {
            return ReceiptStatus::NoConnection;
        };
        if open {
            let points = self.connections.count();
            return self.readings.take(point, &stint, reading, points, &self.policy);
        }
        match self.readings.take_late(point, reading) {
            Taken::Settled(status) => status,
            Taken::Late(value) => self.bill_late(slot, &stint, value),
        }
    }

    fn bill_late(&mut self, slot: Slot, stint: &Stint, value: Value) -> ReceiptStatus {
        let price = self.tariffs.tariff(stint.tariff).and_then(|tariff| tariff.price_at(slot));
        self.charge(slot, stint, value, price);
        if value.exceeds(stint, &self.policy) {
            ReceiptStatus::OverCapacity
        } else {
            ReceiptStatus::AcceptedLate
        }
    }

    /// Bills every reading of a slot that closes. `[TRE14 III-D]`
    pub(crate) fn bill_slot(&mut self, slot: Slot, slotful: &Slotful) {
        if slotful.is_empty() {
            return;
        }
        let prices = self.tariffs.prices_at(slot);
        for (point, value) in slotful.iter() {
            // Taken only where a stint holds, and what has begun is never rewritten.
            let Some(&stint) = self.connections.at(point, slot) else { continue };
            let price = prices.get(index(stint.tariff)).copied().flatten();
            self.charge(slot, &stint, value, price);
        }
    }

    /// `[TRE14 III-D]`: bill + (m x p), after the bounds check.
    fn charge(&mut self, slot: Slot, stint: &Stint, value: Value, price: Option<PricePerKwh>) {
        if value.exceeds(stint, &self.policy) {
            self.alerts.count(slot, &self.policy);
            self.accounts.count_over_capacity(stint.account);
            match self.policy.billing.over_capacity {
                OverCapacity::LeftOut => return,
                OverCapacity::BilledAsRead => {}
            }
        }
        if let Some(price) = price {
            let account = (stint.account, stint.tariff);
            self.accounts.charge(account, slot, price, value.net());
        }
    }
}
