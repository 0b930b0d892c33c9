//! Names of algorithms: the TPM's 16-bit identifiers.

use core::fmt;

/// A `TPM_ALG_ID`. `[TPM2-P2]`
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct AlgorithmId(pub u16);

macro_rules! algorithms {
    ($($constant:ident = $value:literal, $name:literal, $meaning:literal;)*) => {
        impl AlgorithmId {
            $(#[doc = $meaning] pub const $constant: Self = Self($value);)*

            /// The name, as Debian's tpm2-tools print it, `None` if it is not known here.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$constant => Some($name),)*
                    _ => None,
                }
            }
        }
    };
}

algorithms! {
    RSA = 0x0001, "rsa", "RSA keys.";
    SHA1 = 0x0004, "sha1", "SHA-1, never trusted here.";
    HMAC = 0x0005, "hmac", "HMAC.";
    AES = 0x0006, "aes", "AES.";
    SHA256 = 0x000b, "sha256", "SHA-256.";
    SHA384 = 0x000c, "sha384", "SHA-384.";
    SHA512 = 0x000d, "sha512", "SHA-512.";
    NULL = 0x0010, "null", "No algorithm.";
    SM3_256 = 0x0012, "sm3_256", "SM3, 256 bits.";
    RSASSA = 0x0014, "rsassa", "RSA signature, PKCS #1 version 1.5.";
    RSAPSS = 0x0016, "rsapss", "RSA signature with probabilistic padding.";
    ECDSA = 0x0018, "ecdsa", "ECDSA.";
    ECDAA = 0x001a, "ecdaa", "Direct anonymous attestation.";
    SM2 = 0x001b, "sm2", "SM2.";
    ECSCHNORR = 0x001c, "ecschnorr", "Schnorr signature.";
    ECC = 0x0023, "ecc", "Elliptic-curve keys.";
    SHA3_256 = 0x0027, "sha3_256", "SHA3-256.";
    SHA3_384 = 0x0028, "sha3_384", "SHA3-384.";
    SHA3_512 = 0x0029, "sha3_512", "SHA3-512.";
    CFB = 0x0043, "cfb", "Cipher feedback mode.";
}

impl AlgorithmId {
    /// Length of its digest in bytes, `None` if it is not a hash known here.
    #[must_use]
    pub const fn digest_len(self) -> Option<usize> {
        match self {
            Self::SHA1 => Some(20),
            Self::SHA256 | Self::SM3_256 | Self::SHA3_256 => Some(32),
            Self::SHA384 | Self::SHA3_384 => Some(48),
            Self::SHA512 | Self::SHA3_512 => Some(64),
            _ => None,
        }
    }
}

impl fmt::Display for AlgorithmId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "algorithm {:#06x}", self.0),
        }
    }
}

impl fmt::Debug for AlgorithmId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
