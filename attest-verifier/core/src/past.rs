//! What a verifier remembers of a TRE, and why it does not go back behind it.
//!
//! A TPM counts its resets and restarts and has a clock; a TRE numbers its state epochs, and its
//! image is a release with a number. Evidence of a restored TPM, a restored disk or an older image
//! is sound in itself: only who saw later evidence can tell. What honest boxes do is not refused:
//! after a power cut a TPM's clock may stand before values that it has reported, and says so.
//!
//! Every start of a box begins a state epoch. An epoch that was seen before the TPM's last reset, and
//! is shown after it, comes from a disk that was set back by one start. What this cannot tell: a box
//! that was restored *and* then started more often than the one that was seen.

use core::cmp::Ordering;

use measured_boot::manifest::ReleaseNumber;
use measured_boot::tpm::Name;

use crate::check::{Check, Mismatch, Sides, mismatch_is_error};
use crate::verdict::Facts;

/// What was last believed of one TRE. Comes from a fresh, bound attestation alone:
/// [`Attested::past`](crate::verdict::Attested::past).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Past {
    /// Name of its attestation key.
    pub attestation_key: Name,
    /// Number of TPM resets. `[TPM2-P2]`, `TPMS_CLOCK_INFO`
    pub reset_count: u32,
    /// Number of TPM restarts and resumes since that reset. `[TPM2-P2]`, `TPMS_CLOCK_INFO`
    pub restart_count: u32,
    /// The TPM's clock since that restart. Unit: milliseconds. `[TPM2-P2]`, `TPMS_CLOCK_INFO`
    pub clock_ms: u64,
    /// The greatest value that the clock was ever seen at. Unit: milliseconds.
    pub greatest_clock_ms: u64,
    /// Number of the state epoch.
    pub state_epoch: u64,
    /// The release that it ran; `None` if it was no release.
    pub release: Option<ReleaseNumber>,
}

/// Why evidence is older than what is remembered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PastError {
    /// Another TPM under the same name: its counters say nothing about the first one's.
    AttestationKey {
        /// Name of the key that is remembered.
        expected: Name,
        /// Name of the key that signed.
        found: Name,
    },
    /// The TPM was reset less often than it had been: restored, or cleared.
    ResetCount {
        /// The least that it may be.
        expected: u32,
        /// What the quote says.
        found: u32,
    },
    /// Within one reset, the TPM was restarted less often than it had been.
    RestartCount {
        /// The least that it may be.
        expected: u32,
        /// What the quote says.
        found: u32,
    },
    /// The clock went back without a restart.
    Clock {
        /// The least that it may be. Unit: milliseconds.
        expected: u64,
        /// What the quote says. Unit: milliseconds.
        found: u64,
    },
    /// The TPM says that it never reported a greater clock, and it did.
    SafeClock {
        /// The greatest clock seen. Unit: milliseconds.
        expected: u64,
        /// What the quote says. Unit: milliseconds.
        found: u64,
    },
    /// The sealed state is older than it had been; or the TPM was reset, and the epoch is still the
    /// one of before.
    StateEpoch {
        /// The least that it may be.
        expected: u64,
        /// What the evidence says.
        found: u64,
    },
    /// The box runs an older release than it did, or none.
    Release {
        /// The least that it may be.
        expected: Option<ReleaseNumber>,
        /// That of the manifest which the box equals.
        found: Option<ReleaseNumber>,
    },
}

impl Mismatch for PastError {
    fn check(&self) -> Check {
        Check::Past
    }

    fn sides(&self) -> Sides {
        match self {
            Self::AttestationKey { expected, found } => {
                Sides::new(format_args!("the remembered attestation key {expected}"), found)
            }
            Self::ResetCount { expected, found } => {
                Sides::new(format_args!("at least {expected} TPM resets"), found)
            }
            Self::RestartCount { expected, found } => {
                Sides::new(format_args!("at least {expected} TPM restarts since the reset"), found)
            }
            Self::Clock { expected, found } => {
                Sides::new(format_args!("a TPM clock of at least {expected} ms"), found)
            }
            Self::SafeClock { expected, found } => Sides::new(
                format_args!("a TPM clock that calls itself safe of at least {expected} ms"),
                found,
            ),
            Self::StateEpoch { expected, found } => {
                Sides::new(format_args!("state epoch {expected} or later"), found)
            }
            Self::Release { expected, found } => {
                Sides::new(format_args!("{} or later", in_words(*expected)), in_words(*found))
            }
        }
    }
}

