//! The way to a TRE: nothing is sent before it is attested, on every connection anew.

use std::sync::Arc;

use attest_verifier::core::refusal::Refusal;
use attest_verifier::{AttestError, AttestedConnection, AttestedStream, ConnectError, Method};
use attest_verifier::{RequestError, Trust};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tre_wire::id::PeerId;
use tre_wire::json;
use tre_wire::message::Health;
use tre_wire::policy::Policy;
use tre_wire::problem::ProblemType;
use tre_wire::role::Identity;
use tre_wire::units::UnixMillis;

use crate::clock::{Clock, Offset};
use crate::own::Own;
use crate::renewal::{Renewal, RenewalError};

/// A TRE: where it is, who it is, and what it must be. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Target {
    /// `HOST:PORT`.
    pub address: String,
    /// Its name.
    pub tre_id: PeerId,
    /// What it must be, and who must say so.
    pub trust: Trust,
    /// Our time.
    pub clock: Arc<dyn Clock>,
}

/// Connections to one TRE, one at a time, each attested before anything else is said.
///
/// A TRE closes idle connections. What is asked next goes over a new one, attested again.
#[derive(Debug)]
pub struct Link {
    target: Target,
    own: Own,
    connection: Option<AttestedConnection>,
    attestations: u64,
    /// The files that target and own were read from, if they are read again.
    renewal: Option<Renewal>,
}

/// Why there is no good answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// Our files are no good any more; nothing was sent.
    #[error("nothing sent: {0}")]
    Renewal(#[source] RenewalError),
    /// The TRE is not attested; nothing was sent.
    #[error("not attested, nothing sent: {0}")]
    Attest(#[source] AttestError),
    /// The TRE refuses, or gives no good answer.
    #[error(transparent)]
    Request(RequestError),
    /// A listing that does not end.
    #[error(
        "{path}: expected rows after those that came before, found the same place again; tell the \
         operator of the TRE"
    )]
    Circle {
        /// What was asked for.
        path: String,
    },
}

impl Target {
    /// The policy that an attested TRE follows: that of the deployment which its PCR 11 shows.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.trust.reference().deployment().policy
    }

    /// The TRE as a certificate names it.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.trust.reference().identity_of_tre(self.tre_id.clone())
    }
}

impl Link {
    /// Connects and attests: first without our certificate, then with it.
    ///
    /// # Errors
    ///
    /// [`LinkError::Attest`]; nothing but the nonce was sent then.
    pub async fn open(target: Target, own: Own) -> Result<Self, LinkError> {
        let mut link = Self { target, own, connection: None, attestations: 0, renewal: None };
        link.connection = Some(link.attest().await?);
        Ok(link)
    }

    /// Reads the files again that it was opened with, as it goes on.
    #[must_use]
    pub fn renewing(self, renewal: Renewal) -> Self {
        Self { renewal: Some(renewal), ..self }
    }

    /// The TRE that this leads to.
    #[must_use]
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// Who we are.
    #[must_use]
    pub const fn own(&self) -> &Own {
        &self.own
    }

    /// How many connections have been attested so far.
    #[must_use]
    pub const fn attestations(&self) -> u64 {
        self.attestations
    }

