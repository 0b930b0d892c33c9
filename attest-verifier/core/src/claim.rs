//! What the evidence says of itself, before anything in it is believed.

use alloc::string::String;

use measured_boot::digest::Sha256Digest;
use measured_boot::pcr::{PCR_COUNT, PcrValues};
use tre_wire::attestation::Evidence;
use tre_wire::bounds;
use tre_wire::hex::Hex32;
use tre_wire::message::StartState;

use crate::check::{Check, Mismatch, Sides, mismatch_is_error};

/// The format of evidence that this verifier knows.
pub const FORMAT: u32 = 1;

/// Why evidence is not even looked into.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ClaimError {
    /// A part is longer than any honest one.
    TooLong {
        /// Name of the field.
        field: &'static str,
        /// Most bytes, or entries of a list, allowed.
        most: usize,
        /// Bytes or entries found.
        found: usize,
    },
    /// Not one value for each PCR.
    PcrCount {
        /// Number of values found.
        found: usize,
    },
    /// Another format.
    Format {
        /// Format found.
        found: u32,
    },
    /// The box is in another start state.
    State {
        /// The state asked for.
        expected: StartState,
        /// The state that the box says it is in.
        found: StartState,
    },
    /// The box goes by another name.
    TreId {
        /// The name asked for, empty for a box that has none yet.
        expected: String,
        /// The name that the box gives.
        found: String,
    },
}

impl Mismatch for ClaimError {
    fn check(&self) -> Check {
        match self {
            Self::TooLong { .. } | Self::PcrCount { .. } => Check::EvidenceSize,
            Self::Format { .. } => Check::EvidenceFormat,
            Self::State { .. } => Check::StartState,
            Self::TreId { .. } => Check::TreId,
        }
    }

    fn sides(&self) -> Sides {
        match self {
            Self::TooLong { field, most, found } => {
                Sides::new(format_args!("at most {most} in {field}"), found)
            }
            Self::PcrCount { found } => {
                Sides::new(format_args!("{PCR_COUNT} PCR values"), format_args!("{found}"))
            }
            Self::Format { found } => Sides::new(FORMAT, found),
            Self::State { expected, found } => Sides::new(expected.as_str(), found.as_str()),
            Self::TreId { expected, found } => Sides::new(named(expected), named(found)),
        }
    }
}

mismatch_is_error!(ClaimError);

/// The name, or that there is none.
pub(crate) const fn named(tre_id: &str) -> &str {
    if tre_id.is_empty() { "no name" } else { tre_id }
}

/// Every part is within its bound, and there is one value for each PCR.
pub(crate) fn check_size(evidence: &Evidence) -> Result<PcrValues, ClaimError> {
    let structure = bounds::TPM_STRUCTURE_BYTES;
    let chain = &evidence.attestation_key_chain;
    for (field, found, most) in [
        ("tre_id", evidence.tre_id.len(), bounds::ID_CHARS),
        ("attest", evidence.attest.0.len(), structure),
        ("signature", evidence.signature.0.len(), structure),
        ("attestation_key", evidence.attestation_key.0.len(), structure),
        ("attestation_key_chain", chain.len(), bounds::CHAIN),
        ("event_log", evidence.event_log.0.len(), bounds::EVENT_LOG_BYTES),
        ("path", evidence.path.siblings.len(), bounds::ATTESTATION_SIBLINGS),
    ] {
        if found > most {
            return Err(ClaimError::TooLong { field, most, found });
        }
    }
    let most = bounds::CERTIFICATE_BYTES;
    if let Some(long) = chain.iter().find(|certificate| certificate.0.len() > most) {
        let found = long.0.len();
        return Err(ClaimError::TooLong { field: "attestation_key_chain", most, found });
    }
    pcr_values(evidence)
}

/// The values that the evidence claims, one for each PCR.
pub(crate) fn pcr_values(evidence: &Evidence) -> Result<PcrValues, ClaimError> {
    match <&[Hex32; PCR_COUNT]>::try_from(evidence.pcrs.as_slice()) {
        Ok(values) => Ok(PcrValues::from_array(values.map(|value| Sha256Digest(value.0)))),
        Err(_) => Err(ClaimError::PcrCount { found: evidence.pcrs.len() }),
    }
}

/// The format is ours.
pub(crate) const fn check_format(evidence: &Evidence) -> Result<(), ClaimError> {
    match evidence.format {
        FORMAT => Ok(()),
        found => Err(ClaimError::Format { found }),
    }
}

/// The box says that it is in the state that is asked for.
pub(crate) fn check_state(evidence: &Evidence, expected: StartState) -> Result<(), ClaimError> {
    let found = evidence.state;
    if found == expected { Ok(()) } else { Err(ClaimError::State { expected, found }) }
}

/// The box goes by the name that is asked for; empty for one that has none yet.
pub(crate) fn check_tre_id(evidence: &Evidence, expected: &str) -> Result<(), ClaimError> {
    let found = evidence.tre_id.as_str();
    if found == expected {
        return Ok(());
    }
    Err(ClaimError::TreId { expected: String::from(expected), found: String::from(found) })
}
