//! Identifiers: short, plain, and each of its own type.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::bounds;

/// Why a text is not an identifier.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum IdError {
    /// Nothing was given, or more than the bound.
    #[error("expected 1 to {most} characters, found {found}")]
    Length {
        /// Most characters allowed.
        most: usize,
        /// Characters found.
        found: usize,
    },
    /// A character outside the alphabet: no escape is ever needed in a path, a log or a SAN.
    #[error("expected a-z, 0-9, '-', '_' or '.' and no '.' or '-' first, at position {position}")]
    Character {
        /// Byte position of the offending character.
        position: usize,
    },
}

/// Checks the alphabet and length that all identifiers share.
fn checked(text: &str, most: usize) -> Result<(), IdError> {
    if text.is_empty() || text.len() > most {
        return Err(IdError::Length { most, found: text.len() });
    }
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let allowed = |(position, byte): (usize, u8)| {
        plain(byte) || (position > 0 && (byte == b'-' || byte == b'.'))
    };
    match text.bytes().enumerate().find(|&pair| !allowed(pair)) {
        Some((position, _)) => Err(IdError::Character { position }),
        None => Ok(()),
    }
}

macro_rules! identifier {
    ($($(#[$doc:meta])* $name:ident at most $most:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                checked(&text, $most).map(|()| Self(text.into_boxed_str()))
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::try_from(String::from(text))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.into_string()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

identifier! {
    /// The contract that bills are keyed by.
    AccountId at most bounds::ID_CHARS;
    /// A demand-response event, named by the demand side manager.
    EventId at most bounds::ID_CHARS;
    /// An aggregation group, named by the network operator. `[TRE14 III-C]`
    GroupId at most bounds::ID_CHARS;
    /// The name that a peer holds within its role, as its certificate says it.
    PeerId at most bounds::ID_CHARS;
    /// A connection point: the socket in the street that stays when people and meters move.
    PointId at most bounds::ID_CHARS;
    /// A tariff, named by its supplier; the pair of both is unique.
    TariffId at most bounds::ID_CHARS;
    /// The domain whose root all parties of a deployment trust, written as a host name.
    TrustDomain at most bounds::TRUST_DOMAIN_CHARS;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_are_accepted() {
        for good in ["a", "home-017", "10.2.3", "x_y", "0"] {
            assert_eq!(good.parse::<PointId>().map(String::from), Ok(String::from(good)));
        }
    }

    #[test]
    fn odd_characters_are_refused_at_their_position() {
        for (bad, position) in [("A", 0), ("a/b", 1), ("..", 0), ("-a", 0), ("a b", 1), ("a\n", 1)]
        {
            assert_eq!(bad.parse::<PointId>(), Err(IdError::Character { position }), "{bad:?}");
        }
    }

    #[test]
    fn the_length_is_bounded() {
        let most = bounds::ID_CHARS;
        assert_eq!("".parse::<PointId>(), Err(IdError::Length { most, found: 0 }));
        let long = "a".repeat(most + 1);
        assert_eq!(long.parse::<PointId>(), Err(IdError::Length { most, found: most + 1 }));
    }
}
