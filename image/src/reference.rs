//! The reference manifest of an image: made from its files, the platform and the inputs.

use std::fs;
use std::path::{Path, PathBuf};

use measured_boot::component::{self, Component, Compression, Payload, SplitError};
use measured_boot::digest::sha256;
use measured_boot::manifest::{
    EfiRecord, ExpectationError, FileRecord, PcrExpectations, PlatformDefinition, Purpose,
    ReferenceManifest, Release,
};
use measured_boot::pe::{EfiFile, PeError};
use measured_boot::predict;
use measured_boot::secure_boot::SecureBoot;
use ruzstd::decoding::FrameDecoder;
use ruzstd::decoding::errors::FrameDecoderError;

use crate::file::FileError;
use crate::inputs::Inputs;

/// Name of the boot disk among the files of an image.
pub(crate) const BOOT_DISK: &str = "tre.img";

/// Why a file has no reference values.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// Not an EFI file.
    #[error("EFI file: {0}")]
    Efi(#[source] PeError),
    /// Not a kernel with a built-in initramfs.
    #[error("EFI file: {0}")]
    Split(#[source] SplitError<UnpackError>),
    /// The expectations contradict themselves.
    #[error("prediction: {0}")]
    Prediction(#[source] ExpectationError),
    /// The file's length cannot be written down.
    #[error("expected a file of fewer than 2^64 bytes")]
    Length,
}

/// Why a kernel's payload does not unpack.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnpackError {
    /// Compressed in a way that our kernel is not.
    #[error("expected a zstd payload, found {found:?}")]
    Compression {
        /// What it is compressed with.
        found: Compression,
    },
    /// Damaged.
    #[error("{0}")]
    Zstd(#[source] FrameDecoderError),
}

/// Why a manifest's file cannot be read or made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestFileError {
    /// It cannot be read.
    #[error("manifest: {0}")]
    File(#[source] FileError),
    /// It is no manifest.
    #[error("manifest {}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A manifest that cannot be written as JSON.
    #[error("manifest cannot be written as JSON: {0}")]
    Unwritable(#[source] serde_json::Error),
}

/// The manifest in the file at `path`.
///
/// # Errors
///
/// [`ManifestFileError`].
pub fn read(path: &Path) -> Result<ReferenceManifest, ManifestFileError> {
    let bytes = fs::read(path).map_err(FileError::at("reading", path));
    let bytes = bytes.map_err(ManifestFileError::File)?;
    serde_json::from_slice(&bytes)
        .map_err(|source| ManifestFileError::Json { path: path.into(), source })
}

/// The file of a manifest: the same manifest gives the same bytes.
///
/// # Errors
///
/// [`ManifestFileError::Unwritable`].
pub fn text(manifest: &ReferenceManifest) -> Result<String, ManifestFileError> {
    let text = serde_json::to_string_pretty(manifest).map_err(ManifestFileError::Unwritable)?;
    Ok(text + "\n")
}

/// The parts of the EFI file, uncompressed, each with its hash.
///
/// # Errors
///
/// [`ReferenceError::Split`].
pub fn components(efi: &[u8]) -> Result<Vec<Component>, ReferenceError> {
    component::split(efi, unpack).map_err(ReferenceError::Split)
}

/// What every PCR must hold after this EFI file was booted on this platform, under this secure
/// boot.
///
/// # Errors
///
/// [`ReferenceError::Efi`], [`ReferenceError::Prediction`].
pub fn predicted(
    efi: &[u8],
    secure_boot: &SecureBoot<'_>,
    platform: &PlatformDefinition,
) -> Result<PcrExpectations, ReferenceError> {
    let authenticode = EfiFile::parse(efi).map_err(ReferenceError::Efi)?.authenticode();
    predict::expectations(authenticode, secure_boot, &platform.pcr0, &platform.pcr1)
        .map_err(ReferenceError::Prediction)
}

/// Everything that is known of the image `disk` with the EFI file `efi` in it before it runs.
/// Without a `release` the manifest is of format 1.
pub(crate) fn manifest(
    efi: &[u8],
    disk: &[u8],
    platform: PlatformDefinition,
    inputs: Inputs,
    locked: bool,
    purpose: Purpose,
    release: Option<Release>,
) -> Result<ReferenceManifest, ReferenceError> {
    let length = |bytes: &[u8]| u64::try_from(bytes.len()).map_err(|_| ReferenceError::Length);
    let authenticode = EfiFile::parse(efi).map_err(ReferenceError::Efi)?.authenticode();
    Ok(ReferenceManifest {
        release,
        purpose,
        image: FileRecord { name: BOOT_DISK.into(), len: length(disk)?, sha256: sha256(disk) },
        efi: EfiRecord { len: length(efi)?, sha256: sha256(efi), authenticode },
        components: components(efi)?,
        pcrs: predicted(efi, &SecureBoot::PRISTINE, &platform)?,
        platform: platform.platform,
        packages: inputs.package_versions(),
        tools: inputs.tools,
        // Whoever releases an image says how long it may be believed; a build does not know.
        valid_from: None,
        valid_until: None,
        locked,
    })
}

/// Unpacks the kernel proper into no more than the length it claims, which is bounded.
fn unpack(payload: &Payload<'_>) -> Result<Vec<u8>, UnpackError> {
    if payload.compression != Compression::Zstd {
        return Err(UnpackError::Compression { found: payload.compression });
    }
    let mut kernel = Vec::with_capacity(payload.output_len);
    FrameDecoder::new()
        .decode_all_to_vec(payload.compressed, &mut kernel)
        .map_err(UnpackError::Zstd)?;
    Ok(kernel)
}
