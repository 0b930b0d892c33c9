//! The TPM boundary against a real TPM in software: every test owns the one it runs on.

#![forbid(unsafe_code)]
#![expect(clippy::expect_used, clippy::panic, reason = "a helper of tests may panic like a test")]

mod attestation;
mod endorsement;
mod harness;
mod machine;
mod ownership;
mod sealing;
mod signing;
