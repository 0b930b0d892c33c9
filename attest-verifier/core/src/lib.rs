//! Evidence in, verdict out.
//!
//! [`verdict::attest`] is the whole of it: evidence, the session it came over, the identity asked
//! for, a [`Reference`](reference::Reference) and the time go in; [`Attested`](verdict::Attested)
//! or a [`Refusal`](refusal::Refusal) comes out. [`examine`](report::examine) runs the same
//! checks without stopping at the first failure, for people: it is never a verdict.
//!
//! No clock, socket, file or random source: `now`, anchors, exporter and nonce are arguments.
//!
//! # Sources
//!
//! | key | document |
//! |---|---|
//! | `TPM2-P2` | TCG TPM 2.0 Library, part 2: Structures |
//! | `AKP` | TCG, AK certificate profile: the extended key usage of attestation keys |
//! | `RFC5280` | Internet X.509 Public Key Infrastructure Certificate and CRL Profile |

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(test)]
extern crate self as attest_verifier_core;
#[cfg(test)]
extern crate std;

mod chain;
pub mod channel;
pub mod check;
pub mod claim;
pub mod closest;
pub mod denylist;
pub mod key;
pub mod measured;
pub mod past;
pub mod quote;
pub mod reference;
pub mod refusal;
pub mod release;
pub mod report;
pub mod revocation;
pub mod stage;
mod subject;
pub mod verdict;

#[cfg(test)]
mod tests;

pub use chain::{ChainError, direct};
pub use measured_boot;
pub use tre_wire as wire;
