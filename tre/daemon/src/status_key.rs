//! The status key: what it signed is believed, whoever brings it.
//!
//! The deployment names the key and is measured, so no certificate and no clock stands between a
//! file of the key's and the box.

use measured_boot::tpm::{P256Point, SpkiError};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use thiserror::Error;
use tre_wire::hex::HexBytes;
use tre_wire::signed::{self, SignatureError};

use crate::peer::sha256;

/// The key that signs what is said about keys, and what time it is.
#[derive(Clone, Debug)]
pub(crate) struct StatusKey(P256Point);

/// Why a file is not the status key's.
#[derive(Debug, Error)]
pub(crate) enum NotSigned {
    /// The status key did not sign it.
    #[error(transparent)]
    Signature(SignatureError),
    /// Signed with a reason, which only manifests have.
    #[error("expected a signature without a reason, found one with it")]
    Reason,
}

impl StatusKey {
    /// The key in a deployment.
    ///
    /// # Errors
    ///
    /// [`SpkiError`] for a key of another kind.
    pub(crate) fn of(spki: &HexBytes) -> Result<Self, SpkiError> {
        P256Point::from_spki_der(spki.as_slice()).map(Self)
    }

    /// The key signed `file` as a file of the kind that `label` says.
    ///
    /// # Errors
    ///
    /// [`NotSigned`].
    pub(crate) fn verify(
        &self,
        label: &'static str,
        file: &[u8],
        signature: &[u8],
    ) -> Result<(), NotSigned> {
        let id = sha256(&self.0.to_spki_der());
        let claim = signed::read(label, file, signature, &id).map_err(NotSigned::Signature)?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, self.0.to_sec1())
            .verify(&claim.message, claim.signature.as_slice())
            .map_err(|_| NotSigned::Signature(SignatureError::Invalid))?;
        match claim.unlocked_because {
            None => Ok(()),
            Some(_) => Err(NotSigned::Reason),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};
    use serde::Serialize;
    use tre_wire::hex::{Hex32, HexBytes};
    use tre_wire::json;
    use tre_wire::signed::{self, SignatureFile, signed_bytes};

    use crate::peer::sha256;

    /// The text of what `key` signs, and of its signature, labelled and reasoned as said.
    pub(crate) fn signed_by(
        key: &KeyPair,
        what: &impl Serialize,
        label: &str,
        reason: Option<&str>,
    ) -> (String, String) {
        let file = json::encode(what).expect("JSON");
        let signature = SignatureFile {
            format: signed::FORMAT,
            label: label.to_owned(),
            key: Hex32(sha256(&key.subject_public_key_info())),
            len: signed::length(&file),
            sha256: Hex32(sha256(&file)),
            unlocked_because: reason.map(str::to_owned),
            signature: HexBytes(key.sign(&signed_bytes(label, &file, reason)).expect("signs")),
        };
        let text = |bytes| String::from_utf8(bytes).expect("JSON is UTF-8");
        (text(file), text(json::encode(&signature).expect("JSON")))
    }
}
