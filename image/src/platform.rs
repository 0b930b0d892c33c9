//! Platform definitions: what firmware measures of itself and of the machine, PCR 0 and 1.
//!
//! Not all of it can be computed from files: OVMF measures some code after running it in place, and
//! boot variables name the machine's devices. So both are recorded once for each machine; those of
//! well-known machines are committed, others are kept in the cache. What can be computed
//! ([`firmware`]) has to agree.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use measured_boot::digest::sha256;
use measured_boot::manifest::{Platform, PlatformDefinition};

use crate::checkout::{self, Checkout};
use crate::file::{self, FileError};
use crate::firmware::{self, FirmwareError};
use crate::machine::{Firmware, Hardware};

/// Why a platform's definition cannot be read or kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlatformError {
    /// The firmware is not installed.
    #[error("firmware {path} cannot be read: run 'make deps' (Debian package ovmf): {source}")]
    Firmware {
        /// Its file.
        path: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A definition contradicts the firmware's file.
    #[error("definition of platform {name}: {source}")]
    Contradiction {
        /// The platform.
        name: String,
        /// In what.
        #[source]
        source: FirmwareError,
    },
    /// A file cannot be read or written.
    #[error("platform definition: {0}")]
    File(#[source] FileError),
    /// A file holds no definition.
    #[error("{} is no platform definition: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A definition cannot be written as JSON.
    #[error("platform definition cannot be written as JSON: {source}")]
    Unwritable {
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

/// The platform that `hardware` makes with the firmware installed here.
///
/// # Errors
///
/// [`PlatformError::Firmware`].
pub fn identify(hardware: &Hardware) -> Result<Platform, PlatformError> {
    let path = hardware.firmware.code();
    let file = Checkout::own().debian(path);
    let code = fs::read(file).map_err(|source| PlatformError::Firmware { path, source })?;
    let &Hardware { memory_mib, cpus, tpm, firmware } = hardware;
    let machine = Hardware::MACHINE;
    let firmware = match firmware {
        Firmware::Plain => "",
        Firmware::SecureBoot => "-secureboot",
    };
    Ok(Platform {
        name: format!("qemu-{machine}-{tpm}-{memory_mib}mib-{cpus}cpu{firmware}"),
        firmware_sha256: sha256(&code),
        machine: machine.into(),
        memory_mib,
        cpus,
        tpm: tpm.device().into(),
    })
}

/// The definition of `platform`: the committed one, or one that was recorded here. What of it
/// follows from the firmware's file is computed once more and compared.
///
/// # Errors
///
/// [`PlatformError`] for a file that cannot be read; `None` if there is no definition yet.
pub fn find(
    checkout: &Checkout,
    platform: &Platform,
) -> Result<Option<PlatformDefinition>, PlatformError> {
    for folder in [checkout.package("platforms"), recorded_folder()] {
        for path in files(&folder)? {
            let definition = read(&path)?;
            if is_same_machine(&definition.platform, platform) {
                return checked(definition).map(Some);
            }
        }
    }
    Ok(None)
}

/// The definition, once the firmware's file agrees; each event says where it comes from.
fn checked(definition: PlatformDefinition) -> Result<PlatformDefinition, PlatformError> {
    let name = definition.platform.name.clone();
    let path = [Firmware::Plain, Firmware::SecureBoot].into_iter().map(Firmware::code);
    for path in path {
        let file = Checkout::own().debian(path);
        let code = fs::read(file).map_err(|source| PlatformError::Firmware { path, source })?;
        if sha256(&code) == definition.platform.firmware_sha256 {
            return firmware::explained(definition, &code)
                .map_err(|source| PlatformError::Contradiction { name, source });
        }
    }
    // Of a firmware that is not installed here there is nothing to compute.
    Ok(definition)
}

/// Keeps a definition for later builds on this machine; says where.
///
/// # Errors
///
/// [`PlatformError`].
pub fn keep(definition: &PlatformDefinition) -> Result<PathBuf, PlatformError> {
    let folder = recorded_folder();
    fs::create_dir_all(&folder)
        .map_err(FileError::at("making", &folder))
        .map_err(PlatformError::File)?;
    let Platform { name, firmware_sha256, .. } = &definition.platform;
    let firmware: String = firmware_sha256.to_string().chars().take(16).collect();
    let path = folder.join(format!("{name}-{firmware}.json"));
    write(definition, &path)?;
    Ok(path)
}

/// Writes a definition to `path`.
///
/// # Errors
///
/// [`PlatformError`].
pub fn write(definition: &PlatformDefinition, path: &Path) -> Result<(), PlatformError> {
    let text = serde_json::to_string_pretty(definition)
        .map_err(|source| PlatformError::Unwritable { source })?;
    file::replace(path, format!("{text}\n").as_bytes()).map_err(PlatformError::File)
}

fn read(path: &Path) -> Result<PlatformDefinition, PlatformError> {
    let step = FileError::at("reading", path);
    let bytes = fs::read(path).map_err(step).map_err(PlatformError::File)?;
    serde_json::from_slice(&bytes)
        .map_err(|source| PlatformError::Json { path: path.into(), source })
}

/// Every JSON file of a folder, in the order of their names; of a missing folder, none.
fn files(folder: &Path) -> Result<Vec<PathBuf>, PlatformError> {
    let listed = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.and_then(|entries| {
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()
        }),
    };
    let mut files =
        listed.map_err(FileError::at("listing", folder)).map_err(PlatformError::File)?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    Ok(files)
}

/// Whether the firmware would measure the same: everything but the name counts.
fn is_same_machine(one: &Platform, other: &Platform) -> bool {
    let name = other.name.clone();
    &Platform { name, ..one.clone() } == other
}

fn recorded_folder() -> PathBuf {
    checkout::cache().join("platforms")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::TpmInterface;
    use measured_boot::digest::Sha256Digest;

    fn platform(memory_mib: u32) -> Platform {
        Platform {
            name: "any".into(),
            firmware_sha256: Sha256Digest([7; 32]),
            machine: "q35".into(),
            memory_mib,
            cpus: 1,
            tpm: "tpm-crb".into(),
        }
    }

    #[test]
    fn a_name_is_no_difference_and_memory_is() {
        let renamed = Platform { name: "other".into(), ..platform(256) };
        assert!(is_same_machine(&platform(256), &renamed));
        assert!(!is_same_machine(&platform(256), &platform(512)));
    }

    #[test]
    fn a_written_definition_reads_back() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("one.json");
        let definition =
            PlatformDefinition { platform: platform(256), pcr0: Vec::new(), pcr1: Vec::new() };
        write(&definition, &path).expect("writes");
        let found = files(folder.path()).expect("lists");
        assert_eq!(found, core::slice::from_ref(&path));
        assert_eq!(read(&path).expect("reads"), definition);
    }

    #[test]
    fn every_committed_definition_is_one_of_a_machine_that_can_be_started() {
        let folder = Checkout::own().package("platforms");
        let committed = files(&folder).expect("lists");
        assert!(!committed.is_empty(), "{} is empty", folder.display());
        for path in committed {
            let platform = read(&path).expect("reads").platform;
            assert_eq!(platform.machine, Hardware::MACHINE);
            assert!((1..=8).contains(&platform.cpus), "{} processors", platform.cpus);
            platform.tpm.parse::<TpmInterface>().expect("known");
        }
    }
}
