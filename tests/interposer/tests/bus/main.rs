//! What somebody between processor and TPM can do: listen, alter, withhold, repeat, impersonate.
//!
//! Everything here runs on a real TPM in software, through an interposer that does the deed.

#![forbid(unsafe_code)]
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    reason = "a helper of tests may panic like a test"
)]

mod active;
mod impostor;
mod passive;
mod scene;
