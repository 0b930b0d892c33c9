//! The one owner of the grid's state. Everybody else asks it, in order, through one queue.
//!
//! A command becomes a record (time, seed, command) and is applied; a view reads. While state
//! lives in memory a record is not kept: this is where the journal will stand.

use std::sync::Arc;

use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tre_grid::{Grid, Outcome, Refusal};
use tre_wire::hex::Hex32;
use tre_wire::journal::{Command, Record};

use crate::bounds;
use crate::clock::Clock;
use crate::random::{self, NoRandomness};

enum Request {
    Command(Command, oneshot::Sender<Result<Outcome, CommandError>>),
    View(Box<dyn FnOnce(&Grid)>),
}

/// A way to the owner.
#[derive(Clone)]
pub(crate) struct Owner {
    requests: mpsc::Sender<Request>,
}

/// Why a command was not carried out.
#[derive(Debug, Error)]
pub(crate) enum CommandError {
    /// The grid refused it.
    #[error(transparent)]
    Refused(Refusal),
    /// No seed for the step.
    #[error(transparent)]
    Random(NoRandomness),
    /// The time is not known.
    #[error("expected a time, found none: put a time token")]
    NoTime,
    /// The owner has ended.
    #[error("the owner of the grid's state has ended")]
    Gone,
}

/// Starts the owner of `grid` on this thread's local task set.
pub(crate) fn spawn(grid: Grid, clock: Arc<Clock>) -> Owner {
    let (requests, queue) = mpsc::channel(bounds::OWNER_QUEUE);
    tokio::task::spawn_local(own(grid, clock, queue));
    Owner { requests }
}

async fn own(mut grid: Grid, clock: Arc<Clock>, mut queue: mpsc::Receiver<Request>) {
    loop {
        let due = grid.next_deadline();
        // Without a time nothing is due; whoever sets it makes us look.
        let wait = due.and_then(|time| clock.until(time));
        let request = match wait {
            Some(wait) => tokio::time::timeout(wait, queue.recv()).await.ok(),
            None => Some(queue.recv().await),
        };
        match request {
            // The deadline came first.
            None if tick(&mut grid, &clock) => {}
            // What is due stays due: not at once again.
            None => tokio::time::sleep(bounds::RETRY_STEP).await,
            Some(None) => return,
            Some(Some(Request::View(view))) => {
                // Under load requests may keep the deadline from being seen above.
                if due.is_some_and(|due| clock.now().is_some_and(|now| due <= now)) {
                    let _made = tick(&mut grid, &clock);
                }
                view(&grid);
            }
            Some(Some(Request::Command(command, reply))) => {
                // A peer that has gone needs no answer; what it asked has been done.
                drop(reply.send(apply(&mut grid, &clock, command)));
            }
        }
    }
}

fn apply(grid: &mut Grid, clock: &Clock, command: Command) -> Result<Outcome, CommandError> {
    let seed = random::bytes().map_err(CommandError::Random)?;
    let now = clock.now().ok_or(CommandError::NoTime)?;
    let record = Record { format: 1, now, seed: Hex32(seed), command };
    grid.apply(&record).map_err(CommandError::Refused)
}

/// Lets time pass; whether it could. A tick asks for nothing, so nothing in it can be refused but
/// time itself.
fn tick(grid: &mut Grid, clock: &Clock) -> bool {
    let made = apply(grid, clock, Command::Tick);
    if let Err(error) = &made {
        crate::log::line(&format!("clock step failed: {error}"));
    }
    made.is_ok()
}

impl Owner {
    /// Carries out a command.
    ///
    /// # Errors
    ///
    /// [`CommandError`].
    pub(crate) async fn command(&self, command: Command) -> Result<Outcome, CommandError> {
        let (reply, answer) = oneshot::channel();
        let request = Request::Command(command, reply);
        self.requests.send(request).await.map_err(|_| CommandError::Gone)?;
        answer.await.map_err(|_| CommandError::Gone)?
    }

    /// Reads the state, after bringing it up to now.
    ///
    /// # Errors
    ///
    /// [`CommandError`].
    pub(crate) async fn view<T: 'static>(
        &self,
        view: impl FnOnce(&Grid) -> T + 'static,
    ) -> Result<T, CommandError> {
        let (reply, answer) = oneshot::channel();
        let read = move |grid: &Grid| drop(reply.send(view(grid)));
        let request = Request::View(Box::new(read));
        self.requests.send(request).await.map_err(|_| CommandError::Gone)?;
        answer.await.map_err(|_| CommandError::Gone)
    }
}

impl Owner {
    /// Has the owner see a time that was set: what it waits for may be due, or further away.
    pub(crate) fn look_at_the_clock(&self) {
        // Where there is no room, there are requests: each of them makes it look.
        self.requests.try_send(Request::View(Box::new(|_| {}))).ok();
    }
}

impl core::fmt::Debug for Owner {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Owner").finish_non_exhaustive()
    }
}
