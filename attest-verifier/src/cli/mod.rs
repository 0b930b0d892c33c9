//! The commands, one file each, and how results are shown.

pub(crate) mod address;
pub(crate) mod corim;
pub(crate) mod document;
pub(crate) mod explain;
pub(crate) mod fetch;
pub(crate) mod forget;
pub(crate) mod generate;
mod json;
pub(crate) mod proxy;
pub(crate) mod reference;
pub(crate) mod replay;
mod table;
pub(crate) mod verify;
pub(crate) mod watch;
