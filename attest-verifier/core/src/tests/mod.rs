//! One test per check where exactly that one thing is wrong, asserting the exact error.

mod accepted;
mod batches;
mod binding;
mod certificates;
mod claims;
mod denylists;
mod mutation;
mod past;
mod quotes;
mod reference;
mod release;
mod reports;
mod revocations;
pub(crate) mod scene;
mod set;
mod signing;
mod substitution;
