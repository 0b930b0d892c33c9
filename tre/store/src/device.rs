//! A raw block device, or a file of fixed size in its place.

use core::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use thiserror::Error;

/// A block device or file that this process alone uses.
///
/// Alone among those who ask: it holds an advisory lock (`flock`), which works alike on block
/// devices and files, is released by the kernel however the process ends, and keeps a second TRE
/// from the same disk. Its size is fixed when it is opened: a write never extends a file.
///
/// A clone is the same open device: regions that share a disk each hold one. The lock goes with
/// the last of them.
#[derive(Clone, Debug)]
pub struct Device {
    file: Arc<File>,
    len: u64,
}

/// Why a device could not be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// Another process has it open.
    #[error("the device is in use by another process: end that process first")]
    InUse,
    /// The bytes asked for are not all on the device.
    #[error("expected {len} bytes at offset {offset} within {device_len} bytes of device")]
    OutOfBounds {
        /// Where the bytes start.
        offset: u64,
        /// How many they are.
        len: u64,
        /// Length of the device, in bytes.
        device_len: u64,
    },
    /// The operating system refused.
    #[error("{step} the device failed")]
    Io {
        /// What was being done.
        step: DeviceStep,
        /// The reason.
        #[source]
        source: io::Error,
    },
}

/// What was being done with a device.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DeviceStep {
    /// Opening it.
    Open,
    /// Measuring its size.
    Measure,
    /// Locking it.
    Lock,
    /// Reading from it.
    Read,
    /// Writing to it.
    Write,
    /// Making what was written durable.
    Sync,
}

impl fmt::Display for DeviceStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "opening",
            Self::Measure => "measuring",
            Self::Lock => "locking",
            Self::Read => "reading",
            Self::Write => "writing to",
            Self::Sync => "flushing",
        })
    }
}

impl Device {
    /// Opens the existing device or file at `path`, for reading and writing, and locks it.
    ///
    /// # Errors
    ///
    /// [`DeviceError::InUse`] if another process holds it; [`DeviceError::Io`] otherwise.
    pub fn open(path: &Path) -> Result<Self, DeviceError> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map_err(|source| DeviceError::Io { step: DeviceStep::Open, source })?;
        file.try_lock().map_err(|refusal| match refusal {
            TryLockError::WouldBlock => DeviceError::InUse,
            TryLockError::Error(source) => DeviceError::Io { step: DeviceStep::Lock, source },
        })?;
        // A block device's metadata has no length; its end has.
        let len = file
            .seek(SeekFrom::End(0))
            .map_err(|source| DeviceError::Io { step: DeviceStep::Measure, source })?;
        Ok(Self { file: Arc::new(file), len })
    }

    /// Size of the device. Unit: byte.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.len
    }

    /// The `len` bytes at `offset`.
    ///
    /// # Errors
    ///
    /// [`DeviceError::OutOfBounds`], before anything is allocated, or [`DeviceError::Io`].
    pub fn read(&self, offset: u64, len: usize) -> Result<Vec<u8>, DeviceError> {
        self.check_bounds(offset, length_of(len))?;
        let mut bytes = vec![0; len];
        self.file
            .read_exact_at(&mut bytes, offset)
            .map_err(|source| DeviceError::Io { step: DeviceStep::Read, source })?;
        Ok(bytes)
    }

    /// Writes `bytes` at `offset`. Durable, and whole, only after [`Self::sync`].
    ///
    /// # Errors
    ///
    /// [`DeviceError::OutOfBounds`], and nothing is written; or [`DeviceError::Io`], and any part
    /// may have been written.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        self.check_bounds(offset, length_of(bytes.len()))?;
        self.file
            .write_all_at(bytes, offset)
            .map_err(|source| DeviceError::Io { step: DeviceStep::Write, source })
    }

    /// Returns when everything written is durable.
    ///
    /// # Errors
    ///
    /// [`DeviceError::Io`]. What was written since the last success may be lost then, and a
    /// second call may succeed without it: the caller writes again or gives up.
    pub fn sync(&self) -> Result<(), DeviceError> {
        self.file.sync_data().map_err(|source| DeviceError::Io { step: DeviceStep::Sync, source })
    }

    pub(crate) fn check_bounds(&self, offset: u64, len: u64) -> Result<(), DeviceError> {
        match offset.checked_add(len) {
            Some(end) if end <= self.len => Ok(()),
            _ => Err(DeviceError::OutOfBounds { offset, len, device_len: self.len }),
        }
    }
}

fn length_of(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_of(len: u64) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.as_file().set_len(len).expect("a length");
        file
    }

    #[test]
    fn what_was_written_is_read_back() {
        let file = file_of(64);
        let device = Device::open(file.path()).expect("opens");
        device.write(60, b"last").expect("fits");
        device.sync().expect("syncs");
        assert_eq!(device.size(), 64);
        assert_eq!(device.read(58, 6).expect("within"), b"\0\0last");
    }

    #[test]
    fn second_user_of_a_device_is_refused_until_the_last_clone_is_gone() {
        let file = file_of(64);
        let device = Device::open(file.path()).expect("opens");
        let clone = device.clone();
        drop(device);
        assert!(matches!(Device::open(file.path()), Err(DeviceError::InUse)));
        drop(clone);
        Device::open(file.path()).expect("opens again");
    }

    #[test]
    fn access_beyond_the_end_is_refused_and_changes_nothing() {
        let file = file_of(64);
        let device = Device::open(file.path()).expect("opens");
        for (offset, len) in [(61, 4), (64, 1), (u64::MAX, 1)] {
            let bytes = vec![0xff; len];
            for refused in [device.write(offset, &bytes), device.read(offset, len).map(|_| ())] {
                let Err(DeviceError::OutOfBounds { offset: at, device_len: 64, .. }) = refused
                else {
                    panic!("expected OutOfBounds, found {refused:?}");
                };
                assert_eq!(at, offset);
            }
        }
        assert_eq!(device.read(0, 64).expect("within"), [0; 64]);
        assert_eq!(file.as_file().metadata().expect("metadata").len(), 64);
    }

    #[test]
    fn missing_device_names_the_step() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let opened = Device::open(&folder.path().join("none"));
        let Err(DeviceError::Io { step: DeviceStep::Open, source }) = opened else {
            panic!("expected a failure to open, found {opened:?}");
        };
        assert_eq!(source.kind(), io::ErrorKind::NotFound);
    }
}
