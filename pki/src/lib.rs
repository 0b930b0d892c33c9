//! Certificate authorities, TRE enrolment and role certificates.
//!
//! A trust domain is a folder ([`domain`]). Its grid authority certifies roles ([`issue`]); its
//! TRE authority certifies a TRE, and only after the box has proven what it runs and that its
//! keys are in a TPM which a listed manufacturer made ([`enrol`]). Time and randomness are handed
//! in, with one exception: private keys, and what ECDSA needs for each signature, are drawn by the
//! signing library itself.
//!
//! # Sources
//!
//! | key | document |
//! |---|---|
//! | `TPM2-P1`, `TPM2-P2` | TCG TPM 2.0 Library, parts 1 and 2: Architecture, Structures |
//! | `EKP`, `AKP` | TCG EK and AK credential profiles |
//! | `RFC2104` | HMAC: Keyed-Hashing for Message Authentication |
//! | `RFC2986` | PKCS #10: Certification Request Syntax Specification |
//! | `RFC4519` | LDAP: Schema for User Applications |
//! | `RFC5280` | Internet X.509 Public Key Infrastructure Certificate and CRL Profile |
//! | `RFC5480` | Elliptic Curve Cryptography Subject Public Key Information |
//! | `RFC7468` | Textual Encodings of PKIX, PKCS and CMS Structures |
//! | `RFC7914` | The scrypt Password-Based Key Derivation Function |
//! | `RFC8018` | PKCS #5: Password-Based Cryptography Specification Version 2.1 |
//! | `RFC9336` | X.509 Certificate General-Purpose Extended Key Usage for Document Signing |

#![forbid(unsafe_code)]

pub mod authority;
pub mod credential;
pub mod deny;
pub mod domain;
pub mod ek;
pub mod enrol;
pub mod file;
pub mod fleet;
pub mod issue;
pub mod key_file;
pub mod numbered;
pub mod passphrase;
mod pem;
pub mod register;
pub mod release;
pub mod renew;
pub mod renew_tre;
pub mod request;
pub mod revoke;
pub mod survey;
pub mod time_token;
pub mod validity;
