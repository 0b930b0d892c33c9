//! The requests, and the deployment file.

use tre_wire::attestation::AttestationRequest;
use tre_wire::bounds::BODY_BYTES;
use tre_wire::deployment::{self, Deployment};
use tre_wire::json;
use tre_wire::message::dno::PutGroup;
use tre_wire::message::dsm::{Decision, OpenEvent};
use tre_wire::message::enrolment::{
    ActivateCredential, BeginEnrolment, CompleteEnrolment, RenewCertificates,
};
use tre_wire::message::meter::{BidRequest, Readings};
use tre_wire::message::registrar::ConnectionRecord;
use tre_wire::message::supplier::{EndPeriod, PostPrices};
use tre_wire::revocation::PutRevocations;
use tre_wire::time::{PutTime, TimeToken};

use crate::case::Leaf::{Absent, Hex, Hex32, Id, Integer, MaybeInteger, Text, Word};
use crate::case::{Case, Leaf, Unknown, recode};

/// Largest integer that JSON carries exactly everywhere: 2^53 - 1.
pub(crate) const EXACT: i128 = 9_007_199_254_740_991;
pub(crate) const ID: Leaf = Id(48);
pub(crate) const SLOT: Leaf = Integer(0, EXACT);
pub(crate) const TIME: Leaf = Integer(0, EXACT);
pub(crate) const ENERGY: Leaf = Integer(0, 1_000_000_000);
pub(crate) const PRICE: Leaf = Integer(-1_000_000_000_000, 1_000_000_000_000);
pub(crate) const WATTS: Leaf = Integer(1, 1_000_000_000);
pub(crate) const COUNTER: Leaf = Integer(0, 0xffff_ffff_ffff_ffff);
pub(crate) const DIRECTION: Leaf = Word(&["reduce", "increase"]);

/// One case; the golden file has the name of the message.
macro_rules! case {
    ($name:literal, $recode:expr, $longest:expr, $unknown:expr, $leaves:expr) => {
        Case {
            name: $name,
            golden: include_str!(concat!("../../../../tests/vectors/v1/messages/", $name, ".json")),
            recode: $recode,
            longest: $longest,
            unknown: $unknown,
            leaves: $leaves,
        }
    };
}
pub(crate) use case;

macro_rules! request {
    ($name:literal, $message:ty, $leaves:expr) => {
        case!($name, recode::<$message>, BODY_BYTES, Unknown::Refused, $leaves)
    };
}

