//! The answers, and the object that every refusal is.

use tre_wire::attestation::Evidence;
use tre_wire::bounds::BODY_BYTES;
use tre_wire::message::dno::{Aggregates, Groups};
use tre_wire::message::dsm::{EventOutcome, PseudoBids};
use tre_wire::message::enrolment::{ActivatedCredential, EnrolmentDone, EnrolmentKeys};
use tre_wire::message::meter::{Account, Events, MeterPrices, Outcomes, Receipts};
use tre_wire::message::operator::{Alerts, Metrics};
use tre_wire::message::registrar::Connections;
use tre_wire::message::supplier::Bills;
use tre_wire::message::{Certificates, Done, Health};
use tre_wire::policy::Policy;
use tre_wire::problem::Problem;

use crate::case::Leaf::{Flag, Hex, Hex32, Integer, MaybeInteger, MaybeWord, Text, Word};
use crate::case::{Case, Leaf, Unknown, recode};
use crate::names::PROBLEMS;
use crate::requests::{COUNTER, DIRECTION, ENERGY, EXACT, ID, PRICE, SLOT, TIME, WATTS, case};

const COUNT: Leaf = Integer(0, 0xffff_ffff);
const STATE: Leaf = Word(&["new", "serving", "locked"]);
const EVENT_STATE: Leaf = Word(&["open", "closed", "decided", "lapsed"]);
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
    answer!(
        "meter-prices",
        MeterPrices,
        &[("/tariff", ID), ("/prices/*/slot", SLOT), ("/prices/*/price", PRICE),]
    ),
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
        ]
    ),
    answer!(
        "groups",
        Groups,
        &[("/groups/*/group", ID), ("/groups/*/members", COUNT), ("/groups/*/from_slot", SLOT),]
    ),
    answer!("aggregates", Aggregates, AGGREGATES),
    answer!(
        "pseudo-bids",
        PseudoBids,
        &[
            ("/pseudo_bids/*/id", Hex32),
            ("/pseudo_bids/*/bid/quantity_wh", ENERGY),
            ("/pseudo_bids/*/bid/price", PRICE),
        ]
    ),
    answer!(
        "event-outcome",
        EventOutcome,
        &[("/state", EVENT_STATE), ("/pseudo_bids", COUNT), ("/accepted", COUNT),]
    ),
    answer!("connections", Connections, CONNECTIONS),
    answer!(
        "bills",
        Bills,
        &[
            ("/bills/*/account", ID),
            ("/bills/*/tariff", ID),
            ("/bills/*/from_slot", SLOT),
            ("/bills/*/to_slot", SLOT),
            ("/bills/*/total_minor", Integer(-EXACT, EXACT)),
        ]
    ),
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
        ]
    ),
    answer!("certificates", Certificates, &[("/document_chain/*", Hex)]),
    answer!("done", Done, &[]),
    answer!(
        "problem",
        Problem,
        &[("/type", Word(PROBLEMS)), ("/status", Integer(0, 65_535)), ("/detail", Text),]
    ),
    signed!("policy", Policy, POLICY),
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

const WITHHELD: &[&str] = &["too_few_members", "dominance", "not_metered", "budget_spent"];

const AGGREGATES: &[(&str, Leaf)] = &[
    ("/aggregates/*/group", ID),
    ("/aggregates/*/span", Word(&["slot", "day", "week"])),
    ("/aggregates/*/slot", SLOT),
    ("/aggregates/*/slots", COUNT),
    ("/aggregates/*/members", COUNT),
    ("/aggregates/*/released_wh", MaybeInteger(-EXACT, EXACT)),
    ("/aggregates/*/withheld", MaybeWord(WITHHELD)),
    ("/aggregates/*/lambda_milli_wh", MILLI),
    ("/aggregates/*/mean_error_milli_wh", MILLI),
    ("/aggregates/*/standard_deviation_milli_wh", MILLI),
    ("/aggregates/*/epsilon_millionths", Integer(0, 100_000_000)),
    ("/aggregates/*/epsilon_left_millionths", Integer(0, 100_000_000)),
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
    ("/format", Integer(2, 2)),
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
    ("/demand_response/quantity_step_wh", ENERGY),
    ("/demand_response/price_step", PRICE),
    ("/demand_response/price_most", PRICE),
    ("/demand_response/event_slots_most", COUNTER),
];
