//! What a box offers to have certified: checked, challenged, proven, certified, in that order.
//!
//! Each stage consumes the one before: certificates exist only for keys that passed every check.

use measured_boot::tpm::{
    AikPublic, AikRefusal, Name, P256Point, Public, PublicError, SpkiError, StorageKeyRefusal,
    StoragePublic,
};
use rcgen::SubjectPublicKeyInfo;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rsa::rand_core::CryptoRngCore;
use rustls_pki_types::CertificateDer;
use subtle::ConstantTimeEq as _;
use tre_wire::document;
use tre_wire::hex::HexBytes;
use tre_wire::message::enrolment::{
    ActivateCredential, ActivatedCredential, CompleteEnrolment, EnrolmentKeys, ProvenKey,
};
use tre_wire::role::Identity;
use tre_wire::units::UnixMillis;
use zeroize::Zeroizing;

use crate::authority::{Authority, CertifyError, Profile};
use crate::credential::{self, MakeError, SECRET_BYTES};
use crate::ek::{CertifiedEk, EkError, EkRoots};
use crate::validity::Validity;

/// A key that is to be certified.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OfferedKey {
    /// The attestation key.
    Attestation,
    /// The TLS key.
    Tls,
    /// The document key.
    Document,
}

impl core::fmt::Display for OfferedKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Attestation => "attestation key",
            Self::Tls => "TLS key",
            Self::Document => "document key",
        })
    }
}

/// Why what a box offers is not certified.
#[derive(Debug, thiserror::Error)]
pub enum OfferError {
    /// The endorsement key is not a listed manufacturer's.
    #[error("endorsement key: {0}")]
    Endorsement(#[source] EkError),
    /// The attestation key's public area is none.
    #[error("attestation key: expected a TPMT_PUBLIC: {0}")]
    AttestationPublic(#[source] PublicError),
    /// The attestation key could sign something that its TPM did not make, or leave its TPM.
    #[error("attestation key: {0}")]
    AttestationProfile(#[source] AikRefusal),
    /// The storage key's public area is none.
    #[error("storage key: expected a TPMT_PUBLIC: {0}")]
    StoragePublic(#[source] PublicError),
    /// The storage key could leave its TPM, or is of another kind.
    #[error("storage key: {0}")]
    StorageProfile(#[source] StorageKeyRefusal),
    /// The box quoted with one key and offers another.
    #[error(
        "attestation key: expected {expected}, which signed the evidence in this connection, \
         found {found}"
    )]
    OtherAttestationKey {
        /// Name of the key that signed the evidence.
        expected: Name,
        /// Name of the key offered.
        found: Name,
    },
    /// A key is not P-256.
    #[error("{key}: {source}")]
    Spki {
        /// Which key.
        key: OfferedKey,
        /// What the parser found.
        source: SpkiError,
    },
    /// The box does not hold the key, or proved it in another connection or under another name.
    #[error(
        "{key}: expected its signature over this connection, this name and this key, found \
         another; the box does not hold the key, or somebody stands in between"
    )]
    Proof {
        /// Which key.
        key: OfferedKey,
    },
    /// One key for two purposes.
    #[error("expected three different keys, found the {second} to be the {first} too")]
    SameKey {
        /// The one.
        first: OfferedKey,
        /// The other.
        second: OfferedKey,
    },
}

/// Why a box did not prove that its keys are in one TPM.
#[derive(Debug, thiserror::Error)]
pub enum ChallengeError {
    /// Random bytes could not be had.
    #[error("no random bytes for a secret: {0}")]
    Random(#[source] rsa::rand_core::Error),
    /// The credential could not be made.
    #[error(transparent)]
    Make(MakeError),
    /// The box answered something else.
    #[error(
        "credential activation: expected the secret of {SECRET_BYTES} bytes that was encrypted \
         to endorsement key and attestation key {attestation_key}, found another of {found} \
         bytes; the two keys are not in one TPM"
    )]
    WrongSecret {
        /// Name of the attestation key.
        attestation_key: Name,
        /// Bytes found.
        found: usize,
    },
}

