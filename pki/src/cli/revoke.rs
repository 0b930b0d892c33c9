//! `revoke`: the next revocation list.

use std::collections::BTreeSet;

use anyhow::{Context as _, bail};
use clap::Args;
use pki::domain::Domain;
use serde::Serialize;
use tre_wire::hex::Hex32;
use tre_wire::id::PeerId;
use tre_wire::revocation::{LIST_BYTES, Reason, Revoked};
use tre_wire::role::{Identity, Role};
use tre_wire::units::UnixMillis;

use super::NextList;

/// What `revoke` takes.
#[derive(Args, Debug)]
pub(crate) struct Revoke {
    /// The role; without role and name the last list is only dated and numbered anew.
    #[arg(requires = "id")]
    role: Option<Role>,
    /// The name within the role.
    id: Option<PeerId>,
    /// Why: key-compromise, key-lost or withdrawn.
    #[arg(long, required_unless_present = "refresh", value_parser = reason)]
    reason: Option<Reason>,
    /// Names nobody new: dates and numbers the list anew.
    #[arg(long, conflicts_with_all = ["role", "id", "reason"])]
    refresh: bool,
    #[command(flatten)]
    list: NextList,
}

#[derive(Serialize)]
struct Facts {
    file: String,
    sequence: u32,
    valid_until: UnixMillis,
    keys: usize,
    revoked_now: BTreeSet<Hex32>,
}

/// Reads a reason.
fn reason(text: &str) -> Result<Reason, &'static str> {
    match text {
        "key-compromise" => Ok(Reason::KeyCompromise),
        "key-lost" => Ok(Reason::KeyLost),
        "withdrawn" => Ok(Reason::Withdrawn),
        _ => Err("expected key-compromise, key-lost or withdrawn"),
    }
}

pub(crate) fn revoke(revoke: Revoke, now: UnixMillis) -> anyhow::Result<()> {
    let Revoke { role, id, reason, refresh: _, list: next } = revoke;
    let domain = next.open()?;
    let more = match (role, id, reason) {
        (Some(role), Some(id), Some(reason)) => {
            keys_of(&domain, &domain.identity(role, id), reason, now)?
        }
        (None, None, None) => Vec::new(),
        _ => bail!("expected ROLE, NAME and --reason together, or --refresh alone"),
    };
    let revoked_now: BTreeSet<Hex32> = more.iter().map(|key| key.spki_sha256).collect();
    let lists = domain.revocations()?;
    let list = lists.add(&domain.status_signer()?, more, next.days, now)?;
    let path = lists.path(list.sequence);
    let facts = Facts {
        file: path.display().to_string(),
        sequence: list.sequence,
        valid_until: list.valid_until,
        keys: list.revoked.len(),
        revoked_now,
    };
    let (keys, new) = (facts.keys, facts.revoked_now.len());
    let said = format!("revocation list {} with {keys} keys, {new} of them new", facts.sequence);
    next.tell(&path, LIST_BYTES, &facts, &said)
}

/// Every key that `identity` has a certificate in force for.
fn keys_of(
    domain: &Domain,
    identity: &Identity,
    reason: Reason,
    now: UnixMillis,
) -> anyhow::Result<Vec<Revoked>> {
    let revoked = |spki_sha256, until| {
        let identity = identity.clone();
        Revoked { spki_sha256, identity, since: now, reason, until }
    };
    let keys: Vec<Revoked> = if identity.role == Role::Tre {
        let record = domain.records().read(&identity.id)?;
        [
            record.attestation_key_spki_sha256,
            record.tls_key_spki_sha256,
            record.document_key_spki_sha256,
        ]
        .map(|key| revoked(key, record.certificates_end))
        .into()
    } else {
        let register = domain.register()?;
        register
            .in_force(identity, now)
            .map(|entry| revoked(entry.spki_sha256, entry.until))
            .collect()
    };
    if keys.is_empty() {
        None.with_context(|| {
            format!("expected a certificate of {identity} in force, found none to revoke")
        })
    } else {
        Ok(keys)
    }
}
