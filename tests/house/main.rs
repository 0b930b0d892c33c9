//! The house rules that a machine can hold.

#![forbid(unsafe_code)]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test stops where its own tools fail"
)]

mod commands;
mod edges;
mod files;
mod mutants;
mod pitfalls;
mod reproducible;
mod trusted;
