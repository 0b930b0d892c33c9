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

/// The endorsement key of the default RSA-2048 template L-1. `[EKP]`
pub(super) fn endorsement() -> Result<Public, Error> {
    let attributes = made_here()
        .with_sensitive_data_origin(true)
        .with_admin_with_policy(true)
        .with_restricted(true)
        .with_decrypt(true)
        .build()?;
    let parameters = PublicRsaParametersBuilder::new_restricted_decryption_key(
        SymmetricDefinitionObject::AES_128_CFB,
        RsaKeyBits::Rsa2048,
        RsaExponent::default(),
    )
    .with_scheme(RsaScheme::Null)
    .build()?;
    object(PublicAlgorithm::Rsa, attributes)
        .with_auth_policy(Digest::from(POLICY_A))
        .with_rsa_parameters(parameters)
        .with_rsa_unique_identifier(PublicKeyRsa::new_empty_with_size(RsaKeyBits::Rsa2048))
        .build()
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
