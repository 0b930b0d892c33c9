//! Quotes that answer something else, say something else, or are none.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};
use attest_verifier::core::claim::ClaimError;
use attest_verifier::core::measured::{AppraisalError, TimeError};
use attest_verifier::core::quote::{BindingError, PcrError, StatementError};
use attest_verifier::core::refusal::Refusal;
use measured_boot::pcr::PcrIndex;
use measured_boot::reader::ReadError;
use measured_boot::tpm::{AttestError, SelectionError};
use tre_tests::domain::now;
use tre_wire::attestation::Evidence;
use tre_wire::hex::HexBytes;
use tre_wire::units::UnixMillis;

use crate::attack::{Attack, Outcome, refused_by};
use crate::impostor::{Impostor, SoftwareKey, forged, shown};
use crate::rogue::Seen;
use crate::stage::{Image, Stage};

/// A day. Unit: ms.
const DAY_MS: u64 = 86_400_000;

/// The last byte of the selected bank's hash in a quote, counted from the quote's end: a sized
/// digest, three octets and their count stand behind it.
const BANK: usize = 2 + 32 + 3 + 1 + 1;

/// The last byte of the number of banks: two bytes before.
const BANK_COUNT: usize = BANK + 2;

pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        name: "replay",
        what: "evidence that was given to another nonce, a moment ago, is given again",
        must: refused_by!(Binding(BindingError::QualifyingData { .. })),
        mutant: Some("quote-binding"),
        play: replayed,
    },
    Attack {
        name: "other-connection",
        what: "a quote over the right nonce and another connection's exporter",
        must: refused_by!(Binding(BindingError::QualifyingData { .. })),
        mutant: Some("quote-binding"),
        play: |stage| {
            let own = Impostor::with_image(stage, Image::Genuine)?;
            own.await_victim(stage, |own, seen| own.honest(&Seen { exporter: [0x22; 32], ..*seen }))
        },
    },
    Attack {
        name: "other-day",
        what: "a quote over yesterday's time",
        must: refused_by!(Time(TimeError { .. })),
        mutant: Some("verifier-time"),
        play: |stage| {
            let own = Impostor::with_image(stage, Image::Genuine)?;
            own.await_victim(stage, |own, seen| {
                let yesterday = UnixMillis::new(now()?.get().saturating_sub(DAY_MS))?;
                own.quoted(seen, yesterday, "sha256:all")
            })
        },
    },
    Attack {
        name: "flipped-magic",
        what: "a restricted key signs a forged quote that does not begin as the TPM's own do",
        must: refused_by!(Statement(StatementError::Structure {
            cause: AttestError::Magic { .. }
        })),
        mutant: Some("quote-magic"),
        play: flipped_magic,
    },
    Attack {
        name: "other-type",
        what: "a key outside any TPM signs a quote that is marked as something else",
        must: refused_by!(Statement(StatementError::Structure { cause: AttestError::Type { .. } })),
        mutant: Some("quote-type"),
        play: |stage| forge(stage, |attest| set(attest, 5, 0x17)),
    },
    Attack {
        name: "trailing-bytes",
        what: "the same key signs a quote with a byte behind it",
        must: refused_by!(Statement(StatementError::Structure {
            cause: AttestError::Read(ReadError::Trailing { .. })
        })),
        mutant: Some("quote-trailing-bytes"),
        play: |stage| {
            forge(stage, |attest| {
                attest.push(0);
                Ok(())
            })
        },
    },
    Attack {
        name: "sha1-bank",
        what: "the same key signs the right digest as of the SHA-1 bank",
        must: refused_by!(Statement(StatementError::Structure {
            cause: AttestError::Selection(SelectionError::Bank { .. })
        })),
        mutant: Some("quote-bank"),
        play: |stage| forge(stage, |attest| set_from_end(attest, BANK, 0x04)),
    },
    Attack {
        name: "bank-added",
        what: "the same key signs the right digest as of two banks",
        must: refused_by!(Statement(StatementError::Structure {
            cause: AttestError::Selection(SelectionError::Banks { .. })
        })),
        mutant: Some("quote-banks"),
        play: |stage| forge(stage, |attest| set_from_end(attest, BANK_COUNT, 2)),
    },
    Attack {
        name: "pcr-left-out",
        what: "a modified image; every PCR but the one that shows it is quoted",
        must: refused_by!(Pcrs(PcrError::Selection { .. })),
        mutant: Some("quote-selection"),
        play: |stage| {
            let all_but_4 = (0..24).filter(|pcr| *pcr != 4).map(|pcr: u8| pcr.to_string());
            quoting(
                stage,
                Image::Modified,
                &format!("sha256:{}", all_but_4.collect::<Vec<_>>().join(",")),
            )
        },
    },
    Attack {
        name: "pcr-added",
        what: "a 25th value beside the 24",
        must: refused_by!(Claim(ClaimError::PcrCount { .. })),
        mutant: Some("claim-pcr-count"),
        play: |stage| {
            let own = Impostor::with_image(stage, Image::Genuine)?;
            own.await_victim(stage, |own, seen| {
                let mut evidence = own.honest(seen)?;
                evidence.pcrs.extend(evidence.pcrs.first().copied());
                Ok(evidence)
            })
        },
    },
    Attack {
        name: "values-of-another",
        what: "a modified image under its own quote, with an honest box's values and log",
        must: refused_by!(Pcrs(PcrError::Digest { .. })),
        mutant: Some("quote-pcr-digest"),
        play: |stage| quoting(stage, Image::Modified, "sha256:all"),
    },
    Attack {
        name: "image-certified",
        what: "a modified image that says the truth, with every certificate of an honest one",
        must: refused_by!(Appraisal(AppraisalError::Value { pcr: PcrIndex::P4, .. })),
        mutant: Some("pcr-value"),
        play: |stage| {
            Impostor::with_image(stage, Image::Modified)?.await_victim(stage, Impostor::honest)
        },
    },
];

