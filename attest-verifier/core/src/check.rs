//! The checks by name, in the order in which they are made, and what a refusal says.

use alloc::string::String;
use core::fmt;

use measured_boot::pcr::PcrIndex;
use tre_wire::plain::plain;

/// One check of the list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Check {
    /// Every part of the evidence is within its bound.
    EvidenceSize,
    /// The evidence has the format that this verifier knows.
    EvidenceFormat,
    /// The box says that it is in the state that is asked for.
    StartState,
    /// The box says that it is the TRE that is asked for.
    TreId,
    /// The certificate chain of the TLS connection leads to an authority that certifies TREs.
    TlsChain,
    /// The TLS certificate names the TRE that is asked for.
    TlsIdentity,
    /// The certificate chain of the attestation key leads to an authority that certifies TREs.
    AikChain,
    /// The attestation key's certificate names the TRE that is asked for.
    AikIdentity,
    /// The attestation key can sign nothing but what its TPM made.
    AikProfile,
    /// The attestation key's certificate is for the attestation key.
    AikCertificateKey,
    /// The quote is signed by the attestation key.
    QuoteSignature,
    /// The signed bytes are a quote that a TPM made, and nothing else.
    QuoteStructure,
    /// The quote names its signer as a primary key of the endorsement hierarchy.
    QuoteSigner,
    /// The quote answers our nonce, on our connection.
    QualifyingData,
    /// The TPM's firmware is on no denylist.
    Firmware,
    /// The quote covers every PCR.
    PcrSelection,
    /// The PCR values are those quoted.
    PcrDigest,
    /// The event log is whole and well formed.
    EventLog,
    /// The event log replays to the PCR values.
    EventLogReplay,
    /// The reference manifest is in force.
    ManifestValidity,
    /// One PCR holds its reference value.
    Pcr(PcrIndex),
    /// The TRE's time is ours, within the bound.
    Time,
    /// Nothing is older than what is remembered of the TRE.
    Past,
}

impl Check {
    /// The stable name, lower case with hyphens; that of [`Check::Pcr`] is `pcr-` and the number.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::EvidenceSize => "evidence-size",
            Self::EvidenceFormat => "evidence-format",
            Self::StartState => "start-state",
            Self::TreId => "tre-id",
            Self::TlsChain => "tls-chain",
            Self::TlsIdentity => "tls-identity",
            Self::AikChain => "aik-chain",
            Self::AikIdentity => "aik-identity",
            Self::AikProfile => "aik-profile",
            Self::AikCertificateKey => "aik-certificate-key",
            Self::QuoteSignature => "quote-signature",
            Self::QuoteStructure => "quote-structure",
            Self::QuoteSigner => "quote-signer",
            Self::QualifyingData => "qualifying-data",
            Self::Firmware => "firmware",
            Self::PcrSelection => "pcr-selection",
            Self::PcrDigest => "pcr-digest",
            Self::EventLog => "event-log",
            Self::EventLogReplay => "event-log-replay",
            Self::ManifestValidity => "manifest-validity",
            Self::Pcr(_) => "pcr",
            Self::Time => "time",
            Self::Past => "past",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())?;
        if let Self::Pcr(pcr) = self { write!(f, "-{}", pcr.number()) } else { Ok(()) }
    }
}

/// A failed check: which one, and the two sides of it in words.
pub trait Mismatch {
    /// The check that failed.
    fn check(&self) -> Check;

    /// What was expected and what was found.
    fn sides(&self) -> Sides;
}

/// The two sides of a comparison, in words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sides {
    /// What the verifier wanted.
    pub expected: String,
    /// What the evidence shows.
    pub found: String,
}

impl Sides {
    /// Both sides, written out. Part of what was found is the words of whoever answered.
    pub fn new(expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        let found = plain(&alloc::format!("{found}"));
        Self { expected: alloc::format!("{expected}"), found }
    }
}

/// Writes `Display` and `Error` for a stage's error from its [`Mismatch`].
macro_rules! mismatch_is_error {
    ($error:ty) => {
        impl core::fmt::Display for $error {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                let $crate::check::Sides { expected, found } = self.sides();
                write!(f, "{}: expected {expected}, found {found}", self.check())
            }
        }

        impl core::error::Error for $error {}
    };
}

pub(crate) use mismatch_is_error;
