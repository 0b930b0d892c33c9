//! The log as a file: appended to by one, read again by anybody.

use std::fs::{File, TryLockError};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use attest_verifier_core::measured_boot::digest::Sha256Digest;
use attest_verifier_core::past::Past;
use attest_verifier_core::wire::hex::{Hex32, HexBytes};
use attest_verifier_core::wire::id::PeerId;
use attest_verifier_core::wire::json::{self, JsonError};
use attest_verifier_core::wire::units::UnixMillis;

use super::{Entry, Seen, Verdict, derive, line_hash};
use crate::bounds;
use crate::trust::Trust;

/// Version of an entry's layout.
const FORMAT: u32 = 1;

/// A log that is open to be appended to. Nobody else can meanwhile.
#[derive(Debug)]
pub struct WatchLog {
    file: File,
    path: PathBuf,
    tre_id: PeerId,
    trust: Trust,
    chain: Chain,
    torn: u64,
}

/// Why a log is not one, or says something untrue.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The file cannot be read or written.
    #[error("{path}: {source}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Somebody else appends to it.
    #[error("{path}: another process appends to this log", path = .path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// A line is no entry.
    #[error("{path}, line {line}: expected an entry of a log of `watch`: {source}",
        path = .path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: u64,
        /// What the decoder found.
        source: JsonError,
    },
    /// A line does not follow the one before it, or was made in another way than it says.
    #[error("{path}, line {line}: expected {part} {expected}, found {found}",
        path = .path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: u64,
        /// What is wrong with it.
        part: Part,
        /// What should stand there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// The end of the log was cut off.
    #[error("{path}: expected a line with the hash {expected}, found none in {lines} lines",
        path = .path.display())]
    Cut {
        /// The file.
        path: PathBuf,
        /// The hash.
        expected: Sha256Digest,
        /// How many lines there are.
        lines: u64,
    },
}

/// A part of an entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// The version of its layout.
    Format,
    /// Its number.
    Number,
    /// The hash of the line before.
    Previous,
    /// The TRE.
    TreId,
    /// The deployment that it was held against.
    Deployment,
    /// The manifests that it was held against.
    Manifests,
    /// The entry with its event log.
    EventLog,
    /// The verdict.
    Verdict,
    /// The end of the line.
    End,
}

impl core::fmt::Display for Part {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Format => "the format",
            Self::Number => "the number",
            Self::Previous => "the hash of the line before",
            Self::TreId => "the TRE",
            Self::Deployment => "the deployment",
            Self::Manifests => "the manifests",
            Self::EventLog => "the event log of entry",
            Self::Verdict => "the verdict",
            Self::End => "the end",
        })
    }
}

/// What the lines so far leave behind.
#[derive(Debug, Default)]
struct Chain {
    lines: u64,
    head: Option<Sha256Digest>,
    past: Option<Past>,
    last: Option<Verdict>,
    event_log: Option<(u64, HexBytes)>,
}

/// What stands wrongly in a line.
struct Fault {
    part: Part,
    expected: String,
    found: String,
}

fn same<T: PartialEq>(
    part: Part,
    expected: &T,
    found: &T,
    word: impl Fn(&T) -> String,
) -> Result<(), Fault> {
    if expected == found {
        return Ok(());
    }
    Err(Fault { part, expected: word(expected), found: word(found) })
}

impl Chain {
    fn previous(&self) -> Hex32 {
        Hex32(self.head.map_or([0; 32], |head| head.0))
    }

    /// Follows one more line, and derives its verdict again.
    fn follow(&mut self, mut entry: Entry, line: &[u8], trust: &Trust) -> Result<(), Fault> {
        let (deployment, manifests) = named(trust);
        same(Part::Format, &FORMAT, &entry.format, ToString::to_string)?;
        same(Part::Number, &self.lines, &entry.number, ToString::to_string)?;
        same(Part::Previous, &self.previous(), &entry.previous, ToString::to_string)?;
        same(Part::Deployment, &deployment, &entry.deployment, ToString::to_string)?;
        same(Part::Manifests, &manifests, &entry.manifests, |all| {
            all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        })?;
        self.restore_event_log(&mut entry)?;
        let Entry { seen, tre_id, time, verdict, .. } = entry;
        let derived = derive(&seen, &tre_id, trust, &mut self.past, time);
        same(Part::Verdict, &derived, &verdict, |verdict| format!("{verdict:?}"))?;
        self.append(&seen, verdict, line);
        Ok(())
    }

    fn restore_event_log(&self, entry: &mut Entry) -> Result<(), Fault> {
        let Seen::Answer(stored) = &mut entry.seen else { return Ok(()) };
        let Some(of) = stored.event_log_of else { return Ok(()) };
        match &self.event_log {
            Some((number, log)) if *number == of && stored.evidence.event_log.0.is_empty() => {
                stored.evidence.event_log = log.clone();
                Ok(())
            }
            known => {
                let known = known.as_ref().map(|(number, _)| number.to_string());
                let expected = known.unwrap_or_else(|| "this one".to_owned());
                Err(Fault { part: Part::EventLog, expected, found: of.to_string() })
            }
        }
    }

    fn append(&mut self, seen: &Seen, verdict: Verdict, line: &[u8]) {
        if let Seen::Answer(stored) = seen
            && stored.event_log_of.is_none()
        {
            self.event_log = Some((self.lines, stored.evidence.event_log.clone()));
        }
        self.last = Some(verdict);
        self.head = Some(line_hash(line));
        self.lines = self.lines.saturating_add(1);
    }
}

