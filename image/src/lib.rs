//! The reproducible boot image, its data disk and its virtual machine.
//!
//! The *image* is one EFI file, a kernel with `tred` built in, on a FAT disk: code alone, the
//! same for everyone ([`assemble`]), with a manifest that says beforehand what a TPM will measure
//! ([`reference`](mod@reference)). What differs from box to box stands on the data [`disk`]. A
//! [`machine`] runs both under firmware and TPM that measure, for tests and demonstrations; what
//! its firmware says of itself is a [`platform`], which can be [`record`]ed. What that firmware may
//! start stands in its [`variables`]; with them, or on another platform, the same image is in
//! another [`configuration`] and has another manifest.

#![forbid(unsafe_code)]

pub mod assemble;
pub mod checkout;
pub mod compare;
pub mod compile;
pub mod configuration;
pub mod crates;
pub mod dates;
pub mod disk;
pub mod fat;
pub mod file;
pub mod firmware;
pub mod inputs;
mod kernel;
pub mod lock;
pub mod machine;
pub mod platform;
pub mod project;
mod proof;
pub mod record;
pub mod reference;
pub mod release;
pub mod reproduce;
pub mod sources;
pub mod tcb;
pub mod tool;
pub mod variables;
