//! No token, no slot; which tokens are refused, each by its own name; and a host that moves its
//! clock by a day, which moves no slot.

use std::ffi::OsStr;

use anyhow::{Context as _, Result};
use attest_verifier::{AnyKeyConnection, ClientIdentity, Method, Response};
use pki::time_token::{self, SignedToken};
use tre_tests::domain::{TestDomain, now};
use tre_tests::hosted::{Hosted, HostedMachine};
use tre_tests::trust::Reference;
use tre_wire::hex::Hex32;
use tre_wire::id::PeerId;
use tre_wire::json;
use tre_wire::message::{Health, StartState};
use tre_wire::problem::{Problem, ProblemType};
use tre_wire::role::Role;
use tre_wire::time::{FORMAT, TimeChallenge, TimeToken};
use tre_wire::units::UnixMillis;

/// One slot of the policy `demo`. Unit: ms.
const SLOT_MS: u64 = 2_000;

/// One day. Unit: ms.
const DAY_MS: u64 = 86_400_000;

/// A box that was enrolled, told the time, and is off.
struct Stage {
    domain: TestDomain,
    machine: HostedMachine,
    tre_id: PeerId,
}

impl Stage {
    async fn set() -> Result<Self> {
        let domain = TestDomain::make("demo", |_| {})?;
        let machine = HostedMachine::make(&domain, "box")?;
        let reference = Reference::of_log(&domain, machine.event_log())?;
        let hosted = machine.start()?;
        let (address, tre_id) = (hosted.address().to_string(), "tre-1".parse()?);
        reference.enrol(&domain, &address, machine.ek_roots(), &tre_id).await?;
        Ok(Self { domain, machine, tre_id })
    }

    async fn open(&self, hosted: &Hosted, role: Role) -> Result<AnyKeyConnection> {
        let identity = ClientIdentity::load(&self.domain.credential(role, "one")?)?;
        Ok(AnyKeyConnection::open(&hosted.address().to_string(), Some(&identity)).await?)
    }

    async fn set_time(&self, hosted: &Hosted) -> Result<()> {
        self.domain.set_time(&hosted.address().to_string(), &self.tre_id).await
    }

    /// A token for what `hosted` asks, with one thing changed.
    async fn token(
        &self,
        hosted: &Hosted,
        change: impl FnOnce(&mut TimeToken),
    ) -> Result<SignedToken> {
        let TimeChallenge { trust_domain, tre_id, nonce, .. } = challenge(hosted).await?;
        let mut token = TimeToken { format: FORMAT, trust_domain, tre_id, nonce, value: now()? };
        change(&mut token);
        Ok(time_token::sign_with(&self.domain.domain().status_signer()?, &token)?)
    }
}

async fn anyone(hosted: &Hosted) -> Result<AnyKeyConnection> {
    Ok(AnyKeyConnection::open(&hosted.address().to_string(), None).await?)
}

async fn challenge(hosted: &Hosted) -> Result<TimeChallenge> {
    let answer = anyone(hosted).await?.request(Method::GET, "/v1/time", None).await?;
    Ok(answer.decode("/v1/time")?)
}

async fn put(hosted: &Hosted, token: SignedToken) -> Result<Response> {
    let body = json::encode(&token.message()?)?;
    let mut open = anyone(hosted).await?;
    loop {
        let answer = open.request(Method::PUT, "/v1/time", Some(body.clone())).await?;
        if answer.status != 503 {
            return Ok(answer);
        }
    }
}

async fn health(hosted: &Hosted) -> Result<Health> {
    let answer = anyone(hosted).await?.request(Method::GET, "/v1/health", None).await?;
    Ok(answer.decode("/v1/health")?)
}

fn problem(answer: &Response) -> Result<Problem> {
    serde_json::from_slice(&answer.body)
        .with_context(|| format!("GOT IN: {}", String::from_utf8_lossy(&answer.body)))
}

/// A call of each role that a box with nothing in it answers.
const FLOWS: [(Role, &str); 6] = [
    (Role::Meter, "/v1/events"),
    (Role::Dno, "/v1/groups"),
    (Role::Supplier, "/v1/bills"),
    (Role::Dsm, "/v1/events/e1/bids"),
    (Role::Registrar, "/v1/connections"),
    (Role::Operator, "/v1/alerts"),
];

#[tokio::test]
async fn without_a_token_a_box_attests_and_no_flow_runs_also_after_a_restart() -> Result<()> {
    let stage = Stage::set().await?;
    let hosted = stage.machine.start()?;
    let mut early = Vec::new();
    for (role, path) in FLOWS {
        let mut open = stage.open(&hosted, role).await?;
        let found = problem(&open.request(Method::GET, path, None).await?)?;
        assert_eq!(found.kind, ProblemType::NoTime, "GOT IN: {role} {path}");
        early.push((open, path));
    }
    let found = health(&hosted).await?;
    assert_eq!((found.state, found.time.get(), found.slot.get()), (StartState::Serving, 0, 0));
    let evidence = anyone(&hosted).await?.challenge().await?.evidence;
    assert_eq!((evidence.state, evidence.time.get()), (StartState::Serving, 0));
    assert_eq!(challenge(&hosted).await?.time.get(), 0);
    let mut operator = stage.open(&hosted, Role::Operator).await?;
    assert_eq!(operator.request(Method::GET, "/v1/metrics", None).await?.status, 200);

    stage.set_time(&hosted).await?;
    for (role, path) in FLOWS {
        let answer = stage.open(&hosted, role).await?.request(Method::GET, path, None).await?;
        // There is no event `e1`.
        assert!([200, 404].contains(&answer.status), "{role} {path}: {}", answer.status);
    }
    // Their certificates were held against the host's own clock.
    for (mut open, path) in early {
        let found = problem(&open.request(Method::GET, path, None).await?)?;
        assert_eq!(found.kind, ProblemType::Unauthenticated, "GOT IN: {path}");
    }
    Ok(())
}

