//! A refusal: the stage that refused, and why.

use crate::channel::ChannelError;
use crate::check::{Check, Mismatch, Sides, mismatch_is_error};
use crate::claim::ClaimError;
use crate::denylist::FirmwareError;
use crate::key::KeyError;
use crate::measured::{AppraisalError, TimeError};
use crate::past::PastError;
use crate::quote::{BindingError, PcrError, QuoteSignatureError, StatementError};

/// Why evidence is refused, by stage.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Refusal {
    /// What the evidence says of itself.
    Claim(ClaimError),
    /// The TLS connection.
    Channel(ChannelError),
    /// The attestation key.
    Key(KeyError),
    /// The quote's signature.
    Signature(QuoteSignatureError),
    /// What the signed bytes are.
    Statement(StatementError),
    /// What the quote answers.
    Binding(BindingError),
    /// The TPM's firmware.
    Firmware(FirmwareError),
    /// The PCR values claimed.
    Pcrs(PcrError),
    /// What was measured.
    Appraisal(AppraisalError),
    /// The TRE's time.
    Time(TimeError),
    /// What is remembered.
    Past(PastError),
}

impl Refusal {
    fn stage(&self) -> &dyn Mismatch {
        match self {
            Self::Claim(error) => error,
            Self::Channel(error) => error,
            Self::Key(error) => error,
            Self::Signature(error) => error,
            Self::Statement(error) => error,
            Self::Binding(error) => error,
            Self::Firmware(error) => error,
            Self::Pcrs(error) => error,
            Self::Appraisal(error) => error,
            Self::Time(error) => error,
            Self::Past(error) => error,
        }
    }
}

impl Mismatch for Refusal {
    fn check(&self) -> Check {
        self.stage().check()
    }

    fn sides(&self) -> Sides {
        self.stage().sides()
    }
}

mismatch_is_error!(Refusal);

impl From<ClaimError> for Refusal {
    fn from(error: ClaimError) -> Self {
        Self::Claim(error)
    }
}

impl From<ChannelError> for Refusal {
    fn from(error: ChannelError) -> Self {
        Self::Channel(error)
    }
}

impl From<KeyError> for Refusal {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

impl From<QuoteSignatureError> for Refusal {
    fn from(error: QuoteSignatureError) -> Self {
        Self::Signature(error)
    }
}

impl From<StatementError> for Refusal {
    fn from(error: StatementError) -> Self {
        Self::Statement(error)
    }
}

impl From<BindingError> for Refusal {
    fn from(error: BindingError) -> Self {
        Self::Binding(error)
    }
}

impl From<FirmwareError> for Refusal {
    fn from(error: FirmwareError) -> Self {
        Self::Firmware(error)
    }
}

impl From<PcrError> for Refusal {
    fn from(error: PcrError) -> Self {
        Self::Pcrs(error)
    }
}

impl From<AppraisalError> for Refusal {
    fn from(error: AppraisalError) -> Self {
        Self::Appraisal(error)
    }
}

impl From<TimeError> for Refusal {
    fn from(error: TimeError) -> Self {
        Self::Time(error)
    }
}

impl From<PastError> for Refusal {
    fn from(error: PastError) -> Self {
        Self::Past(error)
    }
}
