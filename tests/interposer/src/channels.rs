//! The control channel of a software TPM, which nobody here wants to change.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;

/// Where the control channel of the socket at `path` is.
#[must_use]
pub fn control(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".ctrl");
    PathBuf::from(name)
}

/// Passes on what one client says on the control channel of the TPM at `tpm`, both ways.
///
/// # Errors
///
/// The streams'.
pub fn pass_control(tpm: &Path, client: &UnixStream) -> io::Result<()> {
    let tpm = UnixStream::connect(control(tpm))?;
    let (mut from_client, mut to_tpm) = (client.try_clone()?, tpm.try_clone()?);
    let forth = thread::spawn(move || {
        io::copy(&mut from_client, &mut to_tpm)?;
        to_tpm.shutdown(Shutdown::Write)
    });
    io::copy(&mut &tpm, &mut &*client)?;
    client.shutdown(Shutdown::Both)?;
    forth.join().unwrap_or(Ok(()))
}
