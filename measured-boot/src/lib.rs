//! What a measured boot leaves behind, and what it should have left.
//!
//! *Measured*: the event log ([`eventlog`]) and the TPM's structures as bytes ([`tpm`]).
//! *Expected*: PCR values computed from files ([`pe`], [`component`], [`predict`]) and written
//! down as a [`manifest`]. [`appraise`] holds the one against the other.
//!
//! Both the box and its judge link this crate, so it has no clock, socket, file, thread, lock or
//! random source, and everything it decodes may have been written by an attacker: one bounded
//! reader ([`reader`]), no allocation by a claimed length, no recursion.
//!
//! # Sources
//!
//! | key | document |
//! |---|---|
//! | `PFP` | TCG PC Client Platform Firmware Profile Specification |
//! | `TPM2-P1`, `TPM2-P2` | TCG TPM 2.0 Library, parts 1 (Architecture) and 2 (Structures) |
//! | `RFC5480` | Elliptic Curve Cryptography Subject Public Key Information |

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod appraise;
pub mod component;
pub mod digest;
pub mod eventlog;
pub mod limits;
pub mod manifest;
pub mod pcr;
pub mod pe;
pub mod predict;
pub mod reader;
pub mod tpm;

#[cfg(test)]
extern crate std;

/// Bytes written as hex, with spaces wherever they help: for literals in tests.
#[cfg(test)]
fn unhex(text: &str) -> alloc::vec::Vec<u8> {
    let digits: alloc::string::String = text.split_whitespace().collect();
    let byte = |pair: &[u8]| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.as_bytes().chunks(2).map(byte).collect()
}
