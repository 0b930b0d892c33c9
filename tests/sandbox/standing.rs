//! What the kernel says of a `tred` that serves.

use std::fs;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result, ensure};
use tre_tests::descriptors::LIMIT_OF_TRED;
use tre_tests::domain::TestDomain;
use tre_tests::hosted::HostedMachine;

/// Fields of `/proc/PID/status` with the value that stands for "nothing".
const GIVEN_UP: [(&str, &str); 8] = [
    ("CapInh", "0000000000000000"),
    ("CapPrm", "0000000000000000"),
    ("CapEff", "0000000000000000"),
    ("CapBnd", "0000000000000000"),
    ("CapAmb", "0000000000000000"),
    ("NoNewPrivs", "1"),
    // A filter, and how many: what is answered, the start's, serving's.
    ("Seccomp", "2"),
    ("Seccomp_filters", "3"),
];

/// Lines of `/proc/PID/limits`: soft and hard.
const LIMITS: [(&str, &str); 3] =
    [("Max core file size", "0"), ("Max processes", "0"), ("Max open files", "8384")];

/// What the console must say, one line each.
const SAID: [&str; 6] = [
    "start filter, ",
    "empty bounding set, locked secure bits",
    "no capability",
    LIMIT_OF_TRED,
    "no capability, no new thread",
    "serving filter, ",
];

#[test]
fn every_thread_of_a_serving_process_has_given_everything_up() -> Result<()> {
    let domain = TestDomain::make("demo", |_| {})?;
    let machine = HostedMachine::make(&domain, "box")?;
    let said = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&said);
    let running = machine.start_under(&[], move |line| {
        if let Ok(mut heard) = heard.lock() {
            heard.push(line.to_owned());
        }
    })?;
    let process = format!("/proc/{}", running.id());
    ensure!(rustix::process::geteuid().is_root(), "only root can empty a bounding set");

    let mut threads = 0_u32;
    for thread in fs::read_dir(format!("{process}/task"))? {
        let path = thread?.path();
        let status = fs::read_to_string(path.join("status"))?;
        for (field, expected) in GIVEN_UP {
            let line = status.lines().find_map(|line| line.strip_prefix(field));
            let found = line.with_context(|| format!("no {field} in {}", path.display()))?;
            let found = found.trim_start_matches(':').trim();
            ensure!(found == expected, "{}: {field} {expected}, found {found}", path.display());
        }
        threads += 1;
    }
    ensure!(threads == 2, "expected the event loop and the TPM thread, found {threads} threads");

    let limits = fs::read_to_string(format!("{process}/limits"))?;
    for (name, expected) in LIMITS {
        let line = limits.lines().find_map(|line| line.strip_prefix(name));
        let found: Vec<&str> = line.context("a limit")?.split_whitespace().take(2).collect();
        ensure!(found == [expected, expected], "{name}: {expected}, found {found:?}");
    }
    let said = said.lock().map_err(|_| anyhow::anyhow!("a reader that panicked"))?;
    for protection in SAID {
        let line = format!("tred: protection: {protection}");
        ensure!(said.iter().any(|said| said.starts_with(&line)), "expected '{line}' in {said:#?}");
    }
    Ok(())
}
