//! A record that is replaced as a whole: after a power cut it is the old one or the new one.
//!
//! Two slots, written in turn; the valid one with the higher sequence number counts. The very
//! first record is written to both, one after the other: from then on a region without a valid
//! slot is damaged, and is never mistaken for one that was never written.

use core::cmp::Ordering;

use thiserror::Error;

use crate::slot::{self, HEADER_LEN, Header};
use crate::{Device, DeviceError, SlotFault};

/// A range of a device.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Extent {
    /// First byte.
    pub offset: u64,
    /// Number of bytes.
    pub length: u64,
}

/// A place for one record, which is replaced as a whole.
#[derive(Debug)]
pub struct TwoSlotRegion {
    device: Device,
    first: Extent,
    second: Extent,
}

/// What a region holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Record {
    /// Counts the records of this region, from 1.
    pub sequence: u64,
    /// The record itself.
    pub bytes: Vec<u8>,
}

/// Why a region could not be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TwoSlotError {
    /// The slots are not where slots can be: whole physical sectors, and apart.
    #[error("expected two slots on multiples of {SECTOR_LEN} bytes apart: {first:?}, {second:?}")]
    Layout {
        /// The first slot.
        first: Extent,
        /// The second slot.
        second: Extent,
    },
    /// There was a record, and none is left.
    #[error("the record is damaged; first slot: {first}; second slot: {second}")]
    Damaged {
        /// What is wrong with the first slot.
        first: Unfit,
        /// What is wrong with the second slot.
        second: Unfit,
    },
    /// The record does not fit into a slot.
    #[error("expected a record of at most {max} bytes, found {found}")]
    TooLong {
        /// The bound, in bytes.
        max: usize,
        /// Length of the record, in bytes.
        found: usize,
    },
    /// No sequence number is left.
    #[error("the region has been written 2^64 times")]
    Exhausted,
    /// The device failed. The record is the old one or the new one.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

/// Why a slot of a damaged region holds no record.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum Unfit {
    /// It was never written.
    #[error("never written")]
    Empty,
    /// What was written is not there any more.
    #[error(transparent)]
    Fault(#[from] SlotFault),
}

impl TwoSlotRegion {
    /// The region of these two slots on `device`.
    ///
    /// Both start and end at multiples of 4,096 bytes, the largest physical sector: a torn write
    /// of one cannot touch the other.
    ///
    /// # Errors
    ///
    /// [`TwoSlotError::Layout`] if they do not, are empty, or overlap;
    /// [`DeviceError::OutOfBounds`] if the device ends before them.
    pub fn new(device: Device, first: Extent, second: Extent) -> Result<Self, TwoSlotError> {
        for slot in [first, second] {
            device.check_bounds(slot.offset, slot.length)?;
        }
        if first.is_aligned() && second.is_aligned() && first.is_apart_from(second) {
            Ok(Self { device, first, second })
        } else {
            Err(TwoSlotError::Layout { first, second })
        }
    }

    /// Longest record. Unit: byte.
    #[must_use]
    pub fn max_record_len(&self) -> usize {
        self.first.max_content_len().min(self.second.max_content_len())
    }

    /// The record; none if none was ever written to the end.
    ///
    /// # Errors
    ///
    /// [`TwoSlotError::Damaged`] if there was one and neither slot has it; or
    /// [`TwoSlotError::Device`].
    pub fn read(&self) -> Result<Option<Record>, TwoSlotError> {
        Ok(match self.load()? {
            State::Unwritten => None,
            State::Written { record, .. } => Some(record),
        })
    }

    /// Replaces the record by `bytes`, and returns its sequence number once it is durable.
    ///
    /// # Errors
    ///
    /// [`TwoSlotError::TooLong`], [`TwoSlotError::Exhausted`] or [`TwoSlotError::Damaged`], and
    /// nothing is written: a damaged record is never overwritten. [`TwoSlotError::Device`], and
    /// the record is the old one or the new one.
    pub fn write(&mut self, bytes: &[u8]) -> Result<u64, TwoSlotError> {
        let (max, found) = (self.max_record_len(), bytes.len());
        if found > max {
            return Err(TwoSlotError::TooLong { max, found });
        }
        let (sequence, slots) = match self.load()? {
            State::Unwritten => (1, vec![self.first, self.second]),
            State::Written { record, other } => {
                (record.sequence.checked_add(1).ok_or(TwoSlotError::Exhausted)?, vec![other])
            }
        };
        let encoded = slot::encode(sequence, bytes).ok_or(TwoSlotError::TooLong { max, found })?;
        for slot in slots {
            self.device.write(slot.offset, &encoded)?;
            self.device.sync()?;
        }
        Ok(sequence)
    }

    fn load(&self) -> Result<State, TwoSlotError> {
        let (first, second) = (self.load_slot(self.first)?, self.load_slot(self.second)?);
        Ok(match (first, second) {
            (Ok(a), Ok(b)) => match a.sequence.cmp(&b.sequence) {
                Ordering::Less => State::Written { record: b, other: self.first },
                Ordering::Equal | Ordering::Greater => {
                    State::Written { record: a, other: self.second }
                }
            },
            (Ok(record), Err(_)) => State::Written { record, other: self.second },
            (Err(_), Ok(record)) => State::Written { record, other: self.first },
            // The very first write goes to the first slot first: it never came to its end.
            (Err(_), Err(Unfit::Empty)) => State::Unwritten,
            (Err(first), Err(second)) => return Err(TwoSlotError::Damaged { first, second }),
        })
    }

    /// The record of one slot. That the device cannot be read is no damage: the record may be
    /// there, and the older one must not pass for it.
    fn load_slot(&self, slot: Extent) -> Result<Result<Record, Unfit>, DeviceError> {
        let mut bytes = [0; HEADER_LEN];
        bytes.copy_from_slice(&self.device.read(slot.offset, HEADER_LEN)?);
        let header = match Header::parse(&bytes, slot.max_content_len()) {
            Ok(Some(header)) => header,
            Ok(None) => return Ok(Err(Unfit::Empty)),
            Err(fault) => return Ok(Err(Unfit::Fault(fault))),
        };
        let whole = HEADER_LEN.saturating_add(header.content_len);
        let content = self.device.read(slot.offset, whole)?.split_off(HEADER_LEN);
        Ok(match header.check(&content) {
            Ok(()) => Ok(Record { sequence: header.sequence, bytes: content }),
            Err(fault) => Err(Unfit::Fault(fault)),
        })
    }
}

/// What the two slots amount to.
enum State {
    /// No record was ever written to the end.
    Unwritten,
    /// The record, and the slot that does not hold it.
    Written { record: Record, other: Extent },
}

impl Extent {
    fn is_aligned(self) -> bool {
        self.length > 0
            && self.offset.is_multiple_of(SECTOR_LEN)
            && self.length.is_multiple_of(SECTOR_LEN)
    }

    fn is_apart_from(self, other: Self) -> bool {
        let ends_before =
            |a: Self, b: Self| a.offset.checked_add(a.length).is_some_and(|end| end <= b.offset);
        ends_before(self, other) || ends_before(other, self)
    }

    fn max_content_len(self) -> usize {
        let len = usize::try_from(self.length).unwrap_or(usize::MAX).min(MAX_RECORD_LEN);
        len.saturating_sub(HEADER_LEN)
    }
}

/// Largest physical sector of a disk. Unit: byte.
const SECTOR_LEN: u64 = 4096;

/// Longest slot that is used. Unit: byte. Records are read whole into memory.
const MAX_RECORD_LEN: usize = 16 << 20;
