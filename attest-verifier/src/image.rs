//! The image believed to be on a box: is it what the box measured, and what was changed in it?
//!
//! A quote knows only the EFI file as a whole. Naming the changed part takes the file itself.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use attest_verifier_core::measured_boot::component::{
    self, ComponentChange, Compression, Payload, SplitError,
};
use attest_verifier_core::measured_boot::digest::Sha256Digest;
use attest_verifier_core::measured_boot::eventlog::EventLog;
use attest_verifier_core::measured_boot::manifest::ReferenceManifest;
use attest_verifier_core::measured_boot::pcr::PcrIndex;
use attest_verifier_core::measured_boot::pe::{EfiFile, PeError};
use attest_verifier_core::wire::attestation::Evidence;

use crate::bounds;
use crate::fat::{self, FatError};
use crate::file::{self, FileError};

/// Why an image cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The file cannot be read.
    #[error(transparent)]
    File(FileError),
    /// It is neither an EFI file nor a FAT image with one.
    #[error("{path}: {source}", path = .path.display())]
    Fat {
        /// The file.
        path: PathBuf,
        /// What is missing.
        source: FatError,
    },
    /// The EFI file is damaged.
    #[error("{path}: {source}", path = .path.display())]
    Efi {
        /// The file.
        path: PathBuf,
        /// Where.
        source: PeError,
    },
    /// The EFI file is not one of our kernels.
    #[error("{path}: {source}", path = .path.display())]
    Kernel {
        /// The file.
        path: PathBuf,
        /// What is missing.
        source: SplitError<DecompressError>,
    },
}

/// Why a kernel does not decompress.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecompressError {
    /// Our kernels are compressed with zstd.
    #[error("expected a zstd stream, found {found:?}")]
    Compression {
        /// The compression found.
        found: Compression,
    },
    /// The stream has no zstd frame.
    #[error("zstd frame: {0}")]
    Frame(#[source] ruzstd::decoding::errors::FrameDecoderError),
    /// The stream is damaged.
    #[error("zstd stream: {0}")]
    Stream(#[source] std::io::Error),
}

/// What an image file has to do with a box.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ImageFinding {
    /// Authenticode hash of its EFI file.
    pub authenticode: Sha256Digest,
    /// The number of the log's event in PCR 4 with this hash; `None` if the box started another
    /// file. Only as true as the log: see the check `event-log-replay`.
    pub measured_as: Option<usize>,
    /// Components that are not those of the manifest, the most telling first.
    pub changes: Vec<ComponentChange>,
}

/// Holds the image in the file `path` (`tre.img` or `tre.efi`) against a box's evidence and the
/// manifest that the box should fulfil: see [`Trust::closest_to`](crate::Trust::closest_to).
///
/// # Errors
///
/// [`ImageError`].
pub fn compare_image(
    path: &Path,
    evidence: &Evidence,
    manifest: &ReferenceManifest,
) -> Result<ImageFinding, ImageError> {
    let named = |path: &Path| path.to_path_buf();
    let image = file::read(path, bounds::IMAGE_BYTES).map_err(ImageError::File)?;
    let efi = if image.starts_with(b"MZ") {
        image
    } else {
        fat::boot_file(&image).map_err(|source| ImageError::Fat { path: named(path), source })?
    };
    let authenticode = EfiFile::parse(&efi)
        .map_err(|source| ImageError::Efi { path: named(path), source })?
        .authenticode();
    let components = component::split(&efi, decompress)
        .map_err(|source| ImageError::Kernel { path: named(path), source })?;
    let changes = component::changes(&manifest.components, &components);
    Ok(ImageFinding { authenticode, measured_as: event_of(evidence, authenticode), changes })
}

/// The number of the event that measured a file with this hash into PCR 4.
fn event_of(evidence: &Evidence, authenticode: Sha256Digest) -> Option<usize> {
    let log = EventLog::parse(evidence.event_log.as_slice()).ok()?;
    let event = log.events_of(PcrIndex::P4).find(|event| event.sha256() == Some(authenticode))?;
    Some(event.index)
}

/// Decompresses the kernel proper, up to the length that it claims and a byte more.
fn decompress(payload: &Payload<'_>) -> Result<Vec<u8>, DecompressError> {
    let found = payload.compression;
    if found != Compression::Zstd {
        return Err(DecompressError::Compression { found });
    }
    let stream = ruzstd::decoding::StreamingDecoder::new(payload.compressed)
        .map_err(DecompressError::Frame)?;
    let most = u64::try_from(payload.output_len).unwrap_or(u64::MAX).saturating_add(1);
    let mut kernel = Vec::new();
    stream.take(most).read_to_end(&mut kernel).map_err(DecompressError::Stream)?;
    Ok(kernel)
}
