//! Who is at the other end of one connection, and what binds an attestation to it.

use ring::digest::{SHA256, digest};
use rustls::ServerConnection;
use tre_wire::attestation::EXPORTER_LABEL;
use tre_wire::id::TrustDomain;
use tre_wire::role::Identity;
use webpki::EndEntityCert;

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
}

impl Peer {
    /// Reads what the finished handshake says; `None` if the library cannot say it.
    pub(crate) fn of(
        connection: &ServerConnection,
        server_key: [u8; 32],
        trust_domain: Option<&TrustDomain>,
    ) -> Option<Self> {
        let exporter = connection.export_keying_material([0; 32], EXPORTER_LABEL, None).ok()?;
        let Some(leaf) = connection.peer_certificates().and_then(<[_]>::first) else {
            return Some(Self { identity: None, client_key: [0; 32], server_key, exporter });
        };
        let certificate = EndEntityCert::try_from(leaf).ok()?;
        let client_key = sha256(certificate.subject_public_key_info().as_ref());
        let identity = tls::identity_of(&certificate, trust_domain?).ok()?;
        Some(Self { identity: Some(identity), client_key, server_key, exporter })
    }
}

/// SHA-256 of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}
