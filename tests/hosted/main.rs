//! The real `tred` as a process on a software TPM: what peers get, and what bad requests get.
//!
//! One enrolled TRE serves every test that changes nothing; a test that fills the TRE up, or
//! moves its state on, makes its own.

mod bodies;
mod certificates;
mod flows;
mod many;
mod raw;
mod requests;
mod rules;
mod slow;
mod stage;
mod tls;
mod who;
