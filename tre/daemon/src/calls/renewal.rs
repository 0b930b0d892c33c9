//! Newer certificates for a box that serves, with no connection lost and no key changed.

use tre_wire::message::Done;
use tre_wire::message::enrolment::RenewCertificates;
use tre_wire::problem::{Problem, ProblemType};

use super::enrolment::check_chains;
use crate::front;
use crate::http::{Answer, Call, answer, problem};
use crate::shared::Shared;
use crate::standing::Standing;

/// `PUT /v1/certificates`
///
/// Everything that an enrolment checks of certificates is checked of these, against the keys that
/// the box has. Connections that are open stay open: their key is the same.
pub(crate) fn renew(shared: &Shared, call: &Call) -> Result<Answer, Problem> {
    call.no_parameter()?;
    let newer: RenewCertificates = call.message()?;
    let unserving = || problem(ProblemType::NotServing, "expected a box that serves");
    let deployment = shared.deployment.as_ref().ok_or_else(unserving)?;
    let mut standing = shared.standing.borrow_mut();
    let Standing::Serving(enrolled, keys) = &mut *standing else { return Err(unserving()) };
    let RenewCertificates { attestation_key_chain, tls_chain, document_chain } = &newer;
    let chains = [attestation_key_chain, tls_chain, document_chain].map(Vec::as_slice);
    check_chains(shared, deployment, (&enrolled.tre_id, keys), chains)?;
    let mut renewed = enrolled.clone();
    renewed.renew(newer.clone());
    let front = front::enrolled(shared, &renewed, keys).map_err(internal)?;
    // Durable first: a box that is restarted must not fall back on certificates that end.
    shared.status.borrow_mut().keep_certificates(&newer).map_err(internal)?;
    *enrolled = renewed;
    shared.front.send_replace(front);
    crate::log::line("certificates renewed");
    answer(&Done {})
}

fn internal(error: impl core::fmt::Display) -> Problem {
    Problem::new(ProblemType::Internal, error.to_string())
}
