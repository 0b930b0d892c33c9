//! One quote for all who wait: requests gather in a room while the quote before theirs is made.
//!
//! One quote is in flight. Whoever asks meanwhile waits in the room; the next quote takes all of
//! them, each as a leaf of one tree, and gives each its own path. So nobody waits longer than the
//! rest of one quote and the whole of the next, however many ask, and the moment for which that one
//! waits for a crowd that is coming in (`quotes/pace.rs`).

mod pace;

use core::mem;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;

use thiserror::Error;
use tokio::sync::oneshot;
use tre_tpm::{Tpm, TpmError};
use tre_wire::attestation::{Leaf, Path, Tree};
use tre_wire::hex::HexBytes;
use tre_wire::units::UnixMillis;

use crate::bounds;
use crate::clock::moment;
use pace::Pace;

/// What a connection asks to have quoted: its own session, and nothing of another's.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The verifier's nonce.
    pub(crate) nonce: [u8; 32],
    /// The connection's exporter.
    pub(crate) exporter: [u8; 32],
    /// SHA-256 of the server's SubjectPublicKeyInfo.
    pub(crate) server_key: [u8; 32],
    /// The same of the client's; zeros without one.
    pub(crate) client_key: [u8; 32],
    /// Name of the TRE.
    pub(crate) tre_id: Arc<str>,
    /// Number of the state epoch.
    pub(crate) state_epoch: u64,
    /// The TRE's time.
    pub(crate) time: UnixMillis,
    /// Who asks.
    pub(crate) asker: Asker,
}

/// Who asks for a quote, as far as places in the room go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Asker {
    /// Showed no certificate.
    Anonymous,
    /// Showed one of the grid authority.
    Certified,
}

/// A quote as it goes into evidence.
#[derive(Clone, Debug)]
pub(crate) struct SignedQuote {
    /// The statement.
    pub(crate) attest: HexBytes,
    /// The signature over it.
    pub(crate) signature: HexBytes,
}

/// What one request gets of the quote that it shares.
#[derive(Clone, Debug)]
pub(crate) struct Share {
    /// The quote, or why there is none.
    pub(crate) quote: Arc<Result<SignedQuote, TpmError>>,
    /// The way from this request's leaf to what was quoted.
    pub(crate) path: Path,
}

/// Every place in the room is taken.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("expected fewer than {most} requests before the next quote")]
pub(crate) struct RoomFull {
    /// Places for such an asker.
    most: usize,
}

/// Whether the TPM knows that somebody waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Call {
    /// It was called before.
    Made,
    /// It is for the caller to call it, or to say with [`Room::not_called`] that it could not.
    Due,
}

/// Where requests wait for the next quote.
#[derive(Debug, Default)]
pub(crate) struct Room {
    waiting: Mutex<Waiting>,
    quotes: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    requests: Vec<Request>,
    called: bool,
    pace: Pace,
    /// The last quote, for as long as an answer with it is not out.
    last: Weak<Result<SignedQuote, TpmError>>,
}

#[derive(Debug)]
struct Request {
    asked: Asked,
    answer: oneshot::Sender<Share>,
}

impl Room {
    /// Takes a place. The answer comes with the next quote, or never if the TPM has gone.
    ///
    /// # Errors
    ///
    /// [`RoomFull`].
    pub(crate) fn enter(&self, asked: Asked) -> Result<(oneshot::Receiver<Share>, Call), RoomFull> {
        let most = asked.asker.places();
        let mut waiting = self.waiting();
        if waiting.requests.len() >= most {
            waiting.forget_the_gone();
        }
        if waiting.requests.len() >= most {
            return Err(RoomFull { most });
        }
        let (answer, share) = oneshot::channel();
        waiting.requests.push(Request { asked, answer });
        let called = mem::replace(&mut waiting.called, true);
        Ok((share, if called { Call::Made } else { Call::Due }))
    }

    /// Says that the TPM could not be called: the next who enters tries again.
    pub(crate) fn not_called(&self) {
        self.waiting().called = false;
    }

    /// Makes one quote for all who wait. Whoever enters from now on shares the next.
    pub(crate) fn serve(&self, tpm: &mut dyn Tpm) {
        let (pace, last) = {
            let waiting = self.waiting();
            (waiting.pace, waiting.last.clone())
        };
        // Each answer that is not encoded yet holds the quote.
        let unsent = || last.strong_count();
        let came = || self.waiting().requests.len();
        pace.gather((unsent, came), thread::park_timeout);
        let requests = self.empty();
        // No tree over nothing: all have gone, and no quote is made.
        let Some(tree) = Tree::of(requests.iter().map(|request| request.asked.leaf())) else {
            return;
        };
        let begun = moment();
        let quote = tpm.quote(tree.root()).map(|quote| SignedQuote {
            attest: HexBytes(quote.attest),
            signature: HexBytes(quote.signature),
        });
        self.quotes.fetch_add(u64::from(quote.is_ok()), Ordering::Relaxed);
        let quote = Arc::new(quote);
        {
            let mut waiting = self.waiting();
            waiting.pace = Pace::of(requests.len(), waiting.requests.len(), begun.elapsed());
            waiting.last = Arc::downgrade(&quote);
        }
        for (request, path) in requests.into_iter().zip(tree.paths()) {
            // Whoever has gone meanwhile misses nothing.
            drop(request.answer.send(Share { quote: Arc::clone(&quote), path }));
        }
    }

    /// Quotes that the TPM made so far.
    pub(crate) fn quotes(&self) -> u64 {
        self.quotes.load(Ordering::Relaxed)
    }

    fn empty(&self) -> Vec<Request> {
        let mut waiting = self.waiting();
        waiting.called = false;
        waiting.forget_the_gone();
        mem::take(&mut waiting.requests)
    }

    /// Held for a push or a take, never while the TPM works.
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// A requester that has gone needs no place.
    fn forget_the_gone(&mut self) {
        self.requests.retain(|request| !request.answer.is_closed());
    }
}

impl Asker {
    /// How many may wait before one more of this kind enters.
    const fn places(self) -> usize {
        match self {
            Self::Anonymous => bounds::ANONYMOUS_ATTESTATIONS,
            Self::Certified => bounds::ATTESTATIONS,
        }
    }
}

impl Asked {
    fn leaf(&self) -> Leaf<'_> {
        Leaf {
            nonce: self.nonce,
            exporter: self.exporter,
            server_key: self.server_key,
            client_key: self.client_key,
            tre_id: &self.tre_id,
            state_epoch: self.state_epoch,
            time: self.time,
        }
    }
}

#[cfg(test)]
mod tests;
