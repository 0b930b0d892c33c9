//! Connections: to any key, to ask; to an attested TRE, to speak.

use std::io;
use std::sync::Arc;

use attest_verifier_core::channel::Session;
use attest_verifier_core::measured_boot::digest::Sha256Digest;
use attest_verifier_core::verdict::{self, AppraisedUnenrolled, Attested};
use attest_verifier_core::wire::attestation::{AttestationRequest, EXPORTER_LABEL, Evidence};
use attest_verifier_core::wire::hex::Hex32;
use attest_verifier_core::wire::id::PeerId;
use attest_verifier_core::wire::units::UnixMillis;
use hyper::Method;
use ring::rand::{SecureRandom as _, SystemRandom};
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, ServerName};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::bounds;
use crate::error::{AttestError, ConnectError, RequestError};
use crate::http::{HttpConnection, Response};
use crate::identity::ClientIdentity;
use crate::tls::{self, ProvenServer};
use crate::trust::Trust;

/// A TLS 1.3 connection to whoever answers, with any key.
///
/// It proves nothing. It serves to ask for evidence, and to enrol a box that nobody has certified
/// yet; whoever has something to say to a TRE uses [`AttestedConnection`].
#[derive(Debug)]
pub struct AnyKeyConnection {
    http: HttpConnection,
    exporter: [u8; 32],
    server_chain: Vec<CertificateDer<'static>>,
    client_key: Option<Sha256Digest>,
}

/// An answer to a nonce of ours, and the session that it must be bound to.
#[derive(Debug)]
pub struct Answer {
    /// What the box says.
    pub evidence: Evidence,
    /// This end's view of the connection, with the nonce: good for one appraisal.
    pub session: Session,
}

impl AnyKeyConnection {
    /// Connects to `address` (`HOST:PORT`), with our certificate only if `identity` is given.
    ///
    /// # Errors
    ///
    /// [`ConnectError`].
    pub async fn open(
        address: &str,
        identity: Option<&ClientIdentity>,
    ) -> Result<Self, ConnectError> {
        let config = tls::towards_any(identity).map_err(ConnectError::Configuration)?;
        Self::connect(address, config, identity).await
    }

    async fn connect(
        address: &str,
        config: Arc<ClientConfig>,
        identity: Option<&ClientIdentity>,
    ) -> Result<Self, ConnectError> {
        let stream = dial(address, config).await?;
        let (_, tls) = stream.get_ref();
        let exporter = tls
            .export_keying_material([0; 32], EXPORTER_LABEL, None)
            .map_err(ConnectError::Configuration)?;
        let server_chain = tls.peer_certificates().unwrap_or_default().to_vec();
        let http = HttpConnection::start(stream, address)
            .await
            .map_err(|source| ConnectError::Http { address: address.to_owned(), source })?;
        let client_key = identity.map(ClientIdentity::key_hash);
        Ok(Self { http, exporter, server_chain, client_key })
    }

    /// This connection's exporter under
    /// [`EXPORTER_LABEL`](attest_verifier_core::wire::attestation::EXPORTER_LABEL).
    #[must_use]
    pub const fn exporter(&self) -> &[u8; 32] {
        &self.exporter
    }

    /// The server's certificates as presented, leaf first. Nobody has verified them.
    #[must_use]
    pub fn server_chain(&self) -> &[CertificateDer<'static>] {
        &self.server_chain
    }

    /// SHA-256 of the SubjectPublicKeyInfo of the certificate that we showed, if we did.
    #[must_use]
    pub const fn client_key(&self) -> Option<Sha256Digest> {
        self.client_key
    }

    /// Asks for evidence with a fresh nonce of its own.
    ///
    /// # Errors
    ///
    /// [`AttestError::Request`]; [`AttestError::NoRandomness`].
    pub async fn challenge(&mut self) -> Result<Answer, AttestError> {
        let mut nonce = [0; 32];
        SystemRandom::new().fill(&mut nonce).map_err(|_| AttestError::NoRandomness)?;
        let request = AttestationRequest { nonce: Hex32(nonce) };
        let evidence = self.http.call(Method::POST, "/v1/attestation", Some(&request)).await?;
        let session = Session {
            nonce,
            exporter: self.exporter,
            server_chain: self.server_chain.clone(),
            client_key: self.client_key,
        };
        Ok(Answer { evidence, session })
    }

    /// Asks a box that is not enrolled for evidence, and appraises it.
    ///
    /// # Errors
    ///
    /// [`AttestError`].
    pub async fn appraise_unenrolled(
        &mut self,
        trust: &Trust,
        now: UnixMillis,
    ) -> Result<AppraisedUnenrolled, AttestError> {
        let Answer { evidence, session } = self.challenge().await?;
        let appraised = verdict::appraise_unenrolled(&evidence, session, trust.reference(), now)?;
        Ok(appraised)
    }

