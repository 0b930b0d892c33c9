//! Keys that are revoked are cut off; no list goes back, also after a power cut.

use std::fs;

use anyhow::Result;
use attest_verifier::core::revocation::StatusKey;
use attest_verifier::{AnyKeyConnection, ClientIdentity, Method, Response};
use pki::revoke::Lists;
use tre_client::revocations::load;
use tre_tests::domain::{TestDomain, now};
use tre_tests::enrolled::Enrolled;
use tre_tests::hosted::{Hosted, HostedMachine};
use tre_wire::bounds::BODY_BYTES;
use tre_wire::hex::Hex32;
use tre_wire::json;
use tre_wire::message::{Health, StartState};
use tre_wire::problem::{Problem, ProblemType};
use tre_wire::revocation::{MOST_KEYS, PutRevocations, Reason, Revoked};
use tre_wire::role::Role;
use tre_wire::units::UnixMillis;

/// A box of its own, for it is changed and restarted.
struct Stage {
    domain: TestDomain,
    machine: HostedMachine,
    hosted: Hosted,
}

impl Stage {
    async fn set() -> Result<Self> {
        let Enrolled { domain, machine, hosted, .. } = Enrolled::make().await?;
        Ok(Self { domain, machine, hosted })
    }

    /// Cuts the power, starts again, and tells the time.
    async fn restarted(self) -> Result<Self> {
        let Self { domain, machine, hosted } = self;
        drop(hosted);
        let hosted = machine.start()?;
        domain.set_time(&hosted.address().to_string(), &"tre-1".parse()?).await?;
        Ok(Self { domain, machine, hosted })
    }

    async fn open(&self, role: Role, id: &str) -> Result<AnyKeyConnection> {
        let identity = ClientIdentity::load(&self.domain.credential(role, id)?)?;
        Ok(AnyKeyConnection::open(&self.hosted.address().to_string(), Some(&identity)).await?)
    }

    /// The next list of the domain, or of another one by the same status key.
    fn list(&self, of: &str, days_ago: u64, more: &[(Role, &str)]) -> Result<PutRevocations> {
        let home = self.domain.domain();
        let key = StatusKey::from_pem(&fs::read(self.domain.home().join("status.pem"))?)?;
        let lists = Lists::new(self.domain.folder().join(of), of.parse()?, key);
        let then = now()?.get().saturating_sub(days_ago.saturating_mul(86_400_000));
        let more = more.iter().map(|&(role, id)| self.revoked(role, id));
        let signer = home.status_signer()?;
        let list = lists.add(&signer, more.collect::<Result<_>>()?, 1, UnixMillis::new(then)?)?;
        Ok(load(&lists.path(list.sequence))?)
    }

    fn revoked(&self, role: Role, id: &str) -> Result<Revoked> {
        let key = ClientIdentity::load(&self.domain.credential(role, id)?)?.key_hash();
        let (since, until) = (now()?, now()?.plus(86_400_000));
        let identity = self.domain.domain().identity(role, id.parse()?);
        let spki_sha256 = Hex32(key.0);
        Ok(Revoked { spki_sha256, identity, since, reason: Reason::KeyLost, until })
    }

    async fn put(&self, role: Role, files: &PutRevocations) -> Result<Response> {
        let mut carrier = self.open(role, "carrier").await?;
        let body = json::encode(files)?;
        Ok(carrier.request(Method::PUT, "/v1/revocations", Some(body)).await?)
    }

    async fn health(&self) -> Result<Health> {
        let mut open = AnyKeyConnection::open(&self.hosted.address().to_string(), None).await?;
        Ok(open.request(Method::GET, "/v1/health", None).await?.decode("/v1/health")?)
    }
}

fn refused(answer: &Response, kind: ProblemType, why: &str) {
    let problem: Problem = serde_json::from_slice(&answer.body).expect("a problem");
    assert_eq!((problem.kind, answer.status), (kind, kind.status()), "{}", problem.detail);
    assert!(problem.detail.contains(why), "{}", problem.detail);
}

const DOMAIN: &str = "grid.example";

/// A call of each role that a box with nothing in it answers.
const ASKED: [(Role, &str); 6] = [
    (Role::Meter, "/v1/events"),
    (Role::Dno, "/v1/groups"),
    (Role::Supplier, "/v1/bills"),
    (Role::Dsm, "/v1/events/e1/bids"),
    (Role::Registrar, "/v1/connections"),
    (Role::Operator, "/v1/alerts"),
];

#[tokio::test]
async fn a_revoked_key_of_any_role_is_cut_off_at_its_next_request() -> Result<()> {
    let stage = Stage::set().await?;
    let (mut gone, mut stays) = (Vec::new(), Vec::new());
    for (role, path) in ASKED {
        for (id, open) in [("gone", &mut gone), ("stays", &mut stays)] {
            let mut connection = stage.open(role, id).await?;
            let answer = connection.request(Method::GET, path, None).await?;
            assert_ne!((answer.status, role), (403, role), "not revoked yet");
            open.push((role, path, connection, answer.status));
        }
    }
    let roles: Vec<(Role, &str)> = ASKED.iter().map(|&(role, _)| (role, "gone")).collect();
    let list = stage.list(DOMAIN, 0, &roles)?;
    assert_eq!(stage.put(Role::Operator, &list).await?.status, 200);
    assert_eq!(stage.health().await?.revocations, 1);
    for (role, path, mut connection, _) in gone {
        let answer = connection.request(Method::GET, path, None).await?;
        refused(&answer, ProblemType::Revoked, "its key on the revocation list");
        // That was the last answer of this connection, and there is no other.
        assert!(connection.request(Method::GET, path, None).await.is_err(), "{role} goes on");
        handshake_refused(&stage, role, "gone", "CertificateRevoked").await?;
    }
    for (role, path, mut connection, before) in stays {
        let answer = connection.request(Method::GET, path, None).await?;
        assert_eq!(answer.status, before, "{role}");
    }
    Ok(())
}

