//! Why there is no connection, no answer, or no trust; each says what to do where that is known.

use core::time::Duration;
use std::io;

use attest_verifier_core::past::PastError;
use attest_verifier_core::refusal::Refusal;
use attest_verifier_core::wire::json::JsonError;
use attest_verifier_core::wire::plain::plain;
use attest_verifier_core::wire::problem::Problem;
use attest_verifier_core::wire::units::UnixMillis;

use crate::lists::ListKind;
use crate::memory::MemoryError;
use crate::tls::ElsewhereError;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nobody listens there.
    #[error("connection refused at {address}: is the TRE running, and is this its address?")]
    Refused {
        /// The address.
        address: String,
    },
    /// The address does not resolve, or cannot be reached.
    #[error("cannot reach {address}: {source}; expected HOST:PORT")]
    Unreachable {
        /// The address.
        address: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// Nobody answered in time.
    #[error("no {step} from {address} within {} s", .bound.as_secs())]
    Timeout {
        /// The address.
        address: String,
        /// What was waited for.
        step: &'static str,
        /// How long.
        bound: Duration,
    },
    /// The TLS handshake failed: not a TRE, or not the one that was attested.
    #[error("no TLS 1.3 connection to {address}: {source}; is it a TRE that listens there?")]
    Handshake {
        /// The address.
        address: String,
        /// What the TLS library says.
        source: io::Error,
    },
    /// The server was attested a moment ago, and another one answers now. Our certificate was not
    /// shown to it.
    #[error("{address} leads elsewhere than to the TRE that was attested: {source}")]
    Elsewhere {
        /// The address.
        address: String,
        /// What is different.
        source: ElsewhereError,
    },
    /// The TLS library refuses our own configuration or key.
    #[error("own TLS configuration: {0}")]
    Configuration(#[source] rustls::Error),
    /// The connection has no HTTP/1.1, or ended at once.
    #[error("no HTTP/1.1 from {address}: {source}")]
    Http {
        /// The address.
        address: String,
        /// What the HTTP library says.
        source: hyper::Error,
    },
}

/// Why a request has no good answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The TRE refuses; its words.
    #[error("the TRE refuses {path}: {} ({})", plain(&.problem.detail), .problem.kind.urn())]
    Problem {
        /// The path asked for.
        path: String,
        /// The refusal, decoded.
        problem: Problem,
    },
    /// An answer that is neither good nor a problem.
    #[error("expected status 200 or a problem from {path}, found status {status}")]
    Status {
        /// The path asked for.
        path: String,
        /// The status found.
        status: u16,
    },
    /// The body is not the message that this call answers with.
    #[error("answer of {path} is not readable: {source}")]
    Body {
        /// The path asked for.
        path: String,
        /// What the decoder found.
        source: JsonError,
    },
    /// The body is longer than any answer.
    #[error("expected at most {most} bytes from {path}, found more")]
    TooLong {
        /// The path asked for.
        path: String,
        /// Most bytes allowed.
        most: usize,
    },
    /// No whole answer in time.
    #[error("no answer of {path} within {} s", .bound.as_secs())]
    Timeout {
        /// The path asked for.
        path: String,
        /// How long was waited.
        bound: Duration,
    },
    /// The connection ended: the TRE closes idle ones. Attest again on a new one.
    #[error("connection ended before {path} was answered: {source}")]
    Closed {
        /// The path asked for.
        path: String,
        /// What the HTTP library says.
        source: hyper::Error,
    },
    /// The TRE sent bytes behind its answer, which nobody asked for.
    #[error("expected nothing behind the TRE's answer, found {found} bytes")]
    Unasked {
        /// How many there are so far.
        found: usize,
    },
    /// The program is ending, and with it every connection.
    #[error("the connection was given up: this program is ending")]
    Abandoned,
    /// The path, or a body of ours, cannot be sent.
    #[error("cannot send a request for {path:?}")]
    Unsendable {
        /// The path asked for.
        path: String,
    },
}

/// Why a TRE is not attested.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttestError {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// No evidence.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The evidence is refused.
    #[error("refused: {0}{hint}", hint = what_to_do(.0))]
    Refused(#[from] Refusal),
    /// What is remembered of TREs cannot be read or written.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// There is nothing good to hold a TRE against: a list has ended, or a file cannot be read.
    #[error("expected good reference files to hold a TRE against, found none")]
    NoTrust,
    /// A list has ended since it was read.
    #[error(
        "expected a list (--{}) that is good now ({now}), found one good until {until}; get the \
         newest (ms since 1970)", .kind.as_str()
    )]
    ListEnded {
        /// Which list.
        kind: ListKind,
        /// The present.
        now: UnixMillis,
        /// Its last moment.
        until: UnixMillis,
    },
    /// This machine gave no random nonce.
    #[error("expected 32 random bytes from the operating system, found none")]
    NoRandomness,
}

/// What an operator may do about a refusal that a box need not be at fault for; else nothing. A box
/// that was enrolled anew has another attestation key. Counters that went back are no such case: no
/// enrolment does that, and what is remembered must not be given up for it.
#[must_use]
pub const fn what_to_do(refusal: &Refusal) -> &'static str {
    if let Refusal::Past(PastError::AttestationKey { .. }) = refusal {
        "; if this TRE was enrolled anew: `attest-verifier forget --tre-id ID --remember FILE`"
    } else {
        ""
    }
}
