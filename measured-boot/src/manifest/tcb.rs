//! The trusted computing base of an image, counted: what a reader has to trust, and how much.
//!
//! Figures for people. No verdict hangs on them; they are signed with the manifest so that
//! nobody can show others.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use super::bounded::at_most;
use crate::limits::{
    MAX_TCB_LIBRARIES, MAX_TCB_PACKAGES, MAX_TCB_PHASES, MAX_TCB_PORTS, MAX_TCB_SYSTEM_CALLS,
};

/// What is inside the trust boundary, counted when the image was built.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TcbReport {
    /// Rust packages linked into the executable, by name.
    #[serde(deserialize_with = "at_most::<_, _, MAX_TCB_PACKAGES>")]
    pub rust: Vec<RustPackage>,
    /// C and assembly linked into the executable, by name of the package it comes from; behind
    /// them the kernel as `linux`, if it is counted.
    #[serde(deserialize_with = "at_most::<_, _, MAX_TCB_LIBRARIES>")]
    pub native: Vec<NativeLibrary>,
    /// The kernel's configuration.
    pub kernel: KernelOptions,
    /// System calls that the executable may make; any other ends it.
    #[serde(deserialize_with = "at_most::<_, _, MAX_TCB_SYSTEM_CALLS>")]
    pub system_calls: Vec<SystemCall>,
    /// TCP ports on which the executable accepts connections.
    #[serde(deserialize_with = "at_most::<_, _, MAX_TCB_PORTS>")]
    pub ports: Vec<u16>,
}

/// A Rust package, counted whole: also what this build leaves out by its configuration, but
/// without tests.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RustPackage {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Who wrote it.
    pub origin: Origin,
    /// Lines of Rust that are neither blank nor comment.
    pub code_lines: u32,
    /// What the compiler does not check in it.
    pub unsafe_code: UnsafeCode,
}

/// Who wrote a package.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// This project.
    Own,
    /// Somebody else.
    ThirdParty,
}

/// Places where a package uses `unsafe`, counted in its text, macros included.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct UnsafeCode {
    /// `unsafe { .. }`.
    pub blocks: u32,
    /// `unsafe fn`, with or without `extern`; types of function pointers are not counted.
    pub functions: u32,
    /// `unsafe impl` and `unsafe trait`.
    pub implementations: u32,
}

/// A library in C or assembly, or the part of a package that is: as far as it ended up in the
/// executable. Or the kernel, without the executable.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NativeLibrary {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Object files of which the linker kept something.
    pub objects: u32,
    /// What the linker kept of them, code and data. Unit: byte.
    pub linked_bytes: u64,
    /// Lines of the source files of those objects that are neither blank nor comment; `None` if
    /// they are not counted.
    pub code_lines: Option<u32>,
}

/// How much of the kernel is switched on.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KernelOptions {
    /// Options that are `=y`.
    pub built_in: u32,
    /// Options that are `=y` and are not in the kernel's own smallest configuration.
    pub beyond_smallest: u32,
    /// Options that are `=m`.
    pub modules: u32,
}

/// A system call, or one way to make it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SystemCall {
    /// Its name.
    pub name: String,
    /// When it is needed.
    #[serde(deserialize_with = "at_most::<_, _, MAX_TCB_PHASES>")]
    pub phases: Vec<String>,
    /// What its arguments must be, or what happens instead of the call; `None` if any will do.
    pub condition: Option<String>,
    /// What it is needed for.
    pub reason: String,
}