/// The files that verdicts are held against.
fn named(trust: &Trust) -> (Hex32, Vec<Hex32>) {
    let reference = trust.reference();
    let manifests = reference.manifests().map(|manifest| Hex32(manifest.sha256().0));
    (Hex32(reference.deployment_sha256().0), manifests.collect())
}

/// What a log was found to be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rechecked {
    /// How many entries there are.
    pub entries: u64,
    /// The hash of the last line; zeros if there is none.
    pub head: Hex32,
    /// The last verdict.
    pub last: Option<Verdict>,
}

/// Follows the whole log at `path` and derives every verdict again; if `holds` is given, one line
/// must have that hash.
///
/// # Errors
///
/// [`LogError`], with the first line that is wrong.
pub fn recheck(
    path: &Path,
    tre_id: &PeerId,
    trust: &Trust,
    holds: Option<Sha256Digest>,
) -> Result<Rechecked, LogError> {
    let file = File::open(path).map_err(failed(path))?;
    let walked = walk(&file, path, tre_id, trust, holds)?;
    if walked.torn > 0 {
        return Err(LogError::Broken {
            path: path.to_path_buf(),
            line: walked.chain.lines.saturating_add(1),
            part: Part::End,
            expected: "of a line".to_owned(),
            found: format!("{} bytes without one", walked.torn),
        });
    }
    match holds {
        Some(expected) if !walked.held => {
            let (path, lines) = (path.to_path_buf(), walked.chain.lines);
            Err(LogError::Cut { path, expected, lines })
        }
        Some(_) | None => Ok(walked.chain.into()),
    }
}

impl From<Chain> for Rechecked {
    fn from(chain: Chain) -> Self {
        Self { entries: chain.lines, head: chain.previous(), last: chain.last }
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

fn walk(
    file: &File,
    path: &Path,
    tre_id: &PeerId,
    trust: &Trust,
    holds: Option<Sha256Digest>,
) -> Result<Walked, LogError> {
    let mut reader = BufReader::new(file);
    let mut walked = Walked { chain: Chain::default(), len: 0, torn: 0, held: false };
    loop {
        let mut line = Vec::new();
        let mut bounded = reader.by_ref().take(bounds::ENTRY_BYTES);
        let read = bounded.read_until(b'\n', &mut line).map_err(failed(path))?;
        let read = u64::try_from(read).unwrap_or(u64::MAX);
        if line.pop_if(|byte| *byte == b'\n').is_none() {
            walked.torn = read;
            return Ok(walked);
        }
        let number = walked.chain.lines.saturating_add(1);
        let entry: Entry = json::decode_at_most(&line, line.len())
            .map_err(|source| LogError::Entry { path: path.to_path_buf(), line: number, source })?;
        same(Part::TreId, tre_id, &entry.tre_id, ToString::to_string)
            .and_then(|()| walked.chain.follow(entry, &line, trust))
            .map_err(|Fault { part, expected, found }| {
                let path = path.to_path_buf();
                LogError::Broken { path, line: number, part, expected, found }
            })?;
        walked.len = walked.len.saturating_add(read);
        walked.held |= walked.chain.head == holds;
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> LogError {
    let path = path.to_path_buf();
    move |source| LogError::File { path, source }
}

impl WatchLog {
    /// Opens the log at `path`, which is made if it is missing, and follows it as [`recheck`] does.
    /// A last line without an end was never confirmed, and is cut off.
    ///
    /// # Errors
    ///
    /// [`LogError`].
    pub fn open(path: &Path, tre_id: PeerId, trust: Trust) -> Result<Self, LogError> {
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
        let Walked { chain, len, torn, .. } = walk(&file, path, &tre_id, &trust, None)?;
        if torn > 0 {
            file.set_len(len).map_err(failed(path))?;
        }
        file.seek(SeekFrom::End(0)).map_err(failed(path))?;
        Ok(Self { file, path: path.to_path_buf(), tre_id, trust, chain, torn })
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

    /// Derives the verdict on what was seen at `time`, and appends both. Durable on return.
    ///
    /// # Errors
    ///
    /// [`LogError::File`]; [`LogError::Entry`] for evidence that does not encode.
    pub fn append(&mut self, mut seen: Seen, time: UnixMillis) -> Result<Verdict, LogError> {
        let mut past = self.chain.past;
        let verdict = derive(&seen, &self.tre_id, &self.trust, &mut past, time);
        if let (Seen::Answer(stored), Some((of, log))) = (&mut seen, &self.chain.event_log)
            && stored.evidence.event_log == *log
        {
            stored.evidence.event_log = HexBytes(Vec::new());
            stored.event_log_of = Some(*of);
        }
        let (deployment, manifests) = named(&self.trust);
        let entry = Entry {
            format: FORMAT,
            number: self.chain.lines,
            previous: self.chain.previous(),
            time,
            tre_id: self.tre_id.clone(),
            deployment,
            manifests,
            seen,
            verdict,
        };
        let line = self.chain.lines.saturating_add(1);
        let mut bytes = json::encode(&entry).map_err(|source| {
            let path = self.path.clone();
            LogError::Entry { path, line, source }
        })?;
        bytes.push(b'\n');
        let written = self.file.write_all(&bytes).and_then(|()| self.file.sync_data());
        written.map_err(failed(&self.path))?;
        bytes.pop();
        self.chain.past = past;
        self.chain.append(&entry.seen, entry.verdict.clone(), &bytes);
        Ok(entry.verdict)
    }
}
