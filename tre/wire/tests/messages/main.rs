//! The messages pinned by literals: one golden file each under `tests/vectors/v1/messages`.
//!
//! A [`case::Case`] names a golden file and describes every leaf of it; all faults and all
//! properties are derived from that description, so a new field without a description fails.

#![forbid(unsafe_code)]

#[cfg(test)]
mod answers;
#[cfg(test)]
mod case;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod lenient;
#[cfg(test)]
mod longest;
#[cfg(test)]
mod names;
#[cfg(test)]
mod property;
#[cfg(test)]
mod requests;
