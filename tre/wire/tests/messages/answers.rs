//! The answers, and the object that every refusal is.

use tre_wire::attestation::Evidence;
use tre_wire::bounds::BODY_BYTES;
use tre_wire::message::Signed;
use tre_wire::message::dno::{Aggregates, Groups};
use tre_wire::message::dsm::{EventOutcome, PseudoBids};
use tre_wire::message::enrolment::{ActivatedCredential, EnrolmentDone, EnrolmentKeys};
use tre_wire::message::kept::Kept;
use tre_wire::message::meter::{Account, Events, MeterPrices, Outcomes, Receipts};
use tre_wire::message::operator::{Alerts, Metrics};
use tre_wire::message::registrar::Connections;
use tre_wire::message::supplier::Bills;
use tre_wire::message::{Certificates, Done, Health};
use tre_wire::policy::Policy;
use tre_wire::problem::Problem;
use tre_wire::time::TimeChallenge;

use crate::case::Leaf::{Flag, Hex, Hex32, Id, Integer, MaybeInteger, MaybeWord, Text, Word};
use crate::case::{Case, Leaf, Unknown, recode};
use crate::names::PROBLEMS;
use crate::requests::{COUNTER, DIRECTION, ENERGY, EXACT, ID, PRICE, SLOT, TIME, WATTS, case};

const COUNT: Leaf = Integer(0, 0xffff_ffff);
const STATE: Leaf = Word(&["new", "serving", "locked"]);
const EVENT_STATE: Leaf = Word(&["open", "closed", "decided", "lapsed", "cancelled"]);
const MILLI: Leaf = Integer(0, EXACT);

macro_rules! answer {
    ($name:literal, $message:ty, $leaves:expr) => {
        case!($name, recode::<$message>, BODY_BYTES, Unknown::Ignored, $leaves)
    };
}

macro_rules! signed {
    ($name:literal, $message:ty, $leaves:expr) => {
        case!($name, recode::<$message>, BODY_BYTES, Unknown::Refused, $leaves)
    };
}

