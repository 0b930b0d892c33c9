//! The one thread that talks to the TPM: a TPM does one thing at a time, and slowly.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use thiserror::Error;
use tokio::sync::oneshot;
use tre_tpm::Tpm;

use crate::bounds;
use crate::quotes::{Asked, Call, Room, RoomFull, Share};
use crate::sandbox;

type Work = Box<dyn FnOnce(&mut dyn Tpm) + Send>;

enum Job {
    /// What one requester wants done.
    Work(Work),
    /// A quote for all who wait for one by then.
    Quote,
}

/// A way to the TPM thread.
#[derive(Clone, Debug)]
pub(crate) struct TpmHandle {
    jobs: SyncSender<Job>,
    room: Arc<Room>,
}

/// Why a job was not done.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub(crate) enum TpmUnavailable {
    /// The queue is full: come back later.
    #[error("{} requests wait for the TPM already; try again", bounds::TPM_QUEUE)]
    Busy,
    /// Too many want to be in the next quote: come back later.
    #[error("{0}; try again")]
    RoomFull(RoomFull),
    /// The thread has ended.
    #[error("the TPM thread has ended")]
    Gone,
}

/// Starts the thread and waits until it runs: what a thread needs to begin, the sandbox forbids.
///
/// # Errors
///
/// The operating system's, when it has no thread to give or leaves it a privilege.
pub(crate) fn spawn(tpm: Box<dyn Tpm>) -> std::io::Result<TpmHandle> {
    let (jobs, queue) = sync_channel(bounds::TPM_QUEUE);
    let (begun, begin) = sync_channel(1);
    let room = Arc::new(Room::default());
    let shared = Arc::clone(&room);
    thread::Builder::new().name("tpm".to_owned()).spawn(move || {
        shrink_the_heap_once();
        let sandboxed = sandbox::thread();
        let goes_on = sandboxed.is_ok();
        // The other end waits below; it cannot have gone.
        begun.send(sandboxed).ok();
        if goes_on {
            serve(tpm, &queue, &shared);
        }
    })?;
    begin.recv().map_err(std::io::Error::other)?.map_err(std::io::Error::other)?;
    Ok(TpmHandle { jobs, room })
}

/// Makes this thread's heap grow and shrink.
///
/// The first time in the life of a process that such a heap shrinks, glibc asks whether it may,
/// by opening a file under `/proc`, and remembers the answer. While serving, the sandbox would end
/// the process for it: so it is asked here, where a file that is not there does no harm.
fn shrink_the_heap_once() {
    // Each block is below the size from which glibc maps memory apart, and all of them above that
    // from which it gives memory back. Nothing is written to them.
    let blocks: Vec<Vec<u8>> = (0..160).map(|_| Vec::with_capacity(100 * 1024)).collect();
    drop(core::hint::black_box(blocks));
}

fn serve(mut tpm: Box<dyn Tpm>, queue: &Receiver<Job>, room: &Room) {
    while let Ok(job) = queue.recv() {
        match job {
            Job::Work(work) => work(tpm.as_mut()),
            Job::Quote => room.serve(tpm.as_mut()),
        }
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
        self.queue(Job::Work(Box::new(move |tpm| {
            // A requester that has gone needs no work done.
            if !answer.is_closed() {
                drop(answer.send(work(tpm)));
            }
        })))?;
        result.await.map_err(|_| TpmUnavailable::Gone)
    }

    /// Has `asked` quoted, together with whatever else waits for the next quote.
    ///
    /// # Errors
    ///
    /// [`TpmUnavailable`].
    pub(crate) async fn quote(&self, asked: Asked) -> Result<Share, TpmUnavailable> {
        let (share, call) = self.room.enter(asked).map_err(TpmUnavailable::RoomFull)?;
        if call == Call::Due {
            self.queue(Job::Quote).inspect_err(|_| self.room.not_called())?;
        }
        share.await.map_err(|_| TpmUnavailable::Gone)
    }

    /// Quotes that the TPM made so far.
    pub(crate) fn quotes(&self) -> u64 {
        self.room.quotes()
    }

    fn queue(&self, job: Job) -> Result<(), TpmUnavailable> {
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => TpmUnavailable::Busy,
            TrySendError::Disconnected(_) => TpmUnavailable::Gone,
        })
    }
}
