//! A file that somebody keeps: something that a TRE signed, with what it takes to check it later.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::Signed;
use super::dno::Aggregates;
use super::dsm::PseudoBids;
use super::meter::{MeterPrices, Receipts};
use super::supplier::Bill;
use crate::hex::HexBytes;
use crate::id::{EventId, PeerId};

/// Body of a kept file: one signed document, and by whom.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Version of this structure.
    pub format: Format,
    /// The TRE that signed it.
    pub tre: PeerId,
    /// Chain (DER) of the TRE's document key, leaf first.
    pub document_chain: Vec<HexBytes>,
    /// What it signed.
    pub content: Content,
}

/// The version of [`Kept`] that this program reads: 1. Another is refused by its number.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Format(());

/// Another format of [`Kept`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("expected kept file format 1, found {found}")]
pub struct OtherFormat {
    /// Format found.
    pub found: u32,
}

/// What a TRE signs, with the names that are signed with it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Content {
    /// Receipts of one batch of readings.
    Receipts {
        /// Whose.
        meter: PeerId,
        /// The answer.
        receipts: Receipts,
    },
    /// Prices of a tariff.
    Prices(Signed<MeterPrices>),
    /// Sums of groups.
    Aggregates {
        /// The network operator that got them.
        dno: PeerId,
        /// The answer.
        sums: Signed<Aggregates>,
    },
    /// The pseudo-bids of an event.
    PseudoBids {
        /// The demand side manager that got them.
        dsm: PeerId,
        /// The event.
        event: EventId,
        /// The answer.
        bids: Signed<PseudoBids>,
    },
    /// A bill.
    Bill(Signed<Bill>),
}

impl TryFrom<u32> for Format {
    type Error = OtherFormat;

    fn try_from(found: u32) -> Result<Self, OtherFormat> {
        if found == 1 { Ok(Self(())) } else { Err(OtherFormat { found }) }
    }
}

impl From<Format> for u32 {
    fn from(_: Format) -> Self {
        1
    }
}
