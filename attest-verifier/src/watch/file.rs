//! The log as a file: appended to by one, read again by anybody.

use std::fs::{File, TryLockError};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use attest_verifier_core::measured_boot::digest::Sha256Digest;
use attest_verifier_core::wire::hex::Hex32;
use attest_verifier_core::wire::id::PeerId;
use attest_verifier_core::wire::json::{self, JsonError};
use attest_verifier_core::wire::units::UnixMillis;
use serde::Deserialize;

use super::chain::{AnyEntry, Chain, Step};
use super::error::{Fault, failed};
use super::grounds;
use super::{Anchors, Content, GroundsError, LogError, Look, Part, Seen, Verdict, older};
use crate::bounds;
use crate::sources::{Loaded, ReferenceFiles};
use crate::trust::Trust;

/// A log that is open to be appended to. Nobody else can meanwhile.
#[derive(Debug)]
pub struct WatchLog {
    file: File,
    path: PathBuf,
    chain: Chain,
    torn: u64,
}

/// What a log was found to be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rechecked {
    /// How many entries there are.
    pub entries: u64,
    /// How many of them are verdicts.
    pub verdicts: u64,
    /// The hash of the last line; zeros if there is none.
    pub head: Hex32,
    /// The last verdict.
    pub last: Option<Verdict>,
}

/// Follows the whole log at `path` and derives every verdict again; if `holds` is given, one line
/// must have that hash. `older` is what entries of format 1 were judged by; others need no files.
///
/// # Errors
///
/// [`LogError`], with the first line that is wrong.
pub fn recheck(
    path: &Path,
    tre_id: &PeerId,
    anchors: &Anchors,
    older: Option<&Trust>,
    holds: Option<Sha256Digest>,
) -> Result<Rechecked, LogError> {
    let file = File::open(path).map_err(failed(path))?;
    let chain = Chain::new(tre_id.clone(), anchors.clone());
    let Walked { chain, torn, held, .. } = walk(&file, path, chain, older, holds)?;
    if torn > 0 {
        return Err(LogError::Broken {
            path: path.to_path_buf(),
            line: chain.lines.saturating_add(1),
            part: Part::End,
            expected: "of a line".to_owned(),
            found: format!("{torn} bytes without one"),
        });
    }
    match holds {
        Some(expected) if !held => {
            Err(LogError::Cut { path: path.to_path_buf(), expected, lines: chain.lines })
        }
        Some(_) | None => Ok(Rechecked {
            entries: chain.lines,
            verdicts: chain.verdicts,
            head: chain.previous(),
            last: chain.last,
        }),
    }
}

/// A log, read to its end.
struct Walked {
    chain: Chain,
    /// Bytes of whole lines.
    len: u64,
    /// Bytes behind them.
    torn: u64,
    held: bool,
}

/// The lines of a log from its beginning.
struct Lines<'a> {
    reader: BufReader<&'a File>,
    path: &'a Path,
    /// Whole lines read so far.
    count: u64,
}

/// What comes next in a log.
enum Next {
    Line(Vec<u8>),
    /// The end, with so many bytes of a line that has none.
    End(u64),
}

impl<'a> Lines<'a> {
    fn of(mut file: &'a File, path: &'a Path) -> Result<Self, LogError> {
        file.seek(SeekFrom::Start(0)).map_err(failed(path))?;
        Ok(Self { reader: BufReader::new(file), path, count: 0 })
    }

    fn next(&mut self) -> Result<Next, LogError> {
        let mut line = Vec::new();
        let mut bounded = self.reader.by_ref().take(bounds::ENTRY_BYTES);
        let read = bounded.read_until(b'\n', &mut line).map_err(failed(self.path))?;
        let left = bounded.limit();
        self.count = self.count.saturating_add(1);
        if line.pop_if(|byte| *byte == b'\n').is_some() {
            return Ok(Next::Line(line));
        }
        if left > 0 {
            return Ok(Next::End(u64::try_from(read).unwrap_or(u64::MAX)));
        }
        let most = usize::try_from(bounds::ENTRY_BYTES).unwrap_or(usize::MAX);
        Err(self.no_entry(JsonError::TooLong { most, found: read }))
    }

