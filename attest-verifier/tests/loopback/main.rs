//! The verifier against boxes on the loopback: honest, tampered with, relayed, silent.
//!
//! The boxes are real TLS 1.3 servers that record every byte they are sent; only the TPM is made
//! of a plain key.

#![forbid(unsafe_code)]

#[cfg(test)]
mod cli;
#[cfg(test)]
mod connect;
#[cfg(test)]
mod corim;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod export;
#[cfg(test)]
mod fat_image;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod image;
#[cfg(test)]
mod list_server;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod misuse;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod replay;
#[cfg(test)]
#[path = "../../core/src/tests/scene.rs"]
mod scene;
#[cfg(test)]
mod server;
#[cfg(test)]
#[path = "../../core/src/tests/signing.rs"]
mod signing;
#[cfg(test)]
mod stream;
#[cfg(test)]
mod tools;
#[cfg(test)]
mod trust;
#[cfg(test)]
mod watch;
#[cfg(test)]
mod watch_grounds;
