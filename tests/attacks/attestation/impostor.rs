//! The attacker's own box: a TPM that measured what an attack needs, keys, and certificates that
//! the TRE authority gave for them, because it was deceived or because the box was once honest.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use measured_boot::digest::Sha256Digest;
use measured_boot::pcr::{PcrSelection, PcrValues};
use measured_boot::tpm::{
    AikPublic, ClockInfo, EcdsaSignature, FirmwareVersion, Name, ObjectAttributes, P256Point,
    Public, PublicKey, Quote,
};
use pki::authority::Profile;
use rcgen::{KeyPair, PublicKeyData as _, SubjectPublicKeyInfo};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use rustls::pki_types::CertificateDer;
use tre_tests::domain::now;
use tre_wire::attestation::{Evidence, Leaf, Path};
use tre_wire::hex::{Hex32, HexBytes};
use tre_wire::message::StartState;
use tre_wire::units::UnixMillis;

use crate::attack::Outcome;
use crate::rogue::{Face, Seen};
use crate::stage::{Image, Stage, Which};
use crate::tpm::{AttackersTpm, Hierarchy, RESTRICTED, TpmKey};

/// The box.
#[derive(Debug)]
pub(crate) struct Impostor {
    pub(crate) tpm: Arc<AttackersTpm>,
    /// The log of its boot.
    pub(crate) log: Vec<u8>,
    /// Its attestation key.
    pub(crate) key: TpmKey,
    /// Certificates of that key.
    pub(crate) aik_chain: Vec<HexBytes>,
    /// The TRE that its TLS certificate names.
    pub(crate) tls_name: &'static str,
    /// The TRE that it says it is.
    pub(crate) said_name: &'static str,
}

/// A key pair outside any TPM that claims to be an attestation key.
#[derive(Debug)]
pub(crate) struct SoftwareKey {
    key: KeyPair,
    pub(crate) public: Public,
}

impl Impostor {
    /// A box with a key that is as it must be, and every certificate.
    pub(crate) fn with_image(stage: &Stage, image: Image) -> Result<Self> {
        Self::with_key(stage, image, Hierarchy::Endorsement, RESTRICTED)
    }

    /// The same with a key of these attributes.
    pub(crate) fn with_key(
        stage: &Stage,
        image: Image,
        hierarchy: Hierarchy,
        attributes: &str,
    ) -> Result<Self> {
        let (tpm, log) = (stage.attackers_tpm(image)?, stage.log_of(image)?);
        let key = tpm.key(hierarchy, attributes)?;
        let name = Which::AskedFor.name();
        let aik_chain = certified(stage, name, &key.public)?;
        Ok(Self { tpm, log, key, aik_chain, tls_name: name, said_name: name })
    }

    /// Evidence that lies about nothing.
    pub(crate) fn honest(&self, seen: &Seen) -> Result<Evidence> {
        self.quoted(seen, now()?, "sha256:all")
    }

    /// Evidence of this time with a quote over `selection`, as the tools name it.
    pub(crate) fn quoted(
        &self,
        seen: &Seen,
        time: UnixMillis,
        selection: &str,
    ) -> Result<Evidence> {
        let mut evidence = self.unquoted(time)?;
        let (attest, signature) =
            self.tpm.quote(&self.key, selection, &qualifying(&evidence, seen))?;
        (evidence.attest, evidence.signature) = (HexBytes(attest), HexBytes(signature));
        Ok(evidence)
    }

    /// Evidence of this time without its quote.
    pub(crate) fn unquoted(&self, time: UnixMillis) -> Result<Evidence> {
        Ok(Evidence {
            format: 1,
            state: StartState::Serving,
            tre_id: self.said_name.to_owned(),
            state_epoch: 0,
            time,
            attest: HexBytes::default(),
            signature: HexBytes::default(),
            attestation_key: HexBytes(self.key.public.area().to_vec()),
            attestation_key_chain: self.aik_chain.clone(),
            pcrs: shown(self.tpm.pcrs()),
            event_log: HexBytes(self.log.clone()),
            path: Path::alone(),
        })
    }

    /// Its attestation key as a certificate names it.
    pub(crate) fn spki(&self) -> Result<Vec<u8>> {
        spki(&self.key.public)
    }

