//! TPM 2.0 structures as bytes: what a TPM signs, and what stands for its keys.
//!
//! Decoders accept exactly the profile that a TRE uses (P-256, SHA-256, one PCR bank) and refuse
//! everything else by name. No cryptography but SHA-256: signatures are checked by the caller, on
//! the raw bytes, before anything here is believed.

mod aik;
mod algorithm;
mod attest;
mod attributes;
mod credential;
mod name;
mod point;
mod public;
mod selection;
mod signature;
mod storage_key;

pub use aik::{AikPublic, AikRefusal};
pub use algorithm::AlgorithmId;
pub use attest::{AttestError, ClockInfo, FirmwareVersion, PcrDigestMismatch, Quote, QuotedPcrs};
pub use attributes::{Attribute, ObjectAttributes};
pub use credential::{CredentialError, EncryptedSecret, IdObject};
pub use name::{Name, NameError};
pub use point::{P256Point, SpkiError};
pub use public::{EccScheme, Public, PublicError, PublicKey, Symmetric};
pub use selection::SelectionError;
pub use signature::{EcdsaSignature, SignatureError};
pub use storage_key::{StorageKeyRefusal, StoragePublic};

#[cfg(test)]
mod tests;
