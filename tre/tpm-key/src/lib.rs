//! A peer's private key in the peer's own TPM: the file that names it, and its signatures.
//!
//! For the client and the authorities' desk, outside the trust boundary; nothing of it is linked
//! into the TRE. The file ([`KeyFile`]) takes the place of a private key's: it says where the TPM
//! is, at which handle the key stands, and which key it is. It is no secret.
//!
//! # Sources
//!
//! | key | document |
//! |---|---|
//! | `RFC5480` | Elliptic Curve Cryptography Subject Public Key Information |
//! | `RFC7468` | Textual Encodings of PKIX, PKCS, and CMS Structures |

#![forbid(unsafe_code)]

mod file;
mod held;
mod place;

pub use file::{KeyFile, KeyFileError, PEM_LABEL};
pub use held::{HeldKey, HeldKeyError};
pub use place::{NotAPlace, Place};
pub use tre_tpm::{HandleError, SigningHandle, SigningKeyError};