/// What a box offers, and what is already known about it.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    /// The identity that the box is to have.
    pub tre: &'a Identity,
    /// The key that signed the appraised evidence of this connection.
    pub appraised_key: Name,
    /// This connection's exporter.
    pub exporter: &'a [u8; 32],
    /// The box's answer to `begin`.
    pub keys: &'a EnrolmentKeys,
}

/// Keys that may be certified once the TPM has proven itself.
#[derive(Debug)]
pub struct CheckedOffer {
    tre: Identity,
    endorsement: CertifiedEk,
    attestation: AikPublic,
    storage: Name,
    tls: P256Point,
    document: P256Point,
}

/// A secret that is on its way to the TPM and back.
pub struct Challenge {
    offer: CheckedOffer,
    secret: Zeroizing<[u8; SECRET_BYTES]>,
}

impl core::fmt::Debug for Challenge {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Challenge").field("offer", &self.offer).finish_non_exhaustive()
    }
}

/// A box whose three keys are proven.
#[derive(Debug)]
pub struct ProvenTre(CheckedOffer);

impl Offer<'_> {
    /// Checks every key by itself and all of them together.
    ///
    /// # Errors
    ///
    /// [`OfferError`] for the first thing that is wrong.
    pub fn check(&self, roots: &EkRoots, now: UnixMillis) -> Result<CheckedOffer, OfferError> {
        let keys = self.keys;
        let public = Public::parse(keys.attestation_key.as_slice())
            .map_err(OfferError::AttestationPublic)?;
        let (expected, found) = (self.appraised_key, public.name());
        if expected != found {
            return Err(OfferError::OtherAttestationKey { expected, found });
        }
        let attestation = AikPublic::check(&public).map_err(OfferError::AttestationProfile)?;
        let storage =
            Public::parse(keys.storage_key.as_slice()).map_err(OfferError::StoragePublic)?;
        let storage = StoragePublic::check(&storage).map_err(OfferError::StorageProfile)?.name();
        let endorsement = CertifiedEk::check(
            &keys.endorsement_certificates,
            keys.endorsement_key.as_slice(),
            roots,
            now,
        )
        .map_err(OfferError::Endorsement)?;
        let tls = self.check_proof(OfferedKey::Tls, &keys.tls)?;
        let document = self.check_proof(OfferedKey::Document, &keys.document)?;
        let points = [
            (OfferedKey::Attestation, attestation.point()),
            (OfferedKey::Tls, tls),
            (OfferedKey::Document, document),
        ];
        check_distinct(&points)?;
        Ok(CheckedOffer { tre: self.tre.clone(), endorsement, attestation, storage, tls, document })
    }

    /// The box holds the key, in this connection, for this name.
    fn check_proof(&self, key: OfferedKey, offered: &ProvenKey) -> Result<P256Point, OfferError> {
        let spki = offered.spki.as_slice();
        let point =
            P256Point::from_spki_der(spki).map_err(|source| OfferError::Spki { key, source })?;
        let statement = document::key_proof(self.exporter, self.tre.id.as_str(), spki);
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point.to_sec1())
            .verify(&statement, offered.proof.as_slice())
            .map_err(|_| OfferError::Proof { key })?;
        Ok(point)
    }
}

/// No key has two purposes.
fn check_distinct(points: &[(OfferedKey, P256Point)]) -> Result<(), OfferError> {
    let mut rest = points;
    while let [(first, point), others @ ..] = rest {
        if let Some((second, _)) = others.iter().find(|(_, other)| other == point) {
            return Err(OfferError::SameKey { first: *first, second: *second });
        }
        rest = others;
    }
    Ok(())
}

impl CheckedOffer {
    /// The endorsement key.
    #[must_use]
    pub const fn endorsement(&self) -> &CertifiedEk {
        &self.endorsement
    }

