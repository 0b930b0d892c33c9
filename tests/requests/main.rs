//! Every kind of bad request to the real `tred`: a problem of a stable type or a clean close, and
//! nothing changes.

#![forbid(unsafe_code)]
#![expect(clippy::expect_used, reason = "a test stops where its own tools fail")]

mod alike;
mod bad;
mod batch;
mod bus;
mod crowd;
mod enrolment;
mod fixture;
mod flood;
mod journey;
mod lasting;
mod listings;
mod matrix;
mod raw;
mod renewal;
mod revocations;
mod rooms;
mod time;
