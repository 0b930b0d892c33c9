//! The interposer itself: two sockets, and one function that decides.

use std::io::{self, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tempfile::TempDir;

use crate::{Frame, control, pass_control};

/// The way to the TPM: takes a command, gives its answer.
pub type Pass<'a> = dyn FnMut(&Frame) -> io::Result<Frame> + 'a;

/// What becomes of a command: the answer that its sender gets, or none, and the line goes dead.
pub type Deed = dyn FnMut(&Frame, &mut Pass<'_>) -> io::Result<Option<Frame>> + Send;

/// What passed between the sender and the interposer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Exchange {
    /// The command as it was sent.
    pub command: Frame,
    /// The answer as it was received; none where the line went dead.
    pub answer: Option<Frame>,
}

/// A running interposer. Its threads end with the process; its sockets are its own.
#[derive(Debug)]
pub struct Interposer {
    heard: Arc<Mutex<Vec<Exchange>>>,
    sockets: TempDir,
}

impl Interposer {
    /// Stands before the software TPM at `tpm` and treats each command as `deed` says.
    ///
    /// # Errors
    ///
    /// When a socket cannot be made.
    pub fn before(
        tpm: &Path,
        deed: impl FnMut(&Frame, &mut Pass<'_>) -> io::Result<Option<Frame>> + Send + 'static,
    ) -> io::Result<Self> {
        // Short: a socket's path has at most 107 bytes.
        let sockets = tempfile::Builder::new().prefix("between-").tempdir()?;
        let socket = sockets.path().join(SOCKET);
        let heard = Arc::new(Mutex::new(Vec::new()));
        let commands = UnixListener::bind(&socket)?;
        let controls = UnixListener::bind(control(&socket))?;
        let line = Line { tpm: tpm.to_owned(), heard: Arc::clone(&heard), deed: Box::new(deed) };
        thread::spawn(move || line.serve(&commands));
        let tpm = tpm.to_owned();
        thread::spawn(move || {
            for client in controls.incoming().flatten() {
                let tpm = tpm.clone();
                // A client that has gone has nothing left to be told.
                thread::spawn(move || pass_control(&tpm, &client).ok());
            }
        });
        Ok(Self { heard, sockets })
    }

    /// One that only listens.
    ///
    /// # Errors
    ///
    /// When a socket cannot be made.
    pub fn listening(tpm: &Path) -> io::Result<Self> {
        Self::before(tpm, |command, pass| pass(command).map(Some))
    }

    /// Where it serves, as the software TPM behind it does.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.sockets.path().join(SOCKET)
    }

    /// Everything that passed so far.
    #[must_use]
    pub fn heard(&self) -> Vec<Exchange> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

struct Line {
    tpm: PathBuf,
    heard: Arc<Mutex<Vec<Exchange>>>,
    deed: Box<Deed>,
}

impl Line {
    /// One client after the other: a TPM does one thing at a time.
    fn serve(mut self, commands: &UnixListener) {
        for client in commands.incoming().flatten() {
            // A line that goes dead is what a deed may want; the client sees it.
            self.client(client).ok();
        }
    }

    fn client(&mut self, mut client: UnixStream) -> io::Result<()> {
        while let Some(command) = Frame::read(&mut client)? {
            let tpm = &self.tpm;
            let mut pass = |command: &Frame| {
                let mut tpm = UnixStream::connect(tpm)?;
                tpm.write_all(command.bytes())?;
                let hung_up = || io::Error::new(io::ErrorKind::UnexpectedEof, "the TPM hung up");
                Frame::read(&mut tpm)?.ok_or_else(hung_up)
            };
            let answer = (self.deed)(&command, &mut pass);
            let answer = answer.unwrap_or(None);
            let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard.push(Exchange { command, answer: answer.clone() });
            drop(heard);
            let Some(answer) = answer else { return Ok(()) };
            client.write_all(answer.bytes())?;
        }
        Ok(())
    }
}

/// File name of the socket.
const SOCKET: &str = "tpm";
