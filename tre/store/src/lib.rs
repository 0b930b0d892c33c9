//! Sealed storage on a raw block device or a file: sees bytes, not meanings.
//!
//! Three parts, each of which can be had alone: a [`Device`] reads and writes at offsets, a
//! [`TwoSlotRegion`] replaces a record on it so that a power cut leaves the old one or the new
//! one, and an [`Envelope`] encrypts what such a record holds under a secret that only the TPM
//! gives out.
//!
//! Nothing here draws a random number or reads a clock: the caller hands nonces in.

#![forbid(unsafe_code)]

mod device;
mod envelope;
mod slot;
mod two_slot;

pub use device::{Device, DeviceError, DeviceStep};
pub use envelope::{Envelope, EnvelopeError};
pub use slot::SlotFault;
pub use two_slot::{Extent, Record, TwoSlotError, TwoSlotRegion, Unfit};
