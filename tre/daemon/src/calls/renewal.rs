//! Newer certificates for a box that serves, with no connection lost and no key changed.

use core::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};
use thiserror::Error;
use tre_wire::hex::HexBytes;
use tre_wire::message::Done;
use tre_wire::message::enrolment::RenewCertificates;
use tre_wire::problem::{Problem, ProblemType};
use webpki::{EndEntityCert, KeyUsage};

use super::enrolment::check_chains;
use crate::front;
use crate::http::{Answer, Call, answer, problem};
use crate::shared::Shared;
use crate::standing::Standing;

/// `PUT /v1/certificates`
///
/// Everything that an enrolment checks of certificates is checked of these, against the keys that
/// the box has; and none of them ends before the one that it replaces, so that an older renewal,
/// sent again, brings no end nearer. Connections that are open stay open: their key is the same.
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
    let present = &enrolled.chains;
    let shown = [&present.attestation_key_chain, &present.tls_chain, &present.document_chain];
    for ((key, shown), newer) in KEYS.into_iter().zip(shown).zip(chains) {
        check_no_older(key, shown, newer)
            .map_err(|refusal| Problem::new(ProblemType::Conflict, refusal.to_string()))?;
    }
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

/// The keys as refusals name them, in the order of the message.
const KEYS: [&str; 3] = ["attestation", "TLS", "document"];

/// Why certificates do not take the place of those that the box shows.
#[derive(Debug, Error)]
enum Older {
    /// They were made before, or for a shorter time.
    #[error(
        "expected a certificate of the {key} key that ends no earlier than the present one, at \
         {present} s, found one that ends at {found} s: an older renewal, or a shorter one"
    )]
    Ends { key: &'static str, present: u64, found: u64 },
    /// A certificate without an end that the library can tell.
    #[error("certificate of the {key} key: {cause}")]
    Unreadable { key: &'static str, cause: webpki::Error },
}

/// Refuses `newer` if it ends before `shown`.
fn check_no_older(key: &'static str, shown: &[HexBytes], newer: &[HexBytes]) -> Result<(), Older> {
    let end = |chain| end(chain).map_err(|cause| Older::Unreadable { key, cause });
    let (present, found) = (end(shown)?, end(newer)?);
    if found < present { Err(Older::Ends { key, present, found }) } else { Ok(()) }
}

/// When the first certificate of a chain ends, in seconds since 1970.
///
/// The library tells it in one way: by refusing the certificate at the end of all time.
fn end(chain: &[HexBytes]) -> Result<u64, webpki::Error> {
    let leaf = chain.first().ok_or(webpki::Error::BadDer)?;
    let leaf = CertificateDer::from(leaf.as_slice());
    let leaf = EndEntityCert::try_from(&leaf)?;
    let never = UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX));
    let refused = leaf.verify_for_usage(&[], &[], &[], never, KeyUsage::server_auth(), None, None);
    match refused.map(|_| ()) {
        Err(webpki::Error::CertExpired { not_after, .. }) => Ok(not_after.as_secs()),
        Err(error) => Err(error),
        Ok(()) => Err(webpki::Error::InvalidCertValidity),
    }
}

fn internal(error: impl core::fmt::Display) -> Problem {
    Problem::new(ProblemType::Internal, error.to_string())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn ending(year: i32) -> Vec<HexBytes> {
        let mut params = CertificateParams::default();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("signed");
        vec![HexBytes(certificate.der().to_vec())]
    }

    #[test]
    fn an_older_certificate_does_not_take_the_place_of_the_present_one() {
        let (present, same) = (ending(2030), ending(2030));
        let judged = |newer: &[HexBytes]| {
            check_no_older("TLS", &present, newer).map_err(|refusal| refusal.to_string())
        };
        assert_eq!(judged(&same), Ok(()));
        assert_eq!(judged(&ending(2031)), Ok(()));
        let expected = "expected a certificate of the TLS key that ends no earlier than the \
                        present one, at 1893456000 s, found one that ends at 1861920000 s: an \
                        older renewal, or a shorter one";
        assert_eq!(judged(&ending(2029)), Err(expected.to_owned()), "an older one was taken");
        let nothing = judged(&[]).expect_err("no certificate");
        assert!(nothing.starts_with("certificate of the TLS key: "), "{nothing}");
    }
}
