//! What must be right before anything is started: files, folders, room, and that a folder's
//! machine stays the machine that it is.

use core::net::Ipv4Addr;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use measured_boot::digest::{Sha256Digest, sha256};
use serde::{Deserialize, Serialize};
use tre_wire::disk;

use super::config::Places;
use super::{BLANK_VARIABLES, DirectBoot, Hardware, MachineConfig, MachineError};
use crate::file::{self, FileError};
use crate::variables;

/// Room that a machine needs beside its data disk: TPM, variables, logs. Unit: byte.
const STATE_ROOM: u64 = 4 * 1024 * 1024;

/// A folder that this machine alone uses until the file is closed.
#[derive(Debug)]
#[expect(dead_code, reason = "held, never read: closing the file ends the lock")]
pub(super) struct Lock(File);

/// What a state folder's machine is, once and for all.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Identity {
    hardware: Hardware,
    /// The variable store with which its firmware started.
    variables_sha256: Sha256Digest,
}

/// The same machine with absolute paths, its folders made, its files known to be there and to be
/// what they should be.
pub(super) fn settled(config: &MachineConfig) -> Result<(MachineConfig, Places), MachineError> {
    let image = there("boot image", &config.image, "'tre-image build' makes one")?;
    check_image(&image)?;
    let disk = there("data disk", &config.disk, "'tre-image disk' makes one")?;
    check_disk(&disk)?;
    for path in [config.hardware.firmware.code(), BLANK_VARIABLES] {
        there("firmware", Path::new(path), "run 'make deps' (Debian package ovmf)")?;
    }
    let variables = config.variables.as_ref();
    let remedy = "'tre-image variables' makes one";
    let variables = variables.map(|path| there("variable store", path, remedy)).transpose()?;
    if let Some(path) = &variables {
        variables::read(path).map_err(MachineError::Variables)?;
    }
    let direct = config.direct.as_ref().map(direct).transpose()?;
    if let Some(path) = config.console.as_ref().filter(|path| path.is_dir()) {
        let (what, remedy) = ("console log", "name a file");
        return Err(MachineError::NotAFile { what, path: path.clone(), remedy });
    }
    let state = folder(&config.state)?;
    let tpm = config.tpm.as_deref().map_or_else(|| Ok(state.clone()), folder)?;
    check_room(&disk)?;
    let places = Places::new(&state, &tpm, config.console.as_deref());
    Ok((MachineConfig { image, disk, state, variables, direct, ..config.clone() }, places))
}

fn there(what: &'static str, path: &Path, remedy: &'static str) -> Result<PathBuf, MachineError> {
    let found = path.canonicalize().map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            return MachineError::FileMissing { what, path: path.into(), remedy };
        }
        failed("finding", path)(error)
    })?;
    match found.is_dir() {
        true => Err(MachineError::NotAFile { what, path: found, remedy }),
        false => Ok(found),
    }
}

fn direct(boot: &DirectBoot) -> Result<DirectBoot, MachineError> {
    let kernel = there("kernel", &boot.kernel, "name another")?;
    let initrd = there("initrd", &boot.initrd, "name another")?;
    Ok(DirectBoot { kernel, initrd, append: boot.append.clone() })
}

fn folder(path: &Path) -> Result<PathBuf, MachineError> {
    if path.exists() && !path.is_dir() {
        return Err(MachineError::NotAFolder { path: path.into() });
    }
    fs::create_dir_all(path).map_err(failed("making", path))?;
    path.canonicalize().map_err(failed("finding", path))
}

/// Firmware finds nothing on a disk without a FAT file system, and says so where nobody looks.
fn check_image(path: &Path) -> Result<(), MachineError> {
    let mut start = Vec::new();
    let file = File::open(path).map_err(failed("reading", path))?;
    file.take(BOOT_SECTOR).read_to_end(&mut start).map_err(failed("reading", path))?;
    let is_fat = start.get(FAT_NAME..).is_some_and(|name| name.starts_with(b"FAT"));
    if is_fat && start.ends_with(&BOOT_SIGNATURE) {
        return Ok(());
    }
    Err(MachineError::NotAnImage { path: path.into() })
}

