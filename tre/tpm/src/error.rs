//! Why the TPM did not do what it was asked: the step that failed, and the stack's reason.

use core::fmt;

use measured_boot::tpm::PublicError;
use thiserror::Error;
use tss_esapi::ReturnCode;
use tss_esapi::constants::return_code::{
    TpmFormatOneError, TpmFormatZeroError, TpmFormatZeroWarning,
};
use tss_esapi::error::{
    ArgumentNumber, TpmFormatOneResponseCode, TpmFormatZeroResponseCode, TpmResponseCode,
};

/// Why a TPM operation failed.
///
/// The TPM's answers that a caller acts upon (a policy refused, an object of another TPM, a
/// credential of another key) are no failures of the TPM and have errors of their own.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum TpmError {
    /// No TPM could be reached.
    #[error("no TPM answers: check that the device or socket exists and that nobody else holds it")]
    Unreachable {
        /// What the TPM software stack says.
        #[source]
        source: tss_esapi::Error,
    },
    /// The TPM is locked against guessing and refuses authorizations for the time being.
    #[error(
        "{step}: the TPM is in dictionary-attack lockout; wait for its recovery time, or lift it \
         with the lockout authorization (tpm2_dictionarylockout --clear-lockout)"
    )]
    Lockout {
        /// What was being done.
        step: Step,
        /// What the TPM software stack says.
        #[source]
        source: tss_esapi::Error,
    },
    /// A step failed.
    #[error("{step} failed")]
    Failed {
        /// What was being done.
        step: Step,
        /// What the TPM software stack says.
        #[source]
        source: tss_esapi::Error,
    },
    /// The TPM answered with something that it should not have answered.
    #[error("{step}: the TPM's answer has an unexpected shape, expected {expected}, found {found}")]
    Answer {
        /// What was being done.
        step: Step,
        /// What was expected: a size in bytes or a count, as the step implies.
        expected: usize,
        /// What came instead.
        found: usize,
    },
    /// The TPM made a key of another shape than it was told to.
    #[error("{step}: the TPM made a key outside the profile")]
    KeyShape {
        /// What was being done.
        step: Step,
        /// The field that is not as expected.
        #[source]
        source: PublicError,
    },
    /// The PCRs changed between two reads, again and again.
    #[error("the PCRs changed during each of {attempts} attempts to read them all")]
    PcrsKeepChanging {
        /// How often the whole set was read.
        attempts: u32,
    },
}

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
        })
    }
}

/// Turns the software stack's error into ours, for `map_err`.
pub(crate) fn at(step: Step) -> impl Fn(tss_esapi::Error) -> TpmError {
    move |source| {
        if is_lockout(source) {
            TpmError::Lockout { step, source }
        } else {
            TpmError::Failed { step, source }
        }
    }
}

/// What a response of format one complains about, whichever handle, session or parameter it
/// blames; none for every other error.
pub(crate) fn complaint(error: tss_esapi::Error) -> Option<TpmFormatOneError> {
    format_one(error).map(|code| code.error_number())
}

/// Whether the TPM blames a parameter: what the caller handed in, not how it was authorized.
pub(crate) fn blames_a_parameter(error: tss_esapi::Error) -> bool {
    let blamed = format_one(error).map(|code| code.argument_number());
    matches!(blamed, Some(ArgumentNumber::Parameter(_)))
}

/// Whether the TPM blames a session: how a command was authorized or encrypted.
pub(crate) fn blames_a_session(error: tss_esapi::Error) -> bool {
    let blamed = format_one(error).map(|code| code.argument_number());
    matches!(blamed, Some(ArgumentNumber::Session(_)))
}

/// Whether the TPM says that it failed altogether.
pub(crate) fn is_failure(error: tss_esapi::Error) -> bool {
    let Some(TpmResponseCode::FormatZero(TpmFormatZeroResponseCode::Error(code))) = response(error)
    else {
        return false;
    };
    code.error_number() == TpmFormatZeroError::Failure
}

fn format_one(error: tss_esapi::Error) -> Option<TpmFormatOneResponseCode> {
    match response(error)? {
        TpmResponseCode::FormatOne(code) => Some(code),
        TpmResponseCode::FormatZero(_) => None,
    }
}

fn is_lockout(error: tss_esapi::Error) -> bool {
    let Some(TpmResponseCode::FormatZero(TpmFormatZeroResponseCode::Warning(code))) =
        response(error)
    else {
        return false;
    };
    code.error_number() == TpmFormatZeroWarning::Lockout
}

/// What the TPM itself answered, if it was the TPM.
fn response(error: tss_esapi::Error) -> Option<TpmResponseCode> {
    match error {
        tss_esapi::Error::TssError(
            ReturnCode::Tpm(code) | ReturnCode::TpmResourceManager(code),
        ) => Some(code),
        tss_esapi::Error::TssError(_) | tss_esapi::Error::WrapperError(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(code: u32) -> tss_esapi::Error {
        ReturnCode::try_from(code).map_or_else(|error| error, tss_esapi::Error::TssError)
    }

    /// Codes as TPMs really answered them.
    #[test]
    fn response_codes_are_told_apart() {
        let (lockout, failure) = (answered(0x921), answered(0x101));
        let (altered, refused, bad_session) = (answered(0x1df), answered(0x99d), answered(0x9a2));

        assert!(blames_a_parameter(altered) && !blames_a_session(altered));
        assert_eq!(complaint(refused), Some(TpmFormatOneError::PolicyFail));
        assert!(blames_a_session(bad_session) && !blames_a_parameter(bad_session));
        assert!(is_failure(failure) && !is_failure(lockout));
        for warning_or_failure in [lockout, failure] {
            assert_eq!(complaint(warning_or_failure), None);
        }
    }

    #[test]
    fn lockout_is_named_and_says_what_to_do() {
        let source = answered(0x921);
        let error = at(Step::Quote)(source);
        assert_eq!(error, TpmError::Lockout { step: Step::Quote, source });
        assert!(error.to_string().contains("--clear-lockout"), "{error}");
    }

    #[test]
    fn other_failures_name_the_step() {
        let source = answered(0x101);
        let error = at(Step::Quote)(source);
        assert_eq!(error, TpmError::Failed { step: Step::Quote, source });
        assert_eq!(error.to_string(), "quoting the PCRs failed");
    }
}