    async fn attest(
        &mut self,
        tre_id: &PeerId,
        trust: &Trust,
        now: UnixMillis,
    ) -> Result<Attested, AttestError> {
        let Answer { evidence, session } = self.challenge().await?;
        let identity = trust.reference().identity_of_tre(tre_id.clone());
        let attested = verdict::attest(&evidence, session, &identity, trust.reference(), now)?;
        Ok(attested)
    }
}

/// A connection to a TRE that has proven, on this very connection, what it is and what it runs.
///
/// A connection with a certificate is made in two steps: without the certificate first, then,
/// with the attested server key enforced inside the handshake, with it; the second is attested
/// again. So an identity is shown only to a proven box.
#[derive(Debug)]
pub struct AttestedConnection {
    connection: AnyKeyConnection,
    attested: Attested,
}

impl AttestedConnection {
    /// Connects to `address` (`HOST:PORT`), attests the TRE called `tre_id`, and again with our
    /// certificate if `identity` is given. Nothing but the nonce is sent before.
    ///
    /// # Errors
    ///
    /// [`AttestError`]; no request can be made then.
    pub async fn connect(
        address: &str,
        tre_id: &PeerId,
        trust: &Trust,
        identity: Option<&ClientIdentity>,
        now: UnixMillis,
    ) -> Result<Self, AttestError> {
        let mut connection = AnyKeyConnection::open(address, None).await?;
        let attested = connection.attest(tre_id, trust, now).await?;
        let Some(client) = identity else {
            return Ok(Self { connection, attested });
        };
        drop(connection);
        let server = ProvenServer {
            server_key: attested.server_key(),
            identity: attested.identity().clone(),
            reference: trust.shared(),
            now,
        };
        let config = tls::towards(server, client).map_err(ConnectError::Configuration)?;
        let mut connection = AnyKeyConnection::connect(address, config, identity).await?;
        let attested = connection.attest(tre_id, trust, now).await?;
        Ok(Self { connection, attested })
    }

    /// What was proven.
    #[must_use]
    pub const fn attested(&self) -> &Attested {
        &self.attested
    }

    /// Attests once more on the same connection.
    ///
    /// # Errors
    ///
    /// [`AttestError`]; the connection is given up then.
    pub async fn attest_again(
        mut self,
        trust: &Trust,
        now: UnixMillis,
    ) -> Result<Self, AttestError> {
        let tre_id = self.attested.identity().id.clone();
        self.attested = self.connection.attest(&tre_id, trust, now).await?;
        Ok(self)
    }
}

macro_rules! requests {
    ($($path:tt)*) => {
        /// Sends one request; `body` is JSON. Answers of any status come back as they are.
        ///
        /// # Errors
        ///
        /// [`RequestError`] if there is no whole answer.
        pub async fn request(
            &mut self,
            method: Method,
            path: &str,
            body: Option<Vec<u8>>,
        ) -> Result<Response, RequestError> {
            self.$($path)*.request(method, path, body).await
        }

        /// Asks for `path` and decodes the answer.
        ///
        /// # Errors
        ///
        /// [`RequestError`], with the TRE's problem if it refuses.
        pub async fn get<Resp: DeserializeOwned>(
            &mut self,
            path: &str,
        ) -> Result<Resp, RequestError> {
            self.$($path)*.call(Method::GET, path, None::<&()>).await
        }

        /// Posts `message` to `path` and decodes the answer.
        ///
        /// # Errors
        ///
        /// [`RequestError`], with the TRE's problem if it refuses.
        pub async fn post<Req: Serialize + Sync, Resp: DeserializeOwned>(
            &mut self,
            path: &str,
            message: &Req,
        ) -> Result<Resp, RequestError> {
            self.$($path)*.call(Method::POST, path, Some(message)).await
        }

        /// Puts `message` at `path` and decodes the answer.
        ///
        /// # Errors
        ///
        /// [`RequestError`], with the TRE's problem if it refuses.
        pub async fn put<Req: Serialize + Sync, Resp: DeserializeOwned>(
            &mut self,
            path: &str,
            message: &Req,
        ) -> Result<Resp, RequestError> {
            self.$($path)*.call(Method::PUT, path, Some(message)).await
        }

        /// Deletes `path` and decodes the answer.
        ///
        /// # Errors
        ///
        /// [`RequestError`], with the TRE's problem if it refuses.
        pub async fn delete<Resp: DeserializeOwned>(
            &mut self,
            path: &str,
        ) -> Result<Resp, RequestError> {
            self.$($path)*.call(Method::DELETE, path, None::<&()>).await
        }
    };
}

impl AnyKeyConnection {
    requests!(http);
}

impl AttestedConnection {
    requests!(connection.http);
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
