//! One test per check where exactly that one thing is wrong, asserting the exact error.

mod accepted;
mod binding;
mod certificates;
mod claims;
mod mutation;
mod quotes;
mod reference;
mod reports;
pub(crate) mod scene;
mod substitution;
