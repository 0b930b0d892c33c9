//! The public areas of the keys a TRE has in its TPM, before the TPM fills in the key itself.
//!
//! A primary key is a function of its hierarchy's seed and its template: change one bit here and
//! every enrolled TRE has another key.

use tss_esapi::Error;
use tss_esapi::attributes::{ObjectAttributes, ObjectAttributesBuilder};
use tss_esapi::interface_types::algorithm::{HashingAlgorithm, PublicAlgorithm};
use tss_esapi::interface_types::ecc::EccCurve;
use tss_esapi::interface_types::key_bits::RsaKeyBits;
use tss_esapi::structures::{
    Digest, EccParameter, EccPoint, EccScheme, HashScheme, KeyDerivationFunctionScheme,
    KeyedHashScheme, Public, PublicBuilder, PublicEccParametersBuilder, PublicKeyRsa,
    PublicKeyedHashParameters, PublicRsaParametersBuilder, RsaExponent, RsaScheme,
    SymmetricDefinitionObject,
};

use crate::EndorsementKind;

/// The attestation key: signs statements of the TPM, and nothing that only looks like one.
pub(super) fn attestation() -> Result<Public, Error> {
    let attributes = made_here()
        .with_sensitive_data_origin(true)
        .with_user_with_auth(true)
        .with_no_da(true)
        .with_restricted(true)
        .with_sign_encrypt(true)
        .build()?;
    let parameters = PublicEccParametersBuilder::new()
        .with_symmetric(SymmetricDefinitionObject::Null)
        .with_ecc_scheme(EccScheme::EcDsa(HashScheme::new(HashingAlgorithm::Sha256)))
        .with_curve(EccCurve::NistP256)
        .with_key_derivation_function_scheme(KeyDerivationFunctionScheme::Null)
        .with_is_signing_key(true)
        .with_restricted(true)
        .build()?;
    object(PublicAlgorithm::Ecc, attributes)
        .with_ecc_parameters(parameters)
        .with_ecc_unique_identifier(EccPoint::default())
        .build()
}

/// The storage key: parent of sealed objects, salt of sessions.
pub(super) fn storage() -> Result<Public, Error> {
    let attributes = made_here()
        .with_sensitive_data_origin(true)
        .with_user_with_auth(true)
        .with_no_da(true)
        .with_restricted(true)
        .with_decrypt(true)
        .build()?;
    let parameters = PublicEccParametersBuilder::new_restricted_decryption_key(
        SymmetricDefinitionObject::AES_128_CFB,
        EccCurve::NistP256,
    )
    .build()?;
    object(PublicAlgorithm::Ecc, attributes)
        .with_ecc_parameters(parameters)
        .with_ecc_unique_identifier(EccPoint::new(zero_coordinate()?, zero_coordinate()?))
        .build()
}

/// A peer's key: signs whatever its user asks for, with the empty authorization.
#[cfg(feature = "signing")]
pub(super) fn signing() -> Result<Public, Error> {
    let attributes = made_here()
        .with_sensitive_data_origin(true)
        .with_user_with_auth(true)
        .with_no_da(true)
        .with_sign_encrypt(true)
        .build()?;
    let parameters = PublicEccParametersBuilder::new_unrestricted_signing_key(
        EccScheme::EcDsa(HashScheme::new(HashingAlgorithm::Sha256)),
        EccCurve::NistP256,
    )
    .build()?;
    object(PublicAlgorithm::Ecc, attributes)
        .with_ecc_parameters(parameters)
        .with_ecc_unique_identifier(EccPoint::default())
        .build()
}

/// The endorsement key of a template. `[EKP]`
pub(super) fn endorsement(kind: EndorsementKind) -> Result<Public, Error> {
    match kind {
        EndorsementKind::Rsa2048 => endorsement_rsa2048(),
        EndorsementKind::P256 => {
            let unique = EccPoint::new(zero_coordinate()?, zero_coordinate()?);
            endorsement_ecc(&POLICY_A, SymmetricDefinitionObject::AES_128_CFB, unique)
        }
        EndorsementKind::P384 => {
            let symmetric = SymmetricDefinitionObject::AES_256_CFB;
            endorsement_ecc(&POLICY_B_SHA384, symmetric, EccPoint::default())
        }
    }
}

