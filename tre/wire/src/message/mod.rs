//! The messages of the interface, one serde type each, grouped by who sends or asks.
//!
//! Requests refuse unknown fields. Answers do not: a newer TRE may say more.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::hex::HexBytes;
use crate::units::{Slot, UnixMillis};

pub mod dno;
pub mod dsm;
pub mod enrolment;
pub mod kept;
pub mod meter;
pub mod operator;
pub mod registrar;
pub mod supplier;

/// How a box came up.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StartState {
    /// Nothing enrolled yet.
    New,
    /// Secrets unsealed: all flows run.
    Serving,
    /// Secrets present and they will not unseal.
    Locked,
}

impl StartState {
    /// The state as it stands in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Serving => "serving",
            Self::Locked => "locked",
        }
    }
}

/// Answer to `GET /v1/health`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Health {
    /// How the box came up.
    pub state: StartState,
    /// Why it is locked, one line; empty otherwise.
    pub reason: String,
    /// Whether an answered request survives a power cut.
    pub durable: bool,
    /// Version of `tred`.
    pub version: String,
    /// Name of the TRE, empty until enrolled.
    pub tre_id: String,
    /// The TRE's time; 0 while it has none. A new box shows its hardware clock, unproven.
    pub time: UnixMillis,
    /// The slot that this time lies in; 0 without a time or a readable policy.
    pub slot: Slot,
    /// Number of the revocation list in force; 0 before the first.
    pub revocations: u32,
}

/// Answer to `GET /v1/certificates`: public from the enrolment on.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Certificates {
    /// Chain (DER) of the key that signs receipts and other documents, leaf first.
    pub document_chain: Vec<HexBytes>,
}

/// Answer where there is nothing more to say.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Done {}

/// Something that the TRE's document key has signed, for whoever is shown it later.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Signed<T> {
    /// What is signed.
    pub document: T,
    /// ECDSA P-256 signature (ASN.1) over the bytes that [`crate::document`] makes of it.
    pub signature: HexBytes,
}
