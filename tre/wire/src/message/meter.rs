//! What a meter or home energy manager sends and asks.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::dno::Span;
use super::dsm::{EventState, EventTerms};
use super::registrar::ConnectionRecord;
use crate::bounds;
use crate::hex::HexBytes;
use crate::id::{EventId, GroupId, PeerId, TariffId};
use crate::units::{Budget, Epsilon, PricePerKwh, Slot, UnixMillis, WattHours};

/// Body of `POST /v1/readings`: at most [`bounds::READINGS`], any order.
///
/// Always [`Self::bytes`] long, with spaces at its end: whoever watches the wire sees how many
/// readings there are, and not how many digits they have.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Readings {
    /// The readings; one value a slot.
    pub readings: Vec<Reading>,
}

impl Readings {
    /// Length of every body with `count` readings. Unit: bytes.
    #[must_use]
    pub const fn bytes(count: usize) -> usize {
        bounds::READING_BYTES.saturating_mul(count.saturating_add(1))
    }
}

/// The energy of one slot. `[TRE14 III-C]`: m of consumer c at time t.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// The slot that was metered.
    pub slot: Slot,
    /// Energy drawn from the grid.
    pub import_wh: WattHours,
    /// Energy fed into the grid.
    pub export_wh: WattHours,
    /// The meter's counter: a higher one replaces, an equal one repeats.
    pub seq: u64,
}

/// Answer to `POST /v1/readings`: one receipt a reading, in the order sent.
///
/// Always [`Self::bytes`] long, with spaces at its end: its length says nothing of its words.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Receipts {
    /// What became of each reading.
    pub receipts: Vec<Receipt>,
    /// ECDSA P-256 signature (ASN.1) of the document key over
    /// [`crate::document::receipts`].
    pub signature: HexBytes,
}

impl Receipts {
    /// Length of every answer with `count` receipts. Unit: bytes.
    #[must_use]
    pub const fn bytes(count: usize) -> usize {
        // The signature takes less than two.
        bounds::RECEIPT_BYTES.saturating_mul(count.saturating_add(2))
    }
}

/// What became of one reading, repeated so that the receipt stands alone.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The slot that was metered.
    pub slot: Slot,
    /// Energy drawn from the grid.
    pub import_wh: WattHours,
    /// Energy fed into the grid.
    pub export_wh: WattHours,
    /// The meter's counter.
    pub seq: u64,
    /// What became of it.
    pub status: ReceiptStatus,
}

/// What became of one reading.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptStatus {
    /// Counts in the slot's sum and bill.
    Accepted,
    /// Counts instead of an earlier value of the same slot.
    Replaced,
    /// The very reading that counts already.
    Repeated,
    /// Came after the close where none was: counts in the bill alone.
    AcceptedLate,
    /// Above the connection's capacity: not in the sum; in the bill if the policy says so.
    OverCapacity,
    /// Refused: the slot has closed with a value, or beyond the lateness horizon.
    Closed,
    /// Refused: the slot has not begun.
    NotYet,
    /// Refused: no connection record ties this meter to a point in that slot.
    NoConnection,
    /// Refused: a reading with a higher counter counts for this slot.
    StaleSequence,
}

/// Answer to `GET /v1/prices`, signed as [`crate::document::prices`] has it: the series of the meter's own tariff.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MeterPrices {
    /// Who set them.
    pub supplier: PeerId,
    /// The tariff that the connection record names.
    pub tariff: TariffId,
    /// Published prices from the asked slot on, at most [`bounds::ROWS`].
    pub prices: Vec<SlotPrice>,
}

/// The price of one slot.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SlotPrice {
    /// The slot.
    pub slot: Slot,
    /// The price, in millionths of the currency per kWh.
    pub price: PricePerKwh,
}

/// Answer to `GET /v1/events`: what a meter may bid on, and what it may have bid on.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Events {
    /// The events, by id.
    pub events: Vec<EventNotice>,
}

/// One event as every meter sees it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct EventNotice {
    /// The event.
    pub event: EventId,
    /// What is asked, when, until when.
    pub terms: EventTerms,
    /// Where it stands.
    pub state: EventState,
}

