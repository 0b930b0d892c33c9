//! What a key may be used for and where it may be: `TPMA_OBJECT`.

use core::fmt;

macro_rules! attributes {
    ($($variant:ident = $bit:literal, $name:literal, $meaning:literal;)*) => {
        /// One bit of `TPMA_OBJECT`, under its name in `[TPM2-P2]`.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum Attribute {
            $(#[doc = concat!("`", $name, "`: ", $meaning)] $variant,)*
        }

        impl Attribute {
            /// Every bit with a meaning, ascending.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The bit in the word.
            #[must_use]
            pub const fn mask(self) -> u32 {
                match self {
                    $(Self::$variant => 1 << $bit,)*
                }
            }

            /// The name in the specification.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

attributes! {
    FixedTpm = 1, "fixedTPM", "the hierarchy of the key may not change.";
    StClear = 2, "stClear", "saved contexts die with a TPM reset.";
    FixedParent = 4, "fixedParent", "the parent of the key may not change.";
    SensitiveDataOrigin = 5, "sensitiveDataOrigin", "the TPM made the private part itself.";
    UserWithAuth = 6, "userWithAuth", "the password authorises use.";
    AdminWithPolicy = 7, "adminWithPolicy", "administration needs the policy.";
    NoDa = 10, "noDA", "not subject to dictionary attack protection.";
    EncryptedDuplication = 11, "encryptedDuplication", "duplication is encrypted.";
    Restricted = 16, "restricted", "works only on structures of known format.";
    Decrypt = 17, "decrypt", "may decrypt.";
    Sign = 18, "sign", "may sign.";
    X509Sign = 19, "x509sign", "may sign certificates only.";
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of [`Attribute`]s without reserved bits.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct ObjectAttributes(u32);

impl ObjectAttributes {
    /// The set of these attributes.
    #[must_use]
    pub fn of<'a>(attributes: impl IntoIterator<Item = &'a Attribute>) -> Self {
        Self(attributes.into_iter().fold(0, |word, attribute| word | attribute.mask()))
    }

    /// The set that a word names, `None` if a reserved bit is set.
    #[must_use]
    pub fn from_word(word: u32) -> Option<Self> {
        let known = Self::of(Attribute::ALL);
        (word & !known.0 == 0).then_some(Self(word))
    }

    /// The word as it stands in `TPMT_PUBLIC`.
    #[must_use]
    pub const fn word(self) -> u32 {
        self.0
    }

    /// Whether `attribute` is set.
    #[must_use]
    pub const fn contains(self, attribute: Attribute) -> bool {
        self.0 & attribute.mask() != 0
    }

    /// The first of `required` that is not set.
    #[must_use]
    pub fn first_missing(self, required: &[Attribute]) -> Option<Attribute> {
        required.iter().copied().find(|attribute| !self.contains(*attribute))
    }

    /// The first of `forbidden` that is set.
    #[must_use]
    pub fn first_present(self, forbidden: &[Attribute]) -> Option<Attribute> {
        forbidden.iter().copied().find(|attribute| self.contains(*attribute))
    }
}

impl fmt::Display for ObjectAttributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for attribute in Attribute::ALL.iter().filter(|attribute| self.contains(**attribute)) {
            write!(f, "{separator}{attribute}")?;
            separator = "|";
        }
        Ok(())
    }
}

impl fmt::Debug for ObjectAttributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
