//! Connections: to any key, to ask; to an attested TRE, to speak.

use attest_verifier_core::channel::Session;
use attest_verifier_core::measured_boot::digest::Sha256Digest;
use attest_verifier_core::verdict::{self, AppraisedUnenrolled, Attested};
use attest_verifier_core::wire::attestation::{AttestationRequest, Evidence};
use attest_verifier_core::wire::hex::Hex32;
use attest_verifier_core::wire::id::PeerId;
use attest_verifier_core::wire::units::UnixMillis;
use hyper::Method;
use ring::rand::SystemRandom;
use rustls::pki_types::CertificateDer;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::dial::{Ends, Wire};
use crate::error::{AttestError, ConnectError, RequestError};
use crate::http::{HttpConnection, Response};
use crate::identity::ClientIdentity;
use crate::stream::AttestedStream;
use crate::tls;
use crate::trust::Trust;

/// A TLS 1.3 connection to whoever answers, with any key.
///
/// It proves nothing. It serves to ask for evidence, and to enrol a box that nobody has certified
/// yet; whoever has something to say to a TRE uses [`AttestedStream`].
#[derive(Debug)]
pub struct AnyKeyConnection {
    http: HttpConnection,
    ends: Ends,
}

/// An answer to a nonce of ours, and the session that it must be bound to.
#[derive(Debug)]
pub struct Answer {
    /// What the box says.
    pub evidence: Evidence,
    /// This end of the connection, with the nonce: good for one appraisal.
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
        Self::over(Wire::dial(address, config, identity).await?).await
    }

    /// Speaks HTTP over a connection that is made.
    pub(crate) async fn over(Wire { stream, ends }: Wire) -> Result<Self, ConnectError> {
        let http = HttpConnection::start(stream, &ends.address)
            .await
            .map_err(|source| ConnectError::Http { address: ends.address.clone(), source })?;
        Ok(Self { http, ends })
    }

    /// Gives the connection back, between two requests.
    pub(crate) async fn into_wire(self) -> Result<Wire, RequestError> {
        Ok(Wire { stream: self.http.into_stream().await?, ends: self.ends })
    }

    /// This connection's exporter under
    /// [`EXPORTER_LABEL`](attest_verifier_core::wire::attestation::EXPORTER_LABEL).
    #[must_use]
    pub const fn exporter(&self) -> &[u8; 32] {
        &self.ends.exporter
    }

    /// The server's certificates as presented, leaf first. Nobody has verified them.
    #[must_use]
    pub fn server_chain(&self) -> &[CertificateDer<'static>] {
        &self.ends.server_chain
    }

    /// SHA-256 of the SubjectPublicKeyInfo of the certificate that we showed, if we did.
    #[must_use]
    pub const fn client_key(&self) -> Option<Sha256Digest> {
        self.ends.client_key
    }

    /// Draws a nonce for this connection; nobody has been asked yet.
    ///
    /// # Errors
    ///
    /// [`AttestError::NoRandomness`].
    pub fn session(&self) -> Result<Session, AttestError> {
        let Ends { exporter, server_chain, client_key, .. } = &self.ends;
        Session::open(&SystemRandom::new(), *exporter, server_chain.clone(), *client_key)
            .map_err(|_| AttestError::NoRandomness)
    }

    /// Asks for evidence with a fresh nonce of its own.
    ///
    /// # Errors
    ///
    /// [`AttestError::Request`]; [`AttestError::NoRandomness`].
    pub async fn challenge(&mut self) -> Result<Answer, AttestError> {
        let session = self.session()?;
        let request = AttestationRequest { nonce: Hex32(session.nonce()) };
        let evidence = self.http.call(Method::POST, "/v1/attestation", Some(&request)).await?;
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

    pub(crate) async fn attest(
        &mut self,
        tre_id: &PeerId,
        trust: &Trust,
        now: UnixMillis,
    ) -> Result<Attested, AttestError> {
        trust.check_lists(now)?;
        // Known before the nonce is sent: what answers it cannot be older.
        let past = trust.recall(tre_id).await?;
        let Answer { evidence, session } = self.challenge().await?;
        let identity = trust.reference().identity_of_tre(tre_id.clone());
        let attested = verdict::attest(&evidence, session, &identity, trust.reference(), now)?;
        trust.not_before(past.as_ref(), attested).await
    }
}

/// Requests to a TRE that has proven, on this very connection, what it is and what it runs.
///
/// Made from an [`AttestedStream`] alone.
#[derive(Debug)]
pub struct AttestedConnection {
    connection: AnyKeyConnection,
    attested: Attested,
}

impl AttestedConnection {
    pub(crate) const fn new(connection: AnyKeyConnection, attested: Attested) -> Self {
        Self { connection, attested }
    }

    /// The bytes below the requests, once the last of them is answered.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if the connection has ended, or holds what nobody asked for.
    pub async fn into_stream(self) -> Result<AttestedStream, RequestError> {
        Ok(AttestedStream::new(self.connection.into_wire().await?, self.attested))
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
