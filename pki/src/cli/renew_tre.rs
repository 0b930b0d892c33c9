//! `renew-tre`: newer certificates for a TRE that serves.

use clap::Args;
use pki::renew_tre::TreRenewal;
use rsa::rand_core::CryptoRngCore;
use tre_wire::units::UnixMillis;

use super::Visit;

/// What `renew-tre` takes.
#[derive(Args, Debug)]
pub(crate) struct RenewTre {
    #[command(flatten)]
    visit: Visit,
}

pub(crate) fn renew_tre(
    RenewTre { visit }: &RenewTre,
    now: UnixMillis,
    random: &mut dyn CryptoRngCore,
) -> anyhow::Result<()> {
    let domain = visit.open()?;
    let (trust, operator) = (visit.trust(&domain)?, visit.operator()?);
    let revoked = domain.revocations()?.newest()?.map_or_else(Vec::new, |list| list.revoked);
    let renewal = TreRenewal {
        tre: &visit.tre(&domain),
        authority: &domain.tre_authority()?,
        records: &domain.records(),
        revoked: &revoked,
        trust: &trust,
        validity: visit.validity(now)?,
        now,
    };
    let record = visit.speak(renewal.run(&visit.address, &operator, random))??;
    let text = format!(
        "renewed {}: certificates until {} (ms since 1970)",
        record.tre, record.certificates_end
    );
    visit.answer(&record, &text)
}
