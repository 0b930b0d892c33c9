//! The commands, one file each, and how results are shown.

pub(crate) mod fetch;
mod json;
mod table;
pub(crate) mod verify;
