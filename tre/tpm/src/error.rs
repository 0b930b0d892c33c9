//! Why the TPM did not do what it was asked: the step that failed, and the stack's reason.

use measured_boot::tpm::{Name, PublicError};
use thiserror::Error;
use tss_esapi::constants::return_code::{
    BaseError, TpmFormatOneError, TpmFormatZeroError, TpmFormatZeroWarning,
};
use tss_esapi::error::{
    ArgumentNumber, TpmFormatOneResponseCode, TpmFormatZeroResponseCode, TpmResponseCode,
};
use tss_esapi::{ReturnCode, WrapperErrorKind};

use crate::Step;

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
    /// The TPM did not take the command as ours: it was altered, repeated or made up on its way,
    /// or the TPM holds another key of the session.
    #[error(
        "{step}: the TPM refused the command's authorization; somebody between processor and TPM \
         alters or repeats commands"
    )]
    CommandRefused {
        /// What was being done.
        step: Step,
        /// What the TPM software stack says.
        #[source]
        source: tss_esapi::Error,
    },
    /// The answer is not the TPM's answer to this command.
    #[error(
        "{step}: expected an answer authorized by the TPM, found another; somebody between \
         processor and TPM alters or repeats answers"
    )]
    AnswerForged {
        /// What was being done.
        step: Step,
        /// What the TPM software stack says.
        #[source]
        source: tss_esapi::Error,
    },
    /// An earlier answer was forged, cut or withheld, and this connection believes nothing since.
    #[error("{step}: an earlier answer of the TPM was no answer; restart the box")]
    Desynchronized {
        /// What was being done.
        step: Step,
        /// What the TPM software stack says.
        #[source]
        source: tss_esapi::Error,
    },
    /// The answer has not the form of one.
    #[error("{step}: expected an answer in the form of a TPM's, found something else")]
    AnswerMalformed {
        /// What was being done.
        step: Step,
        /// What the TPM software stack says.
        #[source]
        source: tss_esapi::Error,
    },
    /// No answer came: the command or the answer was withheld, or the TPM has gone.
    #[error("{step}: no answer from the TPM")]
    NoAnswer {
        /// What was being done.
        step: Step,
        /// What the TPM software stack says.
        #[source]
        source: tss_esapi::Error,
    },
    /// The TPM does not know the session or an object in it: it was reset under a running box.
    #[error("{step}: the TPM does not know what was loaded into it; it was reset meanwhile")]
    Forgotten {
        /// What was being done.
        step: Step,
        /// What the TPM software stack says.
        #[source]
        source: tss_esapi::Error,
    },
    /// The storage key is not the one that was enrolled.
    #[error(
        "expected the storage key {expected} of the enrolment record, found {found}; this is \
         another TPM, or one that was cleared, or somebody stands before it"
    )]
    OtherStorageKey {
        /// Name of the enrolled key.
        expected: Name,
        /// Name of the key in use.
        found: Name,
    },
    /// Another key stands where the storage key belongs.
    #[error(
        "expected nothing or this TPM's P-256 storage key at handle {handle:#x}, found {found}; \
         clear the TPM in the firmware's setup before this box is enrolled"
    )]
    ForeignStorageKey {
        /// The persistent handle.
        handle: u32,
        /// Name of the key found.
        found: Name,
    },
    /// The owner hierarchy does not open: it has another authorization than ours.
    #[error(
        "expected a TPM without an owner, or owned by this box; clear the TPM in the firmware's \
         setup, then enrol the box anew"
    )]
    OwnerTaken {
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

/// Turns the software stack's error into ours, for `map_err`.
pub(crate) fn at(step: Step) -> impl Fn(tss_esapi::Error) -> TpmError {
    move |source| match Kind::of(source) {
        Kind::Lockout => TpmError::Lockout { step, source },
        Kind::CommandRefused => TpmError::CommandRefused { step, source },
        Kind::Forgotten => TpmError::Forgotten { step, source },
        Kind::AnswerForged => TpmError::AnswerForged { step, source },
        Kind::AnswerMalformed => TpmError::AnswerMalformed { step, source },
        Kind::Desynchronized => TpmError::Desynchronized { step, source },
        Kind::NoAnswer => TpmError::NoAnswer { step, source },
        Kind::Failed => TpmError::Failed { step, source },
    }
}

/// What an error means, whoever of TPM, stack and transport found it.
enum Kind {
    Lockout,
    CommandRefused,
    Forgotten,
    AnswerForged,
    AnswerMalformed,
    Desynchronized,
    NoAnswer,
    Failed,
}

impl Kind {
    fn of(error: tss_esapi::Error) -> Self {
        match error {
            _ if is_lockout(error) => Self::Lockout,
            _ if blames_authorization(error) => Self::CommandRefused,
            _ if forgot(error) => Self::Forgotten,
            tss_esapi::Error::TssError(ReturnCode::Esapi(code)) => {
                Self::of_stack(code.base_error())
            }
            tss_esapi::Error::TssError(ReturnCode::Sapi(code)) => Self::of_stack(code.base_error()),
            tss_esapi::Error::TssError(ReturnCode::Tcti(_)) => Self::NoAnswer,
            // tss-esapi has no name for TSS2_ESYS_RC_RSP_AUTH_FAILED and calls it this, as it calls
            // an answer with values that no TPM gives.
            tss_esapi::Error::WrapperError(WrapperErrorKind::InvalidParam) => Self::AnswerForged,
            tss_esapi::Error::TssError(_) | tss_esapi::Error::WrapperError(_) => Self::Failed,
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the stack has sixty of them")]
    fn of_stack(error: BaseError) -> Self {
        match error {
            BaseError::BadSequence => Self::Desynchronized,
            BaseError::MalformedResponse | BaseError::InsufficientResponse => Self::AnswerMalformed,
            _ => Self::Failed,
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

/// Whether the TPM refuses an authorization: a password, or a command's HMAC.
pub(crate) fn blames_authorization(error: tss_esapi::Error) -> bool {
    let blamed = format_one(error).map(|code| code.argument_number());
    matches!(blamed, Some(ArgumentNumber::Session(_)))
        && matches!(
            complaint(error),
            Some(TpmFormatOneError::BadAuth | TpmFormatOneError::AuthFail)
        )
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

/// Whether a handle, of an object or of a session, means nothing to the TPM.
fn forgot(error: tss_esapi::Error) -> bool {
    let Some(TpmResponseCode::FormatZero(TpmFormatZeroResponseCode::Warning(code))) =
        response(error)
    else {
        return false;
    };
    matches!(
        code.error_number(),
        TpmFormatZeroWarning::ReferenceH0
            | TpmFormatZeroWarning::ReferenceH1
            | TpmFormatZeroWarning::ReferenceH2
            | TpmFormatZeroWarning::ReferenceS0
            | TpmFormatZeroWarning::ReferenceS1
            | TpmFormatZeroWarning::ReferenceS2
    )
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

        assert!(blames_a_parameter(altered) && !blames_authorization(altered));
        assert_eq!(complaint(refused), Some(TpmFormatOneError::PolicyFail));
        assert!(blames_authorization(bad_session) && !blames_a_parameter(bad_session));
        assert!(!blames_authorization(refused), "a policy that fails is no bad authorization");
        assert!(forgot(answered(0x910)) && forgot(answered(0x918)) && !forgot(lockout));
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
