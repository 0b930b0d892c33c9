//! PCR values before the boot: from the EFI file, the platform's record and the deployment.

use alloc::{string::ToString as _, vec::Vec};

use crate::{
    digest::{Sha256Digest, sha256},
    eventlog::{EventLog, LogError},
    manifest::{Expectation, ExpectationError, ExpectedEvent, PcrExpectations},
    pcr::{PcrIndex, replayed},
    secure_boot::SecureBoot,
};

/// What PID 1 extends into PCR 11, in this order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DeploymentDigests {
    /// The deployment block's digest.
    pub deployment: Sha256Digest,
    /// The digest of the fixed "started" event.
    pub started: Sha256Digest,
}

impl DeploymentDigests {
    /// PCR 11 while secrets are unsealed: the deployment alone.
    #[must_use]
    pub fn at_unseal(&self) -> Sha256Digest {
        replayed(PcrIndex::P11, [&self.deployment])
    }

    /// PCR 11 of a serving TRE: the deployment, then "started".
    #[must_use]
    pub fn serving(&self) -> Sha256Digest {
        replayed(PcrIndex::P11, [&self.deployment, &self.started])
    }
}

/// The expectation for every PCR of a TRE started from an EFI file with this Authenticode hash,
/// under this secure boot, on the platform whose events of PCR 0 and 1 were recorded.
///
/// # Errors
///
/// None that a caller can cause; [`ExpectationError`] would be a contradiction in this function.
pub fn expectations(
    authenticode: Sha256Digest,
    secure_boot: &SecureBoot<'_>,
    pcr0: &[ExpectedEvent],
    pcr1: &[ExpectedEvent],
) -> Result<PcrExpectations, ExpectationError> {
    let expectation = |pcr: PcrIndex| match pcr.number() {
        0 => recorded(pcr, pcr0.to_vec(), FIRMWARE_REASON),
        1 => recorded(pcr, pcr1.to_vec(), BOOT_VARIABLES_REASON),
        2 => exact(pcr, Vec::from([separator()]), "no option ROM: separator alone"),
        3 | 6 => exact(pcr, Vec::from([separator()]), "nothing but the separator"),
        4 => exact(pcr, boot_manager(authenticode), "the EFI file's Authenticode hash"),
        5 => exact(pcr, exit_boot_services(), "no GPT; exit from boot services"),
        7 => exact(pcr, secure_boot.events(), secure_boot.reason()),
        9 => exact(pcr, Vec::new(), "no load option; the kernel takes no initrd"),
        11 => Expectation::Deployment { reason: DEPLOYMENT_REASON.to_string() },
        16 | 23 => Expectation::Waived { reason: "resettable by any software".to_string() },
        17..=22 => exact(pcr, Vec::new(), "never launched dynamically"),
        _ => exact(pcr, Vec::new(), "nothing is measured here"),
    };
    PcrExpectations::new(PcrIndex::all().map(|pcr| (pcr, expectation(pcr))))
}

/// The events of `pcr` in a log from a trusted boot, to be kept as the platform's record.
///
/// # Errors
///
/// [`LogError::NoSha256Bank`] if the log has no SHA-256 digests.
pub fn record(log: &EventLog<'_>, pcr: PcrIndex) -> Result<Vec<ExpectedEvent>, LogError> {
    let event = |event: &crate::eventlog::Event<'_>| {
        let digest = event.sha256().ok_or(LogError::NoSha256Bank)?;
        Ok(ExpectedEvent { description: event.describe(), digest })
    };
    log.events_of(pcr).map(event).collect()
}

/// PCR 4: the boot manager says that it boots, ends the pre-boot phase, and measures the file.
/// `[PFP]`
#[must_use]
pub fn boot_manager(authenticode: Sha256Digest) -> Vec<ExpectedEvent> {
    Vec::from([
        action("Calling EFI Application from Boot Option"),
        separator(),
        ExpectedEvent {
            description: "Authenticode hash of the EFI file".to_string(),
            digest: authenticode,
        },
    ])
}

/// PCR 5: the kernel's EFI stub leaves boot services. `[PFP]`
#[must_use]
pub fn exit_boot_services() -> Vec<ExpectedEvent> {
    Vec::from([
        separator(),
        action("Exit Boot Services Invocation"),
        action("Exit Boot Services Returned with Success"),
    ])
}

/// `EV_SEPARATOR` without error: four zero bytes. `[PFP]`
#[must_use]
pub fn separator() -> ExpectedEvent {
    ExpectedEvent { description: "separator".to_string(), digest: sha256(&[0; 4]) }
}

/// `EV_EFI_ACTION`: the text itself, without a terminator. `[PFP]`
fn action(text: &str) -> ExpectedEvent {
    ExpectedEvent { description: text.to_string(), digest: sha256(text.as_bytes()) }
}

fn exact(pcr: PcrIndex, events: Vec<ExpectedEvent>, reason: &str) -> Expectation {
    let value = replayed(pcr, events.iter().map(|event| &event.digest));
    Expectation::Exact { value, events, reason: reason.to_string() }
}

fn recorded(pcr: PcrIndex, events: Vec<ExpectedEvent>, reason: &str) -> Expectation {
    let value = replayed(pcr, events.iter().map(|event| &event.digest));
    Expectation::Recorded { value, events, reason: reason.to_string() }
}

const FIRMWARE_REASON: &str =
    "firmware code; what ran in place before it was measured depends on memory size and processors";
const BOOT_VARIABLES_REASON: &str = "boot variables of this platform";
const DEPLOYMENT_REASON: &str =
    "PID 1 extends the deployment block's digest, unseals, extends \"started\"";

#[cfg(test)]
pub(crate) mod tests;
