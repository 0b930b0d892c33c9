//! Who is at the other end, and whose key quotes.

use std::string::ToString as _;
use std::vec;
use std::vec::Vec;

use super::scene::{AIK_USAGE, Authority, Certified, Scene, authority, spki_hash};
use super::signing::sign;
use crate::chain::ChainError;
use crate::channel::{ChannelError, View};
use crate::key::KeyError;
use crate::refusal::Refusal;
use crate::verdict;
use measured_boot::tpm::{AikPublic, AikRefusal, Attribute, ObjectAttributes, PublicError};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use rustls_pki_types::CertificateDer;
use tre_wire::attestation::Evidence;
use tre_wire::hex::HexBytes;

fn judged(scene: &Scene, evidence: &Evidence, session: View) -> Refusal {
    let (identity, reference) = (Scene::identity(), scene.reference());
    verdict::attest(evidence, session, &identity, &reference, Scene::now()).unwrap_err()
}

fn refusal(scene: &Scene) -> Refusal {
    judged(scene, &scene.play(), scene.session())
}

fn shows(scene: &Scene, chain: Vec<CertificateDer<'static>>) -> Refusal {
    judged(scene, &scene.play(), View { server_chain: chain, ..scene.session() })
}

fn unknown_issuer() -> ChainError {
    ChainError::Untrusted { cause: webpki::Error::UnknownIssuer }
}

fn certified_by(scene: &Scene, authority: &Authority) -> Evidence {
    let mut evidence = scene.play();
    let certificate = scene.aik_certificate.sign(&scene.aik, authority);
    evidence.attestation_key_chain = vec![HexBytes(certificate.to_vec())];
    evidence
}

#[test]
fn a_throw_away_server_certificate_is_refused() {
    let scene = Scene::honest();
    let own = CertificateParams::default().self_signed(&scene.tls).unwrap();
    let refused = shows(&scene, vec![own.der().clone()]);
    let cause = ChainError::SelfIssued;
    assert_eq!(refused, Refusal::Channel(ChannelError::Chain { cause }));
}

#[test]
fn a_server_certificate_of_another_authority_of_the_same_name_is_refused() {
    let scene = Scene::honest();
    let forged = scene.tls_certificate.sign(&scene.tls, &authority("TRE authority"));
    let cause = webpki::Error::InvalidSignatureForPublicKey;
    let cause = ChainError::Untrusted { cause };
    let refused = shows(&scene, vec![forged]);
    assert_eq!(refused, Refusal::Channel(ChannelError::Chain { cause }));
}

#[test]
fn a_server_without_a_certificate_is_refused() {
    let refused = shows(&Scene::honest(), Vec::new());
    let cause = ChainError::Empty;
    assert_eq!(refused, Refusal::Channel(ChannelError::Chain { cause }));
}

#[test]
fn a_server_certificate_that_is_none_is_refused() {
    let refused = shows(&Scene::honest(), vec![CertificateDer::from(vec![0x30, 0x00])]);
    let Refusal::Channel(ChannelError::Chain { cause: ChainError::Unreadable { .. } }) = refused
    else {
        panic!("{refused:?}");
    };
}

/// The attestation and document keys are certified for the same name by the same authority.
#[test]
fn a_certificate_for_another_purpose_is_no_server_certificate() {
    let aik = ExtendedKeyUsagePurpose::Other(AIK_USAGE.to_vec());
    for usage in [vec![aik], vec![ExtendedKeyUsagePurpose::ClientAuth], Vec::new()] {
        let mut scene = Scene::honest();
        scene.tls_certificate.usage = usage;
        let refused = refusal(&scene);
        let Refusal::Channel(ChannelError::Chain {
            cause: ChainError::Untrusted { cause: webpki::Error::RequiredEkuNotFoundContext(_) },
        }) = refused
        else {
            panic!("{refused:?}");
        };
    }
}

/// An authority that the TRE authority certified once: nobody listed it.
fn below(scene: &Scene, usage: ExtendedKeyUsagePurpose) -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "below");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.extended_key_usages = vec![usage];
    CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), &scene.authority).unwrap()
}

