//! Endorsement keys: real ones of a software TPM's maker, and made ones with one thing wrong.

use measured_boot::digest::sha256;
use measured_boot::tpm::Attribute;
use pki::ek::{CertifiedEk, EkError, EkKeyError, EkPublic, EkRoots, ProfileError, RootsError};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SubjectPublicKeyInfo, date_time_ymd,
};
use rsa::pkcs8::EncodePublicKey as _;
use rsa::rand_core::OsRng;
use rsa::traits::PublicKeyParts as _;
use rsa::{RsaPrivateKey, RsaPublicKey};
use std::sync::LazyLock;
use tre_wire::hex::HexBytes;
use tre_wire::units::UnixMillis;
use webpki::Error as ChainError;

use crate::fixture::{DAY_MS, now};
use crate::tpm::{Manufacturer, listed};

#[test]
fn a_real_tpm_is_believed_under_its_makers_root_alone() {
    let (maker, stranger) = (Manufacturer::new(), Manufacturer::new());
    let (tpm, other) = (maker.tpm(), stranger.tpm());
    let (certificates, key) = (tpm.certificates(), tpm.endorsement_key());
    let check = |roots: &EkRoots| CertifiedEk::check(&certificates, &key, roots, now());

    let certified = check(&maker.listed()).expect("certified");
    assert_eq!(certified.model().manufacturer, "id:00001014");
    assert_eq!(certified.model().model, "swtpm");
    assert_eq!(certified.certificate_sha256(), Some(sha256(&certificates[0].0)));

    // The maker's own folder: the private keys beside the certificates are passed over.
    let folder = maker.root().parent().map(EkRoots::load).expect("a folder");
    check(&folder.expect("certificates")).expect("certified");

    // Roots of another maker; the root without the intermediate; the intermediate alone.
    let refused = check(&stranger.listed());
    assert!(matches!(refused, Err(EkError::Chain(_))), "{refused:?}");
    let refused = check(&listed(&[&maker.root()]).expect("a root"));
    assert!(matches!(refused, Err(EkError::Chain(ChainError::UnknownIssuer))), "{refused:?}");
    let refused = listed(&[&maker.intermediate()]);
    assert!(matches!(refused, Err(RootsError::NoRoot { .. })), "{refused:?}");

    // The key of one TPM with the certificates of another.
    let foreign = other.endorsement_key();
    let refused = CertifiedEk::check(&certificates, &foreign, &maker.listed(), now());
    assert!(matches!(refused, Err(EkError::OtherKey { found: 2, .. })), "{refused:?}");

    // Before the certificates were made.
    let early = now().get().checked_sub(DAY_MS).expect("after 1970");
    let early = UnixMillis::new(early).expect("in range");
    let refused = CertifiedEk::check(&certificates, &key, &maker.listed(), early);
    assert!(
        matches!(refused, Err(EkError::Chain(ChainError::CertNotValidYet { .. }))),
        "{refused:?}"
    );
}

#[test]
fn a_real_p384_key_is_believed_by_its_own_certificate() {
    let maker = Manufacturer::new();
    let tpm = maker.tpm();
    let (certificates, key) = (tpm.certificates(), tpm.endorsement_key_of("ecc384"));
    let check = |some: &[HexBytes]| CertifiedEk::check(some, &key, &maker.listed(), now());
    let certified = check(&certificates).expect("certified");
    assert!(matches!(certified.public(), EkPublic::P384 { .. }), "{certified:?}");
    assert_eq!(certified.certificate_sha256(), Some(sha256(&certificates[1].0)));
    // The Name as the TPM's own tool has it.
    assert_eq!(certified.name(), tpm.name("ek"));
    let refused = check(&certificates[..1]);
    assert!(matches!(refused, Err(EkError::OtherKey { found: 1, .. })), "{refused:?}");
}

/// One RSA key for all made certificates: drawing one takes a second.
static KEY: LazyLock<RsaPublicKey> =
    LazyLock::new(|| RsaPrivateKey::new(&mut OsRng, 2_048).expect("a key").to_public_key());

/// A made maker: its root, and a folder that lists it.
pub(crate) struct Maker {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) roots: EkRoots,
}

pub(crate) fn maker() -> Maker {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "TPM maker");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let certificate = params.self_signed(&key).expect("made");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("root.crt"), certificate.pem()).expect("written");
    let roots = EkRoots::load(folder.path()).expect("a root");
    Maker { issuer: Issuer::new(params, key), roots }
}

