//! `proxy`: software that knows nothing of attestation uses a TRE.

use core::time::Duration;

use anyhow::Context as _;
use attest_verifier::core::wire::units::UnixMillis;
use attest_verifier::{ClientIdentity, Memory, Proxy as Carrier, Told, Upstream};

use crate::{Ending, Proxy, answer, complain, now};

pub(crate) async fn run(proxy: &Proxy) -> anyhow::Result<Ending> {
    let mut trust = proxy.reference.load(now()?)?;
    if let Some(file) = &proxy.remember {
        trust = trust.remembering(Memory::at(file)?);
    }
    let identity = proxy.identity.as_deref().map(ClientIdentity::load);
    let identity = identity.transpose().context("--identity")?;
    let upstream = Upstream {
        address: proxy.address.clone(),
        tre_id: proxy.tre_id.clone(),
        trust,
        identity,
        every: Duration::from_secs(proxy.every),
        now: time,
    };
    let carrier = Carrier::listen(proxy.listen).await.context("--listen")?;
    answer(&format!("listening on {}", carrier.address()))?;
    carrier.run(upstream, tell).await?;
    Ok(Ending::Accepted)
}

/// With a clock that is out of range nothing is in force, and nobody is attested.
fn time() -> UnixMillis {
    now().unwrap_or(UnixMillis::MAX)
}

fn tell(told: Told<'_>) {
    match told {
        Told::Attested(attested) => {
            let facts = attested.facts();
            complain(format_args!(
                "attested {}: manifest {}, TPM reset {}",
                attested.identity().id,
                facts.manifest,
                facts.clock.reset_count
            ));
        }
        Told::Refused(error) => complain(format_args!("not attested, nothing carried: {error}")),
        Told::Changed => complain("another boot or another box: all connections closed"),
        Told::Full => complain("too many connections: one refused"),
        _ => {}
    }
}