    fn no_entry(&self, source: JsonError) -> LogError {
        LogError::Entry { path: self.path.to_path_buf(), line: self.count, source }
    }

    fn decode(&self, line: &[u8]) -> Result<AnyEntry, LogError> {
        decode(line).map_err(|source| self.no_entry(source))
    }
}

/// The version alone: what else there is depends on it.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

fn decode(line: &[u8]) -> Result<AnyEntry, JsonError> {
    let Version { format } = json::decode_at_most(line, line.len())?;
    Ok(match format {
        older::FORMAT => AnyEntry::Older(Box::new(json::decode_at_most(line, line.len())?)),
        _ => AnyEntry::Present(Box::new(json::decode_at_most(line, line.len())?)),
    })
}

fn walk(
    file: &File,
    path: &Path,
    chain: Chain,
    older: Option<&Trust>,
    holds: Option<Sha256Digest>,
) -> Result<Walked, LogError> {
    let kept = kept_behind_older(file, path, &chain)?;
    let older = kept.as_ref().or(older);
    let mut lines = Lines::of(file, path)?;
    let mut walked = Walked { chain, len: 0, torn: 0, held: false };
    loop {
        let line = match lines.next()? {
            Next::Line(line) => line,
            Next::End(torn) => return Ok(Walked { torn, ..walked }),
        };
        let entry = lines.decode(&line)?;
        let followed = walked.chain.follow(entry, &line, older);
        followed.map_err(|fault| fault.at(path, lines.count))?;
        let read = u64::try_from(line.len()).unwrap_or(u64::MAX).saturating_add(1);
        walked.len = walked.len.saturating_add(read);
        walked.held |= walked.chain.head == holds;
    }
}

/// If the log begins with entries of format 1: the first files that it keeps behind them, by which
/// they were derived again when it went on in format 2.
fn kept_behind_older(file: &File, path: &Path, chain: &Chain) -> Result<Option<Trust>, LogError> {
    let (mut lines, mut kept, mut is_first) = (Lines::of(file, path)?, grounds::Kept::new(), true);
    loop {
        let Next::Line(line) = lines.next()? else { return Ok(None) };
        match lines.decode(&line)? {
            AnyEntry::Older(_) => {}
            AnyEntry::Present(_) if is_first => return Ok(None),
            AnyEntry::Present(entry) => match entry.content {
                Content::File(file) => {
                    kept.insert(file.sha256(), file);
                }
                Content::Grounds(named) => {
                    let verified = chain.verify(named, &kept, entry.time).map_err(Fault::Grounds);
                    return match verified {
                        Ok(in_force) => Ok(Some(in_force.trust)),
                        Err(fault) => Err(fault.at(path, lines.count)),
                    };
                }
                Content::Look(_) => return Ok(None),
            },
        }
        is_first = false;
    }
}