/// Without a header `tred` refuses the disk, inside the machine.
fn check_disk(path: &Path) -> Result<(), MachineError> {
    let mut start = Vec::new();
    let file = File::open(path).map_err(failed("reading", path))?;
    file.take(disk::HEADER.length).read_to_end(&mut start).map_err(failed("reading", path))?;
    disk::check_header(&start)
        .map_err(|source| MachineError::NotADisk { path: path.into(), source })
}

/// The data disk is sparse at first; it may grow to its whole length.
fn check_room(disk: &Path) -> Result<(), MachineError> {
    let metadata = fs::metadata(disk).map_err(failed("reading", disk))?;
    let allocated = metadata.blocks().saturating_mul(STAT_BLOCK);
    let needed = metadata.len().saturating_sub(allocated).saturating_add(STATE_ROOM);
    let system = rustix::fs::statvfs(disk).map_err(io::Error::from);
    let system = system.map_err(failed("asking for the room beside", disk))?;
    let free = system.f_bavail.saturating_mul(system.f_frsize);
    if free >= needed {
        return Ok(());
    }
    Err(MachineError::NoRoom { path: disk.into(), needed, free })
}

/// Holds the folder for this machine alone.
pub(super) fn lock(folder: &Path) -> Result<Lock, MachineError> {
    let path = folder.join("lock");
    let lock = File::create(&path).map_err(failed("making", &path))?;
    match lock.try_lock() {
        Ok(()) => Ok(Lock(lock)),
        Err(fs::TryLockError::WouldBlock) => Err(MachineError::StateInUse { path: folder.into() }),
        Err(fs::TryLockError::Error(source)) => Err(failed("locking", &path)(source)),
    }
}

/// The first variables of a new machine; no console from an earlier boot for any. A folder with
/// another machine is refused: its TPM has secrets sealed to what it is.
pub(super) fn prepare(config: &MachineConfig, places: &Places) -> Result<(), MachineError> {
    let origin = config.variables.as_deref().unwrap_or(Path::new(BLANK_VARIABLES));
    let variables = fs::read(origin).map_err(failed("reading", origin))?;
    let expected = Identity { hardware: config.hardware, variables_sha256: sha256(&variables) };
    // First what can fail: a machine that never ran leaves no name behind.
    File::create(&places.console).map_err(failed("writing", &places.console))?;
    identify(&places.state, &expected)?;
    if !places.variables.exists() {
        file::replace(&places.variables, &variables).map_err(MachineError::File)?;
    }
    Ok(())
}

fn identify(state: &Path, expected: &Identity) -> Result<(), MachineError> {
    let path = state.join("machine.json");
    let bytes = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let text = serde_json::to_vec_pretty(expected);
            let text = text.map_err(|source| MachineError::Json { path: path.clone(), source })?;
            return file::replace(&path, &text).map_err(MachineError::File);
        }
        bytes => bytes.map_err(failed("reading", &path))?,
    };
    let found: Identity = serde_json::from_slice(&bytes)
        .map_err(|source| MachineError::Json { path: path.clone(), source })?;
    if found.hardware != expected.hardware {
        let (found, expected) = (found.hardware, expected.hardware);
        return Err(MachineError::OtherHardware { path: state.into(), found, expected });
    }
    if found.variables_sha256 != expected.variables_sha256 {
        let (found, expected) = (found.variables_sha256, expected.variables_sha256);
        return Err(MachineError::OtherVariables { path: state.into(), found, expected });
    }
    Ok(())
}

/// The port asked for, if nobody has it, or a free one.
pub(super) fn port(asked: Option<u16>) -> Result<u16, MachineError> {
    let port = asked.unwrap_or(0);
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .and_then(|listener| Ok(listener.local_addr()?.port()))
        .map_err(|source| MachineError::Port { port, source })
}