impl Maker {
    /// A certificate of the profile, after `change`.
    pub(crate) fn certify(&self, change: impl FnOnce(&mut CertificateParams)) -> Vec<HexBytes> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Other(vec![2, 23, 133, 8, 1])];
        params.custom_extensions = vec![tpm_names(&[(1, "id:1"), (2, "model"), (3, "id:2")])];
        change(&mut params);
        let spki = KEY.to_public_key_der().expect("encoded");
        let spki = SubjectPublicKeyInfo::from_der(spki.as_bytes()).expect("an RSA key");
        vec![HexBytes(params.signed_by(&spki, &self.issuer).expect("made").der().to_vec())]
    }

    fn check(&self, certificates: &[HexBytes]) -> Result<CertifiedEk, EkError> {
        CertifiedEk::check(certificates, &public_area(TEMPLATE_ATTRIBUTES), &self.roots, now())
    }
}

/// Attributes of the default template: fixedTPM, fixedParent, sensitiveDataOrigin,
/// adminWithPolicy, restricted, decrypt.
pub(crate) const TEMPLATE_ATTRIBUTES: u32 = 0x0003_00b2;

/// TPMT_PUBLIC of [`KEY`] with these attributes.
pub(crate) fn public_area(attributes: u32) -> Vec<u8> {
    [
        [0x00, 0x01].as_slice(), // rsa
        &[0x00, 0x0b],           // sha256
        &attributes.to_be_bytes(),
        &[0x00, 0x20], // policy
        &[0x83; 32],
        &[0x00, 0x06, 0x00, 0x80, 0x00, 0x43], // aes 128 cfb
        &[0x00, 0x10],                         // no scheme
        &[0x08, 0x00],                         // 2048 bits
        &[0x00, 0x00, 0x00, 0x00],             // exponent 65537
        &[0x01, 0x00],
        &KEY.n().to_bytes_be(),
    ]
    .concat()
}

/// DER: tag, length, content.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).expect("short");
    let length = if length < 0x80 { vec![length] } else { vec![0x81, length] };
    [[tag].as_slice(), &length, content].concat()
}

/// A critical subject alternative name with one directory name: attributes 2.23.133.2.n.
pub(crate) fn tpm_names(attributes: &[(u8, &str)]) -> CustomExtension {
    let names: Vec<u8> = attributes
        .iter()
        .flat_map(|(number, value)| {
            let oid = der(0x06, &[0x67, 0x81, 0x05, 0x02, *number]);
            let value = der(0x0c, value.as_bytes());
            der(0x31, &der(0x30, &[oid, value].concat()))
        })
        .collect();
    let directory = der(0xa4, &der(0x30, &names));
    let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, 17], der(0x30, &directory));
    extension.set_criticality(true);
    extension
}

#[test]
fn a_made_certificate_of_the_profile_is_accepted() {
    let maker = maker();
    let certified = maker.check(&maker.certify(|_| {})).expect("certified");
    let EkPublic::Rsa2048 { modulus } = certified.public() else { panic!("{certified:?}") };
    assert_eq!(modulus.as_slice(), KEY.n().to_bytes_be());
    assert_eq!(certified.model().version, "id:2");
}

#[test]
fn each_departure_from_the_profile_is_named() {
    let maker = maker();
    let refused = |change: fn(&mut CertificateParams)| match maker.check(&maker.certify(change)) {
        Err(EkError::Profile(error)) => error,
        other => panic!("expected a refusal of the profile, found {other:?}"),
    };
    let server = |params: &mut CertificateParams| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    };
    assert_eq!(refused(server), ProfileError::Purpose);
    assert_eq!(refused(|params| params.extended_key_usages.clear()), ProfileError::Purpose);
    let authority = |params: &mut CertificateParams| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    };
    assert_eq!(refused(authority), ProfileError::Authority);
    let signs = |params: &mut CertificateParams| {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    };
    assert_eq!(refused(signs), ProfileError::KeyUsage { expected: "keyEncipherment" });
    let missing = |attribute| ProfileError::Attribute { attribute };
    assert_eq!(refused(|params| params.custom_extensions.clear()), missing("manufacturer"));
    let no_model = |params: &mut CertificateParams| {
        params.custom_extensions = vec![tpm_names(&[(1, "id:1"), (3, "id:2")])];
    };
    assert_eq!(refused(no_model), missing("model"));
    let two_versions = |params: &mut CertificateParams| {
        params.custom_extensions =
            vec![tpm_names(&[(1, "id:1"), (2, "model"), (3, "id:2"), (3, "id:3")])];
    };
    assert_eq!(refused(two_versions), missing("version"));
    let odd = |params: &mut CertificateParams| {
        params.custom_extensions = vec![tpm_names(&[(1, "id:1\n"), (2, "model"), (3, "id:2")])];
    };
    assert_eq!(refused(odd), missing("manufacturer"));
}

