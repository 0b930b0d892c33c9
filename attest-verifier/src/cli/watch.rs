//! `watch`: looks again and again, keeps what it saw, and tells a program of changes.

use core::time::Duration;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::Context as _;
use attest_verifier::core::measured_boot::digest::Sha256Digest;
use attest_verifier::core::wire::hex;
use attest_verifier::core::wire::id::PeerId;
use attest_verifier::watch::{
    Anchors, Change, LogError, Rechecked, Verdict, WatchLog, look, recheck,
};
use attest_verifier::{Sources, Trust, TrustError};
use clap::Args;
use tokio::time::{sleep, timeout};

use super::reference::{AnchorOptions, ListOptions, load, sources};
use crate::{Ending, answer, complain, now};

/// How long a hook may take.
const HOOK: Duration = Duration::from_secs(30);

/// How often a running hook is looked at.
const POLL: Duration = Duration::from_millis(50);

/// Which TRE, by what, how often, and where it is written down.
#[derive(Args, Debug)]
#[command(mut_group("lists", |lists| lists.arg("check")))]
pub(crate) struct Watch {
    /// Where the TRE listens: HOST:PORT.
    #[arg(required_unless_present = "check", value_parser = super::address::parse)]
    address: Option<String>,
    /// The name that the TRE must have.
    #[arg(long)]
    tre_id: PeerId,
    #[command(flatten)]
    anchors: AnchorOptions,
    /// A reference manifest of an image, with its signature in MANIFEST.sig; repeat it for each
    /// release that a box may have. With --check: for a log of an earlier version alone, which
    /// keeps no files; others hold all that they were judged by.
    #[arg(long, required_unless_present = "check")]
    manifest: Vec<PathBuf>,
    #[command(flatten)]
    lists: ListOptions,
    /// A deployment file that was in force earlier in the log; repeat it for each.
    #[arg(long, value_name = "FILE")]
    past_deployment: Vec<PathBuf>,
    /// The log, which is made if it is missing. A TRE that was enrolled anew needs a new one.
    #[arg(long, value_name = "FILE")]
    log: PathBuf,
    /// Seconds between two looks; before each, files and lists are read again, and what is new is
    /// kept in the log.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    every: u64,
    /// Ends after so many looks: 0 if the last was accepted, else 1.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    times: Option<u64>,
    /// A program that is told of changes: PROGRAM changed|refused|silent|returned TRE_ID LOG HASH.
    /// Refused by the same check as before is no change. It is told again after each look until it
    /// ends with 0, and of a TRE that is not accepted when the watch begins.
    #[arg(long, value_name = "PROGRAM")]
    hook: Option<PathBuf>,
    /// Asks nobody: follows the chain in the log and derives every verdict again, by the files in
    /// the log; these are believed by --deployment, --release-key and --status-key.
    #[arg(long, conflicts_with_all = ["address", "hook", "times", "every"])]
    check: bool,
    /// With --check: one line must have this hash, noted earlier, or the log's end was cut off.
    #[arg(long, value_name = "HASH", requires = "check")]
    holds: Option<String>,
}

impl Watch {
    fn sources(&self) -> Sources {
        sources(&self.anchors, &self.manifest, &self.lists)
    }

    fn anchors(&self) -> Result<Anchors, TrustError> {
        let AnchorOptions { deployment, release_key } = &self.anchors;
        let deployments = core::iter::once(deployment).chain(&self.past_deployment);
        let deployments = deployments.map(PathBuf::as_path);
        Anchors::load(deployments, release_key, self.lists.status_key.as_deref())
    }
}

pub(crate) async fn run(watch: &Watch) -> anyhow::Result<Ending> {
    let Some(address) = watch.address.as_deref() else { return check(watch).await };
    let sources = watch.sources();
    let loaded = load(&sources, now()?).await?;
    let (log, tre_id) = (&watch.log, watch.tre_id.clone());
    let mut log = WatchLog::open(log, tre_id, watch.anchors()?, &loaded, now()?)?;
    if log.torn() > 0 {
        complain(format_args!(
            "{}: cut off {} bytes of a line that was never finished",
            watch.log.display(),
            log.torn()
        ));
    }
    // How it stood when the last watch ended: whether its hook heard of it nobody knows.
    let mut untold = log.last().and_then(|last| Change::between(None, last));
    let mut looks: u64 = 0;
    loop {
        let seen = look(address).await?;
        let before = log.last().cloned();
        let verdict = log.append(seen, now()?)?;
        let head = log.head().to_string();
        answer(&format!("{head} {}", in_words(&verdict)))?;
        untold = Change::between(before.as_ref(), &verdict).or(untold);
        if let Some(change) = untold
            && hook(watch, change, &head).await
        {
            untold = None;
        }
        looks = looks.saturating_add(1);
        if watch.times.is_some_and(|times| looks >= times) {
            return Ok(ending(Some(&verdict)));
        }
        sleep(Duration::from_secs(watch.every)).await;
        reload(&sources, &mut log).await?;
    }
}

