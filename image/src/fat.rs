//! The boot disk: a FAT file system with one file, where UEFI firmware looks for it.
//!
//! No partition table: its hash would be one more measurement, and it would say nothing. Made
//! without root rights or mounts, and byte for byte the same each time: serial number, label,
//! times and order are fixed.

use core::time::Duration;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::SystemTime;

use crate::file::FileError;
use crate::tool::{Tool, ToolError};

/// Makes the file system.
const MKFS: Tool = Tool { program: "mkfs.vfat", package: "dosfstools" };

/// Makes folders in it.
const MMD: Tool = Tool { program: "mmd", package: "mtools" };

/// Copies into it.
const MCOPY: Tool = Tool { program: "mcopy", package: "mtools" };

/// The time of everything in the file system, 1980-01-01 00:00 UTC: FAT knows none before it.
/// Unit: seconds since 1970.
const EPOCH: u64 = 315_532_800;

/// The file system's serial number, fixed because it would otherwise be the time.
const SERIAL: &str = "54524501";

/// Room for the file system's own tables beside the file. Unit: bytes.
const TABLES: u64 = 128 * 1024;

/// The disk's length is a multiple of this. Unit: bytes.
const ROUNDED_TO: u64 = 64 * 1024;

/// Why there is no boot disk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FatError {
    /// A program is missing or failed.
    #[error("boot disk: {0}")]
    Tool(#[source] ToolError),
    /// A file cannot be read or written.
    #[error("boot disk: {0}")]
    File(#[source] FileError),
}

/// Writes the boot disk `disk` with `efi` as `\EFI\BOOT\BOOTX64.EFI`, replacing what was there.
///
/// # Errors
///
/// [`FatError`].
pub fn write(efi: &Path, disk: &Path) -> Result<(), FatError> {
    let folder = disk.parent().unwrap_or(Path::new("."));
    let scratch = tempfile::tempdir_in(folder).map_err(step("making a folder in", folder))?;
    let (copy, new) = (scratch.path().join("BOOTX64.EFI"), scratch.path().join("disk"));
    fs::copy(efi, &copy).map_err(step("copying", efi))?;
    let length = set_time(&copy).map_err(step("dating", &copy))?;
    let size = length.saturating_add(TABLES).next_multiple_of(ROUNDED_TO);
    File::create(&new).and_then(|file| file.set_len(size)).map_err(step("making", &new))?;

    let options = ["--invariant", "-i", SERIAL, "-n", "TRE", "-F", "12", "-s", "8"];
    run(MKFS, |command| command.args(options).arg(&new))?;
    run(MMD, |command| command.arg("-i").arg(&new).args(["::/EFI", "::/EFI/BOOT"]))?;
    run(MCOPY, |command| command.arg("-m").arg("-i").arg(&new).arg(&copy).arg("::/EFI/BOOT/"))?;
    fs::rename(&new, disk).map_err(step("replacing", disk))
}

/// Gives the file the one time; returns its length in bytes.
fn set_time(path: &Path) -> io::Result<u64> {
    let file = File::options().write(true).open(path)?;
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(EPOCH));
    file.set_modified(time.unwrap_or(SystemTime::UNIX_EPOCH))?;
    Ok(file.metadata()?.len())
}

fn run(
    tool: Tool,
    arguments: impl FnOnce(&mut std::process::Command) -> &mut std::process::Command,
) -> Result<(), FatError> {
    let mut command = tool.command().map_err(FatError::Tool)?;
    command
        .env("SOURCE_DATE_EPOCH", EPOCH.to_string())
        .env("TZ", "UTC")
        .env("LC_ALL", "C")
        .env("MTOOLS_SKIP_CHECK", "1");
    tool.run(arguments(&mut command)).map_err(FatError::Tool)?;
    Ok(())
}

fn step(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FatError {
    move |source| FatError::File(FileError::at(step, path)(source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_file_makes_the_same_disk_later() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let efi = folder.path().join("tre.efi");
        let content: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
        fs::write(&efi, &content[..3_000_000]).expect("writes");
        let (first, second) = (folder.path().join("first"), folder.path().join("second"));
        write(&efi, &first).expect("writes");
        // FAT keeps times in steps of two seconds.
        std::thread::sleep(Duration::from_millis(2_100));
        write(&efi, &second).expect("writes");
        let first = fs::read(first).expect("reads");
        assert!(first == fs::read(second).expect("reads"), "two disks from one file differ");
        assert!(
            first.windows(4096).any(|window| window == &content[..4096]),
            "the file is not in the file system",
        );
    }
}
