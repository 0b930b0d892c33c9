//! A folder of signed lists, numbered from 1: every list stays, the highest number is the newest.
//!
//! A list's signature is written first and the list last: what has both is whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use attest_verifier::signature_path;
use tre_wire::json::{self, JsonError};
use tre_wire::signed::SIGNATURE_BYTES;
use tre_wire::units::UnixMillis;

use crate::file::{self, Access, FileError};
use crate::release::Signer;

/// For how long a list is good where nobody asks for another time. Unit: days.
pub const DEFAULT_DAYS: u32 = 30;

/// Longest time for which a list is good. Unit: days.
pub const MOST_DAYS: u32 = 397;

/// Why there is no list, or no next one.
#[derive(Debug, thiserror::Error)]
pub enum NumberedError {
    /// A list cannot be read or written.
    #[error(transparent)]
    File(FileError),
    /// The list could not be encoded.
    #[error("cannot encode the list: {0}")]
    Encode(#[source] JsonError),
    /// The signing library failed.
    #[error("cannot sign: {0}")]
    Sign(ring::error::Unspecified),
    /// The list would be good for no time, or too long.
    #[error("expected a list that is good for 1 to {MOST_DAYS} days, found {found}")]
    Days {
        /// Days asked for.
        found: u32,
    },
    /// All numbers are used up.
    #[error("expected a number for the next list, found that all are used")]
    Sequence,
}

/// The folder.
#[derive(Clone, Debug)]
pub(crate) struct Numbered {
    folder: PathBuf,
}

/// A list and its signature file, as they lie.
pub(crate) struct Files {
    pub(crate) list: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

impl Numbered {
    pub(crate) const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where the list with this number stands, or will.
    pub(crate) fn path(&self, sequence: u32) -> PathBuf {
        self.folder.join(format!("{sequence:08}.json"))
    }

    /// The file of the newest list, if there is one.
    pub(crate) fn newest(&self) -> Option<PathBuf> {
        let paths = (1..u32::MAX).map(|number| self.path(number));
        paths.take_while(|path| path.symlink_metadata().is_ok()).last()
    }

    /// Both files of the list at `path`, of at most `most` bytes.
    pub(crate) fn read(&self, path: &Path, most: usize) -> Result<Files, NumberedError> {
        let read = |path: &Path, most: usize| {
            file::read(path, u64::try_from(most).unwrap_or(u64::MAX)).map_err(NumberedError::File)
        };
        let signature = read(&signature_path(path), SIGNATURE_BYTES)?;
        Ok(Files { list: read(path, most)?, signature })
    }

    /// Signs and writes the list `bytes` as number `sequence`; of two that race for it, one gets it.
    pub(crate) fn write(
        &self,
        sequence: u32,
        label: &'static str,
        bytes: &[u8],
        signer: &Signer,
    ) -> Result<(), NumberedError> {
        let path = self.path(sequence);
        let signature = signer.sign_file(label, bytes, None).map_err(NumberedError::Sign)?;
        let signature = json::encode(&signature).map_err(NumberedError::Encode)?;
        match fs::create_dir(&self.folder) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                let path = self.folder.clone();
                return Err(NumberedError::File(FileError::Write { path, source }));
            }
            Ok(()) | Err(_) => {}
        }
        file::replace(&signature_path(&path), &signature, Access::Everybody)
            .map_err(NumberedError::File)?;
        file::write_new(&path, bytes, Access::Everybody).map_err(NumberedError::File)
    }
}

/// The last moment of a list that is good for `days` from `now` on.
pub(crate) fn good_until(days: u32, now: UnixMillis) -> Result<UnixMillis, NumberedError> {
    if days == 0 || days > MOST_DAYS {
        return Err(NumberedError::Days { found: days });
    }
    Ok(now.plus(u64::from(days).saturating_mul(DAY_MS)))
}

/// The number after `last`.
pub(crate) fn following(last: Option<u32>) -> Result<u32, NumberedError> {
    last.unwrap_or(0).checked_add(1).ok_or(NumberedError::Sequence)
}

/// Hands out the list at `path` with its signature, as `out` and in the place of older ones.
///
/// # Errors
///
/// [`FileError`].
pub fn hand_out(path: &Path, out: &Path, most: usize) -> Result<(), FileError> {
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    let signature = file::read(&signature_path(path), most)?;
    file::replace(&signature_path(out), &signature, Access::Everybody)?;
    file::replace(out, &file::read(path, most)?, Access::Everybody)
}

/// One day. Unit: milliseconds.
const DAY_MS: u64 = 86_400_000;
