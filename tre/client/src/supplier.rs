//! A supplier: sets prices, receives one bill a period and customer. `[TRE14 III-D]`

use tre_wire::bounds;
use tre_wire::id::{AccountId, TariffId};
use tre_wire::message::supplier::{Bill, Bills, EndPeriod, PostPrices};
use tre_wire::message::{Done, Signed};
use tre_wire::units::{PricePerKwh, Slot};

use crate::link::{Link, LinkError};

/// An attested TRE as a supplier sees it.
#[derive(Debug)]
pub struct Supplier(pub Link);

impl Supplier {
    /// Publishes consecutive prices of a tariff from slot `from` on, in as many calls as it takes.
    /// `sent` is told how many are published after each.
    ///
    /// # Errors
    ///
    /// [`LinkError`]; what `sent` was told stays published.
    pub async fn post_prices(
        &mut self,
        tariff: &TariffId,
        from: Slot,
        prices: &[PricePerKwh],
        sent: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), LinkError> {
        let (mut from_slot, mut published) = (from, 0_usize);
        for batch in prices.chunks(bounds::PRICES) {
            let (tariff, prices) = (tariff.clone(), batch.to_vec());
            let body = PostPrices { tariff, from_slot, prices };
            let Done {} = self.0.post("/v1/prices", &body).await?;
            from_slot = from_slot.plus(u64::try_from(batch.len()).unwrap_or(u64::MAX));
            published = published.saturating_add(batch.len());
            sent(published);
        }
        Ok(())
    }

    /// Ends the running billing period of a tariff with the slot before `end_slot`.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub async fn end_period(&mut self, tariff: &TariffId, end_slot: Slot) -> Result<(), LinkError> {
        let body = EndPeriod { tariff: tariff.clone(), end_slot };
        let Done {} = self.0.post("/v1/billing-periods", &body).await?;
        Ok(())
    }

    /// All our bills of periods that ended at slot `from` or later, by period and account, each
    /// signed.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub async fn bills(&mut self, from: Slot) -> Result<Vec<Signed<Bill>>, LinkError> {
        let path = |after: Option<&AccountId>| match after {
            Some(after) => format!("/v1/bills?from={}&after={after}", from.get()),
            None => format!("/v1/bills?from={}", from.get()),
        };
        let last = |answer: &Bills| answer.bills.last().map(|bill| bill.document.account.clone());
        let all = self.0.all(path, last).await?;
        let mut bills: Vec<_> = all.into_iter().flat_map(|answer| answer.bills).collect();
        bills.sort_by_cached_key(|bill| {
            let Bill { from_slot, to_slot, account, .. } = &bill.document;
            (*to_slot, *from_slot, account.clone())
        });
        Ok(bills)
    }
}
