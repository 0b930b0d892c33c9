//! `renew-tre`: newer certificates for a TRE that serves.

use anyhow::Context as _;
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
    let (trust, operator) = (visit.trust(&domain, now)?, visit.operator()?);
    let lists = domain.revocations()?;
    let list = lists.in_force(now)?.with_context(|| {
        let first = lists.path(1);
        format!(
            "expected a revocation list in {}, found none: carry the lists here from the status \
             desk, or make the first there with `tre-pki revoke --refresh`",
            first.parent().unwrap_or(&first).display()
        )
    })?;
    let renewal = TreRenewal {
        tre: &visit.tre(&domain),
        authority: &domain.tre_authority()?,
        records: &domain.records(),
        revoked: &list.revoked,
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