#[test]
fn a_certificate_out_of_its_time_is_refused() {
    let maker = maker();
    let expired = maker.certify(|params| params.not_after = date_time_ymd(2020, 1, 1));
    let refused = maker.check(&expired);
    assert!(matches!(refused, Err(EkError::Chain(ChainError::CertExpired { .. }))), "{refused:?}");
    let early = maker.certify(|params| params.not_before = date_time_ymd(4000, 1, 1));
    let refused = maker.check(&early);
    assert!(
        matches!(refused, Err(EkError::Chain(ChainError::CertNotValidYet { .. }))),
        "{refused:?}"
    );
}

#[test]
fn an_unknown_critical_extension_is_refused() {
    let maker = maker();
    let odd = maker.certify(|params| {
        let mut odd = CustomExtension::from_oid_content(&[2, 23, 133, 99], vec![5, 0]);
        odd.set_criticality(true);
        params.custom_extensions.push(odd);
    });
    let refused = maker.check(&odd);
    assert!(
        matches!(refused, Err(EkError::Chain(ChainError::UnsupportedCriticalExtension))),
        "{refused:?}"
    );
}

#[test]
fn a_certificate_with_one_bit_changed_is_refused() {
    let maker = maker();
    let mut certificates = maker.certify(|_| {});
    if let Some(last) = certificates[0].0.last_mut() {
        *last ^= 1;
    }
    let refused = maker.check(&certificates);
    assert!(matches!(refused, Err(EkError::Chain(_))), "{refused:?}");
}

#[test]
fn no_certificate_too_many_and_a_long_one_are_refused() {
    let maker = maker();
    let refused = maker.check(&[]);
    assert!(matches!(refused, Err(EkError::NoCertificate { .. })), "{refused:?}");
    let nine = vec![HexBytes(Vec::new()); 9];
    let refused = maker.check(&nine);
    assert!(matches!(refused, Err(EkError::Count { found: 9 })), "{refused:?}");
    let long = [HexBytes(vec![0x30; 4_097])];
    let refused = maker.check(&long);
    assert!(matches!(refused, Err(EkError::TooLong { found: 4_097 })), "{refused:?}");
    // What is not a certificate is not for this key; nor is one with bytes behind it.
    let mut padded = maker.certify(|_| {});
    padded[0].0.push(0);
    for none in [padded, vec![HexBytes(b"junk".to_vec())]] {
        let refused = maker.check(&none);
        assert!(matches!(refused, Err(EkError::OtherKey { found: 1, .. })), "{refused:?}");
    }
}

#[test]
fn a_key_that_could_leave_or_sign_is_no_endorsement_key() {
    let maker = maker();
    let certificates = maker.certify(|_| {});
    let check = |area: &[u8]| CertifiedEk::check(&certificates, area, &maker.roots, now());
    for (attribute, missing) in [
        (Attribute::FixedTpm, true),
        (Attribute::FixedParent, true),
        (Attribute::SensitiveDataOrigin, true),
        (Attribute::Restricted, true),
        (Attribute::Decrypt, true),
        (Attribute::Sign, false),
        (Attribute::EncryptedDuplication, false),
    ] {
        let refused = check(&public_area(TEMPLATE_ATTRIBUTES ^ attribute.mask()));
        let named = match &refused {
            Err(EkError::Key(EkKeyError::AttributeMissing { missing: found })) => {
                missing && *found == attribute
            }
            Err(EkError::Key(EkKeyError::AttributeForbidden { forbidden: found })) => {
                !missing && *found == attribute
            }
            _ => false,
        };
        assert!(named, "{attribute}: {refused:?}");
    }
    let mut short = public_area(TEMPLATE_ATTRIBUTES);
    short.pop();
    let refused = check(&short);
    assert!(matches!(refused, Err(EkError::Key(EkKeyError::Public(_)))), "{refused:?}");
}

#[test]
fn a_folder_without_readable_roots_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let load = || EkRoots::load(folder.path()).map(|_| ());
    assert!(matches!(load(), Err(RootsError::NoRoot { .. })));
    // Another ending is none of the operator's list.
    std::fs::write(folder.path().join("notes.txt"), "no certificate").expect("written");
    assert!(matches!(load(), Err(RootsError::NoRoot { .. })));
    let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    std::fs::write(folder.path().join("junk.pem"), junk).expect("written");
    assert!(matches!(load(), Err(RootsError::Certificate { .. })));
    let missing = EkRoots::load(&folder.path().join("missing"));
    assert!(matches!(missing, Err(RootsError::Folder { .. })), "{missing:?}");
}
