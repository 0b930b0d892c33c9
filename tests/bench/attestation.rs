//! Attestations a second on a TPM as slow as a discrete one.
//!
//! `[TRE14 IV-B]` measures up to 731 ms a quote, and makes one for each verifier. Here those who
//! ask while a quote is made share the next, so the rate is what the crowd asks for and the
//! processors give. Every verifier sends a fresh nonce as soon as it has its answer; all of them
//! run beside the TRE, on the same processors.

use core::time::Duration;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use attest_verifier::ClientIdentity;
use tre_tests::domain::TestDomain;
use tre_tests::hosted::{Hosted, HostedMachine};
use tre_tests::trust::Reference;
use tre_wire::id::PeerId;
use tre_wire::role::Role;
use tre_wire::units::Slot;

use crate::attestation_crowd::{self as crowd, Crowd, Habit, Verifier};
use crate::attestation_report::{Figures, OneSpeed, SAMPLE};
use crate::baseline::Baseline;
use crate::load::{self, Meter};

/// How many ask, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Connections that stay, at the slowest quote and without one's delay.
    pub(crate) connections: u32,
    /// Connections at once of those who come anew, and of bare handshakes.
    pub(crate) fresh: u32,
    /// Length of one measurement.
    pub(crate) window: Duration,
}

impl Plan {
    /// Connections that stay while a quote takes so long: as many to each millisecond of it. Without
    /// a delay it is the processors that are waited for, not the TPM: all of them.
    fn connections_at(self, quote: Duration) -> u32 {
        let share = u128::from(self.connections).saturating_mul(quote.as_millis());
        let share = share.checked_div(SLOWEST.as_millis()).unwrap_or_default();
        if quote.is_zero() {
            self.connections
        } else {
            u32::try_from(share).unwrap_or(u32::MAX).max(LEAST).min(self.connections)
        }
    }
}

/// A slow discrete TPM's quote. `[TRE14 IV-B]`
const SLOWEST: Duration = Duration::from_millis(731);

/// Quote times: a slow and a faster discrete TPM, and the software TPM's own.
const QUOTES: [Duration; 3] = [SLOWEST, Duration::from_millis(210), Duration::ZERO];

/// Fewer connections than these are no crowd.
const LEAST: u32 = 256;

/// Certificates in the crowd; many connections show the same one.
const METERS: u32 = 16;

/// Measures at every quote time.
///
/// # Errors
///
/// Whatever step fails, named; the first answer that is missing, or does not verify.
#[expect(clippy::print_stdout, reason = "a command line")]
pub(crate) async fn measure(plan: Plan) -> Result<Figures> {
    let domain = TestDomain::make("production", |_| {}).context("making the trust domain")?;
    let machine = HostedMachine::make(&domain, "box")?;
    let reference = Reference::of_log(&domain, machine.event_log())?;
    let tre_id: PeerId = "tre-bench".parse()?;
    let hosted = machine.start().context("starting the TRE")?;
    let address = hosted.address().to_string();
    reference.enrol(&domain, &address, machine.ek_roots(), &tre_id).await?;
    drop(hosted);

    let trust = Arc::new(reference.trust()?);
    let mut identities = Vec::new();
    for index in 0..METERS {
        let credential = domain.credential(Role::Meter, &format!("m{index:03}"))?;
        identities.push(ClientIdentity::load(&credential)?);
    }
    println!("bare handshakes ...");
    let own = domain.credential(Role::Operator, "bare-1")?;
    let baseline = Baseline::start(&own, &trust.reference().deployment().grid_authorities)?;
    let meters: Vec<_> = identities.iter().cycle().take(usize::try_from(plan.fresh)?).collect();
    let meter = |identity: &ClientIdentity| Meter::new(identity.clone(), Slot::default());
    let meters: Vec<_> = meters.into_iter().map(|identity| Arc::new(meter(identity))).collect();
    let handshakes = load::handshakes(&baseline, &meters, plan.window).await?;
    drop(baseline);

    let mut speeds = Vec::new();
    for quote in QUOTES {
        println!("a quote takes at least {} ms ...", quote.as_millis());
        let hosted = machine.start_slow(quote).context("starting the TRE")?;
        domain.set_time(&hosted.address().to_string(), &tre_id).await?;
        let verifier = Verifier {
            address: hosted.address().to_string(),
            tred: hosted.id(),
            tre: trust.reference().identity_of_tre(tre_id.clone()),
            trust: Arc::clone(&trust),
            identities: identities.clone(),
        };
        speeds.push(at_one_speed(quote, hosted, &verifier, plan).await?);
    }
    Ok(Figures { handshakes, speeds })
}

async fn at_one_speed(
    quote: Duration,
    hosted: Hosted,
    verifier: &Verifier,
    plan: Plan,
) -> Result<OneSpeed> {
    let Plan { fresh, window, .. } = plan;
    let connections = plan.connections_at(quote);
    let alone = Crowd { connections: 1, habit: Habit::Stays, sample: 1, window };
    let many = Crowd { connections, sample: SAMPLE, ..alone };
    let anew = Crowd { connections: fresh, habit: Habit::ComesAnew, ..many };
    let (alone, many) = (crowd::ask(verifier, alone).await?, crowd::ask(verifier, many).await?);
    let anew = crowd::ask(verifier, anew).await?;
    let counted = hosted.end()?.context("expected the slow TPM's counts")?;
    Ok(OneSpeed { quote, alone, many, anew, counted })
}