mismatch_is_error!(PastError);

fn in_words(release: Option<ReleaseNumber>) -> alloc::string::String {
    match release {
        Some(number) => alloc::format!("release {number}"),
        None => "no release".into(),
    }
}

impl Past {
    /// What `facts` leave to remember, if nothing is remembered yet.
    pub(crate) const fn of(facts: &Facts) -> Self {
        let clock = facts.clock;
        Self {
            attestation_key: facts.attestation_key,
            reset_count: clock.reset_count,
            restart_count: clock.restart_count,
            clock_ms: clock.clock_ms,
            greatest_clock_ms: clock.clock_ms,
            state_epoch: facts.state_epoch,
            release: facts.release,
        }
    }

    /// Nothing in `facts` is older than this. They must come from a quote that was asked for after
    /// this was known.
    ///
    /// # Errors
    ///
    /// [`PastError`] of the first part that is older.
    pub fn check(&self, facts: &Facts) -> Result<(), PastError> {
        let (expected, found) = (self.attestation_key, facts.attestation_key);
        if expected != found {
            return Err(PastError::AttestationKey { expected, found });
        }
        self.check_counts(facts)?;
        self.check_clock(facts)?;
        self.check_epoch(facts)?;
        let (expected, found) = (self.release, facts.release);
        if found < expected {
            return Err(PastError::Release { expected, found });
        }
        Ok(())
    }

    /// No epoch is seen before and after a start: every start resets the TPM or restarts it. Nobody
    /// numbers epoch 0, which early releases show.
    fn check_epoch(&self, facts: &Facts) -> Result<(), PastError> {
        let (mut expected, found) = (self.state_epoch, facts.state_epoch);
        let starts = (facts.clock.reset_count, facts.clock.restart_count);
        if expected > 0 && starts > (self.reset_count, self.restart_count) {
            expected = expected.saturating_add(1);
        }
        if found < expected { Err(PastError::StateEpoch { expected, found }) } else { Ok(()) }
    }

    /// Restarts are counted within a reset.
    fn check_counts(&self, facts: &Facts) -> Result<(), PastError> {
        let (expected, found) = (self.reset_count, facts.clock.reset_count);
        if found < expected {
            return Err(PastError::ResetCount { expected, found });
        }
        let same_reset = found == expected;
        let (expected, found) = (self.restart_count, facts.clock.restart_count);
        if same_reset && found < expected {
            return Err(PastError::RestartCount { expected, found });
        }
        Ok(())
    }

    /// Within equal counts the clock only advances. Across them it may go back, unless the TPM says
    /// that it did not.
    fn check_clock(&self, facts: &Facts) -> Result<(), PastError> {
        let found = facts.clock.clock_ms;
        let counts = (facts.clock.reset_count, facts.clock.restart_count);
        let expected = self.clock_ms;
        if counts == (self.reset_count, self.restart_count) && found < expected {
            return Err(PastError::Clock { expected, found });
        }
        let expected = self.greatest_clock_ms;
        if facts.clock.safe && found < expected {
            return Err(PastError::SafeClock { expected, found });
        }
        Ok(())
    }

    /// The later of both, part by part: what is known after both were believed of one key.
    ///
    /// # Errors
    ///
    /// [`PastError::AttestationKey`] if they are of two keys.
    pub fn joined(self, other: Self) -> Result<Self, PastError> {
        let (expected, found) = (self.attestation_key, other.attestation_key);
        if expected != found {
            return Err(PastError::AttestationKey { expected, found });
        }
        let place = |past: &Self| (past.reset_count, past.restart_count, past.clock_ms);
        let later = match place(&self).cmp(&place(&other)) {
            Ordering::Less => other,
            Ordering::Equal | Ordering::Greater => self,
        };
        Ok(Self {
            greatest_clock_ms: self.greatest_clock_ms.max(other.greatest_clock_ms),
            state_epoch: self.state_epoch.max(other.state_epoch),
            release: self.release.max(other.release),
            ..later
        })
    }
}
