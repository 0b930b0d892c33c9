//! A TRE that is revoked while a peer speaks to it.

use anyhow::{Result, bail};
use attest_verifier::core::ChainError;
use attest_verifier::core::channel::ChannelError;
use attest_verifier::core::refusal::Refusal;
use tre_client::link::LinkError;
use tre_tests::long_peer::LongPeer;
use tre_wire::id::PeerId;

use crate::attack::{Attack, Outcome, refused_by};
use crate::stage::{Stage, Which};

pub(crate) const ATTACKS: &[Attack] = &[Attack {
    name: "revoked-later",
    what: "a TRE whose keys are revoked speaks on to a peer that has run for a day",
    must: refused_by!(Channel(ChannelError::Chain { cause: ChainError::Revoked { .. } })),
    mutant: Some("client-renewal"),
    play: |stage| {
        let address = stage.genuine(Which::AskedFor)?.address();
        stage.runtime.block_on(revoked_later(stage, &address))
    },
}];

async fn revoked_later(stage: &Stage, address: &str) -> Result<Outcome> {
    let tre_id: PeerId = Which::AskedFor.name().parse()?;
    let (domain, reference) = stage.scene();
    let mut peer = LongPeer::open(domain, reference, (address, &tre_id), "long").await?;
    peer.ask().await?;
    peer.revoke_tre(domain, &tre_id)?;
    peer.later(61);
    match peer.ask().await {
        Ok(_) => Ok(Outcome::GotIn("the revoked TRE was asked again, and answered".to_owned())),
        Err(LinkError::Attest(error)) => Ok(Outcome::Refused(error)),
        Err(error) => bail!(error),
    }
}
