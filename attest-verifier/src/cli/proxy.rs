//! `proxy`: software that knows nothing of attestation uses a TRE.

use core::time::Duration;

use anyhow::Context as _;
use attest_verifier::core::wire::units::UnixMillis;
use attest_verifier::{
    ClientIdentity, Loaded, Memory, Proxy as Carrier, RELOAD, ReferenceFiles, Told, Trust, Upstream,
};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::{Ending, Proxy, answer, complain, now};

pub(crate) async fn run(proxy: &Proxy) -> anyhow::Result<Ending> {
    let (trust, files) = load(proxy).await?;
    let (sender, trust) = watch::channel(Some(trust));
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
    tokio::select! {
        ended = carrier.run(upstream, tell) => ended?,
        () = reload(proxy, files, &sender) => {}
    }
    Ok(Ending::Accepted)
}

/// What a TRE is held against, and the files that say so.
async fn load(proxy: &Proxy) -> anyhow::Result<(Trust, ReferenceFiles)> {
    let Loaded { trust, files, .. } = proxy.reference.load_files(now()?).await?;
    Ok(match &proxy.remember {
        Some(file) => (trust.remembering(Memory::at(file)?), files),
        None => (trust, files),
    })
}

/// Reads the files again and again, as long as anybody listens: lists get newer, and they end.
/// What is new closes the connections that it does not bear, at once.
async fn reload(proxy: &Proxy, files: ReferenceFiles, trust: &watch::Sender<Option<Trust>>) {
    let mut known = Some(files);
    while !trust.is_closed() {
        sleep(RELOAD.min(Duration::from_secs(proxy.every))).await;
        match load(proxy).await {
            Ok((_, files)) if known.as_ref() == Some(&files) => {}
            Ok((newer, files)) => {
                trust.send_replace(Some(newer));
                known = Some(files);
            }
            Err(error) => {
                complain(format_args!("nobody is believed: {error:#}"));
                if known.take().is_some() {
                    trust.send_replace(None);
                }
            }
        }
    }
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
        Told::NotAccepted(error) => {
            complain(format_args!("a connection was not accepted, trying on: {error}"));
        }
        Told::Full => complain("too many connections: one refused"),
        _ => {}
    }
}
