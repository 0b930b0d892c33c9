//! Who may call what, in which state: one table, checked before a body is read as a message.

use hyper::Method;
use tre_wire::id::PeerId;
use tre_wire::message::StartState;
use tre_wire::problem::{Problem, ProblemType};
use tre_wire::role::Role;
use tre_wire::units::UnixMillis;

use crate::calls::{
    attestation, dno, dsm, enrolment, meter, no_time, open, operator, registrar, renewal, status,
    supplier, time,
};
use crate::http::{self, Answer, Call, Length, problem};
use crate::peer::{Dated, Peer};
use crate::shared::Shared;

/// One call of the interface.
#[derive(Clone, Copy, Debug)]
struct Route {
    verb: Verb,
    /// Path; `{}` stands for one identifier.
    path: &'static str,
    /// Roles that may call; empty: anyone, certificate or not.
    who: &'static [Role],
    when: When,
    name: Name,
}

/// When a call is served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum When {
    /// In every state.
    Any,
    /// In this state.
    In(StartState),
    /// While the box serves and knows the time.
    Timed,
}

/// Methods of the interface, as constants can hold them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verb {
    Get,
    Post,
    Put,
    Delete,
}

/// Every call by name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Name {
    Health,
    Policy,
    Certificates,
    Attestation,
    Time,
    PutTime,
    BeginEnrolment,
    ActivateCredential,
    CompleteEnrolment,
    PutConnection,
    Connections,
    Metrics,
    Alerts,
    PutRevocations,
    Renew,
    Meter(MeterCall),
    Company(CompanyCall),
}

/// The calls of meters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum MeterCall {
    PostReadings,
    Prices,
    Events,
    PostBid,
    Outcomes,
    Account,
    Bills,
}

/// The calls of network operator, supplier and demand side manager.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum CompanyCall {
    PutGroup,
    Groups,
    Aggregates,
    PostPrices,
    EndPeriod,
    Bills,
    OpenEvent,
    CancelEvent,
    PseudoBids,
    Decide,
    EventOutcome,
}

const BIDS: &str = "/v1/bids";
const TIME: &str = "/v1/time";
const ANYONE: &[Role] = &[];
const SERVING: When = When::In(StartState::Serving);
const NEW: When = When::In(StartState::New);

const fn route(
    verb: Verb,
    path: &'static str,
    who: &'static [Role],
    when: When,
    name: Name,
) -> Route {
    Route { verb, path, who, when, name }
}

const ROUTES: &[Route] = {
    use CompanyCall::{
        Aggregates, CancelEvent, Decide, EndPeriod, EventOutcome, Groups, OpenEvent, PostPrices,
        PseudoBids, PutGroup,
    };
    use MeterCall::{Account, Outcomes, PostBid, PostReadings, Prices};
    use Role::{Dno, Dsm, Meter, Operator, Registrar, Supplier};
    use Verb::{Delete, Get, Post, Put};
    use When::{Any, Timed};
    &[
        route(Get, "/v1/health", ANYONE, Any, Name::Health),
        route(Get, "/v1/policy", ANYONE, Any, Name::Policy),
        route(Get, "/v1/certificates", ANYONE, Any, Name::Certificates),
        route(Post, "/v1/attestation", ANYONE, Any, Name::Attestation),
        route(Get, TIME, ANYONE, SERVING, Name::Time),
        route(Put, TIME, ANYONE, SERVING, Name::PutTime),
        route(Post, "/v1/enrolment/begin", &[Operator], NEW, Name::BeginEnrolment),
        route(Post, "/v1/enrolment/activate", &[Operator], NEW, Name::ActivateCredential),
        route(Post, "/v1/enrolment/complete", &[Operator], NEW, Name::CompleteEnrolment),
        route(Post, "/v1/readings", &[Meter], Timed, Name::Meter(PostReadings)),
        route(Get, "/v1/prices", &[Meter], Timed, Name::Meter(Prices)),
        route(Get, "/v1/events", &[Meter], Timed, Name::Meter(MeterCall::Events)),
        route(Post, BIDS, &[Meter], Timed, Name::Meter(PostBid)),
        route(Get, "/v1/outcomes", &[Meter], Timed, Name::Meter(Outcomes)),
        route(Get, "/v1/account", &[Meter], Timed, Name::Meter(Account)),
        route(Put, "/v1/groups/{}", &[Dno], Timed, Name::Company(PutGroup)),
        route(Get, "/v1/groups", &[Dno], Timed, Name::Company(Groups)),
        route(Get, "/v1/aggregates", &[Dno], Timed, Name::Company(Aggregates)),
        route(Post, "/v1/prices", &[Supplier], Timed, Name::Company(PostPrices)),
        route(Post, "/v1/billing-periods", &[Supplier], Timed, Name::Company(EndPeriod)),
        route(Post, "/v1/events", &[Dsm], Timed, Name::Company(OpenEvent)),
        route(Delete, "/v1/events/{}", &[Dsm], Timed, Name::Company(CancelEvent)),
        route(Get, "/v1/events/{}/bids", &[Dsm], Timed, Name::Company(PseudoBids)),
        route(Post, "/v1/events/{}/decision", &[Dsm], Timed, Name::Company(Decide)),
        route(Get, "/v1/events/{}/outcome", &[Dsm], Timed, Name::Company(EventOutcome)),
        // One path, two callers: a meter sees its account's bills, a supplier all its own.
        route(Get, "/v1/bills", &[Meter], Timed, Name::Meter(MeterCall::Bills)),
        route(Get, "/v1/bills", &[Supplier], Timed, Name::Company(CompanyCall::Bills)),
        route(Put, "/v1/connections/{}", &[Registrar], Timed, Name::PutConnection),
        route(Get, "/v1/connections", &[Registrar], Timed, Name::Connections),
        route(Put, "/v1/certificates", &[Operator], Timed, Name::Renew),
        route(Put, http::REVOCATIONS, &[Operator, Registrar], Timed, Name::PutRevocations),
        route(Get, "/v1/metrics", &[Operator], Any, Name::Metrics),
        route(Get, "/v1/alerts", &[Operator], Timed, Name::Alerts),
    ]
};

