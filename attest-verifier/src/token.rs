//! The result of an examination as an EAR: a JWT that other verifiers' software reads.
//!
//! Names and values of the claims are those of draft-ietf-rats-ear-04 and draft-ietf-rats-ar4si, as
//! release 0.6 of the crate `ear` has them. The token says what *this*
//! verifier found; it replaces no attestation: whoever believes it believes the key that signed it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use attest_verifier_core::check::Check;
use attest_verifier_core::report::CheckReport;
use attest_verifier_core::wire::id::PeerId;
use attest_verifier_core::wire::units::UnixMillis;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::{self, PemObject as _};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::bounds;
use crate::examine::Examination;
use crate::export::base64;
use crate::file::{self, FileError};

/// The key that signs tokens.
#[derive(Debug)]
pub struct TokenKey {
    pair: EcdsaKeyPair,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The key file cannot be read.
    #[error(transparent)]
    File(FileError),
    /// It is not PEM.
    #[error("{path}: expected a PKCS #8 private key in PEM: {source}", path = .path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What the parser found.
        source: pem::Error,
    },
    /// It is another kind of key.
    #[error("{path}: expected a P-256 private key: {cause}", path = .path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What the library says.
        cause: ring::error::KeyRejected,
    },
    /// The claims do not encode.
    #[error("claims: {0}")]
    Claims(#[source] serde_json::Error),
    /// The key did not sign.
    #[error("expected random bytes to sign with from the operating system, found none")]
    Unsigned,
}

#[derive(Serialize)]
struct Claims<'a> {
    eat_profile: &'static str,
    iat: u64,
    exp: u64,
    ear_verifier_id: VerifierId,
    submods: BTreeMap<&'a str, Submod>,
}

#[derive(Serialize)]
struct VerifierId {
    developer: &'static str,
    build: &'static str,
}

#[derive(Serialize)]
struct Submod {
    ear_status: &'static str,
    ear_trustworthiness_vector: BTreeMap<&'static str, i8>,
    ear_appraisal_policy_ids: Vec<String>,
}

/// What a check speaks of.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Subject {
    Instance,
    Hardware,
    Executables,
    Configuration,
}

/// Each claim: its name, its value when every check passed, and when one did not. "Executables"
/// affirms what was started (3), not what runs now (2).
const VECTOR: [(Subject, &str, i8, i8); 4] = [
    (Subject::Instance, "instance-identity", 2, 96),
    (Subject::Hardware, "hardware", 2, 96),
    (Subject::Executables, "executables", 3, 96),
    (Subject::Configuration, "configuration", 2, 96),
];

const fn subject(check: Check) -> Subject {
    match check {
        Check::AikProfile
        | Check::QuoteSignature
        | Check::QuoteStructure
        | Check::QuoteSigner
        | Check::Firmware => Subject::Hardware,
        Check::EvidenceSize
        | Check::EvidenceFormat
        | Check::TreId
        | Check::TlsChain
        | Check::TlsIdentity
        | Check::AikChain
        | Check::AikIdentity
        | Check::AikCertificateKey
        | Check::QualifyingData
        | Check::Past => Subject::Instance,
        Check::StartState | Check::Time => Subject::Configuration,
        Check::PcrSelection
        | Check::PcrDigest
        | Check::EventLog
        | Check::EventLogReplay
        | Check::ManifestValidity => Subject::Executables,
        Check::Pcr(pcr) => match pcr.number() {
            1 | 3 | 5 | 6 | 7 | 11 | 16 | 23 => Subject::Configuration,
            _ => Subject::Executables,
        },
    }
}

fn vector(checks: &[CheckReport]) -> BTreeMap<&'static str, i8> {
    let claim = |(about, name, good, bad): &(Subject, &'static str, i8, i8)| {
        let mut own = checks.iter().filter(|row| subject(row.check) == *about);
        (*name, if own.all(|row| row.ok) { *good } else { *bad })
    };
    VECTOR.iter().map(claim).collect()
}

impl TokenKey {
    /// Reads a P-256 private key, PKCS #8 in PEM.
    ///
    /// # Errors
    ///
    /// [`TokenError`], up to [`TokenError::Key`].
    pub fn load(path: &Path) -> Result<Self, TokenError> {
        let file = file::read(path, bounds::IDENTITY_BYTES).map_err(TokenError::File)?;
        let file = Zeroizing::new(file);
        let der = PrivatePkcs8KeyDer::from_pem_slice(&file)
            .map_err(|source| TokenError::Pem { path: path.to_path_buf(), source })?;
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, der.secret_pkcs8_der(), &random)
            .map_err(|cause| TokenError::Key { path: path.to_path_buf(), cause })?;
        Ok(Self { pair })
    }

    /// The result of `examination` at `now` as a signed token, good for five minutes.
    ///
    /// # Errors
    ///
    /// [`TokenError::Claims`]; [`TokenError::Unsigned`].
    pub fn sign(
        &self,
        examination: &Examination,
        tre_id: &PeerId,
        now: UnixMillis,
    ) -> Result<String, TokenError> {
        let iat = now.get() / 1_000;
        let manifest = examination.verdict.as_ref().ok().map(|attested| attested.facts().manifest);
        let policy = manifest.map(|digest| format!("tre-manifest:{digest}"));
        let accepted = examination.verdict.is_ok();
        let submod = Submod {
            ear_status: if accepted { "affirming" } else { "contraindicated" },
            ear_trustworthiness_vector: vector(&examination.checks),
            ear_appraisal_policy_ids: vec![policy.unwrap_or_else(|| "tre-manifest:none".into())],
        };
        let claims = Claims {
            eat_profile: "tag:ietf.org,2026:rats/ear#04",
            iat,
            exp: iat.saturating_add(bounds::TOKEN_SECONDS),
            ear_verifier_id: VerifierId {
                developer: env!("CARGO_PKG_NAME"),
                build: concat!("attest-verifier ", env!("CARGO_PKG_VERSION")),
            },
            submods: BTreeMap::from([(tre_id.as_str(), submod)]),
        };
        let claims = serde_json::to_vec(&claims).map_err(TokenError::Claims)?;
        let signed = format!("{}.{}", url(br#"{"alg":"ES256","typ":"JWT"}"#), url(&claims));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes());
        let signature = signature.map_err(|_| TokenError::Unsigned)?;
        Ok(format!("{signed}.{}", url(signature.as_ref())))
    }
}

/// Base64 for addresses, without padding. `[RFC 7515]`
fn url(bytes: &[u8]) -> String {
    base64(bytes).trim_end_matches('=').replace('+', "-").replace('/', "_")
}
