//! The verifier against a real `tred` on a software TPM: attacks, and what it remembers. A power
//! cut is believed, a TPM that was set back is not.

#![forbid(unsafe_code)]
#![expect(clippy::expect_used, reason = "a test stops where its own tools fail")]

mod attacks;
mod commands;
mod epochs;
mod example;

use std::fs;
use std::path::Path;

use attest_verifier::core::past::PastError;
use attest_verifier::core::refusal::Refusal;
use attest_verifier::{AttestError, AttestedStream, ClientIdentity, Memory};
use tre_tests::domain::{TestDomain, now};
use tre_tests::enrolled::Enrolled;
use tre_tests::hosted::{Hosted, HostedMachine};
use tre_tests::trust::Reference;
use tre_wire::id::PeerId;
use tre_wire::role::Role;

/// An enrolled machine, and a meter that remembers it.
struct Household {
    domain: TestDomain,
    machine: HostedMachine,
    reference: Reference,
    tre_id: PeerId,
}

impl Household {
    async fn make() -> (Self, Hosted) {
        let enrolled = Enrolled::make().await.expect("an enrolled TRE");
        let Enrolled { domain, machine, reference, hosted, tre_id } = enrolled;
        (Self { domain, machine, reference, tre_id }, hosted)
    }

    /// Tells a box that was started again what time it is.
    async fn set_time(&self, running: &Hosted) {
        let address = running.address().to_string();
        self.domain.set_time(&address, &self.tre_id).await.expect("a token in force");
    }

    async fn attest(&self, running: &Hosted) -> Result<AttestedStream, AttestError> {
        let memory = Memory::at(&self.domain.folder().join("tres")).expect("a memory");
        let trust = self.reference.trust().expect("trust").remembering(memory);
        let meter = self.domain.credential(Role::Meter, "meter-1").expect("a credential");
        let meter = ClientIdentity::load(&meter).expect("readable");
        let (address, now) = (running.address().to_string(), now().expect("the time"));
        AttestedStream::connect(&address, &self.tre_id, &trust, Some(&meter), now).await
    }
}

/// All files of the folder `from`, into the folder `to`.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        if entry.file_type().expect("a type").is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
        }
    }
}

#[tokio::test]
async fn a_power_cut_is_believed_and_a_tpm_set_back_is_not() {
    let (household, running) = Household::make().await;
    let first = household.attest(&running).await.expect("attested").attested().past();
    drop(running);
    let tpm = household.domain.folder().join("box/tpm");
    let kept = household.domain.folder().join("kept");
    copy(&tpm, &kept);
    let mut last = first;
    for _ in 0..2 {
        let running = household.machine.start().expect("a TRE after a power cut");
        household.set_time(&running).await;
        let stream = household.attest(&running).await.expect("an honest box after a power cut");
        let seen = stream.attested().past();
        assert!(seen.reset_count > last.reset_count, "{seen:?} after {last:?}");
        last = seen;
    }
    copy(&kept, &tpm);
    let running = household.machine.start().expect("a TRE on a TPM that was set back");
    household.set_time(&running).await;
    let outcome = household.attest(&running).await;
    let Err(AttestError::Refused(Refusal::Past(PastError::ResetCount { expected, found }))) =
        outcome
    else {
        panic!("{outcome:?}");
    };
    assert_eq!(expected, last.reset_count);
    assert!(found < expected);
}