/// Every answer body of the interface.
pub(crate) const ANSWERS: &[Case] = &[
    signed!(
        "evidence",
        Evidence,
        &[
            ("/format", COUNT),
            ("/state", STATE),
            ("/tre_id", Text),
            ("/state_epoch", COUNTER),
            ("/time", TIME),
            ("/attest", Hex),
            ("/signature", Hex),
            ("/attestation_key", Hex),
            ("/attestation_key_chain/*", Hex),
            ("/pcrs/*", Hex32),
            ("/event_log", Hex),
            ("/path/index", COUNT),
            ("/path/count", COUNT),
            ("/path/siblings/*", Hex32),
        ]
    ),
    answer!(
        "enrolment-keys",
        EnrolmentKeys,
        &[
            ("/endorsement_certificates/*", Hex),
            ("/endorsement_key", Hex),
            ("/attestation_key", Hex),
            ("/storage_key", Hex),
            ("/tls/spki", Hex),
            ("/tls/proof", Hex),
            ("/document/spki", Hex),
            ("/document/proof", Hex),
        ]
    ),
    answer!("activated-credential", ActivatedCredential, &[("/secret", Hex)]),
    answer!("enrolment-done", EnrolmentDone, &[("/state", STATE)]),
    signed!(
        "receipts",
        Receipts,
        &[
            ("/receipts/*/slot", SLOT),
            ("/receipts/*/import_wh", ENERGY),
            ("/receipts/*/export_wh", ENERGY),
            ("/receipts/*/seq", COUNTER),
            ("/receipts/*/status", RECEIPT_STATUS),
            ("/signature", Hex),
        ]
    ),
    signed!("meter-prices", Signed<MeterPrices>, PRICES),
    answer!(
        "events",
        Events,
        &[
            ("/events/*/event", ID),
            ("/events/*/terms/direction", DIRECTION),
            ("/events/*/terms/from_slot", SLOT),
            ("/events/*/terms/to_slot", SLOT),
            ("/events/*/terms/deadline", TIME),
            ("/events/*/state", EVENT_STATE),
        ]
    ),
    answer!(
        "outcomes",
        Outcomes,
        &[
            ("/outcomes/*/event", ID),
            ("/outcomes/*/outcome", Word(&["pending", "accepted", "rejected", "no_bid"])),
        ]
    ),
    answer!(
        "account",
        Account,
        &[
            ("/period_from", SLOT),
            ("/running_nano", Text),
            ("/over_capacity", COUNTER),
            ("/time", TIME),
            ("/record/account", ID),
            ("/record/meter", ID),
            ("/record/supplier", ID),
            ("/record/tariff", ID),
            ("/record/capacity_w", WATTS),
            ("/record/from_slot", SLOT),
            ("/record/to_slot", MaybeInteger(0, EXACT)),
            ("/readings/*/slot", SLOT),
            ("/readings/*/import_wh", ENERGY),
            ("/readings/*/export_wh", ENERGY),
            ("/readings/*/seq", COUNTER),
            ("/missing/*", SLOT),
            ("/groups/*/dno", ID),
            ("/groups/*/group", ID),
            ("/groups/*/from_slot", SLOT),
            ("/budget/*/span", Word(&["slot", "day", "week"])),
            ("/budget/*/window_millionths", Integer(1, 100_000_000)),
            ("/budget/*/left_millionths", Integer(0, 100_000_000)),
            ("/events/*/event", ID),
            ("/events/*/bid/quantity_wh", ENERGY),
            ("/events/*/bid/price", PRICE),
            ("/events/*/outcome", Word(&["pending", "accepted", "rejected", "no_bid"])),
            ("/events/*/delivery", Word(&["none", "pending", "delivered", "short", "not_judged"])),
            ("/bills", COUNT),
        ]
    ),
    answer!(
        "groups",
        Groups,
        &[("/groups/*/group", ID), ("/groups/*/members", COUNT), ("/groups/*/from_slot", SLOT),]
    ),
    signed!("aggregates", Signed<Aggregates>, AGGREGATES),
    signed!("pseudo-bids", Signed<PseudoBids>, PSEUDO_BIDS),
    answer!(
        "event-outcome",
        EventOutcome,
        &[("/state", EVENT_STATE), ("/pseudo_bids", COUNT), ("/accepted", COUNT),]
    ),
    answer!("connections", Connections, CONNECTIONS),
    signed!("bills", Bills, BILLS),
    answer!("alerts", Alerts, &[("/days/*/from_slot", SLOT), ("/days/*/over_capacity", COUNTER),]),
    answer!(
        "metrics",
        Metrics,
        &[
            ("/connections", COUNTER),
            ("/connections_refused", COUNTER),
            ("/handshakes_failed", COUNTER),
            ("/connections_broken", COUNTER),
            ("/requests", COUNTER),
            ("/problems", COUNTER),
            ("/quotes", COUNTER),
        ]
    ),
    answer!(
        "health",
        Health,
        &[
            ("/state", STATE),
            ("/reason", Text),
            ("/durable", Flag),
            ("/version", Text),
            ("/tre_id", Text),
            ("/time", TIME),
            ("/slot", SLOT),
            ("/revocations", Integer(0, 0xffff_ffff)),
        ]
    ),
    answer!(
        "time-challenge",
        TimeChallenge,
        &[("/trust_domain", Id(253)), ("/tre_id", ID), ("/nonce", Hex32), ("/time", TIME),]
    ),
    answer!("certificates", Certificates, &[("/document_chain/*", Hex)]),
    answer!("done", Done, &[]),
    answer!(
        "problem",
        Problem,
        &[("/type", Word(PROBLEMS)), ("/status", Integer(0, 65_535)), ("/detail", Text),]
    ),
    signed!("policy", Policy, POLICY),
    signed!("kept", Kept, KEPT),
];

const RECEIPT_STATUS: Leaf = Word(&[
    "accepted",
    "replaced",
    "repeated",
    "accepted_late",
    "over_capacity",
    "closed",
    "not_yet",
    "no_connection",
    "stale_sequence",
]);

const BILLS: &[(&str, Leaf)] = &[
    ("/bills/*/document/account", ID),
    ("/bills/*/document/supplier", ID),
    ("/bills/*/document/tariff", ID),
    ("/bills/*/document/from_slot", SLOT),
    ("/bills/*/document/to_slot", SLOT),
    ("/bills/*/document/total_minor", Integer(-EXACT, EXACT)),
    ("/bills/*/document/basis", Word(&["slots", "mean"])),
    ("/bills/*/document/price_series", Hex32),
    ("/bills/*/document/policy", Hex32),
    ("/bills/*/signature", Hex),
];

const WITHHELD: &[&str] = &["too_few_members", "dominance", "not_metered", "budget_spent"];

