//! Why a machine does not run.

use core::net::SocketAddr;
use std::io;
use std::path::PathBuf;

use crate::file::FileError;
use crate::tool::{Excerpt, ToolError};

/// Why a machine did not start, or did not become ready.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MachineError {
    /// A program is missing or failed.
    #[error("virtual machine: {0}")]
    Tool(#[source] ToolError),
    /// A file that the machine is made of is not there.
    #[error("{what} {} is missing: {remedy}", path.display())]
    FileMissing {
        /// What it is.
        what: &'static str,
        /// Where it was looked for.
        path: PathBuf,
        /// What makes it.
        remedy: &'static str,
    },
    /// Two machines on one TPM would destroy its state.
    #[error(
        "state folder {} is in use by another machine: stop it, or use another",
        path.display()
    )]
    StateInUse {
        /// The folder.
        path: PathBuf,
    },
    /// A step on the state folder failed.
    #[error("virtual machine: {0}")]
    File(#[source] FileError),
    /// The appliance said that it listens, and does not.
    #[error("the appliance does not answer at {address}: {source}")]
    Unreachable {
        /// Where it was looked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Somebody else listens there.
    #[error("port {port} of 127.0.0.1 cannot be had: choose another with --port ({source})")]
    Port {
        /// The port.
        port: u16,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The TPM emulator did not come up.
    #[error("the TPM emulator did not come up; it said:\n{said}")]
    Tpm {
        /// Its last words.
        said: Excerpt,
    },
    /// The machine ended before it was ready.
    #[error(
        "the machine ended before it was ready; QEMU said:\n{said}\nthe console said:\n{console}"
    )]
    Ended {
        /// QEMU's last words.
        said: Excerpt,
        /// The last lines of the serial console.
        console: Excerpt,
    },
    /// The machine runs but did not become ready in time.
    #[error("the machine was not ready after {seconds} s; the console said:\n{console}")]
    NotReady {
        /// How long was waited. Unit: second.
        seconds: u64,
        /// The last lines of the serial console.
        console: Excerpt,
    },
}
