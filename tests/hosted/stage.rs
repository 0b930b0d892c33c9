//! An enrolled TRE with a small grid in it.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use attest_verifier::{AnyKeyConnection, ClientIdentity, Method, Trust};
use serde::Serialize;
use tokio::sync::OnceCell;
use tre_client::clock::Clock;
use tre_client::link::Target;
use tre_tests::domain::{TestDomain, now};
use tre_tests::hosted::{Hosted, HostedMachine};
use tre_tests::trust::Reference;
use tre_wire::message::Done;
use tre_wire::message::dno::PutGroup;
use tre_wire::message::dsm::{Direction, EventTerms, OpenEvent};
use tre_wire::message::meter::Account;
use tre_wire::message::operator::Metrics;
use tre_wire::message::registrar::ConnectionRecord;
use tre_wire::message::supplier::PostPrices;
use tre_wire::policy::Policy;
use tre_wire::problem::ProblemType;
use tre_wire::role::Role;
use tre_wire::units::{PricePerKwh, Slot, UnixMillis, Watts};

use crate::raw::{Answer, Raw};

/// One caller of each role.
pub(crate) const CALLERS: [(Role, &str); 6] = [
    (Role::Meter, "meter-0"),
    (Role::Dno, "dno-1"),
    (Role::Supplier, "supplier-1"),
    (Role::Dsm, "dsm-1"),
    (Role::Registrar, "desk-1"),
    (Role::Operator, "op-1"),
];

/// Connection points of the small grid; the policy's k of them make the group.
pub(crate) const POINTS: usize = 16;

/// An enrolled TRE and everybody who calls it. Dropping it is a power cut.
#[derive(Debug)]
pub(crate) struct Stage {
    hosted: Hosted,
    domain: TestDomain,
    trust: Trust,
}

/// The wall clock of the parties.
#[derive(Debug)]
struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> UnixMillis {
        now().unwrap_or_default()
    }
}

/// The TRE of every test that changes nothing, with [`Stage::furnish`] done.
pub(crate) async fn shared() -> Result<&'static Stage> {
    static SHARED: OnceCell<(Stage, Child)> = OnceCell::const_new();
    let make = || async {
        let stage = Stage::set("production").await?;
        stage.furnish().await?;
        let keeper = end_with_us(&stage)?;
        anyhow::Ok((stage, keeper))
    };
    let (stage, _) = SHARED.get_or_try_init(make).await?;
    Ok(stage)
}

