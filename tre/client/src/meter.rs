//! A meter or home energy manager: sends readings and bids, receives receipts, prices, outcomes.

use attest_verifier::ClientIdentity;
use tre_wire::bounds;
use tre_wire::hex::HexBytes;
use tre_wire::id::EventId;
use tre_wire::message::kept::{Content, Format, Kept};
use tre_wire::message::meter::{
    Account, Bid, BidRequest, EventNotice, Events, MeterOutcome, MeterPrices, Outcomes, Reading,
    Readings, Receipts,
};
use tre_wire::message::supplier::{Bill, Bills};
use tre_wire::message::{Certificates, Done, Signed};
use tre_wire::policy::Policy;
use tre_wire::role::Role;
use tre_wire::units::{Slot, UnixMillis};

use crate::clock::Offset;
use crate::documents::{Anchors, DocumentKey, DocumentKeyError, NotSigned, ReceiptError};
use crate::link::{Link, LinkError, Target};
use crate::own::{Own, OwnError};
use crate::patience::Patience;
use crate::renewal::Renewal;

/// An attested TRE as a meter sees it.
#[derive(Debug)]
pub struct Meter {
    link: Link,
    document_key: DocumentKey,
    document_chain: Vec<HexBytes>,
    offset: Offset,
    /// The number of attestations when `offset` was measured.
    measured_at: u64,
}

/// Why a meter has no good answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MeterError {
    /// The credential is not a meter's.
    #[error(transparent)]
    Own(OwnError),
    /// The TRE is not attested, refuses, or does not answer.
    #[error(transparent)]
    Link(LinkError),
    /// The TRE shows no document key that a receipt could be checked with.
    #[error("{0}; send nothing to this TRE, and tell its operator")]
    DocumentKey(#[source] DocumentKeyError),
    /// The receipts are worth nothing.
    #[error("{0}; keep the readings, and tell the regulator")]
    Receipt(#[source] ReceiptError),
    /// Prices or a bill without the TRE's signature.
    #[error("{0}; keep what came, and tell the regulator")]
    NotSigned(#[source] NotSigned),
    /// More readings than fit into one batch.
    #[error(
        "expected at most {most} readings in one batch, found {found}",
        most = bounds::READINGS
    )]
    Batch {
        /// Readings given.
        found: usize,
    },
}

impl From<LinkError> for MeterError {
    fn from(error: LinkError) -> Self {
        Self::Link(error)
    }
}

impl Meter {
    /// Attests the TRE, then shows it who we are, then learns with which key it signs receipts.
    ///
    /// # Errors
    ///
    /// [`MeterError`]. Before the TRE is attested nothing but the nonce is sent.
    pub async fn connect(target: Target, credential: ClientIdentity) -> Result<Self, MeterError> {
        let own = Own::new(credential, Role::Meter).map_err(MeterError::Own)?;
        let mut link = Link::open(target, own).await?;
        let Certificates { document_chain } = link.get("/v1/certificates").await?;
        let target = link.target();
        let anchors = Anchors::from(target.trust.reference());
        let document_key =
            DocumentKey::check(&document_chain, anchors, &target.identity(), link.now())
                .map_err(MeterError::DocumentKey)?;
        let (offset, measured_at) = (link.offset().await?, link.attestations());
        Ok(Self { link, document_key, document_chain, offset, measured_at })
    }

    /// The same, trying again for as long as `patience` lasts: many meters that start together
    /// find the TRE busy quoting.
    ///
    /// # Errors
    ///
    /// [`MeterError`]: what cannot pass, or what failed last.
    pub async fn connect_patiently(
        target: Target,
        credential: ClientIdentity,
        patience: &mut Patience,
    ) -> Result<Self, MeterError> {
        loop {
            let error = match Self::connect(target.clone(), credential.clone()).await {
                Ok(meter) => return Ok(meter),
                Err(error) if error.is_passing() => error,
                Err(error) => return Err(error),
            };
            let Some(wait) = patience.failed(target.clock.now()) else { return Err(error) };
            tokio::time::sleep(wait).await;
        }
    }

    /// Reads the files again that it was connected with, as it goes on.
    #[must_use]
    pub fn renewing(self, renewal: Renewal) -> Self {
        Self { link: self.link.renewing(renewal), ..self }
    }

