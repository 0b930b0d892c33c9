//! One bad request each.

use attest_verifier::{AnyKeyConnection, ClientIdentity, Method};
use tre_tests::domain::TestDomain;
use tre_wire::bounds;
use tre_wire::message::meter::{Readings, Receipts};
use tre_wire::problem::ProblemType;
use tre_wire::role::Role;

use crate::fixture::shared;

const READINGS: &str = "/v1/readings";
const POINT: &str = "/v1/connections/p1";

/// A record that would be accepted, but for what a test adds.
fn record(more: &str) -> String {
    format!(
        r#"{{"account":"a1","meter":"m1","supplier":"s1","tariff":"t1","capacity_w":9000,
        "from_slot":9000000000{more},"to_slot":null}}"#
    )
}

#[tokio::test]
async fn a_body_that_is_no_json_is_malformed() {
    let (role, kind) = (Some(Role::Registrar), ProblemType::Malformed);
    shared().refuses(role, Method::PUT, POINT, Some("{"), kind).await;
}

#[tokio::test]
async fn an_unknown_field_is_malformed() {
    let body = record(r#","colour":"red""#);
    let (role, kind) = (Some(Role::Registrar), ProblemType::Malformed);
    shared().refuses(role, Method::PUT, POINT, Some(&body), kind).await;
}

#[tokio::test]
async fn a_field_twice_is_malformed() {
    let body = record(r#","account":"a2""#);
    let (role, kind) = (Some(Role::Registrar), ProblemType::Malformed);
    shared().refuses(role, Method::PUT, POINT, Some(&body), kind).await;
}

#[tokio::test]
async fn a_field_left_out_is_malformed() {
    let body = record("").replace(r#","to_slot":null"#, "");
    let (role, kind) = (Some(Role::Registrar), ProblemType::Malformed);
    shared().refuses(role, Method::PUT, POINT, Some(&body), kind).await;
}

#[tokio::test]
async fn a_number_out_of_range_is_malformed() {
    let body = record("").replace("9000,", "0,");
    let (role, kind) = (Some(Role::Registrar), ProblemType::Malformed);
    shared().refuses(role, Method::PUT, POINT, Some(&body), kind).await;
}

#[tokio::test]
async fn nesting_beyond_the_bound_is_malformed() {
    let body = "[".repeat(bounds::JSON_DEPTH.saturating_add(1));
    let (role, kind) = (Some(Role::Meter), ProblemType::Malformed);
    shared().refuses(role, Method::POST, READINGS, Some(&body), kind).await;
}

#[tokio::test]
async fn a_body_larger_than_its_role_may_send_is_too_large() {
    let body = " ".repeat(33 * 1024);
    let kind = ProblemType::TooLarge;
    shared().refuses(Some(Role::Meter), Method::POST, READINGS, Some(&body), kind).await;
    let body = " ".repeat(bounds::BODY_BYTES.saturating_add(1));
    shared().refuses(Some(Role::Registrar), Method::PUT, POINT, Some(&body), kind).await;
    let body = " ".repeat(2049);
    shared().refuses(None, Method::POST, "/v1/attestation", Some(&body), kind).await;
}

#[tokio::test]
async fn a_call_without_a_certificate_is_unauthenticated() {
    let kind = ProblemType::Unauthenticated;
    shared().refuses(None, Method::PUT, POINT, Some(&record("")[..]), kind).await;
    shared().refuses(None, Method::GET, "/v1/aggregates", None, kind).await;
}

#[tokio::test]
async fn every_other_role_is_refused_a_call() {
    for role in [Role::Meter, Role::Dno, Role::Supplier, Role::Dsm, Role::Operator] {
        let (body, kind) = (record(""), ProblemType::WrongRole);
        shared().refuses(Some(role), Method::PUT, POINT, Some(&body), kind).await;
    }
}

#[tokio::test]
async fn a_path_that_is_not_there_is_not_found() {
    shared().refuses(None, Method::GET, "/v9/health", None, ProblemType::NotFound).await;
}

#[tokio::test]
async fn a_path_with_another_method_says_so() {
    let kind = ProblemType::MethodNotAllowed;
    shared().refuses(None, Method::DELETE, "/v1/health", None, kind).await;
}

#[tokio::test]
async fn percent_encoding_and_unknown_parameters_are_bad_requests() {
    let kind = ProblemType::BadRequest;
    shared().refuses(None, Method::GET, "/v1/he%61lth", None, kind).await;
    shared().refuses(None, Method::GET, "/v1/health?deep=1", None, kind).await;
}

#[tokio::test]
async fn an_odd_identifier_in_a_path_is_a_bad_request() {
    let (body, kind) = (record(""), ProblemType::BadRequest);
    let (role, path) = (Some(Role::Registrar), "/v1/connections/P1");
    shared().refuses(role, Method::PUT, path, Some(&body), kind).await;
}

#[tokio::test]
async fn a_bid_of_another_length_than_all_others_is_a_bad_request() {
    let (role, kind) = (Some(Role::Meter), ProblemType::BadRequest);
    let bid = r#"{"event":"peak","bid":null}"#;
    shared().refuses(role, Method::POST, "/v1/bids", Some(bid), kind).await;
    let longer = format!("{bid:<width$}", width = bounds::BID_BYTES.saturating_add(1));
    shared().refuses(role, Method::POST, "/v1/bids", Some(&longer), kind).await;
    // Of the right length it is read: there is no such connection.
    let padded = format!("{bid:<width$}", width = bounds::BID_BYTES);
    let kind = ProblemType::NotFound;
    shared().refuses(role, Method::POST, "/v1/bids", Some(&padded), kind).await;
}

#[tokio::test]
async fn readings_of_another_length_than_all_others_are_a_bad_request() {
    let (role, kind) = (Some(Role::Meter), ProblemType::BadRequest);
    let row = r#"{"slot":9000000000,"import_wh":7,"export_wh":0,"seq":1}"#;
    for count in [1, 2] {
        let batch = format!(r#"{{"readings":[{}]}}"#, vec![row; count].join(","));
        let length = Readings::bytes(count);
        // As they were sent before there was one length.
        shared().refuses(role, Method::POST, READINGS, Some(&batch), kind).await;
        for other in [length.saturating_sub(1), length.saturating_add(1), Readings::bytes(3)] {
            let body = format!("{batch:<other$}");
            shared().refuses(role, Method::POST, READINGS, Some(&body), kind).await;
        }
        let body = format!("{batch:<length$}");
        let answer = shared().ask(role, Method::POST, READINGS, Some(&body)).await;
        assert_eq!((answer.status, answer.body.len()), (200, Receipts::bytes(count)));
    }
}

#[tokio::test]
async fn an_enrolled_box_is_not_enrolled_again() {
    let (body, kind) = (r#"{"tre_id":"tre-2"}"#, ProblemType::NotServing);
    let (role, path) = (Some(Role::Operator), "/v1/enrolment/begin");
    shared().refuses(role, Method::POST, path, Some(body), kind).await;
}

#[tokio::test]
async fn a_certificate_of_another_domain_gets_no_answer() {
    let stranger = TestDomain::make("demo", |_| {}).expect("a domain");
    let credential = stranger.credential(Role::Registrar, "one").expect("a credential");
    let identity = ClientIdentity::load(&credential).expect("readable");
    // TLS 1.3: the server refuses after the client thinks that it is done.
    let connection = AnyKeyConnection::open(&shared().address, Some(&identity)).await;
    if let Ok(mut open) = connection {
        let answer = open.request(Method::GET, "/v1/connections", None).await;
        assert!(answer.is_err(), "found {answer:?}");
    }
}
