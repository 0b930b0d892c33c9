//! The commands: files in, files out, and a few lines about it.

mod deny;
mod enrol;
mod fleet;
mod list;
mod renew_tre;
mod revoke;
mod roles;
mod secret;
mod show;
mod sign;
mod time_token;
mod tre;

use pki::domain::{Domain, InitError};
use pki::file::{self, Access, Written};
use pki::key_file;
use pki::passphrase::Passphrase;
use rsa::rand_core::CryptoRngCore;
use serde::Serialize;
use tre_wire::deployment::{MAX_BYTES, measurement};
use tre_wire::hex::Hex32;
use tre_wire::json;
use tre_wire::units::UnixMillis;

use crate::{Deployment, Init, Reseal};

pub(crate) use deny::{Deny, deny};
pub(crate) use enrol::{Enrol, enrol};
pub(crate) use fleet::issue_fleet;
pub(crate) use list::NextList;
pub(crate) use renew_tre::{RenewTre, renew_tre};
pub(crate) use revoke::{Revoke, revoke};
pub(crate) use roles::{issue, renew, request};
pub(crate) use secret::Unlock;
pub(crate) use show::{Show, show};
pub(crate) use sign::sign_manifest;
pub(crate) use time_token::{SetTime, SignTime, set_time, sign_time};
pub(crate) use tre::Visit;

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