    /// The policy that the TRE follows.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        self.link.target().policy()
    }

    /// The way to the TRE.
    #[must_use]
    pub const fn link(&self) -> &Link {
        &self.link
    }

    /// The key with which the TRE signs receipts.
    #[must_use]
    pub const fn document_key(&self) -> &DocumentKey {
        &self.document_key
    }

    /// A file that proves to others, later, what the TRE signed.
    #[must_use]
    pub fn keep(&self, content: Content) -> Kept {
        let (tre, document_chain) =
            (self.link.target().tre_id.clone(), self.document_chain.clone());
        Kept { format: Format::default(), tre, document_chain, content }
    }

    /// The TRE's time, as our clock and the last comparison tell it.
    #[must_use]
    pub fn tre_now(&self) -> UnixMillis {
        self.offset.at(self.link.now())
    }

    /// Compares the clocks again if there has been a new connection since the last comparison.
    ///
    /// # Errors
    ///
    /// [`MeterError::Link`].
    pub async fn compare_clocks(&mut self) -> Result<(), MeterError> {
        if self.measured_at != self.link.attestations() {
            self.offset = self.link.offset().await?;
            self.measured_at = self.link.attestations();
        }
        Ok(())
    }

    /// Sends a batch of readings and checks the receipts: one for each, in the same order, signed.
    ///
    /// Sending a batch again does no harm: the receipts then say so.
    ///
    /// # Errors
    ///
    /// [`MeterError`].
    pub async fn send_readings(&mut self, readings: Vec<Reading>) -> Result<Receipts, MeterError> {
        if readings.len() > bounds::READINGS {
            return Err(MeterError::Batch { found: readings.len() });
        }
        let (length, body) = (Readings::bytes(readings.len()), Readings { readings });
        let answer: Receipts = self.link.post_padded("/v1/readings", &body, length).await?;
        self.document_key
            .check_receipts(self.link.own().identity(), &body.readings, &answer)
            .map_err(MeterError::Receipt)?;
        Ok(answer)
    }

    /// Prices of our tariff, signed: the one that holds at slot `from`, then those after it.
    ///
    /// # Errors
    ///
    /// [`MeterError::Link`]; [`MeterError::NotSigned`].
    pub async fn prices(&mut self, from: Slot) -> Result<Signed<MeterPrices>, MeterError> {
        let prices = self.link.get(&format!("/v1/prices?from={}", from.get())).await?;
        self.document_key.check_prices(&prices).map_err(MeterError::NotSigned)?;
        Ok(prices)
    }

    /// Every event that the TRE holds, by id.
    ///
    /// # Errors
    ///
    /// [`MeterError::Link`].
    pub async fn events(&mut self) -> Result<Vec<EventNotice>, MeterError> {
        let Events { events } = self.link.get("/v1/events").await?;
        Ok(events)
    }

    /// Bids, replaces an earlier bid, or says that there is none: either looks alike on the wire.
    ///
    /// # Errors
    ///
    /// [`MeterError::Link`].
    pub async fn bid(&mut self, event: &EventId, bid: Option<Bid>) -> Result<(), MeterError> {
        let body = BidRequest { event: event.clone(), bid };
        let Done {} = self.link.post_padded("/v1/bids", &body, bounds::BID_BYTES).await?;
        Ok(())
    }

    /// How every event went for us, by id.
    ///
    /// # Errors
    ///
    /// [`MeterError::Link`].
    pub async fn outcomes(&mut self) -> Result<Vec<MeterOutcome>, MeterError> {
        let Outcomes { outcomes } = self.link.get("/v1/outcomes").await?;
        Ok(outcomes)
    }

    /// What the TRE holds on our account now.
    ///
    /// # Errors
    ///
    /// [`MeterError::Link`].
    pub async fn account(&mut self) -> Result<Account, MeterError> {
        Ok(self.link.get("/v1/account").await?)
    }

    /// The bills of our account, each signed.
    ///
    /// # Errors
    ///
    /// [`MeterError::Link`]; [`MeterError::NotSigned`].
    pub async fn bills(&mut self) -> Result<Vec<Signed<Bill>>, MeterError> {
        let Bills { bills } = self.link.get("/v1/bills").await?;
        let check = |bill: &Signed<Bill>| self.document_key.check_bill(bill);
        bills.iter().try_for_each(check).map_err(MeterError::NotSigned)?;
        Ok(bills)
    }
}

impl MeterError {
    /// Whether the same may work a little later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Link(error) => error.is_passing(),
            Self::Own(_)
            | Self::DocumentKey(_)
            | Self::Receipt(_)
            | Self::NotSigned(_)
            | Self::Batch { .. } => false,
        }
    }
}
