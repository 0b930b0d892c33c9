//! Literals: the structures that `swtpm` gave out through tpm2-tools, with one comment a field.

mod credential;
mod public;
mod quote;
mod signature;
