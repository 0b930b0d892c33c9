//! What the lines of a log leave behind, and how one more follows them.

use attest_verifier_core::measured_boot::digest::{Sha256Digest, sha256};
use attest_verifier_core::past::Past;
use attest_verifier_core::wire::hex::{Hex32, HexBytes};
use attest_verifier_core::wire::id::PeerId;
use attest_verifier_core::wire::units::UnixMillis;

use super::error::{Fault, same};
use super::grounds::{self, InForce, Kept, SeenLists};
use super::older::{self, OlderEntry};
use super::verdict::derive;
use super::{
    Anchors, Content, Entry, FORMAT, Grounds, GroundsError, KeptFile, Look, Part, Seen, Verdict,
};
use crate::trust::Trust;

/// What the lines so far leave behind.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) tre_id: PeerId,
    pub(super) anchors: Anchors,
    pub(super) lines: u64,
    pub(super) verdicts: u64,
    pub(super) head: Option<Sha256Digest>,
    pub(super) last: Option<Verdict>,
    /// Files of the grounds in force, and of those that come next.
    pub(super) kept: Kept,
    /// The grounds in force, with the number of their entry.
    pub(super) in_force: Option<(u64, InForce)>,
    past: Option<Past>,
    event_log: Option<(u64, HexBytes)>,
}

/// What one more line changes.
#[derive(Debug)]
pub(super) enum Step {
    File(KeptFile),
    Grounds(Box<InForce>),
    Look {
        verdict: Verdict,
        past: Option<Past>,
        /// The event log, if it stands in this line.
        event_log: Option<HexBytes>,
    },
}

/// One of the two kinds of entry that there are.
pub(super) enum AnyEntry {
    Older(Box<OlderEntry>),
    Present(Box<Entry>),
}

impl Chain {
    pub(super) const fn new(tre_id: PeerId, anchors: Anchors) -> Self {
        Self {
            tre_id,
            anchors,
            lines: 0,
            verdicts: 0,
            head: None,
            last: None,
            kept: Kept::new(),
            in_force: None,
            past: None,
            event_log: None,
        }
    }

    pub(super) fn previous(&self) -> Hex32 {
        Hex32(self.head.map_or([0; 32], |head| head.0))
    }

    /// The next entry.
    pub(super) fn entry(&self, time: UnixMillis, content: Content) -> Entry {
        Entry {
            format: FORMAT,
            number: self.lines,
            previous: self.previous(),
            time,
            tre_id: self.tre_id.clone(),
            content,
        }
    }

    /// Follows one more line, and derives its verdict again. Entries of format 1 are judged by
    /// `older`.
    pub(super) fn follow(
        &mut self,
        entry: AnyEntry,
        line: &[u8],
        older: Option<&Trust>,
    ) -> Result<(), Fault> {
        let step = match entry {
            AnyEntry::Older(entry) => self.judge_older(*entry, older)?,
            AnyEntry::Present(entry) => self.judge(*entry)?,
        };
        self.take(step, line);
        Ok(())
    }

    fn judge(&self, entry: Entry) -> Result<Step, Fault> {
        let Entry { format, number, previous, time, tre_id, content } = entry;
        same(Part::Format, &FORMAT, &format, ToString::to_string)?;
        self.check_place(number, previous, &tre_id)?;
        match content {
            Content::File(file) => Ok(Step::File(file)),
            Content::Grounds(named) => {
                Ok(Step::Grounds(Box::new(self.verify(named, &self.kept, time)?)))
            }
            Content::Look(look) => {
                let Look { grounds, mut seen, verdict } = *look;
                let (number, _) = self.in_force.as_ref().ok_or(GroundsError::None)?;
                same(Part::Grounds, number, &grounds, ToString::to_string)?;
                let event_log = self.restore_event_log(&mut seen)?;
                let (derived, past) = self.derive(&seen, time)?;
                self.check_verdict(derived, &verdict, past, event_log)
            }
        }
    }