    /// Our time.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        self.target.clock.now()
    }

    /// `GET /v1/health`
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub async fn health(&mut self) -> Result<Health, LinkError> {
        self.get("/v1/health").await
    }

    /// How far the TRE's clock is from ours.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub async fn offset(&mut self) -> Result<Offset, LinkError> {
        // The first answer may come over a new connection, which takes its time.
        self.health().await?;
        let sent = self.now();
        let there = self.health().await?.time;
        Ok(Offset::measured(sent, there, self.now()))
    }

    /// Asks for `path`.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, LinkError> {
        self.call(Method::GET, path, None).await
    }

    /// Puts `message` at `path`.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub async fn put<T: DeserializeOwned>(
        &mut self,
        path: &str,
        message: &(impl Serialize + Sync),
    ) -> Result<T, LinkError> {
        self.call(Method::PUT, path, Some(encoded(path, message)?)).await
    }

    /// Deletes what is at `path`.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub async fn delete<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, LinkError> {
        self.call(Method::DELETE, path, None).await
    }

    /// Posts `message` to `path`, with spaces at its end until it is `length` bytes long.
    ///
    /// # Errors
    ///
    /// As [`Self::post`].
    pub async fn post_padded<T: DeserializeOwned>(
        &mut self,
        path: &str,
        message: &(impl Serialize + Sync),
        length: usize,
    ) -> Result<T, LinkError> {
        let mut body = encoded(path, message)?;
        json::pad(&mut body, length);
        self.call(Method::POST, path, Some(body)).await
    }

    /// Posts `message` to `path`.
    ///
    /// # Errors
    ///
    /// [`LinkError`]; after [`RequestError::Closed`] and [`RequestError::Timeout`] the TRE may or
    /// may not have done what was asked.
    pub async fn post<T: DeserializeOwned>(
        &mut self,
        path: &str,
        message: &(impl Serialize + Sync),
    ) -> Result<T, LinkError> {
        self.call(Method::POST, path, Some(encoded(path, message)?)).await
    }

    /// One request. A connection that was idle may turn out to be gone: then, and if asking twice
    /// can do no harm, it is made once more over a new one.
    async fn call<T: DeserializeOwned>(
        &mut self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<T, LinkError> {
        self.renew().await?;
        if let Some(mut connection) = self.connection.take() {
            match connection.request(method.clone(), path, body.clone()).await {
                Ok(response) => {
                    self.connection = Some(connection);
                    return response.decode(path).map_err(LinkError::Request);
                }
                Err(error) if may_ask_again(&error, &method) => {}
                Err(error) => return Err(LinkError::Request(error)),
            }
        }
        let mut connection = self.attest().await?;
        let answer = connection.request(method, path, body).await.map_err(LinkError::Request)?;
        self.connection = Some(connection);
        answer.decode(path).map_err(LinkError::Request)
    }

    /// Looks whether our files say something else by now: then the connection is given up, and the
    /// next one is attested by them.
    async fn renew(&mut self) -> Result<(), LinkError> {
        let now = self.now();
        let Some(renewal) = &mut self.renewal else { return Ok(()) };
        let newer = renewal.look(now).await;
        if !matches!(newer, Ok(false)) {
            self.connection = None;
        }
        if newer.map_err(LinkError::Renewal)? {
            (self.target.trust, self.own) = (renewal.trust().clone(), renewal.own().clone());
        }
        Ok(())
    }

    async fn attest(&mut self) -> Result<AttestedConnection, LinkError> {
        let Target { address, tre_id, trust, clock } = &self.target;
        let credential = Some(self.own.credential());
        let stream = AttestedStream::connect(address, tre_id, trust, credential, clock.now());
        let stream = stream.await.map_err(LinkError::Attest)?;
        let connection = stream.into_http().await;
        let connection = connection.map_err(|error| LinkError::Attest(error.into()))?;
        self.attestations = self.attestations.saturating_add(1);
        Ok(connection)
    }
}

fn encoded(path: &str, message: &impl Serialize) -> Result<Vec<u8>, LinkError> {
    let unsendable = |_| LinkError::Request(RequestError::Unsendable { path: path.to_owned() });
    json::encode(message).map_err(unsendable)
}

/// Whether the connection ended before the TRE could do anything, or doing it twice is doing it
/// once. `[RFC9110]`: GET, PUT and DELETE are idempotent.
fn may_ask_again(error: &RequestError, method: &Method) -> bool {
    let RequestError::Closed { source, .. } = error else { return false };
    source.is_closed() || source.is_canceled() || *method != Method::POST
}

impl LinkError {
    /// The kind of the TRE's refusal, if it is one.
    #[must_use]
    pub const fn problem(&self) -> Option<ProblemType> {
        match self {
            Self::Request(RequestError::Problem { problem, .. })
            | Self::Attest(AttestError::Request(RequestError::Problem { problem, .. })) => {
                Some(problem.kind)
            }
            Self::Request(_) | Self::Attest(_) | Self::Circle { .. } | Self::Renewal(_) => None,
        }
    }

    /// Whether the same may work a little later: the network's doing, or a TRE that is busy, or one
    /// that was started again and not told the time yet.
    ///
    /// Evidence that is refused for anything else, and a key that is not the attested one, never
    /// pass.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        #[expect(clippy::wildcard_enum_match_arm, reason = "the verifier's enums may grow")]
        match self {
            Self::Renewal(error) => error.is_passing(),
            Self::Attest(AttestError::Connect(error)) => connection_may_come(error),
            Self::Attest(AttestError::Refused(Refusal::Time(error))) => {
                error.found == UnixMillis::default()
            }
            Self::Attest(AttestError::Request(error)) | Self::Request(error) => match error {
                RequestError::Closed { .. } | RequestError::Timeout { .. } => true,
                RequestError::Problem { problem, .. } => {
                    matches!(
                        problem.kind,
                        ProblemType::Busy
                            | ProblemType::Full
                            | ProblemType::NoTime
                            | ProblemType::Timeout
                    )
                }
                _ => false,
            },
            _ => false,
        }
    }
}

fn connection_may_come(error: &ConnectError) -> bool {
    use std::io::ErrorKind;
    #[expect(clippy::wildcard_enum_match_arm, reason = "the verifier's enum may grow")]
    match error {
        ConnectError::Refused { .. }
        | ConnectError::Unreachable { .. }
        | ConnectError::Timeout { .. }
        | ConnectError::Http { .. } => true,
        // A handshake that broke off may pass; one that this end refused says "invalid data".
        ConnectError::Handshake { source, .. } => source.kind() != ErrorKind::InvalidData,
        _ => false,
    }
}
