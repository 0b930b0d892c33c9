//! Which release this checkout is: one committed number, raised by whoever makes the next one.

use core::num::ParseIntError;
use std::fs;

use measured_boot::manifest::ReleaseNumber;

use crate::checkout::Checkout;
use crate::file::FileError;

/// The file with the number, in this package.
const FILE: &str = "release";

/// Why the number is not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReleaseError {
    /// The file cannot be read.
    #[error("release number: {0}")]
    File(#[source] FileError),
    /// Something else than one number stands in it.
    #[error("release number: image/{FILE}: expected one line with a number, found {found:?}")]
    Number {
        /// What stands in it.
        found: String,
        /// What is wrong with that.
        #[source]
        source: ParseIntError,
    },
}

/// The number of this checkout's release.
///
/// # Errors
///
/// [`ReleaseError`].
pub fn number(checkout: &Checkout) -> Result<ReleaseNumber, ReleaseError> {
    let path = checkout.package(FILE);
    let text = fs::read_to_string(&path)
        .map_err(FileError::at("reading", &path))
        .map_err(ReleaseError::File)?;
    parsed(&text)
}

fn parsed(text: &str) -> Result<ReleaseNumber, ReleaseError> {
    let line = text.strip_suffix('\n').unwrap_or(text);
    let number = line.parse();
    number.map(ReleaseNumber).map_err(|source| ReleaseError::Number { found: text.into(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_file_is_a_number() {
        assert!(number(&Checkout::own()).expect("committed") >= ReleaseNumber(1));
    }

    #[test]
    fn anything_but_one_number_is_refused() {
        assert_eq!(parsed("17\n").expect("a number"), ReleaseNumber(17));
        for text in ["", "\n", "-1\n", "1\n2\n", "one\n", " 1\n", "4294967296\n"] {
            let error = parsed(text).expect_err(text).to_string();
            let expected = format!("expected one line with a number, found {text:?}");
            assert!(error.contains(&expected), "{error}");
        }
    }
}
