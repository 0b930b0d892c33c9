//! No token, no slot; which tokens are refused, each by its own name; and a host that moves its
//! clocks by a day, which moves no slot.

use anyhow::{Context as _, Result};
use attest_verifier::{AnyKeyConnection, ClientIdentity, Method, Response};
use pki::time_token::{self, SignedToken};
use tre_tests::domain::{TestDomain, now};
use tre_tests::enrolled::Enrolled;
use tre_tests::hosted::{Hosted, HostedMachine};
use tre_tests::moved_clock::{ATTACKS, Host, Stopped};
use tre_tests::place;
use tre_tests::teeth::Mutant;
use tre_wire::hex::Hex32;
use tre_wire::id::PeerId;
use tre_wire::json;
use tre_wire::message::{Health, StartState};
use tre_wire::problem::{Problem, ProblemType};
use tre_wire::role::Role;
use tre_wire::time::{FORMAT, TimeChallenge, TimeToken};
use tre_wire::units::UnixMillis;

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
        let Enrolled { domain, machine, tre_id, .. } = Enrolled::make().await?;
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
    assert!(found.detail.contains("found one again that came into force"), "{}", found.detail);
    // Another process of the same TRE knows nothing of that nonce.
    drop(hosted);
    let hosted = stage.machine.start()?;
    let found = problem(&put(&hosted, good).await?)?;
    assert_eq!(found.kind, ProblemType::Conflict, "{}", found.detail);
    assert_eq!(health(&hosted).await?.time.get(), 0);
    Ok(())
}

#[tokio::test]
async fn a_host_that_moves_its_clocks_by_a_day_moves_no_slot() -> Result<()> {
    let host = Host::make().await?;
    for attack in ATTACKS {
        assert_eq!(host.play(attack).await?, None, "GOT IN: {}", attack.name);
    }
    Ok(())
}

#[test]
fn each_attack_on_the_clock_is_what_its_mutant_plays() -> Result<()> {
    for attack in ATTACKS {
        let Stopped::By(mutant) = attack.stopped else { continue };
        let patch = place::root().join("tests/mutants").join(mutant).with_extension("patch");
        let patch = Mutant::read(&patch)?;
        assert_eq!(patch.runs(), Some("clock-attacks"), "{mutant} plays another");
        let played = patch.attack();
        assert!(played.split_whitespace().any(|word| word == attack.name), "{played}");
    }
    Ok(())
}
