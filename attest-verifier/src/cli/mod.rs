//! The commands, one file each, and how results are shown.

pub(crate) mod corim;
pub(crate) mod document;
pub(crate) mod explain;
pub(crate) mod fetch;
mod json;
pub(crate) mod replay;
mod table;
pub(crate) mod verify;