/// In TLS 1.3 the server's alert may come after the client thinks that the handshake is over.
async fn handshake_refused(stage: &Stage, role: Role, id: &str, alert: &str) -> Result<()> {
    let said = match stage.open(role, id).await {
        Err(error) => format!("{error:?}"),
        Ok(mut open) => {
            let answer = open.request(Method::GET, "/v1/health", None).await;
            format!("{:?}", answer.map(|answer| answer.status))
        }
    };
    assert!(said.contains(alert), "{role}: {said}");
    Ok(())
}

#[tokio::test]
async fn no_other_list_than_the_newest_of_the_own_domain_comes_into_force() -> Result<()> {
    let stage = Stage::set().await?;
    let (first, second) =
        (stage.list(DOMAIN, 0, &[])?, stage.list(DOMAIN, 0, &[(Role::Meter, "gone")])?);
    let expired = stage.list(DOMAIN, 2, &[])?;
    let foreign = stage.list("other.example", 0, &[])?;
    let elsewhere = TestDomain::make("demo", |_| {})?;
    let forged = stage.sign_as(&elsewhere)?;
    assert_eq!(stage.put(Role::Registrar, &second).await?.status, 200);
    let again = stage.put(Role::Operator, &second).await?;
    assert_eq!(again.status, 200, "the same list again changes nothing");
    let altered = PutRevocations {
        list: second.list.replace("key-lost", "withdrawn"),
        signature: second.signature.clone(),
    };
    let mixed = PutRevocations { list: first.list.clone(), signature: second.signature.clone() };
    for (files, kind, why) in [
        (&first, ProblemType::Conflict, "expected revocation list 2 or later, found 1"),
        (&foreign, ProblemType::OutOfBounds, "of grid.example, found one of other.example"),
        (&forged, ProblemType::BadSignature, "expected a signature by the key"),
        (&altered, ProblemType::BadSignature, "that was signed, found"),
        (&mixed, ProblemType::BadSignature, "that was signed, found"),
        (&expired, ProblemType::TooLate, "that is good now"),
    ] {
        refused(&stage.put(Role::Operator, files).await?, kind, why);
        assert_eq!(stage.health().await?.revocations, 2, "{why}");
    }
    for role in [Role::Meter, Role::Dno, Role::Supplier, Role::Dsm] {
        let answer = stage.put(role, &second).await?;
        refused(&answer, ProblemType::WrongRole, "expected role operator or registrar");
    }
    Ok(())
}

#[tokio::test]
async fn a_list_in_force_outlives_a_power_cut_and_an_older_one_does_not_come_back() -> Result<()> {
    let stage = Stage::set().await?;
    let first = stage.list(DOMAIN, 0, &[])?;
    let second = stage.list(DOMAIN, 0, &[(Role::Meter, "gone")])?;
    assert_eq!(stage.put(Role::Operator, &second).await?.status, 200);
    let stage = stage.restarted().await?;
    assert_eq!(stage.health().await?.revocations, 2);
    handshake_refused(&stage, Role::Meter, "gone", "CertificateRevoked").await?;
    let answer = stage.put(Role::Operator, &first).await?;
    refused(&answer, ProblemType::Conflict, "expected revocation list 2 or later, found 1");
    let third = stage.list(DOMAIN, 0, &[(Role::Meter, "another")])?;
    assert_eq!(stage.put(Role::Operator, &third).await?.status, 200);
    assert_eq!(stage.health().await?.revocations, 3);
    Ok(())
}

#[tokio::test]
async fn the_longest_list_is_taken_in_while_everybody_else_is_served() -> Result<()> {
    let stage = Stage::set().await?;
    let entry = stage.revoked(Role::Meter, "gone")?;
    let most = u32::try_from(MOST_KEYS)?;
    let other = |number: u32| {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&number.to_be_bytes());
        Revoked { spki_sha256: Hex32(key), ..entry.clone() }
    };
    let keys = (1..most).map(other).chain([entry.clone()]).collect();
    let key = StatusKey::from_pem(&fs::read(stage.domain.home().join("status.pem"))?)?;
    let lists = Lists::new(stage.domain.folder().join("long"), DOMAIN.parse()?, key);
    let list = lists.add(&stage.domain.domain().status_signer()?, keys, 1, now()?)?;
    let files = load(&lists.path(list.sequence))?;
    assert!(files.list.len() > BODY_BYTES, "{} bytes", files.list.len());
    let (put, health) = tokio::join!(stage.put(Role::Registrar, &files), stage.health());
    assert_eq!((put?.status, health?.state), (200, StartState::Serving));
    let stage = stage.restarted().await?;
    assert_eq!(stage.health().await?.revocations, 1);
    handshake_refused(&stage, Role::Meter, "gone", "CertificateRevoked").await
}

impl Stage {
    /// A list by the status key of `elsewhere`, which has the same name.
    fn sign_as(&self, elsewhere: &TestDomain) -> Result<PutRevocations> {
        let key = StatusKey::from_pem(&fs::read(elsewhere.home().join("status.pem"))?)?;
        let lists = Lists::new(self.domain.folder().join("forged"), DOMAIN.parse()?, key);
        let list = lists.add(&elsewhere.domain().status_signer()?, Vec::new(), 1, now()?)?;
        Ok(load(&lists.path(list.sequence))?)
    }
}
