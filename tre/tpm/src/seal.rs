//! Sealing: what a secret is bound to, the object that holds it, and why it stays closed.

use measured_boot::digest::{Sha256Digest, sha256_of_parts};
use measured_boot::pcr::{PcrIndex, PcrSelection, PcrValues};
use thiserror::Error;

use crate::TpmError;

/// The PCR values at which a secret may be unsealed.
///
/// PCR 4 is the EFI file, 7 the secure-boot state, 9 what a boot loader might have slipped in, 11
/// the deployment. Only these are bound: the others change with a machine's firmware settings.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SealPolicy {
    /// Expected value of PCR 4.
    pub pcr4: Sha256Digest,
    /// Expected value of PCR 7.
    pub pcr7: Sha256Digest,
    /// Expected value of PCR 9.
    pub pcr9: Sha256Digest,
    /// Expected value of PCR 11, as it stands when the secret is to be unsealed.
    pub pcr11: Sha256Digest,
}

impl SealPolicy {
    /// The policy that these PCR values fulfil.
    #[must_use]
    pub fn fulfilled_by(pcrs: &PcrValues) -> Self {
        Self {
            pcr4: pcrs.value(PcrIndex::P4),
            pcr7: pcrs.value(PcrIndex::P7),
            pcr9: pcrs.value(PcrIndex::P9),
            pcr11: pcrs.value(PcrIndex::P11),
        }
    }

    /// The PCRs that are bound.
    #[must_use]
    pub fn selection() -> PcrSelection {
        PcrSelection::of([PcrIndex::P4, PcrIndex::P7, PcrIndex::P9, PcrIndex::P11])
    }

    /// The authorization policy of an object sealed to these values.
    ///
    /// What a policy session over `TPM2_PolicyPCR` alone arrives at, computed without a TPM:
    /// SHA-256 over an empty policy, the command code, the selection and the PCR digest.
    ///
    /// Source: `[TPM2-P3]`, `TPM2_PolicyPCR`.
    #[must_use]
    pub fn digest(&self) -> Sha256Digest {
        let pcrs = [self.pcr4, self.pcr7, self.pcr9, self.pcr11];
        let pcr_digest = sha256_of_parts(pcrs.iter().map(|pcr| pcr.0.as_slice()));
        let mut selection = Vec::new();
        Self::selection().write(&mut selection);
        sha256_of_parts([
            Sha256Digest::ZERO.0.as_slice(),
            &TPM_CC_POLICY_PCR,
            &selection,
            &pcr_digest.0,
        ])
    }
}

/// A sealed secret: useless without the TPM that made it, public otherwise.
///
/// As bytes: a `TPM2B_PUBLIC`, then a `TPM2B_PRIVATE`. `[TPM2-P2]`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SealedObject {
    pub(crate) public: Vec<u8>,
    pub(crate) private: Vec<u8>,
}

/// Why bytes are no sealed object.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum SealedObjectError {
    /// The bytes end inside a field.
    #[error("a sealed object's field ends early: expected {expected} bytes, found {found}")]
    Truncated {
        /// Length of the field, in bytes.
        expected: usize,
        /// Bytes that are there.
        found: usize,
    },
    /// The object is complete, the bytes are not.
    #[error("expected the end of a sealed object, found {found} more bytes")]
    Trailing {
        /// Bytes behind the object.
        found: usize,
    },
    /// A field longer than any TPM makes it.
    #[error("a sealed object's field is too long: expected at most {max} bytes, found {found}")]
    TooLong {
        /// The bound, in bytes.
        max: usize,
        /// Length of the field, in bytes.
        found: usize,
    },
}

impl SealedObject {
    /// Longest public or private area. Unit: byte. Ours take 78 and about 190 bytes; a TPM that
    /// wraps with longer hashes needs somewhat more.
    pub const MAX_AREA_LEN: usize = 1024;

    /// Longest encoding. Unit: byte.
    pub const MAX_LEN: usize = 2 * (2 + Self::MAX_AREA_LEN);

    pub(crate) fn new(public: Vec<u8>, private: Vec<u8>) -> Result<Self, SealedObjectError> {
        let longest = public.len().max(private.len());
        if longest > Self::MAX_AREA_LEN {
            return Err(SealedObjectError::TooLong { max: Self::MAX_AREA_LEN, found: longest });
        }
        Ok(Self { public, private })
    }

    /// The object as bytes, to be stored.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        [sized(&self.public), sized(&self.private)].concat()
    }

    /// Reads what [`Self::to_bytes`] wrote. Only the TPM can say whether it is any good.
    ///
    /// # Errors
    ///
    /// [`SealedObjectError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealedObjectError> {
        let (public, rest) = split_sized(bytes)?;
        let (private, rest) = split_sized(rest)?;
        if !rest.is_empty() {
            return Err(SealedObjectError::Trailing { found: rest.len() });
        }
        Self::new(public.to_vec(), private.to_vec())
    }
}

/// Why a secret stays sealed.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum UnsealError {
    /// Other software, another deployment, or the moment for unsealing has passed.
    #[error("the PCRs do not fulfil the policy: expected policy {expected}, found {found}")]
    PolicyRefused {
        /// The policy that the secret was sealed to.
        expected: Sha256Digest,
        /// The policy that the present PCRs amount to.
        found: Sha256Digest,
    },
    /// Another TPM sealed it, or this one before it was cleared, or its bytes were altered.
    #[error("the sealed object is not of this TPM, or was altered")]
    NotOfThisTpm {
        /// What the TPM software stack says.
        #[source]
        source: tss_esapi::Error,
    },
    /// The TPM failed; this says nothing about the object.
    #[error(transparent)]
    Tpm(#[from] TpmError),
}

/// A `TPM2B`: the size, big-endian, then the content, which [`SealedObject::new`] has bounded.
fn sized(area: &[u8]) -> Vec<u8> {
    let size = u16::try_from(area.len()).unwrap_or(u16::MAX);
    [size.to_be_bytes().as_slice(), area].concat()
}

fn split_sized(bytes: &[u8]) -> Result<(&[u8], &[u8]), SealedObjectError> {
    let Some((size, rest)) = bytes.split_first_chunk::<2>() else {
        return Err(SealedObjectError::Truncated { expected: 2, found: bytes.len() });
    };
    let size = usize::from(u16::from_be_bytes(*size));
    rest.split_at_checked(size)
        .ok_or(SealedObjectError::Truncated { expected: size, found: rest.len() })
}

/// `TPM_CC_PolicyPCR`, big-endian. `[TPM2-P2]`
const TPM_CC_POLICY_PCR: [u8; 4] = [0x00, 0x00, 0x01, 0x7f];
