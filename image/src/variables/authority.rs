//! Which entry of `db` makes the firmware start a file: the answer stands in PCR 7.
//!
//! Follows EDK2's `DxeImageVerificationLib`: of a signed file, first the certificates of `db` in
//! their order, then its hash; of an unsigned one, its hash. `dbx` forbids both.

use std::fs;
use std::io;
use std::path::Path;

use measured_boot::digest::Sha256Digest;
use measured_boot::pe::{EfiFile, PeError};
use measured_boot::secure_boot::SecureVariables;
use tempfile::TempDir;

use super::signatures::{self, Kind, Signature, SignatureError};
use crate::file::FileError;
use crate::tool::{Tool, ToolError};

/// Verifies the signature in an EFI file.
const SBVERIFY: Tool = Tool { program: "sbverify", package: "sbsigntool" };

/// Why the firmware would not start a file, or why it is not known whether it would.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// Not an EFI file.
    #[error("EFI file: {0}")]
    Efi(#[source] PeError),
    /// `db` or `dbx` has something else in it.
    #[error("variable {variable}: {source}")]
    Variable {
        /// Which.
        variable: &'static str,
        /// What is wrong with it.
        #[source]
        source: SignatureError,
    },
    /// Nothing allows it.
    #[error(
        "secure boot would refuse the file: expected its hash {hash} or its signer in db, \
         found neither"
    )]
    NotAllowed {
        /// Its Authenticode hash.
        hash: Sha256Digest,
    },
    /// Something forbids it.
    #[error("secure boot would refuse the file: its hash {hash} or its signer stands in dbx")]
    Forbidden {
        /// Its Authenticode hash.
        hash: Sha256Digest,
    },
    /// The program that verifies signatures is missing.
    #[error("EFI file's signature: {0}")]
    Tool(#[source] ToolError),
    /// A file cannot be written for it.
    #[error("EFI file's signature: {0}")]
    File(#[source] FileError),
}

/// The entry of `db` that allows the EFI file `efi`.
///
/// # Errors
///
/// [`AuthorityError`].
pub fn find<'a>(variables: &SecureVariables<'a>, efi: &[u8]) -> Result<&'a [u8], AuthorityError> {
    let file = EfiFile::parse(efi).map_err(AuthorityError::Efi)?;
    let hash = file.authenticode();
    let entries = |variable, bytes| {
        signatures::read(bytes).map_err(|source| AuthorityError::Variable { variable, source })
    };
    let allowed = entries("db", variables.allowed)?;
    let forbidden = entries("dbx", variables.forbidden)?;
    let signed = if file.is_signed() { Some(Signed::write(efi)?) } else { None };
    let first = |entries: &[Signature<'a>]| -> Result<Option<&'a [u8]>, AuthorityError> {
        if let Some(signed) = &signed {
            for entry in entries.iter().filter(|entry| entry.kind == Kind::Certificate) {
                if signed.is_by(entry.content)? {
                    return Ok(Some(entry.entry));
                }
            }
        }
        let mut hashes = entries.iter().filter(|entry| entry.kind == Kind::Sha256);
        Ok(hashes.find(|entry| entry.content == hash.0).map(|entry| entry.entry))
    };
    if first(&forbidden)?.is_some() {
        return Err(AuthorityError::Forbidden { hash });
    }
    first(&allowed)?.ok_or(AuthorityError::NotAllowed { hash })
}

/// A signed file, where another program can read it.
struct Signed(TempDir);

impl Signed {
    fn write(efi: &[u8]) -> Result<Self, AuthorityError> {
        let folder = TempDir::new().map_err(step("making a folder in", &std::env::temp_dir()))?;
        let path = folder.path().join("signed.efi");
        fs::write(&path, efi).map_err(step("writing", &path))?;
        Ok(Self(folder))
    }

    /// Whether the file's signature is good and leads to this certificate.
    fn is_by(&self, certificate: &[u8]) -> Result<bool, AuthorityError> {
        let path = self.0.path().join("certificate.pem");
        let text = pem::encode(&pem::Pem::new("CERTIFICATE", certificate));
        fs::write(&path, text).map_err(step("writing", &path))?;
        let mut command = SBVERIFY.command().map_err(AuthorityError::Tool)?;
        command.arg("--cert").arg(&path).arg(self.0.path().join("signed.efi"));
        match SBVERIFY.run(&mut command) {
            Ok(_) => Ok(true),
            Err(ToolError::Failed { .. }) => Ok(false),
            Err(error) => Err(AuthorityError::Tool(error)),
        }
    }
}

fn step(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> AuthorityError {
    move |source| AuthorityError::File(FileError::at(step, path)(source))
}
