//! What the profile of endorsement certificates does not allow, and an operator admits by name.

use std::collections::BTreeSet;

use measured_boot::digest::sha256;
use pki::ek::{Admission, CertifiedEk, Deviation, EkError, EkRoots, ProfileError};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyUsagePurpose};
use tre_wire::hex::{Hex32, HexBytes};

use crate::ek::{Maker, TEMPLATE_ATTRIBUTES, maker, public_area, tpm_names};
use crate::fixture::now;

/// The verdict on `certificates` by somebody who trusts `maker` and admits this.
fn check(
    maker: &Maker,
    certificates: &[HexBytes],
    admission: Admission,
) -> Result<CertifiedEk, EkError> {
    let roots: EkRoots = maker.roots.clone().admitting(admission);
    CertifiedEk::check(certificates, &public_area(TEMPLATE_ATTRIBUTES), &roots, now())
}

/// What makes a certificate depart.
type Depart = fn(&mut CertificateParams);

/// A deviation, and what departs in exactly that.
const DEPARTED: [(Deviation, Depart); 3] = [
    (Deviation::NoExtendedKeyUsage, |params| params.extended_key_usages.clear()),
    (Deviation::NoKeyUsage, |params| params.key_usages.clear()),
    (Deviation::NoTpmNames, |params| params.custom_extensions.clear()),
];

#[test]
fn a_departure_is_admitted_by_its_own_name_alone_and_noted() {
    let maker = maker();
    for (deviation, depart) in DEPARTED {
        let certificates = maker.certify(depart);
        let name = deviation.to_string();
        assert_eq!(name.parse(), Ok(deviation));
        let others: Vec<Deviation> =
            Deviation::BY_NAME.into_iter().filter(|other| *other != deviation).collect();
        for admission in [Admission::NOTHING, Admission::of(&others, None)] {
            let refused = check(&maker, &certificates, admission);
            assert!(matches!(refused, Err(EkError::Profile(_))), "{name}: {refused:?}");
        }
        let admitted = check(&maker, &certificates, Admission::of(&[deviation], None));
        let admitted = admitted.expect("admitted");
        assert_eq!(admitted.admitted(), &BTreeSet::from([deviation]), "{name}");
    }
}

#[test]
fn what_is_admitted_is_not_noted_where_nothing_departs() {
    let maker = maker();
    let all = Admission::of(&Deviation::BY_NAME, None);
    let certified = check(&maker, &maker.certify(|_| {}), all).expect("certified");
    assert_eq!(certified.admitted(), &BTreeSet::new());
}

#[test]
fn another_purpose_usage_or_half_a_name_is_never_admitted() {
    let maker = maker();
    let refused = |change: fn(&mut CertificateParams)| {
        let all = Admission::of(&Deviation::BY_NAME, None);
        match check(&maker, &maker.certify(change), all) {
            Err(EkError::Profile(error)) => error,
            other => panic!("expected a refusal of the profile, found {other:?}"),
        }
    };
    let server = |params: &mut CertificateParams| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    };
    assert_eq!(refused(server), ProfileError::Purpose);
    let signs = |params: &mut CertificateParams| {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    };
    assert_eq!(refused(signs), ProfileError::KeyUsage { expected: "keyEncipherment" });
    let half = |params: &mut CertificateParams| {
        params.custom_extensions = vec![tpm_names(&[(1, "id:1")])];
    };
    assert_eq!(refused(half), ProfileError::Attribute { attribute: "model" });
    // Nor a root that nobody listed.
    let stranger = crate::ek::maker();
    let all = Admission::of(&Deviation::BY_NAME, None);
    let refused = check(&stranger, &maker.certify(|_| {}), all);
    assert!(matches!(refused, Err(EkError::Chain(_))), "{refused:?}");
}

#[test]
fn a_tpm_without_a_certificate_is_enrolled_by_its_own_keys_hash_alone() {
    let maker = maker();
    let own = Hex32(sha256(&public_area(TEMPLATE_ATTRIBUTES)).0);
    let all = Admission::of(&Deviation::BY_NAME, None);
    let without = [Deviation::NoCertificate];
    let other = Admission::of(&[], Some(Hex32([7; 32])));
    for admission in [Admission::NOTHING, all, Admission::of(&without, None), other] {
        let refused = check(&maker, &[], admission);
        let Err(EkError::NoCertificate { key }) = refused else { panic!("{refused:?}") };
        assert_eq!(key, own);
    }
    let admitted = check(&maker, &[], Admission::of(&[], Some(own))).expect("admitted");
    assert_eq!(admitted.admitted(), &BTreeSet::from(without));
    assert_eq!((admitted.certificate_sha256(), admitted.manufacturer()), (None, None));
    // With certificates, these decide.
    let junk = [HexBytes(b"junk".to_vec())];
    let refused = check(&maker, &junk, Admission::of(&[], Some(own)));
    assert!(matches!(refused, Err(EkError::OtherKey { found: 1, .. })), "{refused:?}");
}
