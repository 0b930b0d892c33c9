//! A host that starts the right kernel with things of its own: an initial file system whose
//! `/init` is another program, and a command line that asks for it.
//!
//! The kernel takes neither (`noinitrd` and the overriding command line are built in). Its EFI stub
//! measures the options that it was given into PCR 9, and nothing of an initrd that it does not
//! load: the box comes up locked, and the verifier says where it was touched.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, ensure};
use attest_verifier::Trust;
use attest_verifier::core::check::Check;
use image::machine::{DirectBoot, Machine, MachineConfig};
use measured_boot::digest::{Sha256Digest, sha256};
use measured_boot::eventlog::EventLog;
use measured_boot::pcr::PcrIndex;
use tre_tests::appliance::Appliance;
use tre_tests::domain::TestDomain;
use tre_tests::{place, tools};
use tre_wire::id::PeerId;

use crate::sight::{examined, locked};

/// Were it followed, the other program would run, or the box would be silent and unreachable.
const COMMAND_LINE: &str = "rdinit=/init init=/init ip=off console=null";

/// What the other program says.
const SAID: &str = "foreign init runs";

/// An enrolled box, started past its boot disk.
pub(crate) async fn initrd_and_command_line_are_ignored_and_named(
    domain: &TestDomain,
    appliance: &Appliance,
    tre_id: &PeerId,
    trust: &Trust,
) -> Result<()> {
    let direct = DirectBoot {
        kernel: place::built("tre.efi")?,
        initrd: foreign_initrd(domain.folder())?,
        append: COMMAND_LINE.to_owned(),
    };
    let usual = appliance.config(&place::built("tre.img")?);
    let machine = Machine::start(&MachineConfig { direct: Some(direct), ..usual })?;

    let serial = machine.serial()?;
    ensure!(!serial.contains(SAID), "the other program ran:\n{serial}");
    locked(&machine).await?;

    let found = examined(&machine, tre_id, trust).await?;
    ensure!(found.verdict.is_err(), "a box started from outside is never accepted");
    let pcr9 = found.evidence.pcrs.get(usize::from(PcrIndex::P9.number()));
    ensure!(pcr9.is_some_and(|value| value.0 != Sha256Digest::ZERO.0), "PCR 9 is {pcr9:?}");
    let log = found.evidence.event_log.as_slice();
    let log = EventLog::parse(log).map_err(|error| anyhow!("the box's event log: {error}"))?;
    let measured: Vec<_> = log.events_of(PcrIndex::P9).map(|event| event.sha256()).collect();
    ensure!(measured == [Some(sha256(&load_options()))], "PCR 9 is of {measured:?}");
    let named = |check: &Check| found.checks.iter().any(|row| row.check == *check && !row.ok);
    ensure!(named(&Check::Pcr(PcrIndex::P9)), "expected PCR 9 named in {:?}", found.checks);
    machine.stop()?;
    Ok(())
}

/// What QEMU's loader hands to the kernel: the command line, where the initrd is, in UTF-16.
fn load_options() -> Vec<u8> {
    let text = format!("{COMMAND_LINE} initrd=initrd\0");
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// An archive with `/init`, a static program without a library that says one line, for ever.
fn foreign_initrd(folder: &Path) -> Result<PathBuf> {
    let (source, program) = (folder.join("foreign.c"), folder.join("foreign"));
    fs::write(&source, FOREIGN)?;
    let flags = ["-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector", "-O1"];
    let files = [&source, &program].map(|path| path.display().to_string());
    let [source, output] = &files;
    tools::run("cc", &[&flags[..], &["-o", output, source]].concat())?;
    let archive = folder.join("foreign.cpio");
    let entries = [("init", 0o100_755_u32, fs::read(program)?), ("TRAILER!!!", 0, Vec::new())];
    let entries = entries.iter().enumerate();
    let bytes =
        entries.flat_map(|(number, (name, mode, content))| entry(number, name, *mode, content));
    fs::write(&archive, bytes.collect::<Vec<u8>>())?;
    Ok(archive)
}

/// One entry of a `newc` archive, filled up to a multiple of four bytes twice.
fn entry(number: usize, name: &str, mode: u32, content: &[u8]) -> Vec<u8> {
    let (name_len, len) = (name.len().saturating_add(1), content.len());
    let mut bytes = format!(
        "070701{number:08x}{mode:08x}{:08x}{:08x}{:08x}{:08x}{len:08x}{:08x}{:08x}{:08x}{:08x}\
         {name_len:08x}{:08x}{name}\0",
        0, 0, 1, 0, 0, 0, 0, 0, 0,
    )
    .into_bytes();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

const FOREIGN: &str = r#"
static long call(long number, long a, long b, long c) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
    return result;
}

void _start(void) {
    static const char said[] = "foreign init runs\n";
    call(1, 1, (long)said, sizeof said - 1); /* write */
    for (;;)
        call(34, 0, 0, 0); /* pause */
}
"#;
