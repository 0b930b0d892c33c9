//! The real image in QEMU: it boots, proves itself, is enrolled, survives a power cut; a changed
//! one is found out, by the firmware where that is asked to look, else by TPM and verifier.

#![forbid(unsafe_code)]

mod boot;
mod outside;
mod secure_boot;
mod sight;
