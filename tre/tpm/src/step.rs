//! The steps of the operations on a TPM, as errors name them.

use core::fmt;

/// What was being done when a step failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Step {
    /// Reading random bytes.
    Random,
    /// Extending a PCR.
    Extend,
    /// Reading the PCRs.
    ReadPcrs,
    /// Making the attestation key.
    AttestationKey,
    /// Making the storage key, the parent of sealed objects.
    StorageKey,
    /// Making the endorsement key.
    EndorsementKey,
    /// Making the storage key persistent.
    PersistStorageKey,
    /// Owning the storage hierarchy.
    Own,
    /// Quoting the PCRs.
    Quote,
    /// Starting an encrypted session.
    Session,
    /// Sealing a secret.
    Seal,
    /// Loading a sealed object.
    Load,
    /// Computing the policy of the present PCRs.
    PolicyPcr,
    /// Unsealing a secret.
    Unseal,
    /// Reading an endorsement key certificate.
    Certificate,
    /// Authorizing the endorsement key.
    PolicySecret,
    /// Activating a credential.
    Activate,
    /// Reading the clock.
    Clock,
    /// Removing an object or a session from the TPM.
    Flush,
    /// Finding a peer's key.
    #[cfg(feature = "signing")]
    SigningKey,
    /// Making a peer's key.
    #[cfg(feature = "signing")]
    MakeSigningKey,
    /// Signing with a peer's key.
    #[cfg(feature = "signing")]
    Sign,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Random => "reading random bytes",
            Self::Extend => "extending a PCR",
            Self::ReadPcrs => "reading the PCRs",
            Self::AttestationKey => "making the attestation key",
            Self::StorageKey => "making the storage key",
            Self::EndorsementKey => "making the endorsement key",
            Self::PersistStorageKey => "making the storage key persistent",
            Self::Own => "proving or setting the owner's authorization",
            Self::Quote => "quoting the PCRs",
            Self::Session => "starting a session",
            Self::Seal => "sealing a secret",
            Self::Load => "loading a sealed object",
            Self::PolicyPcr => "computing the policy of the present PCRs",
            Self::Unseal => "unsealing a secret",
            Self::Certificate => "reading an endorsement key certificate",
            Self::PolicySecret => "authorizing the endorsement key",
            Self::Activate => "activating a credential",
            Self::Clock => "reading the clock",
            Self::Flush => "removing an object from the TPM",
            #[cfg(feature = "signing")]
            Self::SigningKey => "finding the signing key",
            #[cfg(feature = "signing")]
            Self::MakeSigningKey => "making the signing key",
            #[cfg(feature = "signing")]
            Self::Sign => "signing",
        })
    }
}
