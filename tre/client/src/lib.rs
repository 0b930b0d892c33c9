//! The TRE's peers: meter, network operator, supplier, demand side manager, registrar, operator.
//!
//! Outside the trust boundary. Each peer is a type over a [`link::Link`], which verifies the TRE
//! before a byte is said, on every connection anew. There is no clock and no random source here:
//! both are handed in.
//!
//! # Sources
//!
//! | key | document |
//! |---|---|
//! | `TRE14` | Privacy-Enhanced Bi-Directional Communication in the Smart Grid |
//! | `RFC9110` | HTTP Semantics |
//! | `RFC9336` | X.509 Certificate General-Purpose Extended Key Usage for Document Signing |

#![forbid(unsafe_code)]

pub mod advice;
pub mod bidding;
pub mod check_bill;
pub mod clock;
pub mod dno;
pub mod dsm;
pub mod file;
pub mod identity;
pub mod jitter;
pub mod keep;
pub mod link;
mod listing;
pub mod merit;
pub mod meter;
pub mod operator;
pub mod own;
pub mod patience;
pub mod registrar;
pub mod renewal;
pub mod replay;
pub mod revocations;
pub mod supplier;
pub mod time;

pub use attest_verifier::document as documents;
pub use attest_verifier::{
    ClientIdentity, ListPlace, Lists, Memory, RevocationFiles, Sources, Trust, TrustError,
};
pub use tre_wire as wire;
