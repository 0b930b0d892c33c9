//! `request`, `issue` and `renew`: certificates of roles, one at a time.

use std::path::Path;

use anyhow::Context as _;
use pki::domain::KeyName;
use pki::file::{self, Access, FileError};
use pki::issue::{self, Issued};
use pki::key_file::{self, ClearKeys};
use pki::register::{Page, Register};
use pki::renew::Renewable;
use pki::request::{self, CheckedRequest};
use pki::validity::Validity;
use rcgen::KeyPair;
use rsa::rand_core::CryptoRngCore;
use serde::Serialize;
use tre_tpm_key::{HeldKey, KeyFile};
use tre_wire::hex::Hex32;
use tre_wire::id::TrustDomain;
use tre_wire::role::Identity;
use tre_wire::units::UnixMillis;
use zeroize::Zeroizing;

use super::answer;
use crate::{Issue, Renew, Request};

/// Longest file with certificates, a key or a request. Unit: bytes.
const FILE_BYTES: u64 = 64 * 1024;

pub(crate) fn request(request: Request) -> anyhow::Result<()> {
    let Request { role, id, trust_domain, key, tpm, handle, out } = request;
    check_absent(&out)?;
    let identity = Identity { trust_domain, role, id };
    let there = key.symlink_metadata().is_ok();
    let named = if there { named_key(&key)? } else { None };
    let text = match (named, tpm.zip(handle)) {
        (Some(named), wanted) => {
            let (tpm, handle) = wanted.unwrap_or_else(|| (named.tpm.clone(), named.handle));
            anyhow::ensure!(
                (&tpm, handle) == (&named.tpm, named.handle),
                "expected no key of another TPM or handle in {}, found the one at {} of {}",
                key.display(),
                named.handle,
                named.tpm
            );
            request::make_held(&identity, &HeldKey::open(named)?)?
        }
        (None, Some((tpm, handle))) => {
            check_absent(&key)?;
            let held = HeldKey::make(tpm, handle)?;
            file::write_new(&key, held.file().to_pem()?.as_bytes(), Access::Everybody)?;
            request::make_held(&identity, &held)?
        }
        (None, None) => request::make(&identity, &own_key(&key, there)?)?,
    };
    file::write_new(&out, text.as_bytes(), Access::Everybody)?;
    let had = if there { "found" } else { "made" };
    println!("{had} the key {}\nrequest for {identity}: {}", key.display(), out.display());
    Ok(())
}

/// What the file says of a key in a TPM, if it does.
fn named_key(path: &Path) -> anyhow::Result<Option<KeyFile>> {
    let text = Zeroizing::new(file::read(path, FILE_BYTES)?);
    KeyFile::find(&text).with_context(|| path.display().to_string())
}

/// The key in the file, which is made if it is not there.
fn own_key(path: &Path, there: bool) -> anyhow::Result<KeyPair> {
    if there {
        let kept = key_file::open(path, None, ClearKeys::Allowed)?;
        let algorithm = &rcgen::PKCS_ECDSA_P256_SHA256;
        return KeyPair::from_pkcs8_der_and_sign_algo(&kept.pkcs8(), algorithm)
            .with_context(|| format!("expected a P-256 key in {}", path.display()));
    }
    let pair = KeyPair::generate()?;
    let pem = Zeroizing::new(pair.serialize_pem());
    file::write_new(path, pem.as_bytes(), Access::Owner)?;
    Ok(pair)
}

#[derive(Serialize)]
struct Facts<'a> {
    identity: &'a Identity,
    file: String,
    ends: UnixMillis,
    spki_sha256: Hex32,
}

