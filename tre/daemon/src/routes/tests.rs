//! The table: who may call what, and nothing else.

use core::cell::Cell;

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
        let state = route.when.state().unwrap_or(StartState::Serving);
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
    for route in ROUTES.iter().filter(|route| route.when.state() == SERVING.state()) {
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
    let published = include_str!("../../../../tests/vectors/v1/calls.tsv");
    let row = |route: &Route| {
        let verb = format!("{:?}", route.verb).to_uppercase();
        let roles: Vec<&str> = route.who.iter().map(|role| role.as_str()).collect();
        let who = if roles.is_empty() { "anyone".to_owned() } else { roles.join(",") };
        let when = match route.when {
            When::Timed => "timed",
            When::Any | When::In(_) => route.when.state().map_or("any", StartState::as_str),
        };
        format!("{verb}\t{}\t{who}\t{when}", route.path)
    };
    let found: Vec<String> = ROUTES.iter().map(row).collect();
    let lines = published.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(found, lines.collect::<Vec<_>>());
}

#[test]
fn every_call_that_touches_state_needs_a_role() {
    for route in ROUTES {
        // A time token is the status key's word; it needs no other.
        let open = ["/v1/attestation", TIME].contains(&route.path) || route.verb == Verb::Get;
        assert!(open || !route.who.is_empty(), "{route:?}");
    }
}

/// What a peer whose certificate was held against such a clock is told at such a time.
fn told(now: Option<u64>, dated: Dated) -> Result<(), ProblemType> {
    let now = now.map(|now| UnixMillis::new(now).expect("in range"));
    let (client_key, server_key, exporter) = ([1; 32], [2; 32], [3; 32]);
    let began = Cell::new(false);
    let peer = Peer { identity: None, client_key, server_key, exporter, dated, began };
    in_time(now, &peer).map_err(|problem| problem.kind)
}

#[test]
fn no_flow_runs_before_there_is_a_time() {
    for dated in [Dated::Proven, Dated::Unproven] {
        assert_eq!(told(None, dated), Err(ProblemType::NoTime), "a flow without a time");
    }
}

#[test]
fn a_certificate_held_against_the_operators_clock_opens_no_flow() {
    let refused = told(Some(7), Dated::Unproven);
    assert_eq!(refused, Err(ProblemType::Unauthenticated), "believed by the operator's clock");
    assert_eq!(told(Some(7), Dated::Proven), Ok(()));
}
