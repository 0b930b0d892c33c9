//! A hosted TRE that is enrolled and has been told the time: where most tests begin.

use anyhow::Result;
use tre_wire::id::PeerId;

use crate::domain::TestDomain;
use crate::hosted::{Hosted, HostedMachine};
use crate::trust::Reference;

/// A TRE, the machine under it and the domain it belongs to.
#[derive(Debug)]
pub struct Enrolled {
    /// The domain; that of [`Self::make`] has the policy `demo`.
    pub domain: TestDomain,
    /// What outlives the process.
    pub machine: HostedMachine,
    /// What the TRE is held against.
    pub reference: Reference,
    /// The process.
    pub hosted: Hosted,
    /// Its name, `tre-1`.
    pub tre_id: PeerId,
}

impl Enrolled {
    /// Makes all of it anew.
    ///
    /// # Errors
    ///
    /// Whatever step fails, named.
    pub async fn make() -> Result<Self> {
        Self::of(TestDomain::make("demo", |_| {})?).await
    }

    /// The same in a domain with a policy of its own.
    ///
    /// # Errors
    ///
    /// Whatever step fails, named.
    pub async fn of(domain: TestDomain) -> Result<Self> {
        let machine = HostedMachine::make(&domain, "box")?;
        let reference = Reference::of_log(&domain, machine.event_log())?;
        let hosted = machine.start()?;
        let (address, tre_id) = (hosted.address().to_string(), "tre-1".parse()?);
        reference.enrol(&domain, &address, machine.ek_roots(), &tre_id).await?;
        Ok(Self { domain, machine, reference, hosted, tre_id })
    }
}