const KEPT: &[(&str, Leaf)] = &[
    ("/format", Integer(1, 1)),
    ("/tre", ID),
    ("/document_chain/*", Hex),
    ("/content/bill/document/account", ID),
    ("/content/bill/document/supplier", ID),
    ("/content/bill/document/tariff", ID),
    ("/content/bill/document/from_slot", SLOT),
    ("/content/bill/document/to_slot", SLOT),
    ("/content/bill/document/total_minor", Integer(-EXACT, EXACT)),
    ("/content/bill/document/basis", Word(&["slots", "mean"])),
    ("/content/bill/document/price_series", Hex32),
    ("/content/bill/document/policy", Hex32),
    ("/content/bill/signature", Hex),
];

const PRICES: &[(&str, Leaf)] = &[
    ("/document/supplier", ID),
    ("/document/tariff", ID),
    ("/document/prices/*/slot", SLOT),
    ("/document/prices/*/price", PRICE),
    ("/signature", Hex),
];

const PSEUDO_BIDS: &[(&str, Leaf)] = &[
    ("/document/pseudo_bids/*/id", Hex32),
    ("/document/pseudo_bids/*/bid/quantity_wh", ENERGY),
    ("/document/pseudo_bids/*/bid/price", PRICE),
    ("/signature", Hex),
];

const AGGREGATES: &[(&str, Leaf)] = &[
    ("/signature", Hex),
    ("/document/aggregates/*/group", ID),
    ("/document/aggregates/*/span", Word(&["slot", "day", "week"])),
    ("/document/aggregates/*/slot", SLOT),
    ("/document/aggregates/*/slots", COUNT),
    ("/document/aggregates/*/members", COUNT),
    ("/document/aggregates/*/released_wh", MaybeInteger(-EXACT, EXACT)),
    ("/document/aggregates/*/withheld", MaybeWord(WITHHELD)),
    ("/document/aggregates/*/lambda_milli_wh", MILLI),
    ("/document/aggregates/*/mean_error_milli_wh", MILLI),
    ("/document/aggregates/*/standard_deviation_milli_wh", MILLI),
    ("/document/aggregates/*/epsilon_millionths", Integer(0, 100_000_000)),
    ("/document/aggregates/*/epsilon_left_millionths", Integer(0, 100_000_000)),
];

const CONNECTIONS: &[(&str, Leaf)] = &[
    ("/connections/*/point", ID),
    ("/connections/*/record/account", ID),
    ("/connections/*/record/meter", ID),
    ("/connections/*/record/supplier", ID),
    ("/connections/*/record/tariff", ID),
    ("/connections/*/record/capacity_w", WATTS),
    ("/connections/*/record/from_slot", SLOT),
    ("/connections/*/record/to_slot", MaybeInteger(0, EXACT)),
];

/// What the types refuse by themselves; the deployment's case has what `Policy::check` adds.
const POLICY: &[(&str, Leaf)] = &[
    ("/format", Integer(4, 4)),
    ("/name", Text),
    ("/slot_ms", COUNTER),
    ("/grace_ms", COUNTER),
    ("/lateness_slots", COUNTER),
    ("/monitoring/clip_wh", ENERGY),
    ("/monitoring/minimum_group", COUNT),
    ("/monitoring/dominance_millionths", Integer(1, 1_000_000)),
    ("/monitoring/window_slots", COUNTER),
    ("/monitoring/slot/epsilon_millionths", Integer(1, 100_000_000)),
    ("/monitoring/slot/window_millionths", Integer(1, 100_000_000)),
    ("/monitoring/day/epsilon_millionths", Integer(1, 100_000_000)),
    ("/monitoring/day/window_millionths", Integer(1, 100_000_000)),
    ("/monitoring/week/epsilon_millionths", Integer(1, 100_000_000)),
    ("/monitoring/week/window_millionths", Integer(1, 100_000_000)),
    ("/billing/minimum_period_slots", COUNTER),
    ("/billing/minor_unit_nano", Integer(1, 1_000_000_000)),
    ("/billing/over_capacity", Word(&["billed_as_read", "left_out"])),
    ("/billing/price_floor", PRICE),
    ("/billing/price_ceiling", PRICE),
    ("/billing/levels_most", COUNT),
    ("/billing/min_slots_per_level", COUNTER),
    ("/billing/minimum_tariff", COUNT),
    ("/demand_response/quantity_step_wh", ENERGY),
    ("/demand_response/price_step", PRICE),
    ("/demand_response/price_most", PRICE),
    ("/demand_response/event_slots_most", COUNTER),
    ("/demand_response/baseline_slots", COUNTER),
    ("/demand_response/tolerance_millionths", COUNTER),
    ("/demand_response/penalty_millionths", COUNTER),
];