    /// Listens as `tre-1`, answers with `answer`, and lets the victim come.
    pub(crate) fn await_victim(
        self,
        stage: &Stage,
        answer: impl Fn(&Self, &Seen) -> Result<Evidence> + Send + Sync + 'static,
    ) -> Result<Outcome> {
        let face = certified_face(stage, self.tls_name)?;
        let rogue = stage.listen(face, Arc::new(move |seen: &Seen| answer(&self, seen)))?;
        stage.visit(&rogue.address, Some(&rogue.heard))
    }

    /// The same with a key outside the TPM, of which the authority believed that it is inside.
    pub(crate) fn await_victim_with_software_key(
        self,
        stage: &Stage,
        answer: impl Fn(&Self, &SoftwareKey, &Seen) -> Result<Evidence> + Send + Sync + 'static,
    ) -> Result<Outcome> {
        let key = SoftwareKey::make()?;
        let aik_chain = certified(stage, Which::AskedFor.name(), &key.public)?;
        self.await_victim(stage, move |own, seen| {
            let mut evidence = answer(own, &key, seen)?;
            evidence.attestation_key = HexBytes(key.public.area().to_vec());
            evidence.attestation_key_chain.clone_from(&aik_chain);
            Ok(evidence)
        })
    }
}

impl SoftwareKey {
    /// A new key, and the public area that an honest one would have.
    pub(crate) fn make() -> Result<Self> {
        let key = KeyPair::generate().context("making a key")?;
        let point = P256Point::from_spki_der(&key.subject_public_key_info())?;
        let attributes = ObjectAttributes::of(&AikPublic::REQUIRED);
        Ok(Self { public: Public::p256_signing(attributes, point), key })
    }

    /// A `TPMT_SIGNATURE` over anything.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<HexBytes> {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, self.key.serialized_der(), &random);
        let pair = pair.ok().context("reading a key back")?;
        let signature = pair.sign(&random, message).ok().context("signing")?;
        let (r, s) = signature.as_ref().split_at(32);
        Ok(HexBytes(EcdsaSignature { r: r.try_into()?, s: s.try_into()? }.encode()))
    }
}

/// A TLS key with a certificate of the TRE authority for this name.
pub(crate) fn certified_face(stage: &Stage, name: &str) -> Result<Face> {
    let key = KeyPair::generate().context("making a key")?;
    let chain = stage.certify(Profile::TreServer, name, &key)?;
    Ok(Face { key, chain })
}

/// Certificates of the TRE authority for an attestation key.
pub(crate) fn certified(stage: &Stage, name: &str, key: &Public) -> Result<Vec<HexBytes>> {
    let spki = SubjectPublicKeyInfo::from_der(&spki(key)?).context("a public key")?;
    let chain = stage.certify(Profile::AttestationKey, name, &spki)?;
    Ok(chain.iter().map(|der: &CertificateDer<'_>| HexBytes(der.to_vec())).collect())
}

fn spki(key: &Public) -> Result<Vec<u8>> {
    let PublicKey::P256 { point, .. } = key.key() else { bail!("expected a P-256 key") };
    Ok(point.to_spki_der().to_vec())
}

/// What a quote for this connection must answer.
pub(crate) fn qualifying(evidence: &Evidence, seen: &Seen) -> [u8; 32] {
    let leaf = Leaf {
        nonce: seen.nonce,
        exporter: seen.exporter,
        server_key: seen.server_key.0,
        client_key: seen.client_key.0,
        tre_id: &evidence.tre_id,
        state_epoch: evidence.state_epoch,
        time: evidence.time,
    };
    leaf.hash()
}

/// A quote that nobody's TPM made, over these values, with the right answer in it.
pub(crate) fn forged(evidence: &Evidence, seen: &Seen, signer: Name, values: &PcrValues) -> Quote {
    Quote {
        qualified_signer: signer,
        extra_data: qualifying(evidence, seen),
        clock: ClockInfo { clock_ms: 60_000, reset_count: 1, restart_count: 0, safe: true },
        firmware_version: FirmwareVersion(1),
        selection: PcrSelection::ALL,
        pcr_digest: values.quoted_digest(PcrSelection::ALL),
    }
}

/// PCR values as evidence shows them.
pub(crate) fn shown(values: &PcrValues) -> Vec<Hex32> {
    values.as_array().iter().map(|Sha256Digest(value)| Hex32(*value)).collect()
}