pub(super) fn failed(
    step: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> MachineError + use<> {
    let path = path.to_path_buf();
    move |source| MachineError::File(FileError { step, path, source })
}

/// First sector of a disk. Unit: byte.
const BOOT_SECTOR: u64 = 512;

/// Its last bytes, and where the file system's name stands in it.
const BOOT_SIGNATURE: [u8; 2] = [0x55, 0xaa];
const FAT_NAME: usize = 0x36;

/// Unit of a file's allocated blocks, whatever the file system's own. Unit: byte.
const STAT_BLOCK: u64 = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Firmware;

    #[test]
    fn a_state_folder_serves_one_machine_at_a_time() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let first = lock(folder.path()).expect("free");
        let refused = lock(folder.path());
        assert!(
            matches!(&refused, Err(MachineError::StateInUse { path }) if path == folder.path()),
            "{refused:?}",
        );
        drop(first);
        lock(folder.path()).expect("free again");
    }

    #[test]
    fn a_state_folder_keeps_its_hardware_and_its_first_variables() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let usual = |variables| Identity {
            hardware: Hardware::USUAL,
            variables_sha256: Sha256Digest([variables; 32]),
        };
        identify(folder.path(), &usual(1)).expect("new");
        identify(folder.path(), &usual(1)).expect("the same");
        let larger = Hardware { memory_mib: 1_024, ..Hardware::USUAL };
        let refused = identify(folder.path(), &Identity { hardware: larger, ..usual(1) });
        assert_eq!(
            refused.expect_err("other hardware").to_string(),
            format!(
                "state folder {} is of a machine with 512 MiB, 1 processor, tpm-crb, plain \
                 firmware, not with 1024 MiB, 1 processor, tpm-crb, plain firmware: \
                 use another folder",
                folder.path().display(),
            ),
        );
        let secure = Hardware { firmware: Firmware::SecureBoot, ..Hardware::USUAL };
        let refused = identify(folder.path(), &Identity { hardware: secure, ..usual(1) });
        assert!(matches!(refused, Err(MachineError::OtherHardware { .. })), "{refused:?}");
        let refused = identify(folder.path(), &usual(2));
        assert!(matches!(refused, Err(MachineError::OtherVariables { .. })), "{refused:?}");
    }

    #[test]
    fn a_disk_that_cannot_grow_to_its_length_is_refused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("data.img");
        let disk = File::create(&path).expect("makes");
        disk.set_len(64 * 1024 * 1024).expect("sparse");
        check_room(&path).expect("room for 68 MiB");
        disk.set_len(8 << 40).expect("sparse");
        let refused = check_room(&path);
        assert!(
            matches!(refused, Err(MachineError::NoRoom { needed, free, .. }) if needed > free),
            "{refused:?}",
        );
    }

    #[test]
    fn a_file_without_the_header_is_no_data_disk() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("data.img");
        for wrong in [&b""[..], b"MZ", &[0; 4096]] {
            fs::write(&path, wrong).expect("writes");
            let refused = check_disk(&path);
            assert!(matches!(refused, Err(MachineError::NotADisk { .. })), "{refused:?}");
        }
        fs::write(&path, [disk::header(), vec![7; 16]].concat()).expect("writes");
        check_disk(&path).expect("a disk");
        assert!(check_disk(folder.path()).is_err(), "a folder is no disk");
    }

    #[test]
    fn a_machine_that_cannot_begin_leaves_its_folder_to_another() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = |name: &str| folder.path().join(name);
        let mut config = MachineConfig::new(path("tre.img"), path("data.img"), path("state"));
        fs::create_dir(path("state")).expect("makes");
        config.console = Some(path("nowhere/serial.log"));
        let places = Places::new(&config.state, &config.state, config.console.as_deref());
        prepare(&config, &places).expect_err("no place for its console");
        assert!(!path("state/machine.json").exists());
    }

    #[test]
    fn a_folder_for_a_file_and_a_file_for_a_folder_are_refused() {
        let place = tempfile::tempdir().expect("temporary folder");
        let refused = there("data disk", place.path(), "make one").expect_err("a folder");
        assert!(matches!(&refused, MachineError::NotAFile { what: "data disk", .. }), "{refused}",);
        assert!(refused.to_string().ends_with("is a folder: make one"), "{refused}");
        let file = place.path().join("state");
        fs::write(&file, "").expect("writes");
        let refused = folder(&file).expect_err("a file");
        assert!(matches!(&refused, MachineError::NotAFolder { path } if *path == file));
    }

    #[test]
    fn a_file_without_a_fat_file_system_is_no_image() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("tre.img");
        for wrong in [&b""[..], b"MZ", &[0; 512]] {
            fs::write(&path, wrong).expect("writes");
            let refused = check_image(&path);
            assert!(matches!(refused, Err(MachineError::NotAnImage { .. })), "{refused:?}");
        }
    }
}
