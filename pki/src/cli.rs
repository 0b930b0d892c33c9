//! The commands: files in, files out, and a few lines about it.

mod deny;
mod fleet;
mod renew_tre;
mod revoke;
mod roles;
mod secret;
mod show;
mod sign;
mod time_token;

use anyhow::Context as _;
use attest_verifier::{ClientIdentity, Trust};
use pki::domain::{Domain, InitError, KeyName};
use pki::ek::{Admission, EkRoots};
use pki::enrol::Enrolment;
use pki::enrol::record::Record;
use pki::file::{self, Access, FileError, Written};
use pki::key_file;
use pki::passphrase::Passphrase;
use pki::validity::Validity;
use rsa::rand_core::CryptoRngCore;
use serde::Serialize;
use tre_wire::deployment::{MAX_BYTES, measurement};
use tre_wire::hex::{self, Hex32};
use tre_wire::json;
use tre_wire::role::Role;
use tre_wire::units::UnixMillis;

use crate::{Deployment, Enrol, Init, Reseal};

pub(crate) use deny::{Deny, deny};
pub(crate) use fleet::issue_fleet;
pub(crate) use renew_tre::renew_tre;
pub(crate) use revoke::{reason, revoke};
pub(crate) use roles::{issue, renew, request};
pub(crate) use secret::Unlock;
pub(crate) use show::{Show, show};
pub(crate) use sign::sign_manifest;
pub(crate) use time_token::{SetTime, SignTime, set_time, sign_time};

/// Answers with `text`, or with `facts` in JSON.
fn answer(in_json: bool, facts: &impl Serialize, text: &str) -> anyhow::Result<()> {
    if in_json {
        println!("{}", String::from_utf8(json::encode(facts)?)?);
    } else {
        println!("{text}");
    }
    Ok(())
}

#[derive(Serialize)]
struct Made<'a> {
    domain: String,
    trust_domain: &'a str,
}

pub(crate) fn init(
    init: Init,
    now: UnixMillis,
    random: &mut dyn CryptoRngCore,
) -> anyhow::Result<()> {
    let Init { domain: folder, trust_domain, demo, no_passphrase, unlock, json } = init;
    // Before anybody has to type a passphrase; the making itself holds to it, too.
    if folder.symlink_metadata().is_ok() {
        return Err(InitError::Exists { path: folder }.into());
    }
    let domain = if no_passphrase {
        Domain::init_demo(&folder, trust_domain, now, random)?
    } else {
        let make = if demo { Domain::init_sealed_demo } else { Domain::init };
        make(&folder, trust_domain, &unlock.new_passphrase()?, now, random)?
    };
    let trust_domain = domain.trust_domain().as_str();
    let kind = if demo { "DEMO domain" } else { "domain" };
    let keys = if no_passphrase { "lie in clear" } else { "are encrypted" };
    let text = format!(
        "made the {kind} {trust_domain} in {folder}; its private keys {keys}\n\
         take root.key.pem offline: nothing below needs it\n\
         give release.pem to everybody who is to verify a TRE",
        folder = folder.display()
    );
    answer(json, &Made { domain: folder.display().to_string(), trust_domain }, &text)
}

#[derive(Serialize)]
struct Deployed {
    file: String,
    bytes: usize,
    measurement: Hex32,
}

pub(crate) fn deployment(deployment: &Deployment) -> anyhow::Result<()> {
    let Deployment { domain, policy, out, json } = deployment;
    let policy = file::read(policy, u64::try_from(MAX_BYTES)?)?;
    let bytes = Domain::open(domain)?.deployment(&policy)?;
    let written = match file::write_same(out, &bytes, Access::Everybody)? {
        Written::Now => "wrote",
        Written::Before => "there already:",
    };
    let facts = Deployed {
        file: out.display().to_string(),
        bytes: bytes.len(),
        measurement: Hex32(measurement(&bytes)),
    };
    let text = format!("{written} {}; PCR 11 begins with {}", out.display(), facts.measurement);
    answer(*json, &facts, &text)
}

pub(crate) fn reseal(reseal: &Reseal, random: &mut dyn CryptoRngCore) -> anyhow::Result<()> {
    let Reseal { key, unlock, new_passphrase_file } = reseal;
    let sealed = key_file::is_sealed(key)?;
    let old = sealed.then(|| unlock.passphrase("Old passphrase: ")).transpose()?;
    let new = match new_passphrase_file {
        Some(file) => Passphrase::from_file(file)?,
        None => secret::ask_twice()?,
    };
    key_file::reseal(key, old.as_ref(), &new, random)?;
    println!("encrypted {} under the new passphrase", key.display());
    Ok(())
}

pub(crate) fn enrol(
    enrol: &Enrol,
    now: UnixMillis,
    random: &mut dyn CryptoRngCore,
) -> anyhow::Result<()> {
    let copy = enrol.record.as_deref();
    if let Some(path) = copy.filter(|path| path.symlink_metadata().is_ok()) {
        return Err(FileError::Exists { path: path.to_path_buf() }.into());
    }
    let domain = enrol.unlock.open(&enrol.domain, KeyName::TreAuthority)?;
    let own = domain.release_key_path();
    let release_key = enrol.release_key.as_deref().unwrap_or(&own);
    let trust = Trust::load(&enrol.deployment, &enrol.manifest, release_key)?;
    let trust = match domain.denied_firmware(now)? {
        Some(denied) => trust.denying_firmware(denied),
        None => trust,
    };
    let admission = Admission::of(&enrol.ek_admit, enrol.ek_uncertified);
    let operator = ClientIdentity::load(&enrol.operator)?;
    let enrolment = Enrolment {
        tre: &domain.identity(Role::Tre, enrol.tre_id.clone()),
        authority: &domain.tre_authority()?,
        roots: &EkRoots::load(&enrol.ek_roots)?.admitting(admission),
        records: &domain.records(),
        trust: &trust,
        validity: Validity::of_days(now, enrol.days)?,
        now,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the input and output loop")?;
    let record = runtime.block_on(enrolment.run(&enrol.address, &operator, random))?;
    if let Some(path) = copy {
        let written = file::write_new(path, &json::encode(&record)?, Access::Everybody);
        written.context("the box is enrolled; copying its record failed")?;
    }
    answer(enrol.json, &record, &summary(&record))
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