pub(crate) fn issue(
    issue: Issue,
    now: UnixMillis,
    random: &mut dyn CryptoRngCore,
) -> anyhow::Result<()> {
    let Issue { role, id, csr, domain, out, days, unlock, json } = issue;
    let validity = Validity::of_days(now, days)?;
    check_absent(&out)?;
    let domain = unlock.open(&domain, KeyName::GridAuthority)?;
    let (identity, mut register) = (domain.identity(role, id), domain.issuing_register(now)?);
    register.check_free(&identity, now)?;
    let asked = csr.as_deref().map(|csr| read_request(csr, domain.trust_domain())).transpose()?;
    let authority = domain.grid_authority()?;
    let issued = match asked {
        Some(asked) => {
            asked.check_identity(&identity)?;
            let issued = issue::issue_for(&authority, identity, &asked.spki(), validity, random)?;
            enter(&mut register, &issued, now)?;
            file::write_new(&out, issued.to_pem().as_bytes(), Access::Everybody)?;
            issued
        }
        None => {
            let credential = issue::issue(&authority, identity, validity, random)?;
            enter(&mut register, credential.issued(), now)?;
            file::write_new(&out, credential.to_pem().as_bytes(), Access::Owner)?;
            credential.issued().clone()
        }
    };
    told("issued", &issued, &out, days, json)
}

pub(crate) fn renew(
    renew: &Renew,
    now: UnixMillis,
    random: &mut dyn CryptoRngCore,
) -> anyhow::Result<()> {
    let Renew { certificate, csr, domain, out, days, unlock, json } = renew;
    let validity = Validity::of_days(now, *days)?;
    check_absent(out)?;
    let domain = unlock.open(domain, KeyName::GridAuthority)?;
    let (authority, mut register) = (domain.grid_authority()?, domain.issuing_register(now)?);
    let old = Zeroizing::new(file::read(certificate, FILE_BYTES)?);
    let renewable = Renewable::check(&old, &authority, &register, now)?;
    let identity = renewable.identity().clone();
    let (spki, key) = match csr {
        Some(csr) => {
            let asked = read_request(csr, domain.trust_domain())?;
            asked.check_identity(&identity)?;
            (asked.spki(), None)
        }
        None => (renewable.spki(), key_block(certificate, &old)?),
    };
    let issued = issue::issue_for(&authority, identity, &spki, validity, random)?;
    enter(&mut register, &issued, now)?;
    match key {
        Some(key) => {
            let text = Zeroizing::new([key.as_str(), &issued.to_pem()].concat());
            file::write_new(out, text.as_bytes(), Access::Owner)?;
        }
        None => file::write_new(out, issued.to_pem().as_bytes(), Access::Everybody)?,
    }
    told("renewed", &issued, out, *days, *json)
}

/// The private key in `text`, or what names one in a TPM, if there is one, as a PEM block; the file
/// of a private key must be its owner's alone.
fn key_block(path: &Path, text: &[u8]) -> anyhow::Result<Option<Zeroizing<String>>> {
    if let Some(named) = KeyFile::find(text).with_context(|| path.display().to_string())? {
        return Ok(Some(Zeroizing::new(named.to_pem()?)));
    }
    let blocks = pem::parse_many(text)?;
    let Some(key) = blocks.iter().find(|block| block.tag() == "PRIVATE KEY") else {
        return Ok(None);
    };
    file::read_private(path, FILE_BYTES)?;
    Ok(Some(Zeroizing::new(pem::encode_config(
        key,
        pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF),
    ))))
}

fn read_request(path: &Path, domain: &TrustDomain) -> anyhow::Result<CheckedRequest> {
    let text = file::read(path, FILE_BYTES)?;
    CheckedRequest::from_pem(&text, domain).with_context(|| path.display().to_string())
}

/// Enters a certificate in the register, before it leaves this machine.
fn enter(register: &mut Register, issued: &Issued, now: UnixMillis) -> anyhow::Result<()> {
    let issued = vec![issued.entry().clone()];
    Ok(register.write(Page { format: 1, issued_at: now, batch: None, issued })?)
}

/// What is issued must not be lost for want of a name.
fn check_absent(out: &Path) -> Result<(), FileError> {
    match out.symlink_metadata() {
        Ok(_) => Err(FileError::Exists { path: out.to_path_buf() }),
        Err(_) => Ok(()),
    }
}

fn told(word: &str, issued: &Issued, out: &Path, days: u32, json: bool) -> anyhow::Result<()> {
    let entry = issued.entry();
    let facts = Facts {
        identity: &entry.identity,
        file: out.display().to_string(),
        ends: entry.until,
        spki_sha256: entry.spki_sha256,
    };
    answer(json, &facts, &format!("{word} {} for {days} days: {}", facts.identity, facts.file))
}
