//! One line for an error and its causes.
//!
//! Most of our errors quote their cause themselves, since their sentence needs it; contexts and
//! other people's errors do not. So a program prints the chain, and each cause once.

use alloc::format;
use alloc::string::{String, ToString as _};
use core::error::Error;

/// The error, then each cause that is not yet part of the line, with a colon between them.
#[must_use]
pub fn in_one_line(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !line.contains(&words) {
            line = format!("{line}: {words}");
        }
        next = cause.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("end of input")]
    struct Root;

    #[derive(Debug, thiserror::Error)]
    enum Above {
        #[error("list: {0}")]
        Quotes(#[source] Root),
        #[error("list")]
        DoesNot(#[source] Root),
    }

    #[derive(Debug, thiserror::Error)]
    #[error("file.json: {source}")]
    struct Top {
        source: Above,
    }

    #[test]
    fn every_cause_is_said_once() {
        let expected = "file.json: list: end of input";
        assert_eq!(in_one_line(&Top { source: Above::Quotes(Root) }), expected);
        assert_eq!(in_one_line(&Top { source: Above::DoesNot(Root) }), expected);
        assert_eq!(in_one_line(&Above::Quotes(Root)), "list: end of input");
        assert_eq!(in_one_line(&Root), "end of input");
    }
}
