//! `watch`: looks again and again, keeps what it saw, and tells a program of changes.

use core::time::Duration;
use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus};

use anyhow::Context as _;
use attest_verifier::core::measured_boot::digest::Sha256Digest;
use attest_verifier::core::wire::hex;
use attest_verifier::watch::{Change, Rechecked, Verdict, WatchLog, look, recheck};
use tokio::time::{sleep, timeout};

use crate::{Ending, Watch, answer, complain, now};

/// How long a hook may take.
const HOOK: Duration = Duration::from_secs(30);

/// How often a running hook is looked at.
const POLL: Duration = Duration::from_millis(50);

pub(crate) async fn run(watch: &Watch) -> anyhow::Result<Ending> {
    let Some(address) = watch.address.as_deref() else { return check(watch) };
    let trust = watch.reference.load(now()?)?;
    let mut log = WatchLog::open(&watch.log, watch.tre_id.clone(), trust)?;
    if log.torn() > 0 {
        complain(format_args!(
            "{}: cut off {} bytes of a line that was never finished",
            watch.log.display(),
            log.torn()
        ));
    }
    let mut looks: u64 = 0;
    loop {
        let seen = look(address).await?;
        let before = log.last().cloned();
        let verdict = log.append(seen, now()?)?;
        let head = log.head().to_string();
        answer(&format!("{head} {}", in_words(&verdict)))?;
        if let Some(change) = Change::between(before.as_ref(), &verdict) {
            hook(watch, change, &head).await;
        }
        looks = looks.saturating_add(1);
        if watch.times.is_some_and(|times| looks >= times) {
            return Ok(ending(Some(&verdict)));
        }
        sleep(Duration::from_secs(watch.every)).await;
    }
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
fn check(watch: &Watch) -> anyhow::Result<Ending> {
    let trust = watch.reference.load(now()?)?;
    let holds = watch.holds.as_deref().map(digest).transpose().context("--holds")?;
    std::fs::metadata(&watch.log).with_context(|| watch.log.display().to_string())?;
    match recheck(&watch.log, &watch.tre_id, &trust, holds) {
        Ok(Rechecked { entries, head, last }) => {
            let last = last.as_ref().map_or_else(|| "none".to_owned(), in_words);
            answer(&format!("{entries} verdicts derived again, last hash {head}; last: {last}"))?;
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

/// Whatever becomes of the hook, the watch goes on.
async fn hook(watch: &Watch, change: Change, head: &str) {
    let Some(program) = watch.hook.as_deref() else { return };
    let mut command = Command::new(program);
    command.arg(change.as_str()).arg(watch.tre_id.as_str()).arg(&watch.log).arg(head);
    let named = program.display();
    match ended(&mut command).await {
        Ok(Some(status)) if status.success() => {}
        Ok(Some(status)) => complain(format_args!("hook {named}: {status}")),
        Ok(None) => complain(format_args!("hook {named}: ended after {} s", HOOK.as_secs())),
        Err(error) => complain(format_args!("hook {named}: {error}{}", hint(program))),
    }
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