/// Body of `POST /v1/bids`. `[TRE14 III-E]`: (bid-q, bid-p), or nothing on offer.
///
/// Always [`bounds::BID_BYTES`] long, with spaces at its end: whoever watches the wire sees
/// one length, whatever is offered.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BidRequest {
    /// The event.
    pub event: EventId,
    /// The bid; `null` withdraws, or says that there is none.
    pub bid: Option<Bid>,
}

/// A bid: all or nothing.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Bid {
    /// Energy offered over the whole event.
    pub quantity_wh: WattHours,
    /// Price asked.
    pub price: PricePerKwh,
}

/// Answer to `GET /v1/outcomes`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Outcomes {
    /// One row for each event that this TRE holds, whether the meter bid or not.
    pub outcomes: Vec<MeterOutcome>,
}

/// How one event ended for the meter that asks.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct MeterOutcome {
    /// The event.
    pub event: EventId,
    /// How its bid fared.
    pub outcome: BidOutcome,
}

impl Outcomes {
    /// How many bytes this is shorter than the longest answer about the same events: what an answer
    /// is padded by, so that its length says nothing of its words.
    #[must_use]
    pub fn shorter_by(&self) -> usize {
        let short = |row: &MeterOutcome| LONGEST_OUTCOME.saturating_sub(row.outcome.as_str().len());
        self.outcomes.iter().map(short).fold(0, usize::saturating_add)
    }
}

/// Length of the longest word of [`BidOutcome`]. Unit: bytes.
const LONGEST_OUTCOME: usize = 8;

impl BidOutcome {
    /// The outcome as it stands in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::NoBid => "no_bid",
        }
    }
}

/// How a bid fared.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BidOutcome {
    /// The demand side manager has not decided yet.
    Pending,
    /// The bid won: it is owed and credited.
    Accepted,
    /// The bid lost, nobody decided in time, or the event was cancelled.
    Rejected,
    /// There was no bid.
    NoBid,
}

/// Answer to `GET /v1/account`: what the TRE holds on the meter's connection now.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Account {
    /// First slot that no bill has been made of.
    pub period_from: Slot,
    /// What is owed from there on, in billionths of the currency, as a decimal string.
    pub running_nano: alloc::string::String,
    /// Readings above capacity since the connection began.
    pub over_capacity: u64,
    /// The TRE's time.
    pub time: UnixMillis,
    /// What the registrar said of the connection; of who has left, of the one that was left.
    pub record: ConnectionRecord,
    /// Readings that are held: of slots that have not closed, and of those that closed last if a
    /// baseline is made of them. By slot.
    pub readings: Vec<Reading>,
    /// Closed slots that still take a reading because none came: the latest
    /// [`bounds::READINGS`], by slot.
    pub missing: Vec<Slot>,
    /// Groups whose sums the connection is in, now or from the next slot on.
    pub groups: Vec<AccountGroup>,
    /// What those sums may still tell of the connection, by kind.
    pub budget: Vec<AccountBudget>,
    /// Every event that this TRE holds, by id.
    pub events: Vec<AccountEvent>,
    /// Bills that went out and are kept.
    pub bills: u32,
}

/// A group that a connection is in.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AccountGroup {
    /// Which network operator asked for it.
    pub dno: PeerId,
    /// Its name for it.
    pub group: GroupId,
    /// First slot of the membership.
    pub from_slot: Slot,
}

/// One share of a connection's privacy budget.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AccountBudget {
    /// Releases of this kind.
    pub span: Span,
    /// Epsilon that they may spend in any window.
    pub window_millionths: Epsilon,
    /// What is left of it in the window that ends now.
    pub left_millionths: Budget,
}

/// One event as it concerns a household.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AccountEvent {
    /// The event.
    pub event: EventId,
    /// The bid, while the TRE knows whose it is.
    pub bid: Option<Bid>,
    /// How it fared.
    pub outcome: BidOutcome,
    /// Whether what won was delivered. The demand side manager is not told.
    pub delivery: Delivery,
}

/// Whether a winner delivered.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// Nothing was promised.
    None,
    /// The event is not over.
    Pending,
    /// It did.
    Delivered,
    /// It did not, and was charged the policy's penalty.
    Short,
    /// Nobody is judged: by policy, or because the TRE did not run in one of the slots.
    NotJudged,
}
