//! What tests, demo and benchmarks share: a trust domain, a TRE on a software TPM, a TRE in QEMU.
//!
//! Everything here is real: certificates of a real domain, a real TPM's state, the real `tred`.
//! Only the hosted TRE's measurements are replayed, from the log of a real boot.

#![forbid(unsafe_code)]

pub mod appliance;
pub mod demo;
pub mod descriptors;
pub mod domain;
pub mod enrolled;
pub mod hosted;
pub mod long_peer;
pub mod moved_clock;
pub mod place;
pub mod slow_tpm;
pub mod table;
pub mod teeth;
pub mod tools;
pub mod trust;
