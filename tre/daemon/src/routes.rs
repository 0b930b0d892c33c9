//! Who may call what, in which state: one table, checked before a body is read as a message.

use hyper::Method;
use tre_wire::id::PeerId;
use tre_wire::message::StartState;
use tre_wire::problem::{Problem, ProblemType};
use tre_wire::role::Role;

use crate::calls::{
    attestation, dno, dsm, enrolment, meter, open, operator, registrar, renewal, status, supplier,
};
use crate::http::{self, Answer, Call, Length, problem};
use crate::peer::Peer;
use crate::shared::Shared;

/// One call of the interface.
#[derive(Clone, Copy, Debug)]
struct Route {
    verb: Verb,
    /// Path; `{}` stands for one identifier.
    path: &'static str,
    /// Roles that may call; empty: anyone, certificate or not.
    who: &'static [Role],
    /// The state that serves it; none: every state.
    when: Option<StartState>,
    name: Name,
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
const ANYONE: &[Role] = &[];
const SERVING: Option<StartState> = Some(StartState::Serving);
const NEW: Option<StartState> = Some(StartState::New);

const fn route(
    verb: Verb,
    path: &'static str,
    who: &'static [Role],
    when: Option<StartState>,
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
    &[
        route(Get, "/v1/health", ANYONE, None, Name::Health),
        route(Get, "/v1/policy", ANYONE, None, Name::Policy),
        route(Get, "/v1/certificates", ANYONE, None, Name::Certificates),
        route(Post, "/v1/attestation", ANYONE, None, Name::Attestation),
        route(Post, "/v1/enrolment/begin", &[Operator], NEW, Name::BeginEnrolment),
        route(Post, "/v1/enrolment/activate", &[Operator], NEW, Name::ActivateCredential),
        route(Post, "/v1/enrolment/complete", &[Operator], NEW, Name::CompleteEnrolment),
        route(Post, "/v1/readings", &[Meter], SERVING, Name::Meter(PostReadings)),
        route(Get, "/v1/prices", &[Meter], SERVING, Name::Meter(Prices)),
        route(Get, "/v1/events", &[Meter], SERVING, Name::Meter(MeterCall::Events)),
        route(Post, BIDS, &[Meter], SERVING, Name::Meter(PostBid)),
        route(Get, "/v1/outcomes", &[Meter], SERVING, Name::Meter(Outcomes)),
        route(Get, "/v1/account", &[Meter], SERVING, Name::Meter(Account)),
        route(Put, "/v1/groups/{}", &[Dno], SERVING, Name::Company(PutGroup)),
        route(Get, "/v1/groups", &[Dno], SERVING, Name::Company(Groups)),
        route(Get, "/v1/aggregates", &[Dno], SERVING, Name::Company(Aggregates)),
        route(Post, "/v1/prices", &[Supplier], SERVING, Name::Company(PostPrices)),
        route(Post, "/v1/billing-periods", &[Supplier], SERVING, Name::Company(EndPeriod)),
        route(Post, "/v1/events", &[Dsm], SERVING, Name::Company(OpenEvent)),
        route(Delete, "/v1/events/{}", &[Dsm], SERVING, Name::Company(CancelEvent)),
        route(Get, "/v1/events/{}/bids", &[Dsm], SERVING, Name::Company(PseudoBids)),
        route(Post, "/v1/events/{}/decision", &[Dsm], SERVING, Name::Company(Decide)),
        route(Get, "/v1/events/{}/outcome", &[Dsm], SERVING, Name::Company(EventOutcome)),
        // One path, two callers: a meter sees its account's bills, a supplier all its own.
        route(Get, "/v1/bills", &[Meter], SERVING, Name::Meter(MeterCall::Bills)),
        route(Get, "/v1/bills", &[Supplier], SERVING, Name::Company(CompanyCall::Bills)),
        route(Put, "/v1/connections/{}", &[Registrar], SERVING, Name::PutConnection),
        route(Get, "/v1/connections", &[Registrar], SERVING, Name::Connections),
        route(Put, "/v1/certificates", &[Operator], SERVING, Name::Renew),
        route(Put, http::REVOCATIONS, &[Operator, Registrar], SERVING, Name::PutRevocations),
        route(Get, "/v1/metrics", &[Operator], None, Name::Metrics),
        route(Get, "/v1/alerts", &[Operator], SERVING, Name::Alerts),
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
        Name::Health | Name::Policy | Name::Certificates | Name::Attestation => {
            for_anyone(name, shared, peer, call).await
        }
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
    match route.when {
        Some(needed) if needed != state => {
            let (needed, state) = (needed.as_str(), state.as_str());
            let detail = format!("expected a box in state {needed}, found {state}");
            Err(Problem::new(ProblemType::NotServing, detail))
        }
        Some(_) | None => Ok(()),
    }
}

fn unauthenticated() -> Problem {
    problem(ProblemType::Unauthenticated, "expected a client certificate of the grid authority")
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
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_one_segment() {
        assert_eq!(matched("/v1/groups/{}", "/v1/groups/north"), Some("north"));
        assert_eq!(matched("/v1/groups/{}", "/v1/groups/"), None);
        assert_eq!(matched("/v1/groups/{}", "/v1/groups/a/b"), None);
        assert_eq!(matched("/v1/events/{}/bids", "/v1/events/e1/bids"), Some("e1"));
        assert_eq!(matched("/v1/events/{}/bids", "/v1/events//bids"), None);
        assert_eq!(matched("/v1/groups", "/v1/groups"), Some(""));
    }

    #[test]
    fn a_known_path_with_another_method_says_so() {
        let refused = find(&Method::DELETE, "/v1/readings", None).expect_err("no such method");
        assert_eq!(refused.kind, ProblemType::MethodNotAllowed);
        let refused = find(&Method::GET, "/v2/readings", None).expect_err("no such path");
        assert_eq!(refused.kind, ProblemType::NotFound);
    }

    #[test]
    fn one_path_with_two_callers_finds_the_call_of_each() {
        let call = |role| find(&Method::GET, "/v1/bills", Some(role)).map(|(route, _)| route.name);
        let (meter, supplier) = (call(Role::Meter), call(Role::Supplier));
        assert_eq!(meter.ok(), Some(Name::Meter(MeterCall::Bills)));
        assert_eq!(supplier.ok(), Some(Name::Company(CompanyCall::Bills)));
    }

    #[test]
    fn every_role_is_refused_every_call_that_is_not_its_own() {
        for route in ROUTES.iter().filter(|route| !route.who.is_empty()) {
            let state = route.when.unwrap_or(StartState::Serving);
            for role in Role::ALL {
                let refused = admit(route, Some(role), state).map_err(|problem| problem.kind);
                let own = route.who.contains(&role);
                let expected = if own { Ok(()) } else { Err(ProblemType::WrongRole) };
                assert_eq!(refused, expected, "{role} {route:?}");
            }
            let refused = admit(route, None, state).map_err(|problem| problem.kind);
            assert_eq!(refused, Err(ProblemType::Unauthenticated), "{route:?}");
        }
    }

    #[test]
    fn a_flow_is_refused_by_a_box_that_does_not_serve() {
        for route in ROUTES.iter().filter(|route| route.when == SERVING) {
            let role = route.who.first().copied();
            for state in [StartState::New, StartState::Locked] {
                let refused = admit(route, role, state).map_err(|problem| problem.kind);
                assert_eq!(refused, Err(ProblemType::NotServing), "{route:?}");
            }
        }
    }

    /// The table that the tests of the running box go through has every call, and no other.
    #[test]
    fn the_published_table_is_this_one() {
        let published = include_str!("../../../tests/vectors/v1/calls.tsv");
        let row = |route: &Route| {
            let verb = format!("{:?}", route.verb).to_uppercase();
            let roles: Vec<&str> = route.who.iter().map(|role| role.as_str()).collect();
            let who = if roles.is_empty() { "anyone".to_owned() } else { roles.join(",") };
            let when = route.when.map_or("any", StartState::as_str);
            format!("{verb}\t{}\t{who}\t{when}", route.path)
        };
        let found: Vec<String> = ROUTES.iter().map(row).collect();
        let lines = published.lines().filter(|line| !line.starts_with('#'));
        assert_eq!(found, lines.collect::<Vec<_>>());
    }

    #[test]
    fn every_call_that_touches_state_needs_a_role() {
        for route in ROUTES {
            let open = route.path == "/v1/attestation" || route.verb == Verb::Get;
            assert!(open || !route.who.is_empty(), "{route:?}");
        }
    }
}
