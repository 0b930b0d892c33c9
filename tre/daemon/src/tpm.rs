//! The one thread that talks to the TPM: a TPM does one thing at a time, and slowly.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use thiserror::Error;
use tokio::sync::oneshot;
use tre_tpm::Tpm;

use crate::bounds;

type Job = Box<dyn FnOnce(&mut dyn Tpm) + Send>;

/// A way to the TPM thread.
#[derive(Clone, Debug)]
pub(crate) struct TpmHandle {
    jobs: SyncSender<Job>,
}

/// Why a job was not done.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub(crate) enum TpmUnavailable {
    /// The queue is full: come back later.
    #[error("{} requests wait for the TPM already; try again", bounds::TPM_QUEUE)]
    Busy,
    /// The thread has ended.
    #[error("the TPM thread has ended")]
    Gone,
}

/// Starts the thread and waits until it runs: what a thread needs to begin, the sandbox forbids.
///
/// # Errors
///
/// The operating system's, when it has no thread to give.
pub(crate) fn spawn(tpm: Box<dyn Tpm>) -> std::io::Result<TpmHandle> {
    let (jobs, queue) = sync_channel(bounds::TPM_QUEUE);
    let (begun, begin) = sync_channel(1);
    thread::Builder::new().name("tpm".to_owned()).spawn(move || {
        // The other end waits below; it cannot have gone.
        begun.send(()).ok();
        serve(tpm, &queue);
    })?;
    begin.recv().map_err(std::io::Error::other)?;
    Ok(TpmHandle { jobs })
}

fn serve(mut tpm: Box<dyn Tpm>, queue: &Receiver<Job>) {
    while let Ok(job) = queue.recv() {
        job(tpm.as_mut());
    }
}

impl TpmHandle {
    /// Runs `work` on the TPM and returns what it gives.
    ///
    /// # Errors
    ///
    /// [`TpmUnavailable`].
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Tpm) -> T + Send + 'static,
    ) -> Result<T, TpmUnavailable> {
        let (answer, result) = oneshot::channel();
        let job: Job = Box::new(move |tpm| {
            // A requester that has gone needs no work done.
            if !answer.is_closed() {
                drop(answer.send(work(tpm)));
            }
        });
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => TpmUnavailable::Busy,
            TrySendError::Disconnected(_) => TpmUnavailable::Gone,
        })?;
        result.await.map_err(|_| TpmUnavailable::Gone)
    }
}
