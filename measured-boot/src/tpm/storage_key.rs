//! The profile of a storage key: the standard P-256 parent of what a TPM seals.

use thiserror::Error;

use super::{Attribute, EccScheme, Name, ObjectAttributes, Public, PublicKey, Symmetric};

/// Why a key is not fit to be a storage key.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum StorageKeyRefusal {
    /// Its attributes are not those of the standard template.
    #[error("expected exactly the attributes {expected}, found {found}")]
    Attributes {
        /// Those of the template.
        expected: ObjectAttributes,
        /// All attributes of the key.
        found: ObjectAttributes,
    },
    /// Another way to use it than its empty authorization.
    #[error("expected no policy, found one")]
    Policy,
    /// Not a P-256 key without a scheme that protects its children with AES-128.
    #[error("expected a P-256 key without a scheme, with aes 128 cfb for its children")]
    Key,
}

/// A public area that passed the profile of a storage key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StoragePublic {
    name: Name,
}

impl StoragePublic {
    /// What a storage key has, and nothing else: made in this TPM, never to leave it, and only for
    /// decrypting what belongs to its children and sessions.
    pub const ATTRIBUTES: [Attribute; 7] = [
        Attribute::FixedTpm,
        Attribute::FixedParent,
        Attribute::SensitiveDataOrigin,
        Attribute::UserWithAuth,
        Attribute::NoDa,
        Attribute::Restricted,
        Attribute::Decrypt,
    ];

    /// Holds `public` against the profile.
    ///
    /// # Errors
    ///
    /// [`StorageKeyRefusal`] naming the first thing that is not as it must be.
    pub fn check(public: &Public) -> Result<Self, StorageKeyRefusal> {
        let (expected, found) = (ObjectAttributes::of(&Self::ATTRIBUTES), public.attributes());
        if found != expected {
            return Err(StorageKeyRefusal::Attributes { expected, found });
        }
        if public.policy().is_some() {
            return Err(StorageKeyRefusal::Policy);
        }
        let fits = matches!(public.key(), PublicKey::P256 { scheme: EccScheme::Null, .. })
            && public.symmetric() == Symmetric::Aes128Cfb;
        if fits { Ok(Self { name: public.name() }) } else { Err(StorageKeyRefusal::Key) }
    }

    /// Its Name.
    #[must_use]
    pub const fn name(&self) -> Name {
        self.name
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// `TPMT_PUBLIC` of a storage key, as swtpm makes one, with another point.
    fn area() -> Vec<u8> {
        [
            [0x00, 0x23, 0x00, 0x0b].as_slice(),   // ECC, SHA-256
            &[0x00, 0x03, 0x04, 0x72],             // attributes
            &[0x00, 0x00],                         // no policy
            &[0x00, 0x06, 0x00, 0x80, 0x00, 0x43], // AES, 128, CFB
            &[0x00, 0x10, 0x00, 0x03, 0x00, 0x10], // no scheme, P-256, no KDF
            &[0x00, 0x20],
            &[1; 32],
            &[0x00, 0x20],
            &[2; 32],
        ]
        .concat()
    }

    fn checked(area: &[u8]) -> Result<StoragePublic, StorageKeyRefusal> {
        StoragePublic::check(&Public::parse(area).expect("a public area"))
    }

    #[test]
    fn a_storage_key_of_the_standard_template_passes() {
        let public = Public::parse(&area()).expect("a public area");
        assert_eq!(checked(&area()).map(|key| key.name()), Ok(public.name()));
    }

    #[test]
    fn a_key_with_any_attribute_more_or_less_is_refused() {
        let expected = ObjectAttributes::of(&StoragePublic::ATTRIBUTES);
        for attribute in Attribute::ALL {
            let word = expected.word() ^ attribute.mask();
            let mut area = area();
            area[4..8].copy_from_slice(&word.to_be_bytes());
            let found = ObjectAttributes::from_word(word).expect("known bits");
            let refused = Err(StorageKeyRefusal::Attributes { expected, found });
            assert_eq!(checked(&area), refused, "{attribute}");
        }
    }

    #[test]
    fn a_key_of_another_shape_is_refused() {
        let with_policy = [&area()[..8], &[0x00, 0x20], &[7; 32], &area()[10..]].concat();
        assert_eq!(checked(&with_policy), Err(StorageKeyRefusal::Policy));
        let without_children = [&area()[..10], &[0x00, 0x10], &area()[16..]].concat();
        assert_eq!(checked(&without_children), Err(StorageKeyRefusal::Key));
    }
}
