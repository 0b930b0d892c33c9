//! The demand side manager: opens events, receives pseudo-bids, decides once. `[TRE14 III-E]`

use tre_wire::hex::Hex32;
use tre_wire::id::EventId;
use tre_wire::message::dsm::{
    Decision, EventOutcome, EventTerms, OpenEvent, PseudoBid, PseudoBids,
};
use tre_wire::message::{Done, Signed};

use crate::link::{Link, LinkError};

/// An attested TRE as a demand side manager sees it.
#[derive(Debug)]
pub struct Dsm(pub Link);

impl Dsm {
    /// Opens an event.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub async fn open_event(
        &mut self,
        event: &EventId,
        terms: EventTerms,
    ) -> Result<(), LinkError> {
        let body = OpenEvent { event: event.clone(), terms };
        let Done {} = self.0.post("/v1/events", &body).await?;
        Ok(())
    }

    /// Takes an event back that is not decided. Doing so twice does no harm.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub async fn cancel_event(&mut self, event: &EventId) -> Result<(), LinkError> {
        let Done {} = self.0.delete(&format!("/v1/events/{event}")).await?;
        Ok(())
    }

    /// The pseudo-bids of an event, once its deadline has passed.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub async fn bids(&mut self, event: &EventId) -> Result<Vec<PseudoBid>, LinkError> {
        Ok(self.signed_bids(event).await?.document.pseudo_bids)
    }

    /// The same, as the TRE signed them.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub async fn signed_bids(&mut self, event: &EventId) -> Result<Signed<PseudoBids>, LinkError> {
        self.0.get(&format!("/v1/events/{event}/bids")).await
    }

    /// Decides: `accepted` win, all others lose. There is one decision.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub async fn decide(&mut self, event: &EventId, accepted: Vec<Hex32>) -> Result<(), LinkError> {
        let path = format!("/v1/events/{event}/decision");
        let Done {} = self.0.post(&path, &Decision { accepted }).await?;
        Ok(())
    }

    /// Where an event stands.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub async fn outcome(&mut self, event: &EventId) -> Result<EventOutcome, LinkError> {
        self.0.get(&format!("/v1/events/{event}/outcome")).await
    }
}