/// Every request body of the interface, and the file that a TRE reads before it serves.
pub(crate) const REQUESTS: &[Case] = &[
    request!("attestation-request", AttestationRequest, &[("/nonce", Hex32)]),
    request!("put-group", PutGroup, &[("/members/*", ID)]),
    request!(
        "open-event",
        OpenEvent,
        &[
            ("/event", ID),
            ("/terms/direction", DIRECTION),
            ("/terms/from_slot", SLOT),
            ("/terms/to_slot", SLOT),
            ("/terms/deadline", TIME),
        ]
    ),
    request!("decision", Decision, &[("/accepted/*", Hex32)]),
    request!("begin-enrolment", BeginEnrolment, &[("/tre_id", ID)]),
    request!(
        "activate-credential",
        ActivateCredential,
        &[("/id_object", Hex), ("/encrypted_secret", Hex),]
    ),
    request!(
        "complete-enrolment",
        CompleteEnrolment,
        &[
            ("/attestation_key_chain/*", Hex),
            ("/tls_chain/*", Hex),
            ("/document_chain/*", Hex),
            ("/record_signature", Hex),
        ]
    ),
    request!(
        "readings",
        Readings,
        &[
            ("/readings/*/slot", SLOT),
            ("/readings/*/import_wh", ENERGY),
            ("/readings/*/export_wh", ENERGY),
            ("/readings/*/seq", COUNTER),
        ]
    ),
    request!(
        "bid-request",
        BidRequest,
        &[("/event", ID), ("/bid/quantity_wh", ENERGY), ("/bid/price", PRICE),]
    ),
    request!("bid-request-none", BidRequest, &[("/event", ID), ("/bid", Absent)]),
    request!("connection-record", ConnectionRecord, RECORD),
    request!("connection-record-open", ConnectionRecord, RECORD),
    request!(
        "post-prices",
        PostPrices,
        &[("/tariff", ID), ("/from_slot", SLOT), ("/prices/*", PRICE),]
    ),
    request!("end-period", EndPeriod, &[("/tariff", ID), ("/end_slot", SLOT)]),
    request!(
        "renew-certificates",
        RenewCertificates,
        &[("/attestation_key_chain/*", Hex), ("/tls_chain/*", Hex), ("/document_chain/*", Hex),]
    ),
    case!(
        "put-revocations",
        recode::<PutRevocations>,
        BODY_BYTES,
        Unknown::Refused,
        &[("/list", Text), ("/signature", Text)]
    ),
    request!("put-time", PutTime, &[("/token", Text), ("/signature", Text)]),
    case!(
        "time-token",
        recode_token,
        tre_wire::time::TOKEN_BYTES,
        Unknown::Refused,
        &[
            ("/format", Integer(1, 1)),
            ("/trust_domain", Id(253)),
            ("/tre_id", ID),
            ("/nonce", Hex32),
            ("/value", TIME),
        ]
    ),
    case!(
        "deployment",
        recode_deployment,
        deployment::MAX_BYTES,
        Unknown::Refused,
        &[
            ("/format", Integer(2, 2)),
            ("/trust_domain", Id(253)),
            ("/tre_authorities/*", Hex),
            ("/grid_authorities/*", Hex),
            ("/status_key", Hex),
            ("/policy/format", Integer(4, 4)),
            ("/policy/name", Text),
            ("/policy/slot_ms", Integer(100, 86_400_000)),
            ("/policy/grace_ms", Integer(0, 86_400_000)),
            ("/policy/lateness_slots", Integer(0, 10_000)),
            ("/policy/monitoring/clip_wh", Integer(1, 1_000_000)),
            ("/policy/monitoring/minimum_group", Integer(2, 4_096)),
            ("/policy/monitoring/dominance_millionths", Integer(1, 1_000_000)),
            ("/policy/monitoring/window_slots", Integer(1, 672)),
            ("/policy/monitoring/slot/epsilon_millionths", Integer(1_000, 1_000_000)),
            ("/policy/monitoring/slot/window_millionths", Integer(1_000_000, 100_000_000)),
            ("/policy/monitoring/day/epsilon_millionths", Integer(1_000, 500_000)),
            ("/policy/monitoring/day/window_millionths", Integer(500_000, 100_000_000)),
            ("/policy/monitoring/week/epsilon_millionths", Integer(1_000, 500_000)),
            ("/policy/monitoring/week/window_millionths", Integer(500_000, 100_000_000)),
            ("/policy/billing/minimum_period_slots", Integer(2_688, 1_000_000)),
            ("/policy/billing/minor_unit_nano", Integer(1, 1_000_000_000)),
            ("/policy/billing/over_capacity", Word(&["billed_as_read", "left_out"])),
            ("/policy/billing/price_floor", Integer(-1_000_000_000_000, 1_000_000)),
            ("/policy/billing/price_ceiling", Integer(1_000_000, 1_000_000_000_000)),
            ("/policy/billing/levels_most", Integer(1, 64)),
            ("/policy/billing/min_slots_per_level", Integer(1, 2_688)),
            ("/policy/billing/minimum_tariff", Integer(1, 1_000_000)),
            ("/policy/demand_response/quantity_step_wh", Integer(1, 1_000_000_000)),
            ("/policy/demand_response/price_step", Integer(1, 1_000_000_000_000)),
            ("/policy/demand_response/price_most", Integer(1, 1_000_000_000_000)),
            ("/policy/demand_response/event_slots_most", Integer(1, 10_000)),
            ("/policy/demand_response/baseline_slots", Integer(1, 16)),
            ("/policy/demand_response/tolerance_millionths", Integer(0, 1_000_000)),
            ("/policy/demand_response/penalty_millionths", Integer(0, 2_000_000)),
        ]
    ),
];

const RECORD: &[(&str, Leaf)] = &[
    ("/account", ID),
    ("/meter", ID),
    ("/supplier", ID),
    ("/tariff", ID),
    ("/capacity_w", WATTS),
    ("/from_slot", SLOT),
    ("/to_slot", MaybeInteger(0, EXACT)),
];

/// A token is read with its own bound, and only in its own format.
fn recode_token(file: &[u8]) -> Result<Vec<u8>, String> {
    let token = TimeToken::from_json(file).map_err(|error| error.to_string())?;
    let bytes = json::encode(&token).expect("a token encodes");
    let again = TimeToken::from_json(&bytes).expect("what was encoded decodes");
    assert_eq!(again, token, "encoded as {}", String::from_utf8_lossy(&bytes));
    Ok(bytes)
}

/// The deployment is read with its own bound, and its policy is checked.
fn recode_deployment(file: &[u8]) -> Result<Vec<u8>, String> {
    let deployment = Deployment::from_json(file).map_err(|error| error.to_string())?;
    let bytes = json::encode(&deployment).expect("a deployment encodes");
    let again = Deployment::from_json(&bytes).expect("what was encoded decodes");
    assert_eq!(again, deployment, "encoded as {}", String::from_utf8_lossy(&bytes));
    Ok(bytes)
}
