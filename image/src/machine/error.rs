//! Why a machine does not run.

use core::net::SocketAddr;
use std::io;
use std::path::PathBuf;

use measured_boot::digest::Sha256Digest;
use tre_wire::disk::DiskError;

use super::Hardware;
use crate::file::FileError;
use crate::tool::{Excerpt, ToolError};
use crate::variables::VariablesError;

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
    /// A folder where a file should be.
    #[error("{what}: expected a file, {} is a folder: {remedy}", path.display())]
    NotAFile {
        /// What it should be.
        what: &'static str,
        /// The folder.
        path: PathBuf,
        /// What makes it.
        remedy: &'static str,
    },
    /// A file where the machine's folder should be.
    #[error("expected a folder, {} is a file: name another, it is made", path.display())]
    NotAFolder {
        /// The file.
        path: PathBuf,
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
    /// The TPM of a state folder has secrets sealed to the machine that it was made with.
    #[error(
        "state folder {} is of a machine with {found}, not with {expected}: use another folder",
        path.display()
    )]
    OtherHardware {
        /// The folder.
        path: PathBuf,
        /// What its machine has.
        found: Hardware,
        /// What was asked for.
        expected: Hardware,
    },
    /// The same, of the firmware's variables.
    #[error(
        "state folder {} is of a machine whose firmware started with variable store {found}, \
         not {expected}: use another folder",
        path.display()
    )]
    OtherVariables {
        /// The folder.
        path: PathBuf,
        /// The store with which its machine started.
        found: Sha256Digest,
        /// The one asked for.
        expected: Sha256Digest,
    },
    /// What a state folder says of its machine cannot be read or written.
    #[error("{}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The data disk is none.
    #[error("data disk {}: {source}", path.display())]
    NotADisk {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: DiskError,
    },
    /// The variable store is none.
    #[error("{0}: 'tre-image variables' makes one")]
    Variables(#[source] VariablesError),
    /// The boot disk has no file system that firmware reads.
    #[error("{} is no boot image: 'tre-image build' makes one", path.display())]
    NotAnImage {
        /// The file.
        path: PathBuf,
    },
    /// Two machines on one data disk would destroy it.
    #[error("data disk {} is in use by another machine: stop it, or use another", path.display())]
    DiskInUse {
        /// The disk.
        path: PathBuf,
    },
    /// The data disk could fill the disk that it lies on.
    #[error("{}: expected {needed} bytes of free disk space, found {free}", path.display())]
    NoRoom {
        /// The data disk.
        path: PathBuf,
        /// What it may still grow by, and what the machine needs beside it. Unit: byte.
        needed: u64,
        /// What is left. Unit: byte.
        free: u64,
    },
    /// This computer does not have the guest's memory.
    #[error("{memory_mib} MiB of memory cannot be had: choose less with --memory")]
    Memory {
        /// What was asked for. Unit: MiB.
        memory_mib: u32,
    },
    /// Whoever watched the start did not want to go on.
    #[error("stopped before it was ready")]
    Interrupted,
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
