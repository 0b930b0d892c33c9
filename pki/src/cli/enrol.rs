//! `enrol`: a new box becomes a TRE of the domain.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use pki::ek::{Admission, Deviation, EkRoots};
use pki::enrol::Enrolment;
use pki::enrol::record::Record;
use pki::file::{self, Access, FileError};
use rsa::rand_core::CryptoRngCore;
use tre_wire::hex::{self, Hex32};
use tre_wire::json;
use tre_wire::units::UnixMillis;

use super::Visit;

/// What `enrol` takes.
#[derive(Args, Debug)]
pub(crate) struct Enrol {
    #[command(flatten)]
    visit: Visit,
    /// Folder with the TPM makers' certificates (*.pem, *.crt): roots and intermediates.
    #[arg(long)]
    ek_roots: PathBuf,
    /// Admits a departure of real EK certificates from their profile: no-extended-key-usage,
    /// no-key-usage or no-tpm-names. What it was used for stands in the record.
    #[arg(long, value_name = "DEVIATION")]
    ek_admit: Vec<Deviation>,
    /// Enrols a TPM without any EK certificate, if the SHA-256 of its EK (TPMT_PUBLIC) is this one:
    /// you vouch for the TPM.
    #[arg(long, value_name = "SHA-256")]
    ek_uncertified: Option<Hex32>,
    /// Also writes the enrolment record to this file; there must be none yet.
    #[arg(long)]
    record: Option<PathBuf>,
}

pub(crate) fn enrol(
    enrol: &Enrol,
    now: UnixMillis,
    random: &mut dyn CryptoRngCore,
) -> anyhow::Result<()> {
    let Enrol { visit, ek_roots, ek_admit, ek_uncertified, record: copy } = enrol;
    let copy = copy.as_deref();
    if let Some(path) = copy.filter(|path| path.symlink_metadata().is_ok()) {
        return Err(FileError::Exists { path: path.to_path_buf() }.into());
    }
    let domain = visit.open()?;
    let trust = visit.trust(&domain, now)?;
    let admission = Admission::of(ek_admit, *ek_uncertified);
    let operator = visit.operator()?;
    let enrolment = Enrolment {
        tre: &visit.tre(&domain),
        authority: &domain.tre_authority()?,
        roots: &EkRoots::load(ek_roots)?.admitting(admission),
        records: &domain.records(),
        trust: &trust,
        validity: visit.validity(now)?,
        now,
    };
    let record = visit.speak(enrolment.run(&visit.address, &operator, random))??;
    if let Some(path) = copy {
        let written = file::write_new(path, &json::encode(&record)?, Access::Everybody);
        written.context("the box is enrolled; copying its record failed")?;
    }
    visit.answer(&record, &summary(&record))
}

fn summary(record: &Record) -> String {
    let Record { tre, tpm, endorsement_admitted, .. } = record;
    let admitted: Vec<String> = endorsement_admitted.iter().map(ToString::to_string).collect();
    let admitted = match admitted.as_slice() {
        [] => String::new(),
        some => format!("\nADMITTED of its endorsement key: {}", some.join(", ")),
    };
    format!(
        "enrolled {tre}\nTPM: manufacturer {}, model {}, version {}\nattestation key: {}{admitted}",
        tpm.manufacturer,
        tpm.model,
        tpm.version,
        hex::encode(record.attestation_key_name.as_slice()),
    )
}
