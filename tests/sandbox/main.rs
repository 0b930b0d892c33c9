//! What holds `tred` in: no call beyond its table, no row in the table that it does not use, no
//! privilege.
//!
//! The attacks are not on a copy of the filters. A tracer stands where somebody stands who has
//! taken over the real process: it makes the process do a call of its choice, at a moment of its
//! choice.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "what was not seen in a run is said")]

mod appliance;
mod attacks;
mod format;
mod ground;
#[path = "../../tre/daemon/build/rows.rs"]
mod rows;
mod standing;
mod usage;
