//! What comes from a TRE, and what an authority signs for one.

use core::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tre_wire::denylist::DenyList;
use tre_wire::json;
use tre_wire::message::dno::{Aggregates, Groups};
use tre_wire::message::dsm::{EventOutcome, PseudoBids};
use tre_wire::message::enrolment::{ActivatedCredential, EnrolmentDone, EnrolmentKeys};
use tre_wire::message::kept::Kept;
use tre_wire::message::meter::{Account, Events, MeterPrices, Outcomes, Receipts};
use tre_wire::message::operator::{Alerts, Metrics};
use tre_wire::message::registrar::Connections;
use tre_wire::message::supplier::Bills;
use tre_wire::message::{Certificates, Done, Health, Signed};
use tre_wire::problem::Problem;
use tre_wire::revocation::RevocationList;
use tre_wire::time::{TimeChallenge, TimeToken};

use crate::messages::stays_itself;

/// Every answer of the interface but evidence, and the file in which somebody keeps a signed one.
#[must_use]
pub fn answer(bytes: &[u8]) -> bool {
    let decoders: [fn(&[u8]) -> bool; 22] = [
        one::<Account>,
        one::<ActivatedCredential>,
        one::<Alerts>,
        one::<Bills>,
        one::<Certificates>,
        one::<Connections>,
        one::<Done>,
        one::<EnrolmentDone>,
        one::<EnrolmentKeys>,
        one::<EventOutcome>,
        one::<Events>,
        one::<Groups>,
        one::<Health>,
        one::<Kept>,
        one::<Metrics>,
        one::<Outcomes>,
        one::<Problem>,
        one::<Receipts>,
        one::<Signed<Aggregates>>,
        one::<Signed<MeterPrices>>,
        one::<Signed<PseudoBids>>,
        one::<TimeChallenge>,
    ];
    decoders.iter().filter(|decode| decode(bytes)).count() > 0
}

fn one<T: Debug + DeserializeOwned + PartialEq + Serialize>(bytes: &[u8]) -> bool {
    let Ok(answer) = json::decode::<T>(bytes) else { return false };
    stays_itself(&answer, json::decode::<T>);
    true
}

/// The signed files of the status key: revocations, denied firmware, a time.
#[must_use]
pub fn list(bytes: &[u8]) -> bool {
    let revocations = RevocationList::from_json(bytes);
    if let Ok(list) = &revocations {
        stays_itself(list, RevocationList::from_json);
    }
    let denied = DenyList::from_json(bytes);
    if let Ok(list) = &denied {
        stays_itself(list, DenyList::from_json);
    }
    let time = TimeToken::from_json(bytes);
    if let Ok(token) = &time {
        stays_itself(token, TimeToken::from_json);
    }
    revocations.is_ok() || denied.is_ok() || time.is_ok()
}
