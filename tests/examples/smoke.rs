//! scratch
#![allow(warnings, clippy::all)]
use tre_tests::{domain::TestDomain, hosted::HostedMachine};
fn main() -> anyhow::Result<()> {
    let d = TestDomain::make("demo", |_| {})?;
    let m = HostedMachine::make(&d, "box")?;
    let h = m.start()?;
    let sh = format!("curl -vsk https://{0}/v1/health; echo; curl -sk -XPOST -H 'content-type: application/json' -d '{{\"nonce\":\"{1}\"}}' https://{0}/v1/attestation | cut -c1-400; echo; curl -sk https://{0}/v1/metrics; echo;  curl -sk --cert {2} --key {2} https://{0}/v1/metrics; echo; curl -sk --cert {2} --key {2} -XPOST -H 'content-type: application/json' -d '{{\"tre_id\":\"tre-1\"}}' https://{0}/v1/enrolment/begin | cut -c1-300; echo; curl -sk --cert {2} --key {2} -XPOST -H 'content-type: application/json' -d '{{\"tre_id\":\"tre-1\",\"x\":1}}' https://{0}/v1/enrolment/begin", h.address(), "00".repeat(32), d.credential(tre_wire::role::Role::Operator, "op-1")?.display());
    std::process::Command::new("sh").arg("-c").arg(sh).status()?;
    Ok(())
}
