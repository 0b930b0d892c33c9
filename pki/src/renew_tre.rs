//! Newer certificates for an enrolled TRE while it serves: the same keys, the same name.
//!
//! The box is attested first, in the very connection that takes the certificates. Only keys that
//! stand in its enrolment record are certified, and none that is revoked. Once its certificates have
//! ended nobody can attest it any more: then it has to be enrolled anew.

use attest_verifier::core::refusal::Refusal;
use attest_verifier::core::verdict;
use attest_verifier::{
    AnyKeyConnection, AttestError, ClientIdentity, ConnectError, RequestError, Trust,
};
use measured_boot::digest::sha256;
use rcgen::SubjectPublicKeyInfo;
use rsa::rand_core::CryptoRngCore;
use rustls_pki_types::CertificateDer;
use tre_wire::hex::{Hex32, HexBytes};
use tre_wire::message::enrolment::RenewCertificates;
use tre_wire::message::{Certificates, Done};
use tre_wire::revocation::Revoked;
use tre_wire::role::Identity;
use tre_wire::units::UnixMillis;
use webpki::EndEntityCert;

use crate::authority::{Authority, CertifyError, Profile};
use crate::enrol::offer::OfferedKey;
use crate::enrol::record::{Record, RecordError, Records};
use crate::validity::Validity;

/// What a TRE's certificates are renewed with, and by whom.
#[derive(Debug)]
pub struct TreRenewal<'a> {
    /// The identity that the box has.
    pub tre: &'a Identity,
    /// Certifies it.
    pub authority: &'a Authority,
    /// Where its record is.
    pub records: &'a Records,
    /// The keys that are no longer believed.
    pub revoked: &'a [Revoked],
    /// Deployment and reference manifests, one of which the box must show.
    pub trust: &'a Trust,
    /// Life of the certificates.
    pub validity: Validity,
    /// The present.
    pub now: UnixMillis,
}

/// Why a TRE has no newer certificates.
#[derive(Debug, thiserror::Error)]
pub enum TreRenewalError {
    /// It was never enrolled here, or its record cannot be read or written.
    #[error(transparent)]
    Record(RecordError),
    /// No connection.
    #[error(transparent)]
    Connect(ConnectError),
    /// The box does not answer a challenge.
    #[error(transparent)]
    Challenge(AttestError),
    /// The box is not what it was enrolled as.
    #[error("not renewed: {0}")]
    Attest(#[source] Refusal),
    /// The box answers with a refusal, or not at all.
    #[error("{step}: {source}")]
    Call {
        /// What was asked of it.
        step: &'static str,
        /// Why there is no answer.
        source: RequestError,
    },
    /// It shows no certificate of one of its keys.
    #[error("expected a certificate of the {key} key, found none that can be read")]
    Certificate {
        /// The key.
        key: OfferedKey,
    },
    /// It has another key than it was enrolled with.
    #[error(
        "expected the {key} key of the enrolment, SHA-256 {expected}, found {found}; a box with \
         other keys is enrolled under another name"
    )]
    OtherKey {
        /// The key.
        key: OfferedKey,
        /// SHA-256 in the record.
        expected: Hex32,
        /// SHA-256 of what it shows.
        found: Hex32,
    },
    /// One of its keys is on the newest revocation list.
    #[error("expected keys that are believed, found the {key} key revoked")]
    Revoked {
        /// The key.
        key: OfferedKey,
    },
    /// The certificates could not be made.
    #[error(transparent)]
    Certify(CertifyError),
}

impl TreRenewal<'_> {
    /// Attests the box at `address` (`HOST:PORT`) as `operator`, and hands it newer certificates.
    ///
    /// # Errors
    ///
    /// [`TreRenewalError`]. The record names the later end before a certificate leaves this
    /// machine, so that a revocation of its keys outlasts them all.
    pub async fn run(
        &self,
        address: &str,
        operator: &ClientIdentity,
        random: &mut dyn CryptoRngCore,
    ) -> Result<Record, TreRenewalError> {
        let record = self.records.read(&self.tre.id).map_err(TreRenewalError::Record)?;
        let mut connection = AnyKeyConnection::open(address, Some(operator))
            .await
            .map_err(TreRenewalError::Connect)?;
        let answer = connection.challenge().await.map_err(TreRenewalError::Challenge)?;
        let (server, evidence) = (answer.session.as_ref().server_chain.clone(), &answer.evidence);
        verdict::attest(evidence, answer.session, self.tre, self.trust.reference(), self.now)
            .map_err(TreRenewalError::Attest)?;
        let Certificates { document_chain } = call(connection.get(PATH).await, "certificates")?;
        let server: Vec<HexBytes> = server.iter().map(|der| HexBytes(der.to_vec())).collect();
        let mut chain = |key, profile, shown: &[HexBytes]| {
            let spki = self.spki(key, shown, &record)?;
            let key = SubjectPublicKeyInfo::from_der(&spki);
            let key = key.map_err(|error| TreRenewalError::Certify(CertifyError::Make(error)))?;
            let leaf = self.authority.certify(profile, self.tre, &key, self.validity, random);
            let leaf = leaf.map_err(TreRenewalError::Certify)?;
            Ok([&leaf, self.authority.certificate()].map(|der| HexBytes(der.to_vec())).to_vec())
        };
        let newer = RenewCertificates {
            attestation_key_chain: chain(
                OfferedKey::Attestation,
                Profile::AttestationKey,
                &evidence.attestation_key_chain,
            )?,
            tls_chain: chain(OfferedKey::Tls, Profile::TreServer, &server)?,
            document_chain: chain(OfferedKey::Document, Profile::DocumentKey, &document_chain)?,
        };
        let extended = self.records.extend(&self.tre.id, self.validity.ends());
        let extended = extended.map_err(TreRenewalError::Record)?;
        let Done {} = call(connection.put(PATH, &newer).await, "handing over certificates")?;
        Ok(extended)
    }

    /// The key that `shown` certifies, if it is the enrolled one and believed.
    fn spki(
        &self,
        key: OfferedKey,
        shown: &[HexBytes],
        record: &Record,
    ) -> Result<Vec<u8>, TreRenewalError> {
        let unreadable = || TreRenewalError::Certificate { key };
        let leaf = CertificateDer::from(shown.first().ok_or_else(unreadable)?.as_slice());
        let leaf = EndEntityCert::try_from(&leaf).map_err(|_| unreadable())?;
        let spki = leaf.subject_public_key_info().to_vec();
        let found = Hex32(sha256(&spki).0);
        let expected = match key {
            OfferedKey::Attestation => record.attestation_key_spki_sha256,
            OfferedKey::Tls => record.tls_key_spki_sha256,
            OfferedKey::Document => record.document_key_spki_sha256,
        };
        if found != expected {
            return Err(TreRenewalError::OtherKey { key, expected, found });
        }
        if self.revoked.iter().any(|revoked| revoked.spki_sha256 == found) {
            return Err(TreRenewalError::Revoked { key });
        }
        Ok(spki)
    }
}

/// Where a box shows and takes certificates.
const PATH: &str = "/v1/certificates";

fn call<T>(answer: Result<T, RequestError>, step: &'static str) -> Result<T, TreRenewalError> {
    answer.map_err(|source| TreRenewalError::Call { step, source })
}
