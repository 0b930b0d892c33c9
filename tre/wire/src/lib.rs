//! What crosses a wire: identifiers, units, messages, and every byte string that is signed, MACed
//! or hashed.
//!
//! What is *sent* is JSON, one serde type a message ([`message`]). What is *signed or hashed* is
//! never JSON: one function builds it ([`attestation`], [`document`], [`disk`],
//! [`signed`]), and both ends call that function. There is no clock, socket, file or random source here.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod attestation;
pub mod bounds;
pub mod cause;
pub mod denylist;
pub mod deployment;
pub mod disk;
pub mod document;
pub mod hex;
pub mod id;
pub mod journal;
pub mod json;
pub mod message;
pub mod plain;
pub mod policy;
pub mod problem;
pub mod revocation;
pub mod role;
pub mod signed;
pub mod time;
pub mod units;

/// TCP port on which a TRE listens inside the appliance.
pub const PORT: u16 = 8443;
