//! A peer that runs for long: what it holds the TRE against gets newer, and so does its certificate.

use std::fs;

use anyhow::Result;
use attest_verifier::core::ChainError;
use attest_verifier::core::channel::ChannelError;
use attest_verifier::core::refusal::Refusal;
use attest_verifier::{AttestError, ClientIdentity, TrustError};
use pki::issue;
use pki::validity::Validity;
use rand_core::OsRng;
use tre_client::link::LinkError;
use tre_client::renewal::RenewalError;
use tre_tests::domain::now;
use tre_tests::enrolled::Enrolled;
use tre_tests::long_peer::LongPeer;
use tre_wire::role::Role;

/// A box, and an operator that has asked it.
async fn set() -> Result<(Enrolled, LongPeer)> {
    let enrolled = Enrolled::make().await?;
    let Enrolled { domain, reference, hosted, tre_id, .. } = &enrolled;
    let address = hosted.address().to_string();
    let mut peer = LongPeer::open(domain, reference, (&address, tre_id), "long").await?;
    assert_eq!(peer.ask().await?, 1);
    Ok((enrolled, peer))
}

#[tokio::test]
async fn a_tre_that_is_revoked_while_a_peer_runs_is_refused_within_a_minute() -> Result<()> {
    let (Enrolled { domain, tre_id, hosted: _hosted, .. }, mut peer) = set().await?;
    peer.later(61);
    assert_eq!(peer.ask().await?, 1, "files that say the same change nothing");
    peer.revoke_tre(&domain, &tre_id)?;
    peer.later(50);
    assert_eq!(peer.ask().await?, 1, "read a moment ago");
    peer.later(11);
    let refused = peer.ask().await;
    let Err(LinkError::Attest(AttestError::Refused(Refusal::Channel(ChannelError::Chain {
        cause: ChainError::Revoked { .. },
    })))) = &refused
    else {
        panic!("GOT IN: {refused:?}");
    };
    let again = peer.ask().await.expect_err("refused for good");
    assert!(!again.is_passing(), "{again}");
    Ok(())
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_up_without_a_stop() -> Result<()> {
    let (Enrolled { domain, hosted: _hosted, .. }, mut peer) = set().await?;
    let home = domain.domain();
    let renew = |id: &str| -> Result<String> {
        let identity = home.identity(Role::Operator, id.parse()?);
        let (authority, validity) = (home.grid_authority()?, Validity::of_days(now()?, 2)?);
        Ok(issue::issue(&authority, identity, validity, &mut OsRng)?.to_pem().to_string())
    };
    let before = peer.link.own().credential().key_hash();
    fs::write(peer.at("next.pem"), renew("long")?)?;
    fs::rename(peer.at("next.pem"), peer.at("own.pem"))?;
    assert_eq!(peer.ask().await?, 1, "read a moment ago");
    peer.later(61);
    assert_eq!(peer.ask().await?, 2);
    let renewed = ClientIdentity::load(&peer.at("own.pem"))?.key_hash();
    assert_ne!(renewed, before);
    assert_eq!(peer.link.own().credential().key_hash(), renewed);
    // Somebody else's certificate is no renewal.
    fs::write(peer.at("own.pem"), renew("other")?)?;
    peer.later(61);
    let refused = peer.ask().await.expect_err("another operator's certificate");
    assert!(matches!(refused, LinkError::Renewal(RenewalError::OtherIdentity { .. })), "{refused}");
    assert!(!refused.is_passing(), "{refused}");
    Ok(())
}

#[tokio::test]
async fn nothing_is_said_while_a_file_is_no_good_and_a_good_one_goes_on() -> Result<()> {
    let (Enrolled { domain, hosted: _hosted, .. }, mut peer) = set().await?;
    fs::rename(peer.at("revocations.json"), peer.at("away.json"))?;
    peer.later(61);
    let refused = peer.ask().await.expect_err("no list");
    assert!(
        matches!(refused, LinkError::Renewal(RenewalError::Trust(TrustError::File(_)))),
        "{refused}"
    );
    assert!(refused.is_passing(), "{refused}");
    fs::rename(peer.at("away.json"), peer.at("revocations.json"))?;
    assert_eq!(peer.ask().await?, 2, "attested anew: nobody vouched for it in between");
    // Another deployment, with another policy: this program goes on by none but its own.
    let mut deployment = fs::read(domain.deployment())?;
    deployment.push(b'\n');
    fs::write(domain.deployment(), deployment)?;
    peer.later(61);
    let refused = peer.ask().await.expect_err("another deployment");
    assert!(matches!(refused, LinkError::Renewal(RenewalError::OtherDeployment)), "{refused}");
    assert!(!refused.is_passing(), "{refused}");
    Ok(())
}
