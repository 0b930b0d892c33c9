//! Attestation keys that are not what they must be.

use attest_verifier::core::ChainError;
use attest_verifier::core::key::KeyError;
use attest_verifier::core::measured_boot::tpm::AikRefusal;
use attest_verifier::core::quote::{QuoteSignatureError, StatementError};
use attest_verifier::core::refusal::Refusal;
use measured_boot::tpm::Name;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    SanType, SubjectPublicKeyInfo,
};
use tre_tests::domain::now;
use tre_wire::attestation::Evidence;
use tre_wire::hex::HexBytes;

use crate::attack::{Attack, Must, Outcome, refused_by};
use crate::impostor::{Impostor, SoftwareKey, forged, shown};
use crate::rogue::Seen;
use crate::stage::{Image, Stage};
use crate::tpm::{Hierarchy, RESTRICTED, UNRESTRICTED};

pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        name: "control-attackers-box",
        what: "the attacker's box, wholly certified, while it lies about nothing",
        must: Must::GetIn,
        mutant: None,
        play: |stage| {
            Impostor::with_image(stage, Image::Genuine)?.await_victim(stage, Impostor::honest)
        },
    },
    Attack {
        name: "aik-uncertified",
        what: "an attestation key that the attacker's own authority certified",
        must: refused_by!(Key(KeyError::Chain { cause: ChainError::Untrusted { .. } })),
        mutant: Some("aik-chain"),
        play: uncertified,
    },
    Attack {
        name: "aik-other",
        what: "another key of the box signs, in the name of the certified one",
        must: refused_by!(Signature(QuoteSignatureError::Invalid)),
        mutant: Some("quote-signature"),
        play: signed_by_another,
    },
    Attack {
        name: "aik-other-certificate",
        what: "another key under the certificate of the right one",
        must: refused_by!(Key(KeyError::CertificateKey { .. })),
        mutant: Some("aik-certificate-key"),
        play: certificate_of_another,
    },
    Attack {
        name: "aik-unrestricted",
        what: "a TPM's key that signs anything signs an honest boot; another image runs",
        must: refused_by!(Key(KeyError::Profile { cause: AikRefusal::AttributeMissing { .. } })),
        mutant: Some("aik-attributes"),
        play: unrestricted,
    },
    Attack {
        name: "aik-owner-hierarchy",
        what: "a restricted key under the owner hierarchy, whose boot counters are obfuscated",
        must: refused_by!(Statement(StatementError::Signer { .. })),
        mutant: Some("quote-signer"),
        play: |stage| {
            let (image, hierarchy) = (Image::Genuine, Hierarchy::Owner);
            let own = Impostor::with_key(stage, image, hierarchy, RESTRICTED)?;
            own.await_victim(stage, Impostor::honest)
        },
    },
];

/// A certificate that says the right things, by an authority that nobody trusts.
fn uncertified(stage: &Stage) -> anyhow::Result<Outcome> {
    let mut own = Impostor::with_image(stage, Image::Genuine)?;
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, "tre-1");
    let name = stage.identity("tre-1")?.to_string();
    params.subject_alt_names = vec![SanType::URI(name.as_str().try_into()?)];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Other(vec![2, 23, 133, 8, 3])];
    let key = SubjectPublicKeyInfo::from_der(&own.spki()?)?;
    let certificate = params.signed_by(&key, &authority)?;
    own.aik_chain = vec![HexBytes(certificate.der().to_vec())];
    own.await_victim(stage, Impostor::honest)
}

/// The certified key stands in the TPM of an honest box; the attacker has another one.
fn signed_by_another(stage: &Stage) -> anyhow::Result<Outcome> {
    let (own, other) = (Impostor::with_image(stage, Image::Modified)?, SoftwareKey::make()?);
    let values = stage.genuine_pcrs()?;
    let log = stage.log_of(Image::Genuine)?;
    own.await_victim(stage, move |own, seen| {
        let mut evidence = own.unquoted(now()?)?;
        (evidence.pcrs, evidence.event_log) = (shown(&values), HexBytes(log.clone()));
        let signer = own.key.public.name().qualified_in_endorsement_hierarchy();
        let attest = forged(&evidence, seen, signer, &values).encode();
        evidence.signature = other.sign(&attest)?;
        evidence.attest = HexBytes(attest);
        Ok(evidence)
    })
}

fn certificate_of_another(stage: &Stage) -> anyhow::Result<Outcome> {
    let (own, other) = (Impostor::with_image(stage, Image::Modified)?, SoftwareKey::make()?);
    let values = stage.genuine_pcrs()?;
    let log = stage.log_of(Image::Genuine)?;
    own.await_victim(stage, move |own, seen| {
        let mut evidence = own.unquoted(now()?)?;
        (evidence.pcrs, evidence.event_log) = (shown(&values), HexBytes(log.clone()));
        evidence.attestation_key = HexBytes(other.public.area().to_vec());
        let signer = other.public.name().qualified_in_endorsement_hierarchy();
        let attest = forged(&evidence, seen, signer, &values).encode();
        evidence.signature = other.sign(&attest)?;
        evidence.attest = HexBytes(attest);
        Ok(evidence)
    })
}

/// The TPM signs a quote that it did not make.
fn unrestricted(stage: &Stage) -> anyhow::Result<Outcome> {
    let (image, hierarchy) = (Image::Modified, Hierarchy::Endorsement);
    let own = Impostor::with_key(stage, image, hierarchy, UNRESTRICTED)?;
    let values = stage.genuine_pcrs()?;
    let log = stage.log_of(Image::Genuine)?;
    own.await_victim(stage, move |own: &Impostor, seen: &Seen| -> anyhow::Result<Evidence> {
        let mut evidence = own.unquoted(now()?)?;
        (evidence.pcrs, evidence.event_log) = (shown(&values), HexBytes(log.clone()));
        let signer: Name = own.key.public.name().qualified_in_endorsement_hierarchy();
        let attest = forged(&evidence, seen, signer, &values).encode();
        evidence.signature = HexBytes(own.tpm.sign_freely(&own.key, &attest)?);
        evidence.attest = HexBytes(attest);
        Ok(evidence)
    })
}
