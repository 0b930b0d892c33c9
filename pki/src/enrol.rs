//! Enrolment of a new box, in one connection. `[DESIGN 6]`
//!
//! Appraise, then name, then check the keys it offers ([`offer`]), then make its TPM prove that
//! it holds both the endorsement key and the attestation key ([`offer::Challenge`]), and only
//! then certify. The record ([`record`]) is on disk before a certificate leaves this machine.

pub mod offer;
pub mod record;
