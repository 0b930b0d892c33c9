//! Where everything stands on the raw data disk. No file system: fixed regions, fixed offsets.

use alloc::vec::Vec;

use crate::deployment::MAX_BYTES;

/// A fixed range of the disk. Unit: bytes; both numbers are multiples of 4,096.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Region {
    /// First byte.
    pub offset: u64,
    /// Number of bytes.
    pub length: u64,
}

/// Length of a new data disk: 64 MiB, sparse.
pub const DISK_LEN: u64 = 64 * 1024 * 1024;

/// Magic and version of the disk.
pub const HEADER: Region = Region { offset: 0, length: 0x1000 };

/// The deployment block: public, written once by whoever sets up the box.
pub const DEPLOYMENT: Region = Region { offset: 0x1_0000, length: 0x2_0000 };

/// Kept for the boot policy of a later release.
pub const BOOT_POLICY: Region = Region { offset: 0x3_0000, length: 0x1_0000 };

/// Sealed secrets and certificates, two slots: a torn write leaves the older one.
pub const ENROLMENT: [Region; 2] =
    [Region { offset: 0x4_0000, length: 0x2_0000 }, Region { offset: 0x6_0000, length: 0x2_0000 }];

/// What the status key last said, sealed, two slots. [`crate::revocation::MOST_KEYS`] keys fit.
/// Disks of the first release have nothing here, which says that nothing was kept.
pub const STATUS: [Region; 2] = [
    Region { offset: 0x10_0000, length: 0x8_0000 },
    Region { offset: 0x18_0000, length: 0x8_0000 },
];

/// First bytes of the disk: magic, then the version of this layout.
const MAGIC: &[u8; 12] = b"TRE-DISK\x00\x00\x00\x01";

/// First bytes of the deployment block, followed by the length of the file as a u32.
const DEPLOYMENT_MAGIC: &[u8; 12] = b"TRE-DEPL\x00\x00\x00\x01";

/// Bytes before the file in the deployment block: magic and length.
const DEPLOYMENT_PREFIX: usize = 16;

/// Why a disk, or a file meant for it, is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DiskError {
    /// Not made by `tre-image disk`, or of another version.
    #[error("expected a TRE data disk of layout 1; make one with `tre-image disk`")]
    Header,
    /// The disk has no deployment block.
    #[error("expected a deployment block at offset {offset:#x}", offset = DEPLOYMENT.offset)]
    Deployment,
    /// The deployment file is empty, or larger than its bound.
    #[error("expected a deployment file of 1 to {MAX_BYTES} bytes, found {found}")]
    DeploymentLength {
        /// Bytes found.
        found: usize,
    },
}

/// The content of [`HEADER`].
#[must_use]
pub fn header() -> Vec<u8> {
    padded(MAGIC, &[], HEADER.length)
}

/// Checks the content of [`HEADER`].
///
/// # Errors
///
/// [`DiskError::Header`].
pub fn check_header(bytes: &[u8]) -> Result<(), DiskError> {
    if bytes == header() { Ok(()) } else { Err(DiskError::Header) }
}

/// The start of [`DEPLOYMENT`] holding `file`; the rest of the region is zero.
///
/// # Errors
///
/// [`DiskError::DeploymentLength`].
pub fn deployment_block(file: &[u8]) -> Result<Vec<u8>, DiskError> {
    let refused = DiskError::DeploymentLength { found: file.len() };
    if file.is_empty() || file.len() > MAX_BYTES {
        return Err(refused);
    }
    let length = u32::try_from(file.len()).map_err(|_| refused)?;
    let prefix = [DEPLOYMENT_MAGIC.as_slice(), &length.to_be_bytes()].concat();
    Ok(padded(&prefix, file, DEPLOYMENT.length))
}

/// The deployment file inside the content of [`DEPLOYMENT`], as it lies, unread.
///
/// # Errors
///
/// [`DiskError::Deployment`] without the magic; [`DiskError::DeploymentLength`].
pub fn deployment_file(block: &[u8]) -> Result<&[u8], DiskError> {
    let (prefix, rest) =
        block.split_first_chunk::<DEPLOYMENT_PREFIX>().ok_or(DiskError::Deployment)?;
    let length = prefix.strip_prefix(DEPLOYMENT_MAGIC).ok_or(DiskError::Deployment)?;
    let length = <[u8; 4]>::try_from(length).map_err(|_| DiskError::Deployment)?;
    let found = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    let refused = DiskError::DeploymentLength { found };
    if found == 0 || found > MAX_BYTES {
        return Err(refused);
    }
    rest.get(..found).ok_or(refused)
}

/// `prefix`, `content`, then zeros up to `length` bytes.
fn padded(prefix: &[u8], content: &[u8], length: u64) -> Vec<u8> {
    let mut bytes = [prefix, content].concat();
    let length = usize::try_from(length).unwrap_or(bytes.len());
    bytes.resize(length.max(bytes.len()), 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_aligned_and_do_not_overlap() {
        let regions = [HEADER, DEPLOYMENT, BOOT_POLICY, ENROLMENT[0], ENROLMENT[1]];
        let regions = [&regions[..], &STATUS].concat();
        for pair in regions.windows(2) {
            assert!(pair[0].offset + pair[0].length <= pair[1].offset, "{pair:?}");
        }
        for region in regions {
            assert_eq!((region.offset % 4096, region.length % 4096), (0, 0), "{region:?}");
            assert!(region.offset + region.length <= DISK_LEN);
        }
    }

    #[test]
    fn a_deployment_file_comes_back_as_it_lay() {
        let block = deployment_block(b"{}").expect("fits");
        assert_eq!(deployment_file(&block), Ok(b"{}".as_slice()));
        assert_eq!(&block[..18], b"TRE-DEPL\x00\x00\x00\x01\x00\x00\x00\x02{}");
    }

    #[test]
    fn a_length_beyond_the_bound_is_refused() {
        let mut block = deployment_block(b"{}").expect("fits");
        block[12..16].copy_from_slice(&u32::MAX.to_be_bytes());
        let found = usize::try_from(u32::MAX).expect("64 bits");
        assert_eq!(deployment_file(&block), Err(DiskError::DeploymentLength { found }));
        assert_eq!(deployment_file(&[0; 64]), Err(DiskError::Deployment));
        assert_eq!(deployment_block(&[]), Err(DiskError::DeploymentLength { found: 0 }));
    }

    #[test]
    fn another_version_is_no_header() {
        let mut bytes = header();
        assert_eq!(check_header(&bytes), Ok(()));
        bytes[11] = 2;
        assert_eq!(check_header(&bytes), Err(DiskError::Header));
    }
}
