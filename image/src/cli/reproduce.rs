//! `tre-image reproduce`.

use std::process::Command;
use std::time::Instant;

use anyhow::bail;
use clap::{Args, ValueEnum};
use image::checkout::Checkout;
use image::lock::LockMode;
use image::reproduce::{self, Against, KernelBuild};
use image::tool::Tool;

use super::say;

/// Shows a difference in its own terms.
const DIFFOSCOPE: Tool = Tool { program: "diffoscope", package: "diffoscope-minimal" };

/// Lines of what it says that are shown.
const LINES: usize = 60;

#[derive(Args, Debug)]
pub(super) struct Reproduce {
    /// Compare with what lies in target/image instead of building twice
    #[arg(long)]
    existing: bool,
    /// Whether the kernel is compiled anew
    #[arg(long, value_enum, default_value_t = For::Anew)]
    kernel: For,
    /// When inputs are not those of the lock file: 'follow' builds, 'strict' refuses
    #[arg(long, value_name = "MODE", env = "LOCK", default_value = "strict")]
    lock: LockMode,
}

/// Whether the kernel is compiled anew.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum For {
    /// Always
    Anew,
    /// Unless inputs.lock or the cache says that this very build was repeated before
    Unproven,
    /// Never: it is taken from the cache
    Reuse,
}

impl Reproduce {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let checkout = Checkout::own();
        let against = if self.existing { Against::Existing } else { Against::Another };
        let kernel = match self.kernel {
            For::Anew => KernelBuild::Anew,
            For::Unproven => KernelBuild::AnewIfUnproven,
            For::Reuse => KernelBuild::Reused,
        };
        #[expect(clippy::disallowed_methods, reason = "a command line tells how long it takes")]
        let started = Instant::now();
        let mut progress =
            |line: &str| eprintln!("reproduce: {line} ({} s)", started.elapsed().as_secs());
        let found = reproduce::reproduce(&checkout, against, kernel, self.lock, &mut progress)?;
        progress("compared");
        for name in &found.compared {
            say(format_args!("compared {name}"))?;
        }
        for name in &found.missing {
            say(format_args!("made by one build only: {name}"))?;
        }
        for difference in &found.differences {
            say(format_args!("{difference}"))?;
            show(&checkout, &difference.name)?;
        }
        if !found.is_equal() {
            let folder = reproduce::kept(&checkout);
            let count = found.differences.len().saturating_add(found.missing.len());
            bail!("{count} files differ: see {}", folder.display());
        }
        say(format_args!("{} files are the same, byte for byte", found.compared.len()))?;
        for what in &found.unvaried {
            // `make test` counts what it leaves out by this word.
            say(format_args!("skipped 1: building with another {what}"))?;
        }
        Ok(())
    }
}

/// What a program that knows the format says of the difference, if it is installed.
fn show(checkout: &Checkout, name: &str) -> anyhow::Result<()> {
    let Ok(mut command) = DIFFOSCOPE.command() else {
        say(format_args!("  (package {} would say more)", DIFFOSCOPE.package))?;
        return Ok(());
    };
    let kept = reproduce::kept(checkout);
    let command: &mut Command = command.args(["--no-progress", "--text", "-"]);
    // It leaves with 1 when there is a difference.
    let output = command.arg(kept.join("first").join(name)).arg(kept.join("second").join(name));
    let output = output.output()?;
    for line in String::from_utf8_lossy(&output.stdout).lines().take(LINES) {
        say(format_args!("  {line}"))?;
    }
    Ok(())
}