#[tokio::test]
async fn each_bad_token_is_refused_by_its_name_and_changes_nothing() -> Result<()> {
    let (stage, elsewhere) = (Stage::set().await?, TestDomain::make("demo", |_| {})?);
    let hosted = stage.machine.start()?;
    let good = stage.token(&hosted, |_| {}).await?;
    let other_tre = stage.token(&hosted, |token| token.tre_id = "tre-2".parse().expect("a name"));
    let other_domain = |token: &mut TimeToken| {
        token.trust_domain = "other.example".parse().expect("a domain");
    };
    let day_before = UnixMillis::new(now()?.get().saturating_sub(DAY_MS))?;
    let forged = {
        let TimeChallenge { trust_domain, tre_id, nonce, .. } = challenge(&hosted).await?;
        let token = TimeToken { format: FORMAT, trust_domain, tre_id, nonce, value: now()? };
        // A status key of a domain with the same name.
        time_token::sign_with(&elsewhere.domain().status_signer()?, &token)?
    };
    let mixed = SignedToken { token: good.token.clone(), signature: forged.signature.clone() };
    for (token, kind, why) in [
        (forged, ProblemType::BadSignature, "expected a signature by the key"),
        (mixed, ProblemType::BadSignature, "expected a signature by the key"),
        (other_tre.await?, ProblemType::OutOfBounds, "a time token for tre-1, found one for tre-2"),
        (
            stage.token(&hosted, other_domain).await?,
            ProblemType::OutOfBounds,
            "of grid.example, found one of other.example",
        ),
        (
            stage.token(&hosted, |token| token.nonce = Hex32([7; 32])).await?,
            ProblemType::Conflict,
            "expected a nonce that this process handed out",
        ),
        (
            stage.token(&hosted, |token| token.value = day_before).await?,
            ProblemType::TooEarly,
            "the sealed high-water mark",
        ),
    ] {
        let found = problem(&put(&hosted, token).await?)?;
        assert_eq!((found.kind, found.detail.contains(why)), (kind, true), "{}", found.detail);
        assert_eq!(health(&hosted).await?.time.get(), 0, "{why}");
    }
    assert_eq!(put(&hosted, good.clone()).await?.status, 200, "none of them spent the nonce");
    let time = health(&hosted).await?.time;
    assert!(time.get() > 0);
    let found = problem(&put(&hosted, good.clone()).await?)?;
    assert_eq!(found.kind, ProblemType::Conflict, "{}", found.detail);
    assert!(found.detail.contains("a token again"), "{}", found.detail);
    // Another process of the same TRE knows nothing of that nonce.
    drop(hosted);
    let hosted = stage.machine.start()?;
    let found = problem(&put(&hosted, good).await?)?;
    assert_eq!(found.kind, ProblemType::Conflict, "{}", found.detail);
    assert_eq!(health(&hosted).await?.time.get(), 0);
    Ok(())
}

/// Starts the box on a host whose real-time clock is `moved`, as the library faketime writes it.
fn with_clock(machine: &HostedMachine, moved: &str) -> Result<Hosted> {
    let moved = format!("FAKETIME={moved}");
    let library = "LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
    let others = ["FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1"];
    let command = [&["env", library, &moved][..], &others].concat();
    let command: Vec<&OsStr> = command.into_iter().map(OsStr::new).collect();
    machine.start_under(&command, |_| {})
}

#[tokio::test]
async fn a_host_that_moves_its_clock_by_a_day_moves_no_slot() -> Result<()> {
    let stage = Stage::set().await?;
    // A box that nobody named yet shows what clock it has: the attack is one.
    let probe = HostedMachine::make(&stage.domain, "probe")?;
    for (moved, shown) in [("+1d", DAY_MS.cast_signed()), ("-1d", -DAY_MS.cast_signed())] {
        let hosted = with_clock(&probe, moved)?;
        let (theirs, ours) = (health(&hosted).await?.time, now()?);
        let off = theirs.get().cast_signed() - ours.get().cast_signed() - shown;
        assert!(off.unsigned_abs() < 60_000, "the clock was not moved: {theirs} for {ours}");
        drop(hosted);

        let hosted = with_clock(&stage.machine, moved)?;
        assert_eq!(health(&hosted).await?.time.get(), 0, "GOT IN: it goes by the host's clock");
        let before = now()?;
        stage.set_time(&hosted).await?;
        let found = health(&hosted).await?;
        let after = now()?;
        let within = before.get()..=after.get();
        assert!(within.contains(&found.time.get()), "GOT IN: {} at {before}", found.time);
        let slots = before.get() / SLOT_MS..=after.get() / SLOT_MS;
        assert!(slots.contains(&found.slot.get()), "GOT IN: slot {:?}", found.slot);
    }
    Ok(())
}
