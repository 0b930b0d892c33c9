//! A peer's own key in its own TPM: it signs there and cannot leave.
//!
//! Not the TRE's: what the TRE signs with the TPM are statements of the TPM alone. A peer's key
//! signs what its user hands in, with the empty authorization: the TPM keeps the key from being
//! copied, not from being used by whoever may speak to the TPM.

use core::fmt;
use core::str::FromStr;

use measured_boot::tpm::{
    Attribute, EccScheme, ObjectAttributes, P256Point, Public, PublicKey, SignatureError, Symmetric,
};
use thiserror::Error;

use crate::TpmError;

pub use crate::esapi::SigningKey;

/// Where a peer's key stands: a persistent handle of the TPM's owner, other than the storage key's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SigningHandle(u32);

/// A number that is no such handle.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("expected a persistent handle from 0x81000002 to 0x817fffff, as 0x and hexadecimal digits")]
pub struct HandleError;

impl SigningHandle {
    /// Takes the number of a handle.
    ///
    /// Source: `[TPM2-P2]`, persistent handles of the owner.
    ///
    /// # Errors
    ///
    /// [`HandleError`] outside 0x81000002 to 0x817fffff.
    pub const fn new(handle: u32) -> Result<Self, HandleError> {
        match handle {
            0x8100_0002..=0x817f_ffff => Ok(Self(handle)),
            _ => Err(HandleError),
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl FromStr for SigningHandle {
    type Err = HandleError;

    fn from_str(text: &str) -> Result<Self, HandleError> {
        let digits = text.strip_prefix("0x").ok_or(HandleError)?;
        // from_str_radix would take a sign.
        let plain = digits.len() == 8 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let handle = u32::from_str_radix(digits, 16).ok().filter(|_| plain);
        handle.map_or(Err(HandleError), Self::new)
    }
}

impl fmt::Display for SigningHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}", self.0)
    }
}

/// Why there is no key, or no signature.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum SigningKeyError {
    /// Nothing is at the handle: another TPM, or one that was cleared.
    #[error(
        "expected a signing key at handle {handle}, found none; this is another TPM than the key's, \
         or one that was cleared"
    )]
    Missing {
        /// The handle.
        handle: SigningHandle,
    },
    /// Nothing is ever overwritten.
    #[error("expected nothing at handle {handle}, found a key; choose another handle")]
    Taken {
        /// The handle.
        handle: SigningHandle,
    },
    /// A key that may leave the TPM, came from outside, or does something else.
    #[error(
        "expected at handle {handle} exactly the attributes {expected}, found {found}: only a key \
         that was made in its TPM and stays there is used"
    )]
    Attributes {
        /// The handle.
        handle: SigningHandle,
        /// Those of a peer's key.
        expected: ObjectAttributes,
        /// All attributes of the key.
        found: ObjectAttributes,
    },
    /// Another algorithm, or a policy.
    #[error(
        "expected at handle {handle} a P-256 key for ecdsa over sha256 without a policy, found \
         another"
    )]
    Key {
        /// The handle.
        handle: SigningHandle,
    },
    /// The TPM answered with something else than a signature.
    #[error("expected a signature of P-256: {0}")]
    Signature(#[source] SignatureError),
    /// The TPM failed.
    #[error(transparent)]
    Tpm(#[from] TpmError),
}

/// What a peer's key has, and nothing else.
const ATTRIBUTES: [Attribute; 6] = [
    Attribute::FixedTpm,
    Attribute::FixedParent,
    Attribute::SensitiveDataOrigin,
    Attribute::UserWithAuth,
    Attribute::NoDa,
    Attribute::Sign,
];

/// Holds the key at `handle` against what a peer's key is.
pub(crate) fn check(handle: SigningHandle, public: &Public) -> Result<P256Point, SigningKeyError> {
    let (expected, found) = (ObjectAttributes::of(&ATTRIBUTES), public.attributes());
    if found != expected {
        return Err(SigningKeyError::Attributes { handle, expected, found });
    }
    let plain = public.policy().is_none() && public.symmetric() == Symmetric::Null;
    match public.key() {
        PublicKey::P256 { scheme: EccScheme::EcdsaSha256, point } if plain => Ok(*point),
        PublicKey::P256 { .. } | PublicKey::Rsa2048 { .. } => Err(SigningKeyError::Key { handle }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_written_as_the_tools_write_it() {
        let handle: SigningHandle = "0x81000100".parse().expect("a handle");
        assert_eq!((handle.get(), handle.to_string()), (0x8100_0100, "0x81000100".to_owned()));
        for bad in ["0x81000001", "0x81800000", "0x80000000", "81000100", "0x+1000100", "0x8100100"]
        {
            assert_eq!(bad.parse::<SigningHandle>(), Err(HandleError), "{bad}");
        }
    }
}