/// Finds the call, checks who calls and in which state, and carries it out.
///
/// # Errors
///
/// The problem to answer with.
pub(crate) async fn dispatch(shared: &Shared, peer: &Peer, call: &Call) -> Result<Answer, Problem> {
    let role = peer.identity.as_ref().map(|identity| identity.role);
    peer.believed(&shared.revocations.borrow())?;
    let (route, id) = find(&call.method, &call.path, role)?;
    admit(route, role, shared.standing.borrow().state())?;
    if route.when == When::Timed {
        in_time(shared.clock.now(), peer)?;
    }
    match &peer.identity {
        Some(identity) => for_role(route.name, shared, peer, call, id, &identity.id).await,
        None => for_anyone(route.name, shared, peer, call).await,
    }
}

async fn for_anyone(
    name: Name,
    shared: &Shared,
    peer: &Peer,
    call: &Call,
) -> Result<Answer, Problem> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "every other call needs a role")]
    match name {
        Name::Health => open::health(shared, call),
        Name::Policy => open::policy(shared, call),
        Name::Certificates => open::certificates(shared, call),
        Name::Attestation => attestation::attest(shared, peer, call).await,
        Name::Time => time::challenge(shared, call),
        Name::PutTime => time::put(shared, peer, call).await,
        _ => Err(unauthenticated()),
    }
}

async fn for_role(
    name: Name,
    shared: &Shared,
    peer: &Peer,
    call: &Call,
    id: &str,
    own: &PeerId,
) -> Result<Answer, Problem> {
    match name {
        Name::Health
        | Name::Policy
        | Name::Certificates
        | Name::Attestation
        | Name::Time
        | Name::PutTime => for_anyone(name, shared, peer, call).await,
        Name::BeginEnrolment => enrolment::begin(shared, peer, call).await,
        Name::ActivateCredential => enrolment::activate(shared, peer, call).await,
        Name::CompleteEnrolment => enrolment::complete(shared, peer, call).await,
        Name::PutConnection => registrar::put_connection(shared, call, id).await,
        Name::Connections => registrar::connections(shared, call).await,
        Name::Renew => renewal::renew(shared, call),
        Name::PutRevocations => status::put_revocations(shared, call),
        Name::Metrics => operator::metrics(shared, call),
        Name::Alerts => operator::alerts(shared, call).await,
        Name::Meter(name) => for_meter(name, shared, call, own).await,
        Name::Company(name) => for_company(name, shared, call, id, own).await,
    }
}

async fn for_meter(
    name: MeterCall,
    shared: &Shared,
    call: &Call,
    own: &PeerId,
) -> Result<Answer, Problem> {
    match name {
        MeterCall::PostReadings => meter::post_readings(shared, call, own).await,
        MeterCall::Prices => meter::prices(shared, call, own).await,
        MeterCall::Events => meter::events(shared, call, own).await,
        MeterCall::PostBid => meter::post_bid(shared, call, own).await,
        MeterCall::Outcomes => meter::outcomes(shared, call, own).await,
        MeterCall::Account => meter::account(shared, call, own).await,
        MeterCall::Bills => meter::bills(shared, call, own).await,
    }
}

