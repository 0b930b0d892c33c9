//! `renew-tre`: newer certificates for a TRE that serves.

use anyhow::Context as _;
use attest_verifier::{ClientIdentity, Trust};
use pki::domain::KeyName;
use pki::renew_tre::TreRenewal;
use pki::validity::Validity;
use rsa::rand_core::CryptoRngCore;
use tre_wire::role::Role;
use tre_wire::units::UnixMillis;

use super::answer;
use crate::RenewTre;

pub(crate) fn renew_tre(
    renew: &RenewTre,
    now: UnixMillis,
    random: &mut dyn CryptoRngCore,
) -> anyhow::Result<()> {
    let domain = renew.unlock.open(&renew.domain, KeyName::TreAuthority)?;
    let own = domain.release_key_path();
    let release_key = renew.release_key.as_deref().unwrap_or(&own);
    let trust = Trust::load(&renew.deployment, &renew.manifest, release_key)?;
    let operator = ClientIdentity::load(&renew.operator)?;
    let revoked = domain.revocations()?.newest()?.map_or_else(Vec::new, |list| list.revoked);
    let renewal = TreRenewal {
        tre: &domain.identity(Role::Tre, renew.tre_id.clone()),
        authority: &domain.tre_authority()?,
        records: &domain.records(),
        revoked: &revoked,
        trust: &trust,
        validity: Validity::of_days(now, renew.days)?,
        now,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the input and output loop")?;
    let record = runtime.block_on(renewal.run(&renew.address, &operator, random))?;
    let text = format!(
        "renewed {}: certificates until {} (ms since 1970)",
        record.tre, record.certificates_end
    );
    answer(renew.json, &record, &text)
}