impl WatchLog {
    /// Opens the log at `path`, which is made if it is missing, and follows it as [`recheck`] does;
    /// from then on verdicts are judged by what is `loaded`, at `time`. A last line without an end
    /// was never confirmed, and is cut off.
    ///
    /// # Errors
    ///
    /// [`LogError`].
    pub fn open(
        path: &Path,
        tre_id: PeerId,
        anchors: Anchors,
        loaded: &Loaded,
        time: UnixMillis,
    ) -> Result<Self, LogError> {
        let mut file = File::options()
            .create(true)
            .read(true)
            .append(true)
            .open(path)
            .map_err(failed(path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LogError::Busy { path: path.to_path_buf() });
            }
            Err(TryLockError::Error(source)) => return Err(failed(path)(source)),
        }
        let mut chain = Chain::new(tre_id, anchors);
        chain.anchors.deployments.push(loaded.trust.reference().deployment_sha256());
        let Walked { chain, len, torn, .. } = walk(&file, path, chain, Some(&loaded.trust), None)?;
        if torn > 0 {
            file.set_len(len).map_err(failed(path))?;
        }
        file.seek(SeekFrom::End(0)).map_err(failed(path))?;
        let mut log = Self { file, path: path.to_path_buf(), chain, torn };
        log.judge_by(&loaded.files, time)?;
        Ok(log)
    }

    /// How many bytes of a last line without an end were cut off.
    #[must_use]
    pub const fn torn(&self) -> u64 {
        self.torn
    }

    /// The last verdict.
    #[must_use]
    pub const fn last(&self) -> Option<&Verdict> {
        self.chain.last.as_ref()
    }

    /// The hash of the last line; zeros before the first.
    #[must_use]
    pub fn head(&self) -> Hex32 {
        self.chain.previous()
    }

    /// From now on verdicts are judged by these files, whose deployment the caller vouches for.
    /// What is new of them is kept in the log; returns whether anything was. Durable on return.
    ///
    /// # Errors
    ///
    /// [`LogError::Grounds`] for files by which nothing can be judged, a list that goes back or is
    /// left out: what was in force stays so. [`LogError::File`]; [`LogError::Entry`].
    pub fn judge_by(&mut self, files: &ReferenceFiles, time: UnixMillis) -> Result<bool, LogError> {
        let (named, new) = grounds::keep(files).map_err(|error| self.fault(error))?;
        if self.chain.in_force.as_ref().is_some_and(|(_, in_force)| in_force.named == named) {
            return Ok(false);
        }
        let deployment = Sha256Digest(named.deployment.0);
        if !self.chain.anchors.deployments.contains(&deployment) {
            self.chain.anchors.deployments.push(deployment);
        }
        let mut kept = self.chain.kept.clone();
        kept.extend(new.clone());
        let verified = self.chain.verify(named.clone(), &kept, time);
        let in_force = verified.map_err(|error| self.fault(error))?;
        for (sha256, file) in new {
            if !self.chain.kept.contains_key(&sha256) {
                self.write(Content::File(file.clone()), Step::File(file), time)?;
            }
        }
        self.write(Content::Grounds(named), Step::Grounds(Box::new(in_force)), time)?;
        Ok(true)
    }

    /// Derives the verdict on what was seen at `time`, and appends both. Durable on return.
    ///
    /// # Errors
    ///
    /// [`LogError::File`]; [`LogError::Entry`] for evidence that does not encode.
    pub fn append(&mut self, mut seen: Seen, time: UnixMillis) -> Result<Verdict, LogError> {
        let derived = self.chain.derive(&seen, time);
        let (verdict, past) = derived.map_err(|error| self.fault(error))?;
        let event_log = self.chain.leave_event_log_out(&mut seen);
        let (grounds, _) =
            self.chain.in_force.as_ref().ok_or_else(|| self.fault(GroundsError::None))?;
        let look = Look { grounds: *grounds, seen, verdict: verdict.clone() };
        let step = Step::Look { verdict: verdict.clone(), past, event_log };
        self.write(Content::Look(Box::new(look)), step, time)?;
        Ok(verdict)
    }

    /// What is wrong with the next line.
    fn fault(&self, error: GroundsError) -> LogError {
        Fault::Grounds(error).at(&self.path, self.chain.lines.saturating_add(1))
    }

    fn write(&mut self, content: Content, step: Step, time: UnixMillis) -> Result<(), LogError> {
        let line = self.chain.lines.saturating_add(1);
        let path = &self.path;
        let no_entry = |source| LogError::Entry { path: path.clone(), line, source };
        let mut bytes = json::encode(&self.chain.entry(time, content)).map_err(no_entry)?;
        let (found, most) = (bytes.len(), usize::try_from(bounds::ENTRY_BYTES));
        if let Some(most) = most.ok().filter(|most| found >= *most) {
            return Err(no_entry(JsonError::TooLong { most, found }));
        }
        bytes.push(b'\n');
        let written = self.file.write_all(&bytes).and_then(|()| self.file.sync_data());
        written.map_err(failed(path))?;
        bytes.pop();
        self.chain.take(step, &bytes);
        Ok(())
    }
}
