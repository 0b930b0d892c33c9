//! Two ways for a machine to be different: user, umask, locale, time zone, clock, home, folders.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{ReproduceError, step};
use crate::checkout;
use crate::file::FileError;
use crate::sources;
use crate::tool::{Tool, ToolError};

const SHELL: Tool = Tool { program: "sh", package: "dash" };
const UNSHARE: Tool = Tool { program: "unshare", package: "util-linux" };
const FAKETIME: Tool = Tool { program: "faketime", package: "faketime" };
const LOCALEDEF: Tool = Tool { program: "localedef", package: "libc-bin" };

/// Options that make the process somebody else, who still may read what this user may, without a
/// network.
const OTHER_USER: [&str; 4] = ["--user", "--map-user=nobody", "--map-group=nogroup", "--net"];

/// How far the other clock is ahead.
const OTHER_TIME: [&str; 2] = ["-f", "+400d"];

/// A locale in which letters, numbers and messages are other ones.
const OTHER_LOCALE: &str = "tr_TR";

/// A time zone of no real place, so that no table of time zones is needed.
const OTHER_ZONE: &str = "XXX-13:37";

/// The compiler: under the library that moves the clock, its allocator waits for itself.
const RUSTC: Tool = Tool { program: "rustc", package: "a Rust toolchain from rustup" };

/// Dates files: under that library, in a future in which `make` never finds them up to date.
const TOUCH: Tool = Tool { program: "touch", package: "coreutils" };

/// Where one build happens, and as what.
#[derive(Clone, Debug)]
pub(super) struct Surroundings {
    folder: PathBuf,
    variables: Vec<(&'static str, OsString)>,
    umask: &'static str,
    wrapped: Vec<OsString>,
    /// What is varied, in words.
    pub(super) words: Vec<String>,
    /// What is as in an ordinary build, because this machine cannot pretend, and what would help.
    pub(super) unvaried: Vec<&'static str>,
}

impl Surroundings {
    /// Those of an ordinary build, in `folder`.
    pub(super) fn ordinary(folder: PathBuf) -> Result<Self, ReproduceError> {
        let variables = Vec::from([("LC_ALL", "C".into()), ("TZ", "UTC".into())]);
        let words = Vec::new();
        let (wrapped, unvaried) = (Vec::new(), Vec::new());
        Self { folder, variables, umask: "022", wrapped, words, unvaried }.furnish()
    }

    /// Those of another machine, in `folder`, as far as this machine can pretend to be one.
    pub(super) fn foreign(folder: PathBuf) -> Result<Self, ReproduceError> {
        let variables = Vec::from([
            ("TZ", OTHER_ZONE.into()),
            ("USER", "nobody".into()),
            ("LOGNAME", "nobody".into()),
            // One process more than there are processors: another order of things.
            ("OMP_NUM_THREADS", more_processes()),
        ]);
        let (wrapped, unvaried) = (Vec::new(), Vec::new());
        let words = [
            format!("folder: {}", folder.display()),
            "home, cargo home, cache: empty ones of its own".into(),
            "umask: 077".into(),
            format!("time zone: {OTHER_ZONE}"),
            "number of processes: one more".into(),
        ];
        let words = words.into();
        let new = Self { folder, variables, umask: "077", wrapped, words, unvaried };
        let mut new = new.furnish()?;
        new.become_another_user()?;
        new.speak_another_language()?;
        new.move_the_clock()?;
        Ok(new)
    }

    /// The folder of all this.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Builds from the archive of all inputs, unpacked here. Returns where its checkout is.
    pub(super) fn build_from_archive(&mut self) -> PathBuf {
        let archive = self.folder.join(sources::FOLDER);
        let checkout = archive.join(sources::PROJECT);
        self.words.push("inputs: from the archive of `make sources` alone".into());
        self.variables.push((checkout::SOURCES, archive.into()));
        checkout
    }

    /// Its cargo home.
    pub(super) fn cargo_home(&self) -> PathBuf {
        self.folder.join("home/cargo")
    }

    /// Its cache.
    pub(super) fn cache(&self) -> PathBuf {
        self.folder.join("home/cache/tre")
    }

    /// Runs `program` here to its end.
    pub(super) fn run(&self, program: &Path, arguments: &[OsString]) -> Result<(), ToolError> {
        let mut command = self.command()?;
        command.args(&self.wrapped).arg(program).args(arguments);
        SHELL.run(&mut command).map(drop)
    }