fn not_listed() -> ChainError {
    ChainError::Untrusted { cause: webpki::Error::PathLenConstraintViolated }
}

#[test]
fn a_server_certificate_below_an_authority_that_the_deployment_does_not_list_is_refused() {
    let scene = Scene::honest();
    let below = below(&scene, ExtendedKeyUsagePurpose::ServerAuth);
    let chain = vec![scene.tls_certificate.sign(&scene.tls, &below), below.der().clone()];
    let (evidence, session) = (scene.play(), View { server_chain: chain, ..scene.session() });
    let (identity, reference) = (Scene::identity(), scene.reference());
    let judged = verdict::attest(&evidence, session, &identity, &reference, Scene::now());
    let refused = Refusal::Channel(ChannelError::Chain { cause: not_listed() });
    assert_eq!(judged.map(|_| ()), Err(refused));
}

#[test]
fn an_attestation_key_below_an_authority_that_the_deployment_does_not_list_is_refused() {
    let scene = Scene::honest();
    let below = below(&scene, ExtendedKeyUsagePurpose::Other(AIK_USAGE.to_vec()));
    let mut evidence = scene.play();
    let leaf = scene.aik_certificate.sign(&scene.aik, &below);
    evidence.attestation_key_chain =
        [&leaf, below.der()].map(|der| HexBytes(der.to_vec())).to_vec();
    let refused = judged(&scene, &evidence, scene.session());
    assert_eq!(refused, Refusal::Key(KeyError::Chain { cause: not_listed() }));
}

#[test]
fn an_expired_server_certificate_is_refused() {
    let mut scene = Scene::honest();
    scene.tls_certificate.years = (2020, 2021);
    let refused = refusal(&scene);
    let Refusal::Channel(ChannelError::Chain {
        cause: ChainError::Untrusted { cause: webpki::Error::CertExpired { .. } },
    }) = refused
    else {
        panic!("{refused:?}");
    };
}

/// Another TRE of the same deployment answers in place of the one asked for.
#[test]
fn a_server_certificate_of_another_identity_is_refused() {
    let tre_2 = "spiffe://grid.example/tre/tre-2".to_string();
    let tre_1 = "spiffe://grid.example/tre/tre-1".to_string();
    let elsewhere = "spiffe://other.example/tre/tre-1".to_string();
    let meter = "spiffe://grid.example/meter/tre-1".to_string();
    for found in [vec![tre_2.clone()], vec![tre_1, tre_2], vec![elsewhere], vec![meter], vec![]] {
        let mut scene = Scene::honest();
        scene.tls_certificate.uris.clone_from(&found);
        let expected = Scene::identity();
        let error = ChannelError::Identity { expected, found };
        assert_eq!(refusal(&scene), Refusal::Channel(error));
    }
}

#[test]
fn an_attestation_key_without_a_certificate_is_refused() {
    let scene = Scene::honest();
    let mut evidence = scene.play();
    evidence.attestation_key_chain.clear();
    let refused = judged(&scene, &evidence, scene.session());
    assert_eq!(refused, Refusal::Key(KeyError::Chain { cause: ChainError::Empty }));
}

#[test]
fn an_attestation_key_that_nobody_or_somebody_else_certified_is_refused() {
    let scene = Scene::honest();
    let evidence = certified_by(&scene, &authority("somebody else"));
    let refused = judged(&scene, &evidence, scene.session());
    assert_eq!(refused, Refusal::Key(KeyError::Chain { cause: unknown_issuer() }));
}

/// The TLS certificate is of the right authority and name, and for a key that anybody may use.
#[test]
fn a_certificate_for_tls_certifies_no_attestation_key() {
    let mut scene = Scene::honest();
    scene.aik_certificate.usage = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let refused = refusal(&scene);
    let Refusal::Key(KeyError::Chain {
        cause: ChainError::Untrusted { cause: webpki::Error::RequiredEkuNotFoundContext(_) },
    }) = refused
    else {
        panic!("{refused:?}");
    };
}

