//! Stands between a TPM's user and a software TPM, and does to its traffic what it is told.
//!
//! An interposer serves on the same kind of socket pair as the software TPM (commands at PATH,
//! control at PATH.ctrl). What becomes of each command is a function that a test hands in: it may
//! pass it on, alter it, send it twice, answer in the TPM's place, or hang up.

#![forbid(unsafe_code)]

mod channels;
mod frame;
mod interposer;

pub use channels::{control, pass_control};
pub use frame::Frame;
pub use interposer::{Deed, Exchange, Interposer, Pass};