    /// The attestation key.
    #[must_use]
    pub const fn attestation(&self) -> &AikPublic {
        &self.attestation
    }

    /// Name of the storage key.
    #[must_use]
    pub const fn storage_key(&self) -> Name {
        self.storage
    }

    /// The identity that the box is to have.
    #[must_use]
    pub const fn tre(&self) -> &Identity {
        &self.tre
    }

    /// SubjectPublicKeyInfo (DER) of one of the keys.
    #[must_use]
    pub fn spki(&self, key: OfferedKey) -> [u8; P256Point::SPKI_LEN] {
        match key {
            OfferedKey::Attestation => self.attestation.point(),
            OfferedKey::Tls => self.tls,
            OfferedKey::Document => self.document,
        }
        .to_spki_der()
    }

    /// Draws a secret and encrypts it to this endorsement key for this attestation key.
    ///
    /// # Errors
    ///
    /// [`ChallengeError::Random`] and [`ChallengeError::Make`].
    pub fn challenge(
        self,
        random: &mut dyn CryptoRngCore,
    ) -> Result<(Challenge, ActivateCredential), ChallengeError> {
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        random.try_fill_bytes(secret.as_mut_slice()).map_err(ChallengeError::Random)?;
        let (key, name) = (self.endorsement.public(), self.attestation.name());
        let made = credential::make(key, name, &secret, random).map_err(ChallengeError::Make)?;
        let request = ActivateCredential {
            id_object: HexBytes(made.id_object.encode()),
            encrypted_secret: HexBytes(made.encrypted_secret.encode()),
        };
        Ok((Challenge { offer: self, secret }, request))
    }
}

impl Challenge {
    /// Compares the box's answer with the secret, in constant time.
    ///
    /// # Errors
    ///
    /// [`ChallengeError::WrongSecret`].
    pub fn check(self, answer: &ActivatedCredential) -> Result<ProvenTre, ChallengeError> {
        let found = answer.secret.as_slice();
        if bool::from(self.secret.as_slice().ct_eq(found)) {
            return Ok(ProvenTre(self.offer));
        }
        let attestation_key = self.offer.attestation.name();
        Err(ChallengeError::WrongSecret { attestation_key, found: found.len() })
    }
}

impl ProvenTre {
    /// What was checked and proven.
    #[must_use]
    pub const fn offer(&self) -> &CheckedOffer {
        &self.0
    }

    /// Certifies the three keys and signs the enrolment record.
    ///
    /// # Errors
    ///
    /// [`CertifyError`].
    pub fn certify(
        &self,
        authority: &Authority,
        validity: Validity,
        random: &mut dyn CryptoRngCore,
    ) -> Result<CompleteEnrolment, CertifyError> {
        let whole = |leaf| [&leaf, authority.certificate()].map(to_hex).to_vec();
        let public =
            |key| SubjectPublicKeyInfo::from_der(&self.0.spki(key)).map_err(CertifyError::Make);
        let (tre, maker) = (&self.0.tre, self.0.endorsement.manufacturer());
        let key = public(OfferedKey::Attestation)?;
        let attestation = authority.certify_attestation_key(tre, &key, maker, validity, random)?;
        let mut certify = |key, profile| {
            authority.certify(profile, tre, &public(key)?, validity, random).map(whole)
        };
        Ok(CompleteEnrolment {
            tls_chain: certify(OfferedKey::Tls, Profile::TreServer)?,
            document_chain: certify(OfferedKey::Document, Profile::DocumentKey)?,
            attestation_key_chain: whole(attestation),
            record_signature: HexBytes(authority.sign_enrolment(&document::enrolment(
                &self.0.tre,
                &self.0.attestation.name().to_bytes(),
                &self.0.storage.to_bytes(),
            ))?),
        })
    }
}

fn to_hex(certificate: &CertificateDer<'_>) -> HexBytes {
    HexBytes(certificate.to_vec())
}
