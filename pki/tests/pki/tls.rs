//! Mutual TLS with certificates of the domain, in memory, as rustls sees it.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use pki::authority::Profile;
use pki::issue::Credential;
use rcgen::KeyPair;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore, ServerConfig,
    ServerConnection, SignatureScheme,
};
use tre_wire::role::Role;
use webpki::{EndEntityCert, KeyUsage};

use crate::fixture::{self, FreshDomain, ROLES, certified, issued};

/// A server key certified as a TRE's, as enrolment does it.
fn tre_server(fresh: &FreshDomain, id: &str) -> (KeyPair, Vec<CertificateDer<'static>>) {
    let (key, leaf) = certified(fresh, Profile::TreServer, id);
    let authority = fresh.domain.tre_authority().expect("an authority");
    (key, vec![leaf, authority.certificate().clone()])
}

/// What every client of a TRE checks: issued by the TRE authority for serverAuth, for this URI.
#[derive(Debug)]
struct TreVerifier {
    authority: CertificateDer<'static>,
    uri: String,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for TreVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let refused = |_| Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let anchor = webpki::anchor_from_trusted_cert(&self.authority).map_err(refused)?;
        let leaf = EndEntityCert::try_from(leaf).map_err(refused)?;
        let usage = KeyUsage::required(&[0x2b, 6, 1, 5, 5, 7, 3, 1]);
        let algorithms = self.provider.signature_verification_algorithms.all;
        leaf.verify_for_usage(algorithms, &[anchor], others, now, usage, None, None)
            .map_err(refused)?;
        let named = leaf.valid_uri_names().eq([self.uri.as_str()]);
        let other_name =
            Error::InvalidCertificate(rustls::CertificateError::ApplicationVerificationFailure);
        if named { Ok(ServerCertVerified::assertion()) } else { Err(other_name) }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General(String::from("TLS 1.3 only")))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// A mutual handshake in memory, and one byte each way.
fn handshake(
    (server_key, server_chain): (KeyPair, Vec<CertificateDer<'static>>),
    client: &Credential,
    fresh: &FreshDomain,
    uri: &str,
) -> Result<(), Error> {
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    let grid = fresh.domain.grid_authority().expect("an authority");
    roots.add(grid.certificate().clone()).expect("an anchor");
    let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
    let server_key = PrivateKeyDer::try_from(server_key.serialize_der()).expect("a key");
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_client_cert_verifier(clients.build().expect("anchors"))
        .with_single_cert(server_chain, server_key)
        .expect("a pair");
    let tre = fresh.domain.tre_authority().expect("an authority").certificate().clone();
    let pem = client.to_pem();
    let chain = CertificateDer::pem_slice_iter(pem.as_bytes()).map(|one| one.expect("readable"));
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).expect("a key");
    let verifier = TreVerifier { authority: tre, uri: String::from(uri), provider };
    let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_auth_cert(chain.collect(), key)
        .expect("a pair");
    let name = ServerName::try_from("tre.invalid").expect("a name");
    let mut client = ClientConnection::new(client.into(), name).expect("a client");
    let mut server = ServerConnection::new(server.into()).expect("a server");
    client.writer().write_all(b"?").expect("buffered");
    server.writer().write_all(b"!").expect("buffered");
    for _ in 0..8 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).expect("to memory");
        }
        let mut wire = wire.as_slice();
        while !wire.is_empty() {
            server.read_tls(&mut wire).expect("from memory");
            server.process_new_packets()?;
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).expect("to memory");
        }
        let mut wire = wire.as_slice();
        while !wire.is_empty() {
            client.read_tls(&mut wire).expect("from memory");
            client.process_new_packets()?;
        }
    }
    let mut byte = [0];
    server.reader().read_exact(&mut byte).expect("a byte from the client");
    assert_eq!(&byte, b"?");
    client.reader().read_exact(&mut byte).expect("a byte from the server");
    assert_eq!(&byte, b"!");
    Ok(())
}

#[test]
fn rustls_completes_mutual_tls_for_every_role() {
    let fresh = fixture::domain();
    for role in ROLES {
        let client = issued(&fresh, role, "name-1");
        let uri = "spiffe://grid.example/tre/tre-1";
        handshake(tre_server(&fresh, "tre-1"), &client, &fresh, uri).expect("mutual TLS");
    }
}

#[test]
fn rustls_refuses_a_role_of_another_domain_of_the_same_name() {
    let (fresh, stranger) = (fixture::domain(), fixture::domain());
    let client = issued(&stranger, Role::Meter, "m");
    let uri = "spiffe://grid.example/tre/tre-1";
    let refused = handshake(tre_server(&fresh, "tre-1"), &client, &fresh, uri);
    assert!(matches!(refused, Err(Error::InvalidCertificate(_))), "{refused:?}");
}

#[test]
fn a_role_certificate_cannot_serve_and_a_document_key_cannot_either() {
    let fresh = fixture::domain();
    let client = issued(&fresh, Role::Meter, "m");
    let uri = "spiffe://grid.example/tre/tre-1";
    let (key, leaf) = certified(&fresh, Profile::DocumentKey, "tre-1");
    let refused = handshake((key, vec![leaf]), &client, &fresh, uri);
    assert!(matches!(refused, Err(Error::InvalidCertificate(_))), "{refused:?}");
    let impostor = issued(&fresh, Role::Operator, "o");
    let pem = impostor.to_pem();
    let key = KeyPair::from_pem(pem.split("-----BEGIN CERT").next().expect("a key"));
    let key = key.expect("a key");
    let refused = handshake((key, impostor.chain().to_vec()), &client, &fresh, uri);
    assert!(matches!(refused, Err(Error::InvalidCertificate(_))), "{refused:?}");
}