/// Reads everything again. What is not good changes nothing: the log goes on with what it keeps,
/// until that has ended.
async fn reload(sources: &Sources, log: &mut WatchLog) -> anyhow::Result<()> {
    let loaded = match load(sources, now()?).await {
        Ok(loaded) => loaded,
        Err(error) => {
            complain(format_args!("what the log keeps stays in force: {error:#}"));
            return Ok(());
        }
    };
    match log.judge_by(&loaded.files, now()?) {
        Err(error @ LogError::Grounds { .. }) => {
            complain(format_args!("what the log keeps stays in force: {error}"));
        }
        changed => {
            if changed? {
                complain("judging by other files from now on; they are kept in the log");
            }
        }
    }
    Ok(())
}

fn ending(last: Option<&Verdict>) -> Ending {
    match last {
        Some(Verdict::Accepted(_)) => Ending::Accepted,
        Some(Verdict::Refused { .. } | Verdict::Silent) | None => Ending::Refused,
    }
}

fn in_words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Accepted(standing) => format!("accepted, TPM reset {}", standing.reset_count),
        Verdict::Refused { check, expected, found } => {
            format!("refused: {check}: expected {expected}, found {found}")
        }
        Verdict::Silent => "silent".to_owned(),
    }
}

/// A log that is sound is exit code 0, whatever its verdicts were.
async fn check(watch: &Watch) -> anyhow::Result<Ending> {
    let older: Option<Trust> = match watch.manifest.is_empty() {
        true => None,
        false => Some(load(&watch.sources(), now()?).await?.trust),
    };
    let holds = watch.holds.as_deref().map(digest).transpose().context("--holds")?;
    std::fs::metadata(&watch.log).with_context(|| watch.log.display().to_string())?;
    match recheck(&watch.log, &watch.tre_id, &watch.anchors()?, older.as_ref(), holds) {
        Ok(Rechecked { verdicts, head, last, .. }) => {
            let last = last.as_ref().map_or_else(|| "none".to_owned(), in_words);
            answer(&format!("{verdicts} verdicts derived again, last hash {head}; last: {last}"))?;
            Ok(Ending::Accepted)
        }
        Err(error) => {
            complain(error);
            Ok(Ending::Refused)
        }
    }
}

fn digest(text: &str) -> anyhow::Result<Sha256Digest> {
    let bytes = hex::decode(text)?;
    let bytes = bytes.try_into().ok().context("expected 64 hexadecimal digits")?;
    Ok(Sha256Digest(bytes))
}

/// Whatever becomes of the hook, the watch goes on. Whether it is known to have heard.
async fn hook(watch: &Watch, change: Change, head: &str) -> bool {
    let Some(program) = watch.hook.as_deref() else { return true };
    let mut command = Command::new(program);
    command.arg(change.as_str()).arg(watch.tre_id.as_str()).arg(&watch.log).arg(head);
    let named = program.display();
    match ended(&mut command).await {
        Ok(Some(status)) if status.success() => return true,
        Ok(Some(status)) => complain(format_args!("hook {named}: {status}")),
        Ok(None) => complain(format_args!("hook {named}: ended after {} s", HOOK.as_secs())),
        Err(error) => complain(format_args!("hook {named}: {error}{}", hint(program))),
    }
    false
}

/// Runs a program to its end; `None` if that took too long, and it was killed. (Not with tokio's
/// processes: their feature would give `tred`, built beside this, another event loop.)
async fn ended(command: &mut Command) -> io::Result<Option<ExitStatus>> {
    let mut child = command.spawn()?;
    let all = async {
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            sleep(POLL).await;
        }
    };
    if let Ok(status) = timeout(HOOK, all).await {
        return status.map(Some);
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

fn hint(program: &Path) -> &'static str {
    if program.is_file() { "; is it executable?" } else { "" }
}
