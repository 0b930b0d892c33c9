//! Which release an image is.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::tcb::TcbReport;

/// Place of a release among all releases: a later release has a larger number, and no two have
/// the same.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct ReleaseNumber(pub u32);

impl fmt::Display for ReleaseNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a manifest of format 2 says beyond one of format 1.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Release {
    /// Which release the image is.
    pub number: ReleaseNumber,
    /// What has to be trusted in it, counted.
    pub tcb: TcbReport,
}
