//! What a private key at rest is encrypted under.

use core::fmt;
use std::path::{Path, PathBuf};

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::file::{self, FileError};

/// Shortest passphrase under which a key is encrypted. Unit: bytes.
pub const LEAST_BYTES: usize = 12;

/// Longest passphrase. Unit: bytes.
pub const MOST_BYTES: usize = 1_024;

/// A passphrase. It is zeroed when dropped and never printed.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Why there is no passphrase.
#[derive(Debug, thiserror::Error)]
pub enum PassphraseError {
    /// The file cannot be read, or others can read it.
    #[error(transparent)]
    File(FileError),
    /// Too short to protect anything, or too long to be one.
    #[error(
        "expected a passphrase of {LEAST_BYTES} to {MOST_BYTES} bytes in one line, found {found} \
         bytes"
    )]
    Length {
        /// Bytes found.
        found: usize,
    },
    /// More than one line: another file, or an editor's doing.
    #[error("expected a passphrase alone in one line of {path}", path = path.display())]
    Lines {
        /// The file.
        path: PathBuf,
    },
}

impl Passphrase {
    /// The passphrase `text`.
    ///
    /// # Errors
    ///
    /// [`PassphraseError::Length`].
    pub fn new(text: Zeroizing<Vec<u8>>) -> Result<Self, PassphraseError> {
        let found = text.len();
        if (LEAST_BYTES..=MOST_BYTES).contains(&found) {
            return Ok(Self(text));
        }
        Err(PassphraseError::Length { found })
    }

    /// The one line of a file that nobody but its owner can read.
    ///
    /// # Errors
    ///
    /// [`PassphraseError`].
    pub fn from_file(path: &Path) -> Result<Self, PassphraseError> {
        let mut text = file::read_private(path, FILE_BYTES).map_err(PassphraseError::File)?;
        if text.last() == Some(&b'\n') {
            let _end = text.pop();
        }
        if text.iter().any(|byte| *byte == b'\n' || *byte == b'\r') {
            return Err(PassphraseError::Lines { path: path.to_path_buf() });
        }
        Self::new(text)
    }

    /// Whether both are the same, compared in constant time.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Longest file: the longest passphrase and the end of its line. Unit: bytes.
const FILE_BYTES: u64 = 1_025;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::{Access, write_new};

    fn of(content: &[u8]) -> Result<Vec<u8>, PassphraseError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("passphrase");
        write_new(&path, content, Access::Owner).expect("new");
        Passphrase::from_file(&path).map(|passphrase| passphrase.as_bytes().to_vec())
    }

    #[test]
    fn one_line_is_a_passphrase_with_its_end_or_without() {
        assert_eq!(of(b"twelve bytes").expect("a passphrase"), b"twelve bytes");
        assert_eq!(of(b"twelve bytes\n").expect("a passphrase"), b"twelve bytes");
        let longest = [b'x'; MOST_BYTES];
        assert_eq!(of(&longest).expect("a passphrase"), longest);
    }

    #[test]
    fn too_short_too_long_and_several_lines_are_refused() {
        let short = of(b"eleven byte\n");
        assert!(matches!(short, Err(PassphraseError::Length { found: 11 })), "{short:?}");
        let empty = of(b"");
        assert!(matches!(empty, Err(PassphraseError::Length { found: 0 })), "{empty:?}");
        let long = of(&[b'x'; MOST_BYTES + 1]);
        assert!(matches!(long, Err(PassphraseError::Length { found: 1_025 })), "{long:?}");
        let lines = of(b"one line here\nand another\n");
        assert!(matches!(lines, Err(PassphraseError::Lines { .. })), "{lines:?}");
    }

    #[test]
    fn a_passphrase_is_never_printed() {
        let passphrase = Passphrase::new(Zeroizing::new(b"twelve bytes".to_vec()));
        assert_eq!(format!("{:?}", passphrase.expect("long enough")), "Secret(..)");
    }
}
