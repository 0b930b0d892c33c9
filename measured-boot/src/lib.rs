//! What a measured boot leaves behind, and what it should have left.
//!
//! *Measured*: the event log ([`eventlog`]) and the TPM's structures as bytes ([`tpm`]).
//! *Expected*: PCR values computed from files ([`pe`], [`component`], [`predict`]) and written
//! down as a [`manifest`]. [`appraise`] holds the one against the other.
//!
//! Both the box and its judge link this crate, so it has no clock, socket, file, thread, lock or
//! random source, and everything it decodes may have been written by an attacker: one bounded
//! reader ([`reader`]), no allocation by a claimed length, no recursion.

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
pub mod secure_boot;
pub mod tpm;

#[cfg(test)]
extern crate std;

#[cfg(test)]
mod literal;
