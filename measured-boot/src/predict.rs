//! PCR values before the boot: from the EFI file, the platform's record and the deployment.

use alloc::{format, string::ToString as _, vec::Vec};

use crate::{
    digest::{Sha256Digest, sha256, sha256_of_parts},
    eventlog::{EventLog, LogError},
    manifest::{Expectation, ExpectationError, ExpectedEvent, PcrExpectations},
    pcr::{PcrIndex, replayed},
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
/// with secure boot off and pristine variables, on the platform whose events of PCR 0 and 1 were
/// recorded.
///
/// # Errors
///
/// None that a caller can cause; [`ExpectationError`] would be a contradiction in this function.
pub fn expectations(
    authenticode: Sha256Digest,
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
        7 => exact(pcr, secure_boot_off(), "secure boot off, no keys enrolled"),
        9 => exact(pcr, Vec::new(), "no load option and no foreign initrd"),
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

/// PCR 7: the variables of a pristine store, then the separator. `[PFP]`
#[must_use]
pub fn secure_boot_off() -> Vec<ExpectedEvent> {
    Vec::from([
        variable(&EFI_GLOBAL_VARIABLE, "SecureBoot", &[0]),
        variable(&EFI_GLOBAL_VARIABLE, "PK", &[]),
        variable(&EFI_GLOBAL_VARIABLE, "KEK", &[]),
        variable(&EFI_IMAGE_SECURITY_DATABASE, "db", &[]),
        variable(&EFI_IMAGE_SECURITY_DATABASE, "dbx", &[]),
        separator(),
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

/// `EV_EFI_VARIABLE_DRIVER_CONFIG`: a `UEFI_VARIABLE_DATA`. `[PFP]`
fn variable(guid: &[u8; 16], name: &str, value: &[u8]) -> ExpectedEvent {
    let units = name.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let count = |len: usize| u64::try_from(len).unwrap_or(u64::MAX).to_le_bytes();
    let (name_len, value_len) = (count(name.encode_utf16().count()), count(value.len()));
    let parts = [guid.as_slice(), &name_len, &value_len, &units, value];
    let description = format!("variable {name}");
    ExpectedEvent { description, digest: sha256_of_parts(parts) }
}

fn exact(pcr: PcrIndex, events: Vec<ExpectedEvent>, reason: &str) -> Expectation {
    let value = replayed(pcr, events.iter().map(|event| &event.digest));
    Expectation::Exact { value, events, reason: reason.to_string() }
}

fn recorded(pcr: PcrIndex, events: Vec<ExpectedEvent>, reason: &str) -> Expectation {
    let value = replayed(pcr, events.iter().map(|event| &event.digest));
    Expectation::Recorded { value, events, reason: reason.to_string() }
}

/// `8be4df61-93ca-11d2-aa0d-00e098032b8c`, as it lies in memory.
const EFI_GLOBAL_VARIABLE: [u8; 16] =
    [0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0, 0xe0, 0x98, 3, 0x2b, 0x8c];

/// `d719b2cb-3d3a-4596-a3bc-dad00e67656f`, as it lies in memory.
const EFI_IMAGE_SECURITY_DATABASE: [u8; 16] = [
    0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45, 0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f,
];

const FIRMWARE_REASON: &str =
    "firmware code; measured after it ran in place, so it depends on memory size and processors";
const BOOT_VARIABLES_REASON: &str = "boot variables of this platform";
const DEPLOYMENT_REASON: &str =
    "PID 1 extends the deployment block's digest, unseals, extends \"started\"";

#[cfg(test)]
pub(crate) mod tests;