    fn judge_older(&self, entry: OlderEntry, trust: Option<&Trust>) -> Result<Step, Fault> {
        let OlderEntry { format, number, previous, time, tre_id, .. } = entry;
        let OlderEntry { deployment, manifests, mut seen, verdict, .. } = entry;
        let due = if self.kept.is_empty() { older::FORMAT } else { FORMAT };
        same(Part::Format, &due, &format, ToString::to_string)?;
        self.check_place(number, previous, &tre_id)?;
        let trust = trust.ok_or(GroundsError::NoFiles)?;
        let named = older::named(trust);
        same(Part::Deployment, &named.0, &deployment, ToString::to_string)?;
        same(Part::Manifests, &named.1, &manifests, |all| {
            all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        })?;
        let event_log = self.restore_event_log(&mut seen)?;
        let (derived, past) = derive(&seen, &self.tre_id, trust, self.past, time);
        self.check_verdict(derived, &verdict, past, event_log)
    }

    /// The entry is the next one, of this TRE.
    fn check_place(&self, number: u64, previous: Hex32, tre_id: &PeerId) -> Result<(), Fault> {
        same(Part::TreId, &self.tre_id, tre_id, ToString::to_string)?;
        same(Part::Number, &self.lines, &number, ToString::to_string)?;
        same(Part::Previous, &self.previous(), &previous, ToString::to_string)
    }

    fn check_verdict(
        &self,
        derived: Verdict,
        found: &Verdict,
        past: Option<Past>,
        event_log: Option<HexBytes>,
    ) -> Result<Step, Fault> {
        same(Part::Verdict, &derived, found, |verdict| format!("{verdict:?}"))?;
        Ok(Step::Look { verdict: derived, past, event_log })
    }

    /// Verifies grounds out of `kept`, after the lists that were in force before.
    pub(super) fn verify(
        &self,
        named: Grounds,
        kept: &Kept,
        time: UnixMillis,
    ) -> Result<InForce, GroundsError> {
        let none = SeenLists::new();
        let seen = self.in_force.as_ref().map_or(&none, |(_, before)| &before.seen);
        grounds::verify(named, kept, &self.anchors, seen, time)
    }

    /// The verdict on what was seen at `time`, by the grounds in force.
    pub(super) fn derive(
        &self,
        seen: &Seen,
        time: UnixMillis,
    ) -> Result<(Verdict, Option<Past>), GroundsError> {
        let (_, in_force) = self.in_force.as_ref().ok_or(GroundsError::None)?;
        if let (Seen::Answer(_), Some(ended)) = (seen, in_force.ended(time)) {
            return Ok((ended, self.past));
        }
        Ok(derive(seen, &self.tre_id, &in_force.trust, self.past, time))
    }

    /// Leaves the event log of `seen` out if an entry before has the same one; gives it otherwise.
    pub(super) fn leave_event_log_out(&self, seen: &mut Seen) -> Option<HexBytes> {
        let Seen::Answer(stored) = seen else { return None };
        match &self.event_log {
            Some((of, log)) if stored.evidence.event_log == *log => {
                stored.evidence.event_log = HexBytes(Vec::new());
                stored.event_log_of = Some(*of);
                None
            }
            Some(_) | None => Some(stored.evidence.event_log.clone()),
        }
    }

    /// The opposite: puts it where it was left out.
    fn restore_event_log(&self, seen: &mut Seen) -> Result<Option<HexBytes>, Fault> {
        let Seen::Answer(stored) = seen else { return Ok(None) };
        let Some(of) = stored.event_log_of else {
            return Ok(Some(stored.evidence.event_log.clone()));
        };
        match &self.event_log {
            Some((number, log)) if *number == of && stored.evidence.event_log.0.is_empty() => {
                stored.evidence.event_log = log.clone();
                Ok(None)
            }
            known => {
                let known = known.as_ref().map(|(number, _)| number.to_string());
                let expected = known.unwrap_or_else(|| "this one".to_owned());
                Err(Fault::Part { part: Part::EventLog, expected, found: of.to_string() })
            }
        }
    }

    /// The chain with one more line.
    pub(super) fn take(&mut self, step: Step, line: &[u8]) {
        match step {
            Step::File(file) => {
                self.kept.insert(file.sha256(), file);
            }
            Step::Grounds(next) => {
                self.kept.retain(|sha256, _| next.named.names(sha256));
                self.in_force = Some((self.lines, *next));
            }
            Step::Look { verdict, past, event_log } => {
                if let Some(log) = event_log {
                    self.event_log = Some((self.lines, log));
                }
                self.past = past;
                self.last = Some(verdict);
                self.verdicts = self.verdicts.saturating_add(1);
            }
        }
        self.head = Some(sha256(line));
        self.lines = self.lines.saturating_add(1);
    }
}
