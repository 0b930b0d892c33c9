//! One box through its life: new, serving, rebooted, tampered with, restored.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result};
use attest_verifier::{AttestError, AttestedConnection, examine};
use tre_client::link::{Link, LinkError, Target};
use tre_client::own::Own;
use tre_client::wire::message::{Health, StartState};
use tre_client::{ClientIdentity, Trust};
use tre_tests::appliance::Appliance;
use tre_tests::domain::{TestDomain, now};
use tre_tests::place;
use tre_tests::trust::Reference;
use tre_wire::id::PeerId;
use tre_wire::role::Role;

async fn health(address: &str) -> Result<Health> {
    let mut open = attest_verifier::AnyKeyConnection::open(address, None).await?;
    let answer = open.request(attest_verifier::Method::GET, "/v1/health", None).await?;
    Ok(serde_json::from_slice(&answer.body)?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_box_is_enrolled_once_and_a_changed_image_is_locked_and_named() -> Result<()> {
    let domain = TestDomain::make("demo", |_| {})?;
    let reference = Reference::of_image(&domain)?;
    let trust = reference.trust()?;
    let tre_id: PeerId = "tre-1".parse()?;
    let appliance = Appliance::make(&domain, "box")?;

    let machine = appliance.start(&place::built("tre.img")?)?;
    let address = machine.address().to_string();
    assert_eq!(health(&address).await?.state, StartState::New);
    reference.enrol(&domain, &address, &machine.ek_roots(), &tre_id).await?;
    let first = examine(&address, &tre_id, &trust, now()?).await?;
    first.verdict.as_ref().map_err(|refusal| anyhow::anyhow!("{refusal}"))?;
    machine.stop()?;

    // A power cut and a reboot: the same keys, one more reset.
    let machine = appliance.start(&place::built("tre.img")?)?;
    let address = machine.address().to_string();
    let second = examine(&address, &tre_id, &trust, now()?).await?;
    let second = second.verdict.map_err(|refusal| anyhow::anyhow!("{refusal}"))?;
    let first = first.verdict.map_err(|refusal| anyhow::anyhow!("{refusal}"))?;
    assert_eq!(second.server_key(), first.server_key());
    let resets = |facts: &attest_verifier::core::verdict::Facts| facts.clock.reset_count;
    assert!(resets(second.facts()) > resets(first.facts()));
    machine.stop()?;
    Ok(())
}
