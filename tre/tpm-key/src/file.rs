//! The file that stands in for a private key's: one PEM block, which names TPM, handle and key.
//!
//! In PEM, because then it is used as a private key is: certificates are put behind it, and other
//! programs pass over what they do not know.

use serde::{Deserialize, Serialize};
use tre_wire::hex::Hex32;
use tre_wire::json::{self, JsonError};

use crate::{NotAPlace, Place, SigningHandle};

/// PEM label of the block. `[RFC7468]` has the form, not the label.
pub const PEM_LABEL: &str = "TRE TPM KEY";

/// Longest content of the block. Unit: bytes.
const CONTENT_BYTES: usize = 4_096;

/// Version of the content.
const FORMAT: u32 = 1;

/// Which key of which TPM is meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyFile {
    /// Where the TPM is.
    pub tpm: Place,
    /// Where the key stands in it.
    pub handle: SigningHandle,
    /// SHA-256 of the key's SubjectPublicKeyInfo, DER. `[RFC5480]`
    pub spki_sha256: Hex32,
}

/// The content as it is written.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Content {
    format: u32,
    tpm: String,
    handle: String,
    spki_sha256: Hex32,
}

/// Why a file names no key in a TPM.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// Not PEM.
    #[error("expected PEM: {0}")]
    Pem(#[source] pem::PemError),
    /// Two keys in one file.
    #[error("expected one key, in a TPM or in the file, found {found}")]
    Keys {
        /// Keys found.
        found: usize,
    },
    /// The block's content cannot be read.
    #[error("expected a readable block {PEM_LABEL}: {0}")]
    Content(#[source] JsonError),
    /// A version that is not known.
    #[error("expected format {FORMAT} of the block {PEM_LABEL}, found {found}")]
    Format {
        /// Format found.
        found: u32,
    },
    /// The TPM's place.
    #[error(transparent)]
    Place(#[from] NotAPlace),
    /// The key's handle.
    #[error(transparent)]
    Handle(#[from] crate::HandleError),
}

impl KeyFile {
    /// Finds the block in `text`, beside certificates or alone; none if the file has no such block.
    ///
    /// # Errors
    ///
    /// [`KeyFileError`]; [`KeyFileError::Keys`] also for one beside a private key.
    pub fn find(text: &[u8]) -> Result<Option<Self>, KeyFileError> {
        // A file that does not speak of a TPM is somebody else's to judge.
        if !text.windows(PEM_LABEL.len()).any(|window| window == PEM_LABEL.as_bytes()) {
            return Ok(None);
        }
        let blocks = pem::parse_many(text).map_err(KeyFileError::Pem)?;
        let ours: Vec<_> = blocks.iter().filter(|block| block.tag() == PEM_LABEL).collect();
        let others = blocks.iter().filter(|block| block.tag().ends_with("PRIVATE KEY")).count();
        match (ours.as_slice(), others) {
            ([], _) => Ok(None),
            ([block], 0) => Self::read(block.contents()).map(Some),
            (ours, others) => Err(KeyFileError::Keys { found: ours.len().saturating_add(others) }),
        }
    }

    fn read(content: &[u8]) -> Result<Self, KeyFileError> {
        let Content { format, tpm, handle, spki_sha256 } =
            json::decode_at_most(content, CONTENT_BYTES).map_err(KeyFileError::Content)?;
        if format != FORMAT {
            return Err(KeyFileError::Format { found: format });
        }
        Ok(Self { tpm: tpm.parse()?, handle: handle.parse()?, spki_sha256 })
    }

    /// The block, with a line before it that people can read.
    ///
    /// # Errors
    ///
    /// [`JsonError`], for a place longer than any.
    pub fn to_pem(&self) -> Result<String, JsonError> {
        let (tpm, handle) = (self.tpm.to_string(), self.handle.to_string());
        let line = format!("The key at handle {handle} of the TPM at {tpm}\n");
        let content = Content { format: FORMAT, tpm, handle, spki_sha256: self.spki_sha256 };
        let block = pem::Pem::new(PEM_LABEL, json::encode(&content)?);
        let form = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        Ok(line + &pem::encode_config(&block, form))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> KeyFile {
        let handle = SigningHandle::new(0x8100_0100).expect("a handle");
        let tpm = "device:/dev/tpmrm0".parse().expect("a place");
        KeyFile { tpm, handle, spki_sha256: Hex32([0xab; 32]) }
    }

    fn block(content: &str) -> String {
        pem::encode(&pem::Pem::new(PEM_LABEL, content))
    }

    /// What was written once must be readable for as long as the key stands in its TPM.
    #[test]
    fn the_file_is_this_literal() {
        let literal = "\
The key at handle 0x81000100 of the TPM at device:/dev/tpmrm0
-----BEGIN TRE TPM KEY-----
eyJmb3JtYXQiOjEsInRwbSI6ImRldmljZTovZGV2L3RwbXJtMCIsImhhbmRsZSI6
IjB4ODEwMDAxMDAiLCJzcGtpX3NoYTI1NiI6ImFiYWJhYmFiYWJhYmFiYWJhYmFi
YWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWIifQ==
-----END TRE TPM KEY-----
";
        assert_eq!(file().to_pem().expect("written"), literal);
        assert_eq!(KeyFile::find(literal.as_bytes()).expect("readable"), Some(file()));
    }

    #[test]
    fn two_keys_in_one_file_are_refused() {
        let ours = file().to_pem().expect("written");
        let other = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        for text in [format!("{ours}{ours}"), format!("{ours}{other}")] {
            let refused = KeyFile::find(text.as_bytes());
            assert!(matches!(refused, Err(KeyFileError::Keys { found: 2 })), "{refused:?}");
        }
        assert!(KeyFile::find(other.as_bytes()).expect("another's").is_none());
    }

    #[test]
    fn a_file_of_another_format_is_refused_by_its_number() {
        let text =
            block(r#"{"format":2,"tpm":"","handle":"","spki_sha256":"HASH"}"#).replace("HASH", "");
        assert!(matches!(KeyFile::find(text.as_bytes()), Err(KeyFileError::Content(_))));
        let content =
            format!(r#"{{"format":2,"tpm":"","handle":"","spki_sha256":"{}"}}"#, "ab".repeat(32));
        let refused = KeyFile::find(block(&content).as_bytes());
        assert!(matches!(refused, Err(KeyFileError::Format { found: 2 })), "{refused:?}");
    }

    #[test]
    fn each_field_is_checked() {
        let hash = "ab".repeat(32);
        let refusal = |tpm: &str, handle: &str, more: &str| {
            let content = format!(
                r#"{{"format":1,"tpm":"{tpm}","handle":"{handle}","spki_sha256":"{hash}"{more}}}"#
            );
            KeyFile::find(block(&content).as_bytes())
        };
        let (tpm, handle) = ("device:/dev/tpmrm0", "0x81000100");
        assert!(refusal(tpm, handle, "").is_ok());
        assert!(matches!(refusal("tpm0", handle, ""), Err(KeyFileError::Place(_))));
        assert!(matches!(refusal(tpm, "0x81000001", ""), Err(KeyFileError::Handle(_))));
        let more = r#","password":"x""#;
        assert!(matches!(refusal(tpm, handle, more), Err(KeyFileError::Content(_))));
    }
}
