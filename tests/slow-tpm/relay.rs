//! The two channels of a software TPM, passed on.

use core::time::Duration;
use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result};
use serde::Serialize;
use tre_interposer::{Frame, control};

use crate::pace::Pace;

/// The way to the TPM, and what has gone over it.
#[derive(Debug)]
pub(crate) struct Relay {
    tpm: PathBuf,
    pace: Pace,
    commands: Mutex<BTreeMap<String, Count>>,
}

/// What became of one kind of command.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Count {
    /// How many were answered.
    answered: u64,
    /// From arrival to answer, all together. Unit: microseconds.
    took_us: u64,
}

/// Passes on what one client says on one channel.
type Pass = fn(&Relay, UnixStream) -> io::Result<()>;

/// Serves both channels on threads of their own.
///
/// # Errors
///
/// When a socket cannot be made.
pub(crate) fn serve(relay: &Arc<Relay>, listen: &Path) -> Result<()> {
    let channels: [(PathBuf, Pass); 2] =
        [(listen.to_owned(), Relay::pass_commands), (control(listen), Relay::pass_control)];
    for (path, pass) in channels {
        let listener = UnixListener::bind(&path)
            .with_context(|| format!("listening on {}", path.display()))?;
        let relay = Arc::clone(relay);
        thread::spawn(move || {
            for client in listener.incoming() {
                let relay = Arc::clone(&relay);
                thread::spawn(move || {
                    if let Err(error) = client.and_then(|client| pass(&relay, client)) {
                        eprintln!("slow-tpm: a connection ended: {error}");
                    }
                });
            }
        });
    }
    Ok(())
}

impl Relay {
    /// To the TPM that serves at the socket `tpm`.
    pub(crate) const fn new(tpm: PathBuf, pace: Pace) -> Self {
        Self { tpm, pace, commands: Mutex::new(BTreeMap::new()) }
    }

    /// How often each command was answered so far, by its code in hexadecimal.
    pub(crate) fn counts(&self) -> BTreeMap<String, Count> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One client's commands. The TPM's side stays open while an answer is held back, so that
    /// nobody else's command overtakes it.
    fn pass_commands(&self, mut client: UnixStream) -> io::Result<()> {
        let mut tpm = UnixStream::connect(&self.tpm)?;
        while let Some(command) = Frame::read(&mut client)? {
            let arrived = now();
            let takes = self.pace.of(command.code());
            tpm.write_all(command.bytes())?;
            let Some(answer) = Frame::read(&mut tpm)? else {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the TPM hung up"));
            };
            thread::sleep(takes.saturating_sub(arrived.elapsed()));
            // Counted before it is known: whoever has the answer finds it counted.
            self.count(command.code(), arrived.elapsed());
            client.write_all(answer.bytes())?;
        }
        Ok(())
    }

    fn pass_control(&self, client: UnixStream) -> io::Result<()> {
        tre_interposer::pass_control(&self.tpm, &client)
    }

    fn count(&self, code: u32, took: Duration) {
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        let count = commands.entry(format!("{code:08x}")).or_default();
        count.answered = count.answered.saturating_add(1);
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        count.took_us = count.took_us.saturating_add(took);
    }
}

#[expect(clippy::disallowed_methods, reason = "a command line that measures time")]
fn now() -> Instant {
    Instant::now()
}