/// Shows each visitor the first evidence that it ever gave.
fn replayed(stage: &Stage) -> Result<Outcome> {
    let own = Impostor::with_image(stage, Image::Genuine)?;
    let first: Mutex<Option<Evidence>> = Mutex::new(None);
    own.await_victim(stage, move |own, seen| {
        let mut kept = first.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(evidence) = kept.as_ref() {
            return Ok(evidence.clone());
        }
        // Somebody else asked before the victim did.
        let evidence = own.honest(&Seen { nonce: [0x11; 32], exporter: [0x22; 32], ..*seen })?;
        Ok(kept.insert(evidence).clone())
    })
}

/// Quotes `selection`, and shows an honest box's values and log beside it.
fn quoting(stage: &Stage, image: Image, selection: &str) -> Result<Outcome> {
    let own = Impostor::with_image(stage, image)?;
    let (values, log) = (stage.genuine_pcrs()?, stage.log_of(Image::Genuine)?);
    let selection = selection.to_owned();
    own.await_victim(stage, move |own, seen| {
        let mut evidence = own.quoted(seen, now()?, &selection)?;
        (evidence.pcrs, evidence.event_log) = (shown(&values), HexBytes(log.clone()));
        Ok(evidence)
    })
}

/// What a restricted key signs: anything that its TPM hashed and that does not begin with
/// `TPM_GENERATED_VALUE`.
fn flipped_magic(stage: &Stage) -> Result<Outcome> {
    let own = Impostor::with_image(stage, Image::Modified)?;
    let (values, log) = (stage.genuine_pcrs()?, stage.log_of(Image::Genuine)?);
    own.await_victim(stage, move |own, seen| {
        let mut evidence = own.unquoted(now()?)?;
        (evidence.pcrs, evidence.event_log) = (shown(&values), HexBytes(log.clone()));
        let signer = own.key.public.name().qualified_in_endorsement_hierarchy();
        let mut attest = forged(&evidence, seen, signer, &values).encode();
        set(&mut attest, 0, 0xfe)?;
        evidence.signature = HexBytes(own.tpm.sign(&own.key, &attest)?);
        evidence.attest = HexBytes(attest);
        Ok(evidence)
    })
}

/// A quote over an honest boot, altered by `alter` and signed by a key outside the TPM.
fn forge(stage: &Stage, alter: fn(&mut Vec<u8>) -> Result<()>) -> Result<Outcome> {
    let own = Impostor::with_image(stage, Image::Modified)?;
    let (values, log) = (stage.genuine_pcrs()?, stage.log_of(Image::Genuine)?);
    own.await_victim_with_software_key(stage, move |own, key: &SoftwareKey, seen| {
        let mut evidence = own.unquoted(now()?)?;
        (evidence.pcrs, evidence.event_log) = (shown(&values), HexBytes(log.clone()));
        let signer = key.public.name().qualified_in_endorsement_hierarchy();
        let mut attest = forged(&evidence, seen, signer, &values).encode();
        alter(&mut attest)?;
        evidence.signature = key.sign(&attest)?;
        evidence.attest = HexBytes(attest);
        Ok(evidence)
    })
}

fn set(bytes: &mut [u8], place: usize, value: u8) -> Result<()> {
    *bytes.get_mut(place).context("a place in the quote")? = value;
    Ok(())
}

/// The same, counted from the end.
fn set_from_end(bytes: &mut [u8], from_end: usize, value: u8) -> Result<()> {
    let place = bytes.len().checked_sub(from_end).context("a longer quote")?;
    set(bytes, place, value)
}
