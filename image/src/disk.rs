//! The data disk as it is before its first boot: a header, the deployment, and zeros.
//!
//! What stands where is decided in [`tre_wire::disk`], which the daemon reads too. There is no
//! file system: the appliance has no driver for one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use tre_wire::deployment::{Deployment, DeploymentError};
use tre_wire::disk::{self, DiskError};

/// Why there is no new disk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NewDiskError {
    /// A disk may hold the only copy of sealed secrets; nothing here overwrites one.
    #[error("{} exists already and is left alone: choose another name", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The deployment file cannot be read.
    #[error("deployment file {} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The appliance would refuse this deployment at every boot.
    #[error("deployment file {} is refused: {source}", path.display())]
    Deployment {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: DeploymentError,
    },
    /// The deployment does not fit into its place.
    #[error("deployment file {} does not fit: {source}", path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// Bounds and length.
        #[source]
        source: DiskError,
    },
    /// The disk cannot be written.
    #[error("data disk {} cannot be written: {source}", path.display())]
    Write {
        /// The disk.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Makes the data disk `path` for the deployment in `deployment`, whose bytes are placed as they
/// lie: their hash is what the appliance measures.
///
/// # Errors
///
/// [`NewDiskError`]; after an error there is no file at `path` unless there was one before.
pub fn create(path: &Path, deployment: &Path) -> Result<(), NewDiskError> {
    let read = |source| NewDiskError::Read { path: deployment.into(), source };
    let file = fs::read(deployment).map_err(read)?;
    let block = disk::deployment_block(&file)
        .map_err(|source| NewDiskError::Layout { path: deployment.into(), source })?;
    Deployment::from_json(&file)
        .map_err(|source| NewDiskError::Deployment { path: deployment.into(), source })?;
    write_new(path, &[(disk::HEADER.offset, &disk::header()), (disk::DEPLOYMENT.offset, &block)])
}

/// Makes a data disk without a deployment. The appliance boots and measures on it, and serves
/// nothing.
///
/// # Errors
///
/// [`NewDiskError`], as for [`create`].
pub fn create_blank(path: &Path) -> Result<(), NewDiskError> {
    write_new(path, &[(disk::HEADER.offset, &disk::header())])
}

/// Writes a sparse disk with `parts` at their offsets.
fn write_new(path: &Path, parts: &[(u64, &[u8])]) -> Result<(), NewDiskError> {
    let written = OpenOptions::new().write(true).create_new(true).open(path).and_then(|file| {
        write_parts(&file, parts).inspect_err(|_| {
            // What is half written must not pass for a disk; the first error is the one to tell.
            drop(fs::remove_file(path));
        })
    });
    written.map_err(|source| {
        let path = path.into();
        if source.kind() == io::ErrorKind::AlreadyExists {
            return NewDiskError::Exists { path };
        }
        NewDiskError::Write { path, source }
    })
}

fn write_parts(mut file: &File, parts: &[(u64, &[u8])]) -> io::Result<()> {
    file.set_len(disk::DISK_LEN)?;
    for (offset, bytes) in parts {
        file.seek(SeekFrom::Start(*offset))?;
        file.write_all(bytes)?;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_existing_disk_is_never_overwritten() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("data.img");
        fs::write(&path, b"sealed").expect("writes");
        let error = create_blank(&path).expect_err("refused");
        assert!(matches!(&error, NewDiskError::Exists { path: found } if *found == path));
        assert_eq!(fs::read(&path).expect("still there"), b"sealed");
    }

    #[test]
    fn a_blank_disk_is_a_header_and_zeros() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("data.img");
        create_blank(&path).expect("writes");
        let bytes = fs::read(&path).expect("reads");
        assert_eq!(bytes.len(), 64 * 1024 * 1024);
        let (header, rest) = bytes.split_at(4096);
        assert_eq!(disk::check_header(header), Ok(()));
        assert!(rest.iter().all(|byte| *byte == 0));
    }

    #[test]
    fn a_deployment_that_the_appliance_would_refuse_makes_no_disk() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (path, file) = (folder.path().join("data.img"), folder.path().join("d.json"));
        fs::write(&file, b"{}").expect("writes");
        let error = create(&path, &file).expect_err("refused");
        assert!(matches!(error, NewDiskError::Deployment { .. }), "{error}");
        assert!(!path.exists());
    }

    #[test]
    fn an_empty_deployment_file_is_refused_by_its_length() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (path, file) = (folder.path().join("data.img"), folder.path().join("d.json"));
        fs::write(&file, b"").expect("writes");
        let error = create(&path, &file).expect_err("refused");
        let empty = DiskError::DeploymentLength { found: 0 };
        assert!(
            matches!(&error, NewDiskError::Layout { source, .. } if *source == empty),
            "{error}",
        );
    }
}
