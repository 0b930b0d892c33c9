//! Enrolment of a new box: three calls in one connection.
//!
//! `begin` names the TRE and brings out its keys; `activate` proves that its TPM holds both the
//! endorsement key and the attestation key; `complete` hands it its certificates.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::StartState;
use crate::hex::HexBytes;
use crate::id::PeerId;

/// Body of `POST /v1/enrolment/begin`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BeginEnrolment {
    /// The name that the box is to have.
    pub tre_id: PeerId,
}

/// Answer: what is to be certified.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct EnrolmentKeys {
    /// Endorsement key certificates (DER) from the TPM's NV storage.
    pub endorsement_certificates: Vec<HexBytes>,
    /// TPMT_PUBLIC of the endorsement key: of the first of the templates RSA-2048, P-256 and P-384
    /// for which the TPM has a certificate. `[EKP]`
    pub endorsement_key: HexBytes,
    /// TPMT_PUBLIC of the attestation key.
    pub attestation_key: HexBytes,
    /// TPMT_PUBLIC of the storage key.
    pub storage_key: HexBytes,
    /// Key for TLS, and the proof that the box holds it.
    pub tls: ProvenKey,
    /// Key for signed documents, and the proof that the box holds it.
    pub document: ProvenKey,
}

/// A public key and the proof of its possession in this connection.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ProvenKey {
    /// SubjectPublicKeyInfo (DER), ECDSA P-256.
    pub spki: HexBytes,
    /// Signature (ASN.1) over [`crate::document::key_proof`].
    pub proof: HexBytes,
}

/// Body of `POST /v1/enrolment/activate`: a credential for the attestation key. `[TPM2-P1]`
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ActivateCredential {
    /// TPM2B_ID_OBJECT.
    pub id_object: HexBytes,
    /// TPM2B_ENCRYPTED_SECRET.
    pub encrypted_secret: HexBytes,
}

/// Answer: the secret that only this TPM could recover.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ActivatedCredential {
    /// The secret.
    pub secret: HexBytes,
}

/// Body of `POST /v1/enrolment/complete`: the signed record, and chains (DER), leaf first.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CompleteEnrolment {
    /// For the attestation key.
    pub attestation_key_chain: Vec<HexBytes>,
    /// For the TLS key.
    pub tls_chain: Vec<HexBytes>,
    /// For the document key.
    pub document_chain: Vec<HexBytes>,
    /// Signature (ASN.1) of the TRE authority over [`crate::document::enrolment`].
    pub record_signature: HexBytes,
}

/// Body of `PUT /v1/certificates`: newer certificates of the same three keys, chains (DER), leaf
/// first. The keys and the signed record stay as they were enrolled.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RenewCertificates {
    /// For the attestation key.
    pub attestation_key_chain: Vec<HexBytes>,
    /// For the TLS key.
    pub tls_chain: Vec<HexBytes>,
    /// For the document key.
    pub document_chain: Vec<HexBytes>,
}

/// Answer: the state that the box is in now.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct EnrolmentDone {
    /// [`StartState::Serving`]; [`StartState::Locked`] if the box is enrolled and could not close
    /// its TPM's owner hierarchy, which it tries again at its next start.
    pub state: StartState,
}
