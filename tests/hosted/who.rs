//! Who may call what: every call, without a certificate and with that of every other role.

use anyhow::{Context as _, Result, ensure};
use tre_wire::problem::ProblemType;
use tre_wire::role::Role;

use crate::stage::{self, CALLERS, bare, check_problem, request};

/// Every call that needs a role, and the roles that may make it.
const CALLS: &[(&str, &[Role])] = &[
    ("POST /v1/enrolment/begin", &[Role::Operator]),
    ("POST /v1/enrolment/activate", &[Role::Operator]),
    ("POST /v1/enrolment/complete", &[Role::Operator]),
    ("POST /v1/readings", &[Role::Meter]),
    ("GET /v1/prices", &[Role::Meter]),
    ("GET /v1/events", &[Role::Meter]),
    ("POST /v1/bids", &[Role::Meter]),
    ("GET /v1/outcomes", &[Role::Meter]),
    ("GET /v1/account", &[Role::Meter]),
    ("PUT /v1/groups/north", &[Role::Dno]),
    ("GET /v1/groups", &[Role::Dno]),
    ("GET /v1/aggregates", &[Role::Dno]),
    ("POST /v1/prices", &[Role::Supplier]),
    ("POST /v1/billing-periods", &[Role::Supplier]),
    ("POST /v1/events", &[Role::Dsm]),
    ("GET /v1/events/evening/bids", &[Role::Dsm]),
    ("POST /v1/events/evening/decision", &[Role::Dsm]),
    ("GET /v1/events/evening/outcome", &[Role::Dsm]),
    ("GET /v1/bills", &[Role::Meter, Role::Supplier]),
    ("PUT /v1/connections/point-0", &[Role::Registrar]),
    ("GET /v1/connections", &[Role::Registrar]),
    ("GET /v1/metrics", &[Role::Operator]),
    ("GET /v1/alerts", &[Role::Operator]),
];

fn call(line: &str) -> Vec<u8> {
    if line.starts_with("GET") { bare(line) } else { request(line, b"{}") }
}

/// Makes every call that is not `role`'s own, over one connection; each is refused as `kind`.
async fn refused_all(role: Option<Role>, kind: ProblemType) -> Result<()> {
    let stage = stage::shared().await?;
    let before = stage.state().await?;
    let mut raw = stage.raw(role).await?;
    let own = |who: &[Role]| role.is_some_and(|role| who.contains(&role));
    for (line, _) in CALLS.iter().filter(|(_, who)| !own(who)) {
        raw.send(&call(line)).await?;
        check_problem(&raw.answer().await?, kind).context(*line)?;
    }
    ensure!(stage.state().await? == before, "a refused request changed the state");
    Ok(())
}

#[tokio::test]
async fn without_a_certificate_every_call_of_a_role_is_refused() -> Result<()> {
    refused_all(None, ProblemType::Unauthenticated).await
}

macro_rules! other_roles {
    ($($test:ident: $role:expr;)*) => {$(
        #[tokio::test]
        async fn $test() -> Result<()> {
            refused_all(Some($role), ProblemType::WrongRole).await
        }
    )*};
}

other_roles! {
    a_meter_is_refused_every_other_roles_calls: Role::Meter;
    a_network_operator_is_refused_every_other_roles_calls: Role::Dno;
    a_supplier_is_refused_every_other_roles_calls: Role::Supplier;
    a_demand_side_manager_is_refused_every_other_roles_calls: Role::Dsm;
    a_registrar_is_refused_every_other_roles_calls: Role::Registrar;
    an_operator_is_refused_every_other_roles_calls: Role::Operator;
}

#[tokio::test]
async fn an_enrolled_tre_is_not_enrolled_again() -> Result<()> {
    let stage = stage::shared().await?;
    for call in ["begin", "activate", "complete"] {
        let line = format!("POST /v1/enrolment/{call}");
        let kind = ProblemType::NotServing;
        stage.refuses_body(Role::Operator, &line, b"{}", kind).await.context(line)?;
    }
    Ok(())
}

#[tokio::test]
async fn what_anyone_may_ask_is_answered_without_a_certificate() -> Result<()> {
    let mut raw = stage::shared().await?.raw(None).await?;
    for path in ["/v1/health", "/v1/policy", "/v1/certificates"] {
        raw.send(&bare(&format!("GET {path}"))).await?;
        let answer = raw.answer().await?;
        ensure!(answer.status == 200, "{path}: expected 200, found {}", answer.status);
        ensure!(answer.media_type == "application/json", "found {}", answer.media_type);
    }
    Ok(())
}

#[tokio::test]
async fn a_company_sees_nothing_of_another_company() -> Result<()> {
    let stage = stage::shared().await?;
    let credential = stage.domain().credential(Role::Dno, "dno-other")?;
    let mut raw = crate::raw::Raw::open(&stage.address(), Some(&credential)).await?;
    raw.send(&bare("GET /v1/groups")).await?;
    let answer = raw.answer().await?;
    ensure!(answer.body == br#"{"groups":[]}"#, "{}", String::from_utf8_lossy(&answer.body));
    let body = serde_json::json!({ "members": stage::members(0..15)? });
    raw.send(&request("PUT /v1/groups/north", &serde_json::to_vec(&body)?)).await?;
    check_problem(&raw.answer().await?, ProblemType::NotFound)?;
    Ok(())
}

#[test]
fn there_is_a_caller_of_every_role_but_the_tres() {
    for role in Role::ALL.into_iter().filter(|role| *role != Role::Tre) {
        assert!(CALLERS.iter().any(|(found, _)| *found == role), "{role}");
    }
}
