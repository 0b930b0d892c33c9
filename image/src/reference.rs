//! The reference manifest of an image: made from its files, the platform and the inputs.

use measured_boot::component::{self, Component, Compression, Payload, SplitError};
use measured_boot::digest::sha256;
use measured_boot::manifest::{
    EfiRecord, ExpectationError, FileRecord, ManifestFormat, PcrExpectations, PlatformDefinition,
    Purpose, ReferenceManifest,
};
use measured_boot::pe::{EfiFile, PeError};
use measured_boot::predict;
use ruzstd::decoding::FrameDecoder;
use ruzstd::decoding::errors::FrameDecoderError;

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

/// The parts of the EFI file, uncompressed, each with its hash.
///
/// # Errors
///
/// [`ReferenceError::Split`].
pub fn components(efi: &[u8]) -> Result<Vec<Component>, ReferenceError> {
    component::split(efi, unpack).map_err(ReferenceError::Split)
}

/// What every PCR must hold after this EFI file was booted on this platform.
///
/// # Errors
///
/// [`ReferenceError::Efi`], [`ReferenceError::Prediction`].
pub fn predicted(
    efi: &[u8],
    platform: &PlatformDefinition,
) -> Result<PcrExpectations, ReferenceError> {
    let authenticode = EfiFile::parse(efi).map_err(ReferenceError::Efi)?.authenticode();
    predict::expectations(authenticode, &platform.pcr0, &platform.pcr1)
        .map_err(ReferenceError::Prediction)
}

/// Everything that is known of the image `disk` with the EFI file `efi` in it before it runs.
pub(crate) fn manifest(
    efi: &[u8],
    disk: &[u8],
    platform: PlatformDefinition,
    inputs: Inputs,
    locked: bool,
    purpose: Purpose,
) -> Result<ReferenceManifest, ReferenceError> {
    let length = |bytes: &[u8]| u64::try_from(bytes.len()).map_err(|_| ReferenceError::Length);
    let authenticode = EfiFile::parse(efi).map_err(ReferenceError::Efi)?.authenticode();
    Ok(ReferenceManifest {
        format: ManifestFormat,
        purpose,
        image: FileRecord { name: BOOT_DISK.into(), len: length(disk)?, sha256: sha256(disk) },
        efi: EfiRecord { len: length(efi)?, sha256: sha256(efi), authenticode },
        components: components(efi)?,
        pcrs: predicted(efi, &platform)?,
        platform: platform.platform,
        tools: inputs.tools,
        packages: inputs.packages,
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
