//! Likely causes in plain words. What belongs into which PCR: `[PFP]`; what does in our own boot:
//! the manifest's reasons.

use attest_verifier_core::check::Check;
use attest_verifier_core::measured_boot::appraise::{Difference, FoundEvent};
use attest_verifier_core::measured_boot::digest::Sha256Digest;
use attest_verifier_core::measured_boot::eventlog::EventType;
use attest_verifier_core::measured_boot::manifest::ExpectedEvent;
use attest_verifier_core::measured_boot::pcr::PcrIndex;
use attest_verifier_core::measured_boot::predict::DeploymentDigests;

/// The log does not replay to the value.
pub(super) const LOG: &str = "the log is of another boot or was altered, so its events explain \
                              nothing; or something measured without writing it down";

/// Which PCR a difference is about.
pub(super) const fn pcr_of(difference: &Difference) -> PcrIndex {
    match difference {
        Difference::Event { pcr, .. }
        | Difference::Log { pcr, .. }
        | Difference::Value { pcr, .. } => *pcr,
    }
}

/// A check that is not about a PCR's value.
pub(super) const fn of_check(check: Check) -> &'static str {
    match check {
        Check::EvidenceSize | Check::EvidenceFormat => {
            "this is no evidence that this verifier knows"
        }
        Check::AikProfile => "the key that signed could sign anything: not a TRE's",
        Check::QuoteSignature => "the quote was altered, or another key signed it",
        Check::QuoteStructure | Check::QuoteSigner => "no TPM of a TRE made this quote",
        Check::PcrSelection | Check::PcrDigest => {
            "the PCR values were altered: the TPM quoted others, and what follows is of no value"
        }
        Check::EventLog => "the log was damaged on its way, or is no log",
        Check::EventLogReplay => LOG,
        Check::ManifestValidity => {
            "the box was not updated in time, or the manifest of its release was not renewed; or \
             this machine's clock is wrong"
        }
        Check::StartState
        | Check::TreId
        | Check::TlsChain
        | Check::TlsIdentity
        | Check::AikChain
        | Check::AikIdentity
        | Check::AikCertificateKey
        | Check::QualifyingData
        | Check::Firmware
        | Check::Pcr(_)
        | Check::Time
        | Check::Past => "see `attest-verifier verify`",
    }
}

/// A PCR whose events say no more.
pub(super) const fn of_pcr(pcr: PcrIndex) -> &'static str {
    match pcr.number() {
        0 => {
            "other firmware than that of the manifest's platform: a firmware update, or the build \
             with secure boot in place of the one without; or another memory size or number of \
             processors"
        }
        1 => "another boot order, or other boot variables or devices to boot from",
        2 => "the code of an option ROM ran: a device was added or changed",
        3 => "the configuration of an option ROM: a device was added or changed",
        4 => "another EFI file was started than the released one",
        5 => "the disk has another partition table, or boot services were left in another way",
        6 => "the manufacturer's own measurements: other firmware",
        7 => "secure boot is on where it should be off or off where it should be on, or other keys",
        8 => "a boot loader measured its commands here: the image was not started directly",
        9 => "load options or a foreign initrd were passed to the kernel from outside",
        10 => "a kernel measured files here, which the released one does not",
        11 => "another deployment than the one given, or the box has not started",
        12..=15 => "a boot loader or an operating system measured here, which ours does not",
        17..=22 => "a dynamic launch took place, which a TRE never makes",
        _ => "resettable by any software",
    }
}

/// A PCR whose first wrong event is known.
pub(super) fn of_event(
    pcr: PcrIndex,
    expected: Option<&ExpectedEvent>,
    found: Option<&FoundEvent>,
    image: Sha256Digest,
) -> &'static str {
    let starts = EventType::EFI_BOOT_SERVICES_APPLICATION;
    let program = found.is_some_and(|event| event.event_type == starts);
    let our_place = expected.is_some_and(|event| event.digest == image);
    match (pcr, expected, found) {
        (PcrIndex::P4, Some(_), Some(_)) if program && our_place => of_pcr(pcr),
        (PcrIndex::P4, Some(_), None) if our_place => {
            "the released EFI file was never started: the firmware refused it or found none"
        }
        (PcrIndex::P4, _, Some(_)) if program => {
            "one more EFI program ran beside the released one: a boot loader or a shell"
        }
        (PcrIndex::P4, _, Some(_)) => {
            "the firmware tried another boot option before, or came to the image another way"
        }
        (_, Some(_), Some(_)) | (_, None, _) | (_, _, None) => of_pcr(pcr),
    }
}

/// A PCR 11 that is not that of a serving TRE.
pub(super) fn of_deployment(found: Sha256Digest, digests: &DeploymentDigests) -> &'static str {
    if found == digests.at_unseal() {
        "the right deployment, and the box has not said \"started\": it is still starting"
    } else if found == Sha256Digest::ZERO {
        "no deployment was measured: the box did not get that far, or runs another program"
    } else {
        "another deployment than the one given: other authorities or another privacy policy"
    }
}
