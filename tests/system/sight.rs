//! What can be seen of a machine from outside.

use anyhow::{Result, anyhow, ensure};
use attest_verifier::core::verdict::Attested;
use attest_verifier::{AnyKeyConnection, Examination, Method, Trust, examine};
use image::machine::Machine;
use tre_tests::domain::now;
use tre_wire::id::PeerId;
use tre_wire::message::{Health, StartState};

pub(crate) async fn health(machine: &Machine) -> Result<Health> {
    let address = machine.address().to_string();
    let mut open = AnyKeyConnection::open(&address, None).await?;
    let answer = open.request(Method::GET, "/v1/health", None).await?;
    Ok(serde_json::from_slice(&answer.body)?)
}

/// The TPM did not give the box its keys.
pub(crate) async fn locked(machine: &Machine) -> Result<()> {
    let Health { state, reason, .. } = health(machine).await?;
    ensure!(state == StartState::Locked, "expected a locked box, found {state:?}");
    ensure!(reason.contains("PCRs do not fulfil the policy"), "found {reason}");
    Ok(())
}

pub(crate) async fn examined(
    machine: &Machine,
    tre_id: &PeerId,
    trust: &Trust,
) -> Result<Examination> {
    Ok(examine(&machine.address().to_string(), tre_id, trust, now()?).await?)
}

pub(crate) fn accepted(examination: &Examination) -> Result<&Attested> {
    examination.verdict.as_ref().map_err(|refusal| anyhow!("refused: {refusal}"))
}
