//! Every role and nobody, on every call, in two states: one table says who is let in.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use attest_verifier::{AnyKeyConnection, ClientIdentity, Method, Response};
use tre_tests::domain::TestDomain;
use tre_tests::hosted::HostedMachine;
use tre_wire::problem::{Problem, ProblemType};
use tre_wire::role::Role;

use crate::fixture::shared;

/// Every call of a TRE, as `tred` itself is held to.
const CALLS: &str = include_str!("../vectors/v1/calls.tsv");

/// Who may call what.
#[derive(Debug)]
struct Call {
    /// None: anyone.
    who: Option<Vec<Role>>,
    /// `any`, `new`, `serving`, or `timed`: serving, with a time, as the box here has.
    when: &'static str,
}

/// Calls by method and path; the rows of one call together.
fn calls() -> Result<BTreeMap<(&'static str, &'static str), Call>> {
    let mut calls: BTreeMap<_, Call> = BTreeMap::new();
    for line in CALLS.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [method, path, who, when] = fields[..] else { anyhow::bail!("four fields: {line}") };
        let role = |name: &str| Role::ALL.into_iter().find(|role| role.as_str() == name);
        let roles = match who {
            "anyone" => None,
            names => Some(names.split(',').map(role).collect::<Option<Vec<_>>>().context(line)?),
        };
        let call = calls.entry((method, path)).or_insert(Call { who: Some(Vec::new()), when });
        match (&mut call.who, roles) {
            (Some(known), Some(more)) => known.extend(more),
            (known, None) => *known = None,
            (None, Some(_)) => {}
        }
    }
    Ok(calls)
}

/// Everybody that can connect, and nobody.
const CALLERS: [Option<Role>; 7] = [
    None,
    Some(Role::Meter),
    Some(Role::Dno),
    Some(Role::Supplier),
    Some(Role::Dsm),
    Some(Role::Registrar),
    Some(Role::Operator),
];

/// What the role decides, before anything else about the call does.
fn verdict(call: &Call, caller: Option<Role>, state: &str) -> Option<ProblemType> {
    match (&call.who, caller) {
        (Some(_), None) => Some(ProblemType::Unauthenticated),
        (Some(who), Some(role)) if !who.contains(&role) => Some(ProblemType::WrongRole),
        _ if !state_serves(call.when, state) => Some(ProblemType::NotServing),
        _ => None,
    }
}

/// Whether a box in this state makes the call.
fn state_serves(when: &str, state: &str) -> bool {
    match when {
        "any" => true,
        "timed" => state == "serving",
        when => when == state,
    }
}

/// What is neither a role's nor a state's refusal: the call itself was reached.
fn reached(answer: &Response) -> bool {
    // `{}` is no request of any call, there is no event `x1`, and no enrolment was begun.
    let own = [ProblemType::Malformed, ProblemType::NotFound, ProblemType::Conflict];
    let said = serde_json::from_slice::<Problem>(&answer.body);
    answer.status == 200 || said.is_ok_and(|problem| own.contains(&problem.kind))
}

async fn go_through(address: &str, domain: &TestDomain, state: &str) -> Result<(u32, u32)> {
    let calls = calls()?;
    let (mut let_in, mut refused) = (0, 0);
    for caller in CALLERS {
        let credential = caller.map(|role| domain.credential(role, "one")).transpose()?;
        let identity = credential.map(|path| ClientIdentity::load(&path)).transpose()?;
        let mut open = AnyKeyConnection::open(address, identity.as_ref()).await?;
        for ((method, path), call) in &calls {
            // As long as a bid must be.
            let body = ["POST", "PUT"].contains(method).then(|| format!("{:<256}", "{}").into());
            let method = Method::from_bytes(method.as_bytes())?;
            let answer = open.request(method, &path.replace("{}", "x1"), body).await?;
            let at = format!("{caller:?} {path} in state {state}: {}", answer.status);
            match verdict(call, caller, state) {
                Some(expected) => {
                    let problem: Problem = serde_json::from_slice(&answer.body)?;
                    assert_eq!(problem.kind, expected, "{at}: {}", problem.detail);
                    refused = u32::saturating_add(refused, 1);
                }
                None => {
                    // A new box answers some calls for anyone with "not enrolled".
                    let not_yet = state == "new" && call.who.is_none() && answer.status == 503;
                    let body = String::from_utf8_lossy(&answer.body);
                    assert!(reached(&answer) || not_yet, "{at}: {body}");
                    let_in = u32::saturating_add(let_in, 1);
                }
            }
        }
    }
    Ok((let_in, refused))
}

#[tokio::test]
async fn every_role_reaches_its_own_calls_and_no_other() -> Result<()> {
    let (let_in, refused) = go_through(&shared().address, &shared().domain, "serving").await?;
    println!("{let_in} calls let in, {refused} refused");
    assert!(let_in > 50 && refused > 150, "{let_in} and {refused}");
    Ok(())
}

#[tokio::test]
async fn a_new_box_is_enrolled_by_an_operator_and_does_nothing_else() -> Result<()> {
    let domain = TestDomain::make("demo", |_| {})?;
    let hosted = HostedMachine::make(&domain, "box")?.start()?;
    let (let_in, refused) = go_through(&hosted.address().to_string(), &domain, "new").await?;
    println!("{let_in} calls let in, {refused} refused");
    assert!(let_in > 25 && refused > 170, "{let_in} and {refused}");
    Ok(())
}
