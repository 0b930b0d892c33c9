//! What may be released at all, and when it is in force: the same for signer and verifier.

use measured_boot::manifest::ReferenceManifest;
use tre_wire::units::UnixMillis;

/// Longest reason for signing a manifest whose inputs were not locked. Unit: bytes.
pub const REASON_BYTES: usize = 512;

/// Why no manifest like this is ever released, or believed if somebody did. Unit of all times:
/// seconds since 1970.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Unreleasable {
    /// It would be believed for ever.
    #[error("expected an end date (valid_until), found none; set one with `tre-image date`")]
    NoEnd,
    /// It would never be in force.
    #[error("expected a first date (valid_from) before the end date {until}, found {from}")]
    NeverInForce {
        /// First second.
        from: u64,
        /// Last second.
        until: u64,
    },
    /// Nobody could rebuild it with certainty, and nobody says why it is released all the same.
    #[error(
        "expected a manifest with `locked: true`, found `locked: false`: it was not built from \
         the locked inputs; build with LOCK=strict, or sign it with --unlocked-because"
    )]
    Unlocked,
    /// A reason for something that is not so.
    #[error("expected no reason for unlocked inputs with `locked: true`, found one")]
    NotUnlocked,
    /// A reason that cannot stand in a report.
    #[error("expected a reason of 1 to {REASON_BYTES} bytes in one line, found {found} bytes")]
    Reason {
        /// Length in bytes.
        found: usize,
    },
}

/// The time in which a released manifest may be believed, first and last second included.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Dates {
    /// First second, if there is one. Unit: seconds since 1970.
    pub from: Option<u64>,
    /// Last second. Unit: seconds since 1970.
    pub until: u64,
}

/// Whether a manifest is in force.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// It is.
    InForce,
    /// Not yet.
    NotYet {
        /// First second. Unit: seconds since 1970.
        from: u64,
    },
    /// No longer.
    Expired {
        /// Last second. Unit: seconds since 1970.
        until: u64,
    },
}

impl Dates {
    /// Whether `now` lies within.
    #[must_use]
    pub fn at(&self, now: UnixMillis) -> Standing {
        let now = now.get() / 1_000;
        match *self {
            Self { until, .. } if now > until => Standing::Expired { until },
            Self { from: Some(from), .. } if now < from => Standing::NotYet { from },
            Self { .. } => Standing::InForce,
        }
    }
}

/// Holds a manifest against the rules for releases: it ends, it was built from the locked inputs
/// or somebody says why not.
///
/// # Errors
///
/// [`Unreleasable`].
pub fn check_releasable(
    manifest: &ReferenceManifest,
    unlocked_because: Option<&str>,
) -> Result<Dates, Unreleasable> {
    let (from, until) = (manifest.valid_from, manifest.valid_until.ok_or(Unreleasable::NoEnd)?);
    if let Some(from) = from.filter(|from| *from > until) {
        return Err(Unreleasable::NeverInForce { from, until });
    }
    match (manifest.locked, unlocked_because) {
        (true, None) => Ok(Dates { from, until }),
        (true, Some(_)) => Err(Unreleasable::NotUnlocked),
        (false, None) => Err(Unreleasable::Unlocked),
        (false, Some(reason)) => {
            let found = reason.len();
            let in_words = !reason.trim().is_empty() && !reason.chars().any(char::is_control);
            if in_words && found <= REASON_BYTES {
                Ok(Dates { from, until })
            } else {
                Err(Unreleasable::Reason { found })
            }
        }
    }
}
