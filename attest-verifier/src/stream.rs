//! Bytes to and from an attested TRE.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;

use attest_verifier_core::verdict::Attested;
use attest_verifier_core::wire::id::PeerId;
use attest_verifier_core::wire::units::UnixMillis;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connection::{AnyKeyConnection, AttestedConnection};
use crate::dial::Wire;
use crate::error::{AttestError, ConnectError};
use crate::identity::ClientIdentity;
use crate::tls::{self, ProvenServer};
use crate::trust::Trust;

/// A TLS 1.3 connection to a TRE that has proven, on this very connection, what it is and what it
/// runs. It carries bytes; [`Self::into_http`] makes requests of them.
///
/// A connection with a certificate is made in two steps: without the certificate first, then,
/// with the attested server key enforced inside the handshake, with it; the second is attested
/// again. So an identity is shown only to a proven box.
#[derive(Debug)]
pub struct AttestedStream {
    wire: Wire,
    attested: Attested,
}

impl AttestedStream {
    pub(crate) const fn new(wire: Wire, attested: Attested) -> Self {
        Self { wire, attested }
    }

    /// Connects to `address` (`HOST:PORT`), attests the TRE called `tre_id`, and again with our
    /// certificate if `identity` is given. Nothing but the nonce is sent before.
    ///
    /// # Errors
    ///
    /// [`AttestError`]; no byte of the caller's can be sent then.
    pub async fn connect(
        address: &str,
        tre_id: &PeerId,
        trust: &Trust,
        identity: Option<&ClientIdentity>,
        now: UnixMillis,
    ) -> Result<Self, AttestError> {
        let config = tls::towards_any(None).map_err(ConnectError::Configuration)?;
        let first = Wire::dial(address, config, None).await?;
        let first = Self::attest(first, tre_id, trust, now).await?;
        let Some(client) = identity else { return Ok(first) };
        let Self { wire, attested } = first;
        drop(wire);
        let server = ProvenServer {
            server_key: attested.server_key(),
            identity: attested.identity().clone(),
            reference: trust.shared(),
            now,
        };
        let config = tls::towards(server, client).map_err(ConnectError::Configuration)?;
        let second = Wire::dial(address, config, identity).await?;
        Self::attest(second, tre_id, trust, now).await
    }

    async fn attest(
        wire: Wire,
        tre_id: &PeerId,
        trust: &Trust,
        now: UnixMillis,
    ) -> Result<Self, AttestError> {
        let mut connection = AnyKeyConnection::over(wire).await?;
        let attested = connection.attest(tre_id, trust, now).await?;
        Ok(Self { wire: connection.into_wire().await?, attested })
    }

    /// What was proven.
    #[must_use]
    pub const fn attested(&self) -> &Attested {
        &self.attested
    }

    /// Attests once more on the same connection. Every request must have been answered whole.
    ///
    /// # Errors
    ///
    /// [`AttestError`]; the connection is given up then.
    pub async fn attest_again(self, trust: &Trust, now: UnixMillis) -> Result<Self, AttestError> {
        Self::attest(self.wire, &self.attested.identity().id, trust, now).await
    }

    /// Speaks HTTP/1.1 over these bytes.
    ///
    /// # Errors
    ///
    /// [`ConnectError::Http`] if the connection ended.
    pub async fn into_http(self) -> Result<AttestedConnection, ConnectError> {
        Ok(AttestedConnection::new(AnyKeyConnection::over(self.wire).await?, self.attested))
    }
}

impl AsyncRead for AttestedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for AttestedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire.stream).poll_shutdown(context)
    }
}
