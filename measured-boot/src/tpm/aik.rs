//! The profile of an attestation key: a key whose quotes can only come from inside a TPM.

use thiserror::Error;

use super::{
    Attribute, EccScheme, Name, ObjectAttributes, P256Point, Public, PublicKey, Symmetric,
};

/// Why a key is not fit to be an AIK.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum AikRefusal {
    /// An attribute that makes its quotes believable is not set.
    #[error("expected attribute {missing}, found {found}")]
    AttributeMissing {
        /// The attribute.
        missing: Attribute,
        /// All attributes of the key.
        found: ObjectAttributes,
    },
    /// An attribute that no AIK has is set.
    #[error("expected no attribute {forbidden}, found {found}")]
    AttributeForbidden {
        /// The attribute.
        forbidden: Attribute,
        /// All attributes of the key.
        found: ObjectAttributes,
    },
    /// Not a P-256 key with ECDSA over SHA-256.
    #[error("expected a P-256 key with scheme ecdsa over sha256")]
    Key,
    /// A storage key's parameters.
    #[error("expected no symmetric algorithm, found aes 128 cfb")]
    Symmetric,
}

/// A public area that passed the AIK profile.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AikPublic {
    name: Name,
    point: P256Point,
}

impl AikPublic {
    /// What every AIK has: without any one of these, a quote proves nothing, or stops working after
    /// a power cut.
    pub const REQUIRED: [Attribute; 7] = [
        Attribute::FixedTpm,
        Attribute::FixedParent,
        Attribute::SensitiveDataOrigin,
        Attribute::Restricted,
        Attribute::Sign,
        Attribute::UserWithAuth,
        Attribute::NoDa,
    ];

    /// What no AIK has.
    pub const FORBIDDEN: [Attribute; 4] = [
        Attribute::Decrypt,
        Attribute::StClear,
        Attribute::EncryptedDuplication,
        Attribute::X509Sign,
    ];

    /// Holds `public` against the profile.
    ///
    /// # Errors
    ///
    /// [`AikRefusal`] naming the first attribute or parameter that is not as it must be.
    pub fn check(public: &Public) -> Result<Self, AikRefusal> {
        let found = public.attributes();
        if let Some(missing) = found.first_missing(&Self::REQUIRED) {
            return Err(AikRefusal::AttributeMissing { missing, found });
        }
        if let Some(forbidden) = found.first_present(&Self::FORBIDDEN) {
            return Err(AikRefusal::AttributeForbidden { forbidden, found });
        }
        if public.symmetric() != Symmetric::Null {
            return Err(AikRefusal::Symmetric);
        }
        match public.key() {
            PublicKey::P256 { scheme: EccScheme::EcdsaSha256, point } => {
                Ok(Self { name: public.name(), point: *point })
            }
            PublicKey::P256 { scheme: EccScheme::Null, .. } | PublicKey::Rsa2048 { .. } => {
                Err(AikRefusal::Key)
            }
        }
    }

    /// Its Name.
    #[must_use]
    pub const fn name(&self) -> Name {
        self.name
    }

    /// The `qualifiedSigner` of its quotes: a primary key of the endorsement hierarchy.
    #[must_use]
    pub fn qualified_name(&self) -> Name {
        self.name.qualified_in_endorsement_hierarchy()
    }

    /// The key that verifies its quotes.
    #[must_use]
    pub const fn point(&self) -> P256Point {
        self.point
    }
}
