//! A TLS connection that is made, and what both of its ends can be known by.

use std::io;
use std::sync::Arc;

use attest_verifier_core::measured_boot::digest::Sha256Digest;
use attest_verifier_core::wire::attestation::EXPORTER_LABEL;
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::bounds;
use crate::error::ConnectError;
use crate::identity::ClientIdentity;
use crate::tls;

/// A connection after its handshake. It proves nothing.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) stream: TlsStream<TcpStream>,
    pub(crate) ends: Ends,
}

/// What a quote must bind of a connection, and where it leads.
#[derive(Clone, Debug)]
pub(crate) struct Ends {
    /// Where it leads: `HOST:PORT`.
    pub(crate) address: String,
    /// The exporter under [`EXPORTER_LABEL`].
    pub(crate) exporter: [u8; 32],
    /// The server's certificates as presented, leaf first.
    pub(crate) server_chain: Vec<CertificateDer<'static>>,
    /// SHA-256 of our own SubjectPublicKeyInfo, if we showed a certificate.
    pub(crate) client_key: Option<Sha256Digest>,
}

impl Wire {
    /// Connects to `address` (`HOST:PORT`); `config` shows `identity`, if there is one.
    pub(crate) async fn dial(
        address: &str,
        config: Arc<ClientConfig>,
        identity: Option<&ClientIdentity>,
    ) -> Result<Self, ConnectError> {
        let stream = dial(address, config).await?;
        let (_, tls) = stream.get_ref();
        let exporter = tls
            .export_keying_material([0; 32], EXPORTER_LABEL, None)
            .map_err(ConnectError::Configuration)?;
        let ends = Ends {
            address: address.to_owned(),
            exporter,
            server_chain: tls.peer_certificates().unwrap_or_default().to_vec(),
            client_key: identity.map(ClientIdentity::key_hash),
        };
        Ok(Self { stream, ends })
    }
}

/// Connects and shakes hands, each within its bound.
async fn dial(
    address: &str,
    config: Arc<ClientConfig>,
) -> Result<TlsStream<TcpStream>, ConnectError> {
    let late = |step, bound| ConnectError::Timeout { address: address.to_owned(), step, bound };
    let stream = timeout(bounds::CONNECT, TcpStream::connect(address))
        .await
        .map_err(|_| late("connection", bounds::CONNECT))?
        .map_err(|source| unreachable(address, source))?;
    stream.set_nodelay(true).map_err(|source| unreachable(address, source))?;
    let connect = TlsConnector::from(config).connect(server_name(), stream);
    timeout(bounds::HANDSHAKE, connect)
        .await
        .map_err(|_| late("TLS handshake", bounds::HANDSHAKE))?
        .map_err(|source| no_handshake(address, source))
}

fn no_handshake(address: &str, source: io::Error) -> ConnectError {
    let address = address.to_owned();
    match tls::elsewhere(&source) {
        Some(source) => ConnectError::Elsewhere { address, source },
        None => ConnectError::Handshake { address, source },
    }
}

fn unreachable(address: &str, source: io::Error) -> ConnectError {
    let address = address.to_owned();
    if source.kind() == io::ErrorKind::ConnectionRefused {
        return ConnectError::Refused { address };
    }
    ConnectError::Unreachable { address, source }
}

/// A name that is neither sent nor checked: a TRE is known by its identity, not its address.
fn server_name() -> ServerName<'static> {
    ServerName::from(core::net::IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED))
}