/// Nothing drops a static: a shell that reads from us to the end ends the TRE after us.
fn end_with_us(stage: &Stage) -> Result<Child> {
    let keeper = Command::new("sh")
        .args(["-c", r#"cat; kill -9 "$1"; sleep 1; rm -rf "$2""#, "sh"])
        .arg(stage.hosted.id().to_string())
        .arg(stage.domain.folder())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    keeper.context("starting a shell")
}

impl Stage {
    /// Makes a domain with the committed policy `policy`, a TPM, a TRE, and enrols it.
    pub(crate) async fn set(policy: &str) -> Result<Self> {
        let domain = TestDomain::make(policy, |_| {})?;
        for (role, id) in CALLERS {
            domain.credential(role, id)?;
        }
        let machine = HostedMachine::make(&domain, "box")?;
        let hosted = machine.start()?;
        let reference = Reference::of_log(&domain, machine.event_log())?;
        let address = hosted.address().to_string();
        reference.enrol(&domain, &address, machine.ek_roots(), &"tre-1".parse()?).await?;
        let trust = reference.trust()?;
        Ok(Self { hosted, domain, trust })
    }

    /// `HOST:PORT`.
    pub(crate) fn address(&self) -> String {
        self.hosted.address().to_string()
    }

    /// The policy that the TRE follows.
    pub(crate) fn policy(&self) -> &Policy {
        &self.trust.reference().deployment().policy
    }

    /// The slot that runs now.
    pub(crate) fn slot(&self) -> Result<Slot> {
        Ok(self.policy().slot_at(now()?))
    }

    /// The trust domain of all parties.
    pub(crate) const fn domain(&self) -> &TestDomain {
        &self.domain
    }

    /// What a party needs to verify the TRE.
    pub(crate) fn target(&self) -> Result<Target> {
        let (address, tre_id) = (self.address(), "tre-1".parse()?);
        Ok(Target { address, tre_id, trust: self.trust.clone(), clock: Arc::new(WallClock) })
    }

    /// The credential file of `role`'s caller.
    pub(crate) fn credential(&self, role: Role) -> Result<PathBuf> {
        let caller = CALLERS.iter().find(|(found, _)| *found == role);
        let (role, id) = caller.context("a caller of every role but the TRE's")?;
        self.domain.credential(*role, id)
    }

    /// The credential of `role`'s caller.
    pub(crate) fn identity(&self, role: Role) -> Result<ClientIdentity> {
        Ok(ClientIdentity::load(&self.credential(role)?)?)
    }

    /// A connection on which `role`'s caller has shown its certificate.
    pub(crate) async fn open(&self, role: Role) -> Result<AnyKeyConnection> {
        Ok(AnyKeyConnection::open(&self.address(), Some(&self.identity(role)?)).await?)
    }

    /// A connection for bytes as they are; without a role without a certificate.
    pub(crate) async fn raw(&self, role: Option<Role>) -> Result<Raw> {
        let credential = role.map(|role| self.credential(role)).transpose()?;
        Raw::open(&self.address(), credential.as_deref()).await
    }

    /// A good request to make a connection point that nobody made.
    pub(crate) fn record(&self, name: &str) -> Result<ConnectionRecord> {
        Ok(ConnectionRecord {
            account: format!("account-{name}").parse()?,
            meter: format!("meter-{name}").parse()?,
            supplier: "supplier-1".parse()?,
            tariff: "dynamic".parse()?,
            capacity_w: Watts::new(12_000)?,
            from_slot: self.slot()?,
            to_slot: None,
        })
    }

    /// Registers [`POINTS`] homes and groups k of them.
    pub(crate) async fn settle(&self) -> Result<()> {
        let mut registrar = self.open(Role::Registrar).await?;
        for index in 0..POINTS {
            let path = format!("/v1/connections/point-{index}");
            let _: Done = registrar.put(&path, &self.record(&index.to_string())?).await?;
        }
        let group = PutGroup { members: members(0..15)? };
        let _: Done = self.open(Role::Dno).await?.put("/v1/groups/north", &group).await?;
        Ok(())
    }

    /// Settles homes, publishes prices and opens an event.
    async fn furnish(&self) -> Result<()> {
        self.settle().await?;
        let prices = PostPrices {
            tariff: "dynamic".parse()?,
            from_slot: self.slot()?.plus(4),
            prices: vec![PricePerKwh::new(100_000)?; 4],
        };
        let _: Done = self.open(Role::Supplier).await?.post("/v1/prices", &prices).await?;
        let deadline = now()?.plus(3_600_000);
        let from_slot = self.policy().slot_at(deadline).plus(4);
        let to_slot = from_slot.plus(2);
        let terms = EventTerms { direction: Direction::Reduce, from_slot, to_slot, deadline };
        let event = OpenEvent { event: "evening".parse()?, terms };
        let _: Done = self.open(Role::Dsm).await?.post("/v1/events", &event).await?;
        Ok(())
    }

    /// Everything that the roles can see of the state; no clock is in it.
    pub(crate) async fn state(&self) -> Result<Vec<Vec<u8>>> {
        let mut seen = Vec::new();
        for (role, path) in [
            (Role::Registrar, "/v1/connections"),
            (Role::Dno, "/v1/groups"),
            (Role::Meter, "/v1/prices?from=0"),
            (Role::Meter, "/v1/events"),
            (Role::Meter, "/v1/outcomes"),
            (Role::Supplier, "/v1/bills"),
            (Role::Operator, "/v1/alerts"),
        ] {
            let answer = self.open(role).await?.request(Method::GET, path, None).await?;
            ensure!(answer.status == 200, "{path}: expected 200, found {}", answer.status);
            seen.push(answer.body);
        }
        let account: Account = self.open(Role::Meter).await?.get("/v1/account").await?;
        seen.push(format!("{} {}", account.running_nano, account.over_capacity).into_bytes());
        Ok(seen)
    }

    /// The counters of the TRE.
    pub(crate) async fn metrics(&self) -> Result<Metrics> {
        Ok(self.open(Role::Operator).await?.get("/v1/metrics").await?)
    }

    /// Sends `request` as `role`'s caller and holds the answer to be the problem `kind`, whole
    /// and well-formed, and the state to be what it was. Returns the problem's detail.
    pub(crate) async fn refuses(
        &self,
        role: Option<Role>,
        request: &[u8],
        kind: ProblemType,
    ) -> Result<String> {
        let before = self.state().await?;
        let mut raw = self.raw(role).await?;
        raw.send(request).await?;
        let detail = check_problem(&raw.answer().await?, kind)?;
        ensure!(self.state().await? == before, "the refused request changed the state");
        Ok(detail)
    }

    /// The same for a whole request with a JSON body.
    pub(crate) async fn refuses_body(
        &self,
        role: Role,
        line: &str,
        body: &[u8],
        kind: ProblemType,
    ) -> Result<String> {
        self.refuses(Some(role), &request(line, body), kind).await
    }

    /// The same for a message.
    pub(crate) async fn refuses_message(
        &self,
        role: Role,
        line: &str,
        message: &impl Serialize,
        kind: ProblemType,
    ) -> Result<String> {
        self.refuses_body(role, line, &serde_json::to_vec(message)?, kind).await
    }
}

/// Some of the small grid's points.
pub(crate) fn members(range: core::ops::Range<usize>) -> Result<Vec<tre_wire::id::PointId>> {
    range.map(|index| Ok(format!("point-{index}").parse()?)).collect()
}

/// Bytes of a request with a JSON body; `line` is method and path.
pub(crate) fn request(line: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "{line} HTTP/1.1\r\nhost: tre\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// Bytes of a request without a body.
pub(crate) fn bare(line: &str) -> Vec<u8> {
    format!("{line} HTTP/1.1\r\nhost: tre\r\n\r\n").into_bytes()
}

/// Holds `answer` to be the problem `kind` as it goes over the wire; returns its detail.
pub(crate) fn check_problem(answer: &Answer, kind: ProblemType) -> Result<String> {
    let text = String::from_utf8_lossy(&answer.body);
    ensure!(answer.status == kind.status(), "{kind:?}: found {} {text}", answer.status);
    ensure!(answer.media_type == "application/problem+json", "found {}", answer.media_type);
    let problem: serde_json::Value = serde_json::from_slice(&answer.body)?;
    let field = |name: &str| problem.get(name).cloned().unwrap_or_default();
    ensure!(field("type") == kind.urn(), "expected {}, found {text}", kind.urn());
    ensure!(field("status") == kind.status(), "expected the status line's, found {text}");
    let detail = field("detail").as_str().context("a detail")?.to_owned();
    ensure!(!detail.is_empty(), "expected a detail");
    Ok(detail)
}
