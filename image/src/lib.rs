//! The reproducible boot image, its data disk and its virtual machine.
//!
//! The *image* is one EFI file, a kernel with `tred` built in, on a FAT disk: code alone, the
//! same for everyone ([`assemble`]), with a manifest that says beforehand what a TPM will measure
//! ([`reference`](mod@reference)). What differs from box to box stands on the data [`disk`]. A
//! [`machine`] runs both under firmware and TPM that measure, for tests and demonstrations; what
//! its firmware says of itself is a [`platform`], which can be [`record`]ed.

#![forbid(unsafe_code)]

pub mod assemble;
pub mod checkout;
pub mod compile;
pub mod disk;
pub mod fat;
pub mod file;
pub mod inputs;
mod kernel;
pub mod machine;
pub mod platform;
pub mod record;
pub mod reference;
pub mod tool;
