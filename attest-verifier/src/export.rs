//! Evidence as files that other tools take: `tpm2_checkquote`, `tpm2_eventlog`, `openssl`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use attest_verifier_core::measured_boot::digest::Sha256Digest;
use attest_verifier_core::measured_boot::pcr::PcrSelection;
use attest_verifier_core::measured_boot::tpm::{AlgorithmId, Public, PublicError, PublicKey};
use attest_verifier_core::quote::BindingError;
use attest_verifier_core::wire::attestation::Evidence;
use attest_verifier_core::wire::json::{self, JsonError};

use crate::bounds;
use crate::file::{self, FileError};

/// Why evidence was not written to files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// A file cannot be written.
    #[error("{path}: {source}", path = .path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The evidence does not encode.
    #[error("evidence.json: {0}")]
    Evidence(#[source] JsonError),
    /// There is no public key to write.
    #[error("aik.pem: {0}")]
    Key(#[source] PublicError),
    /// The attestation key is not ECC.
    #[error("aik.pem: expected a P-256 attestation key, found an RSA key")]
    NotP256,
    /// There is no qualifying data to expect.
    #[error("qualification.hex: {0}")]
    Answer(#[source] BindingError),
}

/// Why there is no evidence in a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The file cannot be read.
    #[error(transparent)]
    File(FileError),
    /// It holds something else.
    #[error("{path}: expected evidence as `attest-verifier fetch` writes it: {source}",
        path = .path.display())]
    Evidence {
        /// The file.
        path: PathBuf,
        /// What the decoder found.
        source: JsonError,
    },
}

/// Writes the evidence into the folder `folder`, which is made if it is missing.
///
/// - `evidence.json`: as it came;
/// - `quote.attest` (TPMS_ATTEST), `quote.sig` (TPMT_SIGNATURE), `aik.pem`, `qualification.hex`
///   (the qualifying data that *this end* expects), `pcrs.bin` (the values, as `tpm2_quote`
///   writes them): `tpm2_checkquote -u aik.pem -m quote.attest -s quote.sig -g sha256
///   -q $(cat qualification.hex) -f pcrs.bin`;
/// - `eventlog.bin`: `tpm2_eventlog eventlog.bin`.
///
/// # Errors
///
/// [`ExportError`]; files before the one named are written.
pub fn export(
    folder: &Path,
    evidence: &Evidence,
    expected_answer: &Result<Sha256Digest, BindingError>,
) -> Result<(), ExportError> {
    let written = |path: &Path| {
        let path = path.to_path_buf();
        move |source| ExportError::Write { path, source }
    };
    fs::create_dir_all(folder).map_err(written(folder))?;
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, bytes).map_err(written(&path))
    };
    write("evidence.json", &json::encode(evidence).map_err(ExportError::Evidence)?)?;
    write("quote.attest", evidence.attest.as_slice())?;
    write("quote.sig", evidence.signature.as_slice())?;
    write("eventlog.bin", evidence.event_log.as_slice())?;
    write("pcrs.bin", &pcrs_file(evidence))?;
    write("aik.pem", key_pem(evidence)?.as_bytes())?;
    let answer = expected_answer.as_ref().map_err(|cause| ExportError::Answer(cause.clone()))?;
    write("qualification.hex", answer.to_string().as_bytes())
}

/// The PCR values as tpm2-tools dump them: the C structures of the TPM software stack, little
/// endian, lists at their full length. A `TPML_PCR_SELECTION` has 16 entries of 8 bytes, a
/// `TPML_DIGEST` 8 entries of 66 bytes.
fn pcrs_file(evidence: &Evidence) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend_from_slice(&1_u32.to_le_bytes());
    file.extend_from_slice(&AlgorithmId::SHA256.0.to_le_bytes());
    file.push(3);
    file.extend_from_slice(&PcrSelection::ALL.to_octets());
    file.resize(4 + 16 * 8, 0);
    let lists = evidence.pcrs.chunks(8);
    file.extend_from_slice(&u32::try_from(lists.len()).unwrap_or(0).to_le_bytes());
    for list in lists {
        let mut values = u32::try_from(list.len()).unwrap_or(0).to_le_bytes().to_vec();
        for value in list {
            values.extend_from_slice(&32_u16.to_le_bytes());
            values.extend_from_slice(&value.0);
            values.extend_from_slice(&[0; 32]);
        }
        values.resize(4 + 8 * 66, 0);
        file.extend_from_slice(&values);
    }
    file
}

/// The attestation key as a PEM public key.
fn key_pem(evidence: &Evidence) -> Result<String, ExportError> {
    let public = Public::parse(evidence.attestation_key.as_slice()).map_err(ExportError::Key)?;
    let PublicKey::P256 { point, .. } = public.key() else { return Err(ExportError::NotP256) };
    let text = base64(&point.to_spki_der());
    let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.extend(line.iter().copied().map(char::from));
        pem.push('\n');
    }
    pem.push_str("-----END PUBLIC KEY-----\n");
    Ok(pem)
}

/// Base64 with padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |group: u32, shift: u32| {
        let index = usize::try_from((group >> shift) & 0x3f).unwrap_or(0);
        DIGITS.get(index).copied().map_or('=', char::from)
    };
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let group = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        text.push(digit(group, 18));
        text.push(digit(group, 12));
        text.push(if chunk.len() > 1 { digit(group, 6) } else { '=' });
        text.push(if chunk.len() > 2 { digit(group, 0) } else { '=' });
    }
    text
}

/// Reads the evidence that [`export`] wrote: the file itself, or the folder with `evidence.json`.
///
/// # Errors
///
/// [`ImportError`]. Nothing in it is judged.
pub fn load_evidence(path: &Path) -> Result<Evidence, ImportError> {
    let file = if path.is_dir() { path.join("evidence.json") } else { path.to_path_buf() };
    let bytes = file::read(&file, bounds::EVIDENCE_BYTES).map_err(ImportError::File)?;
    json::decode_at_most(&bytes, bytes.len())
        .map_err(|source| ImportError::Evidence { path: file, source })
}

/// Reads a file with an event log, such as `eventlog.bin`, or the kernel's
/// `binary_bios_measurements`. What it holds is not looked at.
///
/// # Errors
///
/// [`FileError`].
pub fn read_log(path: &Path) -> Result<Vec<u8>, FileError> {
    file::read(path, bounds::LOG_BYTES)
}

/// Reads a file that may be a manifest; whether it is, and whose, is not looked at.
///
/// # Errors
///
/// [`FileError`].
pub fn read_manifest_file(path: &Path) -> Result<Vec<u8>, FileError> {
    file::read(path, bounds::REFERENCE_BYTES)
}

/// Reads a file that may be a CoRIM.
///
/// # Errors
///
/// [`FileError`].
pub fn read_corim(path: &Path) -> Result<Vec<u8>, FileError> {
    file::read(path, u64::try_from(bounds::CORIM_BYTES).unwrap_or(u64::MAX))
}
