//! The real image in QEMU: it boots, proves itself, is enrolled, survives a power cut, and a
//! changed one is found out.

#![forbid(unsafe_code)]

mod boot;