/// The default template L-1: RSA-2048. `[EKP]`
fn endorsement_rsa2048() -> Result<Public, Error> {
    let parameters = PublicRsaParametersBuilder::new_restricted_decryption_key(
        SymmetricDefinitionObject::AES_128_CFB,
        RsaKeyBits::Rsa2048,
        RsaExponent::default(),
    )
    .with_scheme(RsaScheme::Null)
    .build()?;
    object(PublicAlgorithm::Rsa, endorsement_attributes().build()?)
        .with_auth_policy(Digest::from(POLICY_A))
        .with_rsa_parameters(parameters)
        .with_rsa_unique_identifier(PublicKeyRsa::new_empty_with_size(RsaKeyBits::Rsa2048))
        .build()
}

/// The default template L-2, P-256, or the high one H-3, P-384, which its longer policy tells.
/// `[EKP]`
fn endorsement_ecc(
    policy: &[u8],
    symmetric: SymmetricDefinitionObject,
    unique: EccPoint,
) -> Result<Public, Error> {
    let high = policy.len() == POLICY_B_SHA384.len();
    let (curve, hash) = if high {
        (EccCurve::NistP384, HashingAlgorithm::Sha384)
    } else {
        (EccCurve::NistP256, HashingAlgorithm::Sha256)
    };
    let attributes = endorsement_attributes().with_user_with_auth(high).build()?;
    let parameters =
        PublicEccParametersBuilder::new_restricted_decryption_key(symmetric, curve).build()?;
    object(PublicAlgorithm::Ecc, attributes)
        .with_name_hashing_algorithm(hash)
        .with_auth_policy(Digest::from_bytes(policy)?)
        .with_ecc_parameters(parameters)
        .with_ecc_unique_identifier(unique)
        .build()
}

/// What every endorsement key may do.
fn endorsement_attributes() -> ObjectAttributesBuilder {
    made_here()
        .with_sensitive_data_origin(true)
        .with_admin_with_policy(true)
        .with_restricted(true)
        .with_decrypt(true)
}

/// A sealed object that opens to `policy` alone.
pub(super) fn sealed(policy: Digest) -> Result<Public, Error> {
    let attributes = made_here().with_no_da(true).build()?;
    object(PublicAlgorithm::KeyedHash, attributes)
        .with_auth_policy(policy)
        .with_keyed_hash_parameters(PublicKeyedHashParameters::new(KeyedHashScheme::Null))
        .with_keyed_hash_unique_identifier(Digest::default())
        .build()
}

/// What all of them are: bound to this TPM and to their parent in it.
fn made_here() -> ObjectAttributesBuilder {
    ObjectAttributesBuilder::new().with_fixed_tpm(true).with_fixed_parent(true)
}

fn object(algorithm: PublicAlgorithm, attributes: ObjectAttributes) -> PublicBuilder {
    PublicBuilder::new()
        .with_public_algorithm(algorithm)
        .with_name_hashing_algorithm(HashingAlgorithm::Sha256)
        .with_object_attributes(attributes)
}

fn zero_coordinate() -> Result<EccParameter, Error> {
    EccParameter::from_bytes(&[0; 32])
}

/// Policy A of the endorsement key templates: `TPM2_PolicySecret` with the endorsement hierarchy,
/// SHA-256. `[EKP]`
const POLICY_A: [u8; 32] = [
    0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc, 0x8d, 0x46, 0xa5, 0xd7, 0x24,
    0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa,
];

/// Policy B of the high templates, SHA-384: policy A or an authorization in NV storage. `[EKP]`
const POLICY_B_SHA384: [u8; 48] = [
    0xb2, 0x6e, 0x7d, 0x28, 0xd1, 0x1a, 0x50, 0xbc, 0x53, 0xd8, 0x82, 0xbc, 0xf5, 0xfd, 0x3a, 0x1a,
    0x07, 0x41, 0x48, 0xbb, 0x35, 0xd3, 0xb4, 0xe4, 0xcb, 0x1c, 0x0a, 0xd9, 0xbd, 0xe4, 0x19, 0xca,
    0xcb, 0x47, 0xba, 0x09, 0x69, 0x96, 0x46, 0x15, 0x0f, 0x9f, 0xc0, 0x00, 0xf3, 0xf8, 0x0e, 0x12,
];