    fn command(&self) -> Result<Command, ToolError> {
        let mut command = SHELL.command()?;
        let home = self.folder.join("home");
        command
            .env_clear()
            .env("PATH", self.path())
            .env("RUSTUP_HOME", checkout::rustup_home())
            .env("HOME", &home)
            .env("CARGO_HOME", self.cargo_home())
            .env("CARGO_NET_OFFLINE", "true")
            .env("XDG_CACHE_HOME", home.join("cache"))
            .env("TMPDIR", self.folder.join("tmp"))
            .envs(self.variables.iter().cloned())
            .current_dir(&self.folder)
            .args(["-c", &format!("umask {} && exec \"$@\"", self.umask), "sh"]);
        Ok(command)
    }

    /// Where programs are found: its own first.
    fn path(&self) -> OsString {
        let mut path = self.folder.join("bin").into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        path
    }

    fn furnish(self) -> Result<Self, ReproduceError> {
        for folder in [self.cargo_home(), self.cache(), self.folder.join("tmp")] {
            fs::create_dir_all(&folder).map_err(step("making", &folder))?;
        }
        Ok(self)
    }

    fn become_another_user(&mut self) -> Result<(), ReproduceError> {
        if !self.can(UNSHARE, &OTHER_USER) {
            self.leave("user: the kernel has to allow user namespaces");
            return Ok(());
        }
        self.wrap(UNSHARE, &OTHER_USER)?;
        self.words.extend(["user: nobody".into(), "network: none".into()]);
        Ok(())
    }

    fn speak_another_language(&mut self) -> Result<(), ReproduceError> {
        let locales = self.folder.join("locales");
        fs::create_dir_all(&locales).map_err(step("making", &locales))?;
        let mut command = LOCALEDEF.command().map_err(ReproduceError::Tool)?;
        command.args(["-i", OTHER_LOCALE, "-f", "UTF-8"]);
        let name = format!("{OTHER_LOCALE}.UTF-8");
        if LOCALEDEF.run(command.arg(locales.join(&name))).is_ok() {
            self.words.push(format!("locale: {name}"));
            self.variables.extend([("LOCPATH", locales.into()), ("LC_ALL", name.into())]);
        } else {
            self.leave("locale: package 'locales' has more than C.UTF-8");
            self.variables.push(("LC_ALL", "C.UTF-8".into()));
        }
        Ok(())
    }

    fn move_the_clock(&mut self) -> Result<(), ReproduceError> {
        if !self.can(FAKETIME, &OTHER_TIME) {
            self.leave("clock: package 'faketime' moves it");
            return Ok(());
        }
        let bin = self.folder.join("bin");
        fs::create_dir_all(&bin).map_err(step("making", &bin))?;
        for tool in [RUSTC, TOUCH] {
            let (path, real) = (bin.join(tool.program), tool.find().map_err(ReproduceError::Tool)?);
            let real = real.display();
            let script = format!("#!/bin/sh\nunset LD_PRELOAD\nexec '{real}' \"$@\"\n");
            fs::write(&path, script).map_err(step("writing", &path))?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
                .map_err(step("protecting", &path))?;
        }
        let rustc = bin.join(RUSTC.program);
        self.wrap(FAKETIME, &OTHER_TIME)?;
        // Cargo looks for the compiler in its own way. Programs compare the times of files with
        // one another: these stay as they are.
        self.variables.extend([("RUSTC", rustc.into()), ("NO_FAKE_STAT", "1".into())]);
        self.words.push("clock: 400 days ahead, for all but rustc and touch".into());
        Ok(())
    }

    /// Notes what is not varied, and what would help.
    fn leave(&mut self, what: &'static str) {
        self.words.push(format!("NOT varied: {what}"));
        self.unvaried.push(what);
    }

    /// Whether `tool` with these options runs a program.
    fn can(&self, tool: Tool, options: &[&str]) -> bool {
        let run = |mut command: Command| tool.run(command.args(options).arg("true")).is_ok();
        tool.command().is_ok_and(run)
    }

    fn wrap(&mut self, tool: Tool, options: &[&str]) -> Result<(), ReproduceError> {
        self.wrapped.push(tool.find().map_err(ReproduceError::Tool)?.into());
        self.wrapped.extend(options.iter().map(OsString::from));
        Ok(())
    }
}

fn more_processes() -> OsString {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    processors.saturating_add(1).to_string().into()
}

/// Copies a folder or file as it is.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), ReproduceError> {
    const CP: Tool = Tool { program: "cp", package: "coreutils" };
    let folder = to.parent().unwrap_or(to);
    fs::create_dir_all(folder)
        .map_err(FileError::at("making", folder))
        .map_err(ReproduceError::File)?;
    let mut command = CP.command().map_err(ReproduceError::Tool)?;
    command.args(["--archive", "--reflink=auto"]).arg(from).arg(to);
    CP.run(&mut command).map(drop).map_err(ReproduceError::Tool)
}