async fn for_company(
    name: CompanyCall,
    shared: &Shared,
    call: &Call,
    id: &str,
    own: &PeerId,
) -> Result<Answer, Problem> {
    match name {
        CompanyCall::PutGroup => dno::put_group(shared, call, own, id).await,
        CompanyCall::Groups => dno::groups(shared, call, own).await,
        CompanyCall::Aggregates => dno::aggregates(shared, call, own).await,
        CompanyCall::PostPrices => supplier::post_prices(shared, call, own).await,
        CompanyCall::EndPeriod => supplier::end_period(shared, call, own).await,
        CompanyCall::Bills => supplier::bills(shared, call, own).await,
        CompanyCall::OpenEvent => dsm::open_event(shared, call, own).await,
        CompanyCall::CancelEvent => dsm::cancel_event(shared, call, own, id).await,
        CompanyCall::PseudoBids => dsm::pseudo_bids(shared, call, own, id).await,
        CompanyCall::Decide => dsm::decide(shared, call, own, id).await,
        CompanyCall::EventOutcome => dsm::outcome(shared, call, own, id).await,
    }
}

/// Whether the answers of the call at `path` have one length: where a refusal or its reason would
/// tell whoever watches the wire that somebody has bid.
pub(crate) fn length(path: &str) -> Length {
    if path == BIDS { Length::Even } else { Length::Its }
}

/// The call at `path`, and the identifier in it if it has one.
///
/// Where one path is two calls the one for `role` is meant.
fn find<'path>(
    method: &Method,
    path: &'path str,
    role: Option<Role>,
) -> Result<(&'static Route, &'path str), Problem> {
    let at_path = || ROUTES.iter().filter_map(|route| Some((route, matched(route.path, path)?)));
    if at_path().next().is_none() {
        return Err(problem(ProblemType::NotFound, "no such call; all paths begin with /v1/"));
    }
    let with_method = || at_path().filter(|(route, _)| route.verb.is(method));
    let mine = |who: &[Role]| role.is_some_and(|role| who.contains(&role));
    let found = with_method().find(|(route, _)| mine(route.who)).or_else(|| with_method().next());
    found.ok_or_else(|| problem(ProblemType::MethodNotAllowed, "this path takes another method"))
}

/// The part of `path` that `{}` stands for; empty where the pattern has none.
fn matched<'a>(pattern: &str, path: &'a str) -> Option<&'a str> {
    match pattern.split_once("{}") {
        None => (pattern == path).then_some(""),
        Some((before, after)) => {
            let id = path.strip_prefix(before)?.strip_suffix(after)?;
            (!id.is_empty() && !id.contains('/')).then_some(id)
        }
    }
}

/// Refuses a caller without the role, and a call that the state does not serve.
fn admit(route: &Route, role: Option<Role>, state: StartState) -> Result<(), Problem> {
    if !route.who.is_empty() {
        let Some(role) = role else { return Err(unauthenticated()) };
        if !route.who.contains(&role) {
            let roles: Vec<&str> = route.who.iter().map(|role| role.as_str()).collect();
            let detail = format!("expected role {}, found {role}", roles.join(" or "));
            return Err(Problem::new(ProblemType::WrongRole, detail));
        }
    }
    match route.when.state() {
        Some(needed) if needed != state => {
            let (needed, state) = (needed.as_str(), state.as_str());
            let detail = format!("expected a box in state {needed}, found {state}");
            Err(Problem::new(ProblemType::NotServing, detail))
        }
        Some(_) | None => Ok(()),
    }
}

/// Refuses what hangs on the time while there is none, and a peer whose certificate was held
/// against a clock that proves nothing: that clock is the operator's.
fn in_time(now: Option<UnixMillis>, peer: &Peer) -> Result<(), Problem> {
    if now.is_none() {
        return Err(no_time());
    }
    match peer.dated {
        Dated::Proven => Ok(()),
        Dated::Unproven => Err(problem(
            ProblemType::Unauthenticated,
            "expected a certificate that was held against a proven time; connect again",
        )),
    }
}

fn unauthenticated() -> Problem {
    problem(ProblemType::Unauthenticated, "expected a client certificate of the grid authority")
}

impl When {
    /// The state that a call needs; none: any will do.
    const fn state(self) -> Option<StartState> {
        match self {
            Self::Any => None,
            Self::In(state) => Some(state),
            Self::Timed => Some(StartState::Serving),
        }
    }
}

impl Verb {
    fn is(self, method: &Method) -> bool {
        match self {
            Self::Get => method == Method::GET,
            Self::Post => method == Method::POST,
            Self::Put => method == Method::PUT,
            Self::Delete => method == Method::DELETE,
        }
    }
}

#[cfg(test)]
mod tests;
