//! Which client certificates finish a handshake: one fault each.

use core::time::Duration;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CustomExtension, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData as _, SanType,
};
use tokio::sync::watch;

use super::*;
use crate::peer::sha256;
use crate::revocations::Revocations;

/// Twenty days into 2026. Unit: seconds since 1970.
const NOW: u64 = 1_768_953_600;

const METER: &str = "spiffe://grid.example/meter/m1";

fn key() -> KeyPair {
    KeyPair::generate().expect("random source")
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2026, 2, 1);
    params
}

fn authority(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn leaf(uri: &str) -> CertificateParams {
    let mut params = params("peer");
    params.subject_alt_names = vec![SanType::URI(uri.try_into().expect("ASCII"))];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

/// A grid authority, and who believes it.
struct Scene {
    authority: KeyPair,
    certificate: Certificate,
    revoked: watch::Sender<Revocations>,
}

impl Scene {
    fn new() -> Self {
        let key = key();
        let certificate = authority("grid").self_signed(&key).expect("a certificate");
        Self { authority: key, certificate, revoked: watch::Sender::default() }
    }

    fn issue(&self, params: &CertificateParams, key: &KeyPair) -> Certificate {
        let issuer = Issuer::new(authority("grid"), &self.authority);
        params.clone().signed_by(key, &issuer).expect("a certificate")
    }

    fn judge(&self, leaf: &Certificate, above: &[&Certificate]) -> Result<(), rustls::Error> {
        let authorities = [HexBytes(self.certificate.der().to_vec())];
        let verifier = PeerVerifier {
            anchors: anchors(&authorities).expect("anchors"),
            trust_domain: Some("grid.example".parse().expect("a domain")),
            revoked: InForce::of(&self.revoked),
            provider: Arc::new(rustls::crypto::ring::default_provider()),
        };
        let above: Vec<_> = above.iter().map(|certificate| certificate.der().clone()).collect();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(NOW));
        verifier.verify_client_cert(leaf.der(), &above, now).map(drop)
    }

    fn judged(&self, params: &CertificateParams) -> Result<(), rustls::Error> {
        self.judge(&self.issue(params, &key()), &[])
    }
}

fn refused(error: CertificateError) -> Result<(), rustls::Error> {
    Err(error.into())
}

/// A refusal that has only the library's name.
fn refused_by_library(found: &Result<(), rustls::Error>, expected: &webpki::Error) {
    let Err(rustls::Error::InvalidCertificate(CertificateError::Other(other))) = found else {
        panic!("expected {expected:?}, found {found:?}");
    };
    assert_eq!(other.0.downcast_ref::<webpki::Error>(), Some(expected));
}

#[test]
fn a_peer_of_the_own_domain_is_let_in_until_its_key_is_revoked() {
    let (scene, key) = (Scene::new(), key());
    let certificate = scene.issue(&leaf(METER), &key);
    assert_eq!(scene.judge(&certificate, &[]), Ok(()));
    // The authority's own certificate may come along.
    assert_eq!(scene.judge(&certificate, &[&scene.certificate]), Ok(()));
    scene.revoked.send_modify(|revocations| {
        revocations.keys.insert(sha256(&key.subject_public_key_info()));
    });
    assert_eq!(scene.judge(&certificate, &[]), refused(CertificateError::Revoked));
    // Another certificate of the same key falls with it; another key does not.
    let renewed = scene.issue(&leaf(METER), &key);
    assert_eq!(scene.judge(&renewed, &[]), refused(CertificateError::Revoked));
    assert_eq!(scene.judged(&leaf(METER)), Ok(()));
}

#[test]
fn a_certificate_of_another_authority_or_trust_domain_is_refused() {
    let (scene, other) = (Scene::new(), Scene::new());
    let foreign = other.issue(&leaf(METER), &key());
    let found = scene.judge(&foreign, &[&other.certificate]);
    // Both authorities have one name: the signature tells them apart.
    assert_eq!(found, refused(CertificateError::BadSignature));
    let found = scene.judged(&leaf("spiffe://other.example/meter/m1"));
    assert_eq!(found, refused(CertificateError::NotValidForName));
}

#[test]
fn a_certificate_out_of_its_time_is_refused() {
    let scene = Scene::new();
    let mut late = leaf(METER);
    late.not_after = rcgen::date_time_ymd(2026, 1, 20);
    assert_eq!(scene.judged(&late), refused(CertificateError::Expired));
    let mut early = leaf(METER);
    early.not_before = rcgen::date_time_ymd(2026, 1, 22);
    assert_eq!(scene.judged(&early), refused(CertificateError::NotValidYet));
}

#[test]
fn an_extension_that_nobody_knows_is_refused_if_it_is_critical() {
    let scene = Scene::new();
    let unknown = |critical| {
        let mut params = leaf(METER);
        let mut extension = CustomExtension::from_oid_content(&[2, 999, 1], vec![0x05, 0x00]);
        extension.set_criticality(critical);
        params.custom_extensions = vec![extension];
        params
    };
    assert_eq!(scene.judged(&unknown(false)), Ok(()));
    let found = scene.judged(&unknown(true));
    refused_by_library(&found, &webpki::Error::UnsupportedCriticalExtension);
}

#[test]
fn a_certificate_below_an_authority_that_the_deployment_does_not_list_is_refused() {
    let (scene, between) = (Scene::new(), key());
    let params = authority("between");
    let above = scene.issue(&params, &between);
    let issuer = Issuer::new(params, &between);
    let certificate = leaf(METER).signed_by(&key(), &issuer).expect("a certificate");
    let found = scene.judge(&certificate, &[&above]);
    refused_by_library(&found, &webpki::Error::PathLenConstraintViolated);
}

#[test]
fn a_certificate_for_another_use_or_of_a_tre_is_refused() {
    let scene = Scene::new();
    let mut server = leaf(METER);
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let found = format!("{:?}", scene.judged(&server));
    assert!(found.contains("RequiredEkuNotFound"), "{found}");
    let found = scene.judged(&leaf("spiffe://grid.example/tre/tre-1"));
    assert_eq!(found, refused(CertificateError::NotValidForName));
}