#[test]
fn an_attestation_key_of_another_tre_is_refused() {
    let mut scene = Scene::honest();
    let found = vec!["spiffe://grid.example/tre/tre-2".to_string()];
    scene.aik_certificate.uris.clone_from(&found);
    let expected = Scene::identity();
    assert_eq!(refusal(&scene), Refusal::Key(KeyError::Identity { expected, found }));
}

#[test]
fn an_expired_attestation_key_certificate_is_refused() {
    let mut scene = Scene::honest();
    scene.aik_certificate = Certified { years: (2020, 2021), ..scene.aik_certificate };
    let refused = refusal(&scene);
    let Refusal::Key(KeyError::Chain {
        cause: ChainError::Untrusted { cause: webpki::Error::CertExpired { .. } },
    }) = refused
    else {
        panic!("{refused:?}");
    };
}

/// The certificate is genuine, the quote is by a key that the attacker holds.
#[test]
fn a_certificate_for_another_key_is_refused() {
    let scene = Scene::honest();
    let genuine = scene.play();
    let attacker = Scene { aik: KeyPair::generate().unwrap(), ..Scene::honest() };
    let mut evidence = genuine.clone();
    evidence.attestation_key = HexBytes(attacker.public().area().to_vec());
    evidence.signature = HexBytes(sign(&attacker.aik, evidence.attest.as_slice()));
    let refused = judged(&scene, &evidence, scene.session());
    let (expected, found) = (spki_hash(&scene.aik), spki_hash(&attacker.aik));
    assert_eq!(refused, Refusal::Key(KeyError::CertificateKey { expected, found }));
}

/// One test per attribute: a key that is not restricted signs an attestation that nobody made.
#[test]
fn a_key_without_one_of_the_attributes_is_refused() {
    for missing in AikPublic::REQUIRED {
        let rest: Vec<_> = AikPublic::REQUIRED.into_iter().filter(|one| *one != missing).collect();
        let found = ObjectAttributes::of(&rest);
        let refused = refusal(&Scene { attributes: found, ..Scene::honest() });
        let cause = AikRefusal::AttributeMissing { missing, found };
        assert_eq!(refused, Refusal::Key(KeyError::Profile { cause }));
    }
}

#[test]
fn a_key_that_also_decrypts_is_refused() {
    let with = [&AikPublic::REQUIRED[..], &[Attribute::Decrypt]].concat();
    let found = ObjectAttributes::of(&with);
    let refused = refusal(&Scene { attributes: found, ..Scene::honest() });
    let cause = AikRefusal::AttributeForbidden { forbidden: Attribute::Decrypt, found };
    assert_eq!(refused, Refusal::Key(KeyError::Profile { cause }));
}

#[test]
fn a_public_area_with_a_byte_behind_it_is_refused() {
    let scene = Scene::honest();
    let mut evidence = scene.play();
    evidence.attestation_key.0.push(0);
    let refused = judged(&scene, &evidence, scene.session());
    let Refusal::Key(KeyError::Unreadable { cause: PublicError::Read(_) }) = refused else {
        panic!("{refused:?}");
    };
}

#[test]
fn a_new_box_with_a_certificate_is_refused() {
    let scene = Scene::new_box();
    let mut evidence = scene.play();
    evidence.attestation_key_chain = vec![HexBytes(Vec::new())];
    let (session, reference) = (scene.session(), scene.reference());
    let refused =
        verdict::appraise_unenrolled(&evidence, session, &reference, Scene::now()).unwrap_err();
    assert_eq!(refused, Refusal::Key(KeyError::Enrolled { found: 1 }));
}

#[test]
fn a_new_box_with_an_unrestricted_key_is_refused() {
    let rest: Vec<_> =
        AikPublic::REQUIRED.into_iter().filter(|one| *one != Attribute::Restricted).collect();
    let found = ObjectAttributes::of(&rest);
    let scene = Scene { attributes: found, ..Scene::new_box() };
    let (session, reference) = (scene.session(), scene.reference());
    let refused =
        verdict::appraise_unenrolled(&scene.play(), session, &reference, Scene::now()).unwrap_err();
    let cause = AikRefusal::AttributeMissing { missing: Attribute::Restricted, found };
    assert_eq!(refused, Refusal::Key(KeyError::Profile { cause }));
}
