//! Who is at the other end of one connection, and what binds an attestation to it.

use core::cell::Cell;

use ring::digest::{SHA256, digest};
use rustls::ServerConnection;
use tre_wire::attestation::EXPORTER_LABEL;
use tre_wire::id::TrustDomain;
use tre_wire::problem::{Problem, ProblemType};
use tre_wire::role::Identity;
use tre_wire::units::UnixMillis;
use webpki::EndEntityCert;

use crate::http::problem;
use crate::revocations::Revocations;
use crate::tls;

/// One end of one connection. Made once the handshake is finished.
#[derive(Debug)]
pub(crate) struct Peer {
    /// Role and name, from a certificate that the handshake verified.
    pub(crate) identity: Option<Identity>,
    /// SHA-256 of the client's SubjectPublicKeyInfo; zeros without a certificate.
    pub(crate) client_key: [u8; 32],
    /// SHA-256 of the server's SubjectPublicKeyInfo in this connection.
    pub(crate) server_key: [u8; 32],
    /// The connection's exporter under the attestation label.
    pub(crate) exporter: [u8; 32],
    /// What the dates of its certificate were held against.
    pub(crate) dated: Dated,
    /// Whether an enrolment ever began in this connection.
    pub(crate) began: Cell<bool>,
}

/// What the dates of a certificate were held against.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Dated {
    /// A time that a token proved.
    Proven,
    /// The hardware clock: there was no other.
    Unproven,
}

impl Dated {
    /// What holds of a handshake all through which there was a time, if there was one.
    pub(crate) const fn at(now: Option<UnixMillis>) -> Self {
        match now {
            Some(_) => Self::Proven,
            None => Self::Unproven,
        }
    }
}

impl Peer {
    /// Reads what the finished handshake says; `None` if the library cannot say it.
    pub(crate) fn of(
        connection: &ServerConnection,
        server_key: [u8; 32],
        trust_domain: Option<&TrustDomain>,
        dated: Dated,
    ) -> Option<Self> {
        let began = Cell::new(false);
        let exporter = connection.export_keying_material([0; 32], EXPORTER_LABEL, None).ok()?;
        let Some(leaf) = connection.peer_certificates().and_then(<[_]>::first) else {
            let client_key = [0; 32];
            return Some(Self { identity: None, client_key, server_key, exporter, dated, began });
        };
        let certificate = EndEntityCert::try_from(leaf).ok()?;
        let client_key = sha256(certificate.subject_public_key_info().as_ref());
        let identity = tls::identity_of(&certificate, trust_domain?).ok()?;
        let identity = Some(identity);
        Some(Self { identity, client_key, server_key, exporter, dated, began })
    }

    /// Refuses a key that was revoked after this connection began; one that was before never
    /// finishes its handshake.
    ///
    /// # Errors
    ///
    /// [`ProblemType::Revoked`].
    pub(crate) fn believed(&self, revocations: &Revocations) -> Result<(), Problem> {
        if self.identity.is_some() && revocations.name(&self.client_key) {
            let detail = "expected a key that is believed, found its key on the revocation list";
            return Err(problem(ProblemType::Revoked, detail));
        }
        Ok(())
    }
}

/// SHA-256 of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(identity: Option<&str>, client_key: [u8; 32]) -> Peer {
        let identity = identity.map(|uri| uri.parse().expect("an identity"));
        let dated = Dated::Proven;
        let (server_key, exporter, began) = ([2; 32], [3; 32], Cell::new(false));
        Peer { identity, client_key, server_key, exporter, dated, began }
    }

    #[test]
    fn a_key_that_is_revoked_later_is_refused_on_the_open_connection() {
        let meter = Some("spiffe://grid.example/meter/m1");
        let revocations = Revocations { edition: None, keys: [[7; 32], [0; 32]].into() };
        let refused = |peer: Peer| peer.believed(&revocations).map_err(|problem| problem.kind);
        assert_eq!(refused(peer(meter, [7; 32])), Err(ProblemType::Revoked));
        assert_eq!(refused(peer(meter, [8; 32])), Ok(()));
        // Who shows no key has none that could be revoked.
        assert_eq!(refused(peer(None, [0; 32])), Ok(()));
    }
}
