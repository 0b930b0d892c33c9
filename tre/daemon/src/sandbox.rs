//! What stands between whoever takes over this process and the machine.
//!
//! In layers, each of which holds alone: the kernel carries out few calls ([`filter`]); the
//! process has no privileges and small limits ([`privileges`]); in the appliance nothing is left
//! to open (`appliance.rs`). Everything here happens before what a stranger wrote is read: the
//! first filter comes first of all, privileges go before the data disk is looked at, and the
//! second filter stands before the port is served. There is no way back from any of it.

mod filter;
mod privileges;

use seccompiler::apply_filter_all_threads;
use thiserror::Error;

pub(crate) use filter::Place;
use privileges::PrivilegeError;

use crate::log::line;

/// Why the sandbox does not stand; `tred` goes no further without it.
#[derive(Debug, Error)]
pub(crate) enum SandboxError {
    /// The table makes no filter.
    #[error("system call filter: {0}")]
    Filter(#[source] seccompiler::BackendError),
    /// The kernel does not take it.
    #[error("system call filter was not installed: {0}")]
    Install(#[source] seccompiler::Error),
    /// Something could not be given up.
    #[error(transparent)]
    Privileges(PrivilegeError),
}

/// Puts this process under the filter of the start. The first thing that `tred` does.
///
/// # Errors
///
/// [`SandboxError`]: the caller must not go on.
pub(crate) fn start(place: Place) -> Result<(), SandboxError> {
    for program in place.answered().map_err(SandboxError::Filter)? {
        apply_filter_all_threads(&program).map_err(SandboxError::Install)?;
    }
    let filter = place.start().map_err(SandboxError::Filter)?;
    apply_filter_all_threads(&filter.program).map_err(SandboxError::Install)?;
    stands(&format!("start filter, {} system calls, no new privileges", filter.calls));
    Ok(())
}

/// Gives up every privilege but the one to power off. Once all devices are open, and before what
/// they hold is looked at.
///
/// # Errors
///
/// [`SandboxError`]: the caller must not go on.
pub(crate) fn give_up_privileges(place: Place) -> Result<(), SandboxError> {
    privileges::give_up(place).map_err(SandboxError::Privileges)
}

/// Gives up the last privilege of the calling thread, the power-off. The first thing that a new
/// thread does; capabilities are each thread's own.
///
/// # Errors
///
/// [`SandboxError`]: the thread must not go on.
pub(crate) fn thread() -> Result<(), SandboxError> {
    privileges::give_up_last().map_err(SandboxError::Privileges)
}

/// Gives up what is left and puts all threads of this process under the filter of serving. Before
/// the first byte from a peer.
///
/// # Errors
///
/// [`SandboxError`]: the caller must not go on.
pub(crate) fn serve(place: Place) -> Result<(), SandboxError> {
    thread()?;
    privileges::start_no_thread().map_err(SandboxError::Privileges)?;
    stands("no capability, no new thread");
    let filter = place.serve().map_err(SandboxError::Filter)?;
    apply_filter_all_threads(&filter.program).map_err(SandboxError::Install)?;
    stands(&format!("serving filter, {} system calls", filter.calls));
    Ok(())
}

/// Says on the console that a protection stands.
pub(crate) fn stands(protection: &str) {
    line(&format!("protection: {protection}"));
}

/// Says on the console that one does not, and why that is so.
pub(crate) fn stands_not(protection: &str, reason: &str) {
    line(&format!("no protection: {protection}: {reason}"));
}
