//! A TRE whose TPM's bus is in other hands: what a start, and a quote in service, make of it.

use core::sync::atomic::{AtomicBool, Ordering};
use std::io;
use std::sync::Arc;

use anyhow::Result;
use attest_verifier::{AnyKeyConnection, AttestError, RequestError};
use tre_interposer::{Frame, Pass};
use tre_tests::enrolled::Enrolled;
use tre_tests::hosted::Hosted;
use tre_wire::message::{Health, StartState};
use tre_wire::problem::ProblemType;

/// `TPM2_Quote` and `TPM2_Unseal`. `[TPM2-P2]`
const QUOTE: u32 = 0x158;
const UNSEAL: u32 = 0x15e;

/// Alters the proof of each answer to this command while `armed` says so.
fn forging(
    code: u32,
    armed: &Arc<AtomicBool>,
) -> impl FnMut(&Frame, &mut Pass<'_>) -> io::Result<Option<Frame>> + Send + 'static {
    let armed = Arc::clone(armed);
    move |command, pass| {
        let answer = pass(command)?;
        let is_meant = command.code() == code && armed.load(Ordering::Relaxed);
        let last = answer.bytes().len().saturating_sub(1);
        Ok(Some(if is_meant { answer.altered_at(last) } else { answer }))
    }
}

async fn health(hosted: &Hosted) -> Result<Health> {
    let mut connection = AnyKeyConnection::open(&hosted.address().to_string(), None).await?;
    Ok(connection.get("/v1/health").await?)
}

async fn challenge(hosted: &Hosted) -> Result<(), AttestError> {
    let mut connection = AnyKeyConnection::open(&hosted.address().to_string(), None).await?;
    connection.challenge().await.map(|_| ())
}

#[tokio::test]
async fn a_box_to_which_its_keys_come_forged_does_not_come_up_before_the_next_start() -> Result<()>
{
    let Enrolled { machine, hosted, domain: _domain, .. } = Enrolled::make().await?;
    drop(hosted);
    let betrayed = machine.start_betrayed(forging(UNSEAL, &Arc::new(AtomicBool::new(true))));
    let said = betrayed.expect_err("it does not come up").to_string();
    assert!(said.contains("an earlier answer of the TPM was no answer; restart the box"), "{said}");
    let again = machine.start()?;
    assert_eq!(health(&again).await?.state, StartState::Serving);
    Ok(())
}

#[tokio::test]
async fn a_forged_quote_is_given_to_nobody_and_the_next_is_made_after_a_start() -> Result<()> {
    let Enrolled { domain, machine, hosted, tre_id, .. } = Enrolled::make().await?;
    drop(hosted);
    let armed = Arc::new(AtomicBool::new(false));
    let betrayed = machine.start_betrayed(forging(QUOTE, &armed))?;
    domain.set_time(&betrayed.address().to_string(), &tre_id).await?;
    challenge(&betrayed).await?;
    armed.store(true, Ordering::Relaxed);
    let refused = challenge(&betrayed).await;
    let Err(AttestError::Request(RequestError::Problem { problem, .. })) = &refused else {
        panic!("{refused:?}");
    };
    assert_eq!(problem.kind, ProblemType::Internal, "{problem:?}");
    // The bus is as it was; what came over it is believed no more.
    armed.store(false, Ordering::Relaxed);
    assert!(challenge(&betrayed).await.is_err());
    drop(betrayed);
    let again = machine.start()?;
    domain.set_time(&again.address().to_string(), &tre_id).await?;
    challenge(&again).await?;
    Ok(())
}
