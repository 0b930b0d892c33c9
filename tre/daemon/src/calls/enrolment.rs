//! Enrolment of a new box, by an operator, in one connection: begin, activate, complete.
//!
//! Nothing is written before `complete` has checked every certificate and the signed record
//! against the deployment's own authorities: a stranger cannot enrol the box into another domain.
//!
//! Then, in this order: the storage key becomes persistent, the secrets are sealed, the record goes
//! to the disk, the owner hierarchy is closed. A power cut before the record leaves a new box and
//! at most a persistent key, which the next enrolment finds; after it, an enrolled one, which
//! closes the hierarchy at its next start. The other way round the authorization could be lost.

use measured_boot::tpm::{AikPublic, CredentialError, EncryptedSecret, IdObject};
use rustls::pki_types::{CertificateDer, UnixTime};
use thiserror::Error;
use tre_wire::deployment::Deployment;
use tre_wire::document;
use tre_wire::hex::HexBytes;
use tre_wire::id::PeerId;
use tre_wire::message::StartState;
use tre_wire::message::enrolment::{
    ActivateCredential, ActivatedCredential, BeginEnrolment, CompleteEnrolment, EnrolmentDone,
    EnrolmentKeys, ProvenKey,
};
use tre_wire::problem::{Problem, ProblemType};
use tre_wire::role::{Identity, Role};
use tre_wire::{bounds, hex};
use webpki::{EndEntityCert, KeyUsage};

use super::attestation::unavailable;
use crate::enrolled::{Enrolled, Enrolling, Secrets};
use crate::front;
use crate::http::{Answer, Call, answer, problem};
use crate::keys::{Keys, PrivateKey};
use crate::peer::{Peer, sha256};
use crate::record::KeyNames;
use crate::shared::Shared;
use crate::standing::{LockReason, Standing};
use crate::tls;

/// An enrolment between `begin` and `complete`.
#[derive(Debug)]
pub(crate) struct Pending {
    tre_id: PeerId,
    keys: Keys,
    names: KeyNames,
    /// The connection in which it began; the other calls must come in the same.
    exporter: [u8; 32],
    /// Whether this TPM has recovered a credential's secret.
    activated: bool,
}

/// Why a call is not the next one of the enrolment under way.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
enum OutOfTurn {
    /// Nothing has begun, anywhere.
    #[error(
        "expected `begin` before, in this very connection; no enrolment of this box is under way"
    )]
    NotBegun,
    /// Another connection began: what was said there is said again here.
    #[error(
        "expected a call of an enrolment that began in this connection, found one replayed from \
         elsewhere: the enrolment under way began in another connection"
    )]
    Replayed,
    /// This connection began, and another later.
    #[error(
        "expected the enrolment that began last; the one of this connection was overtaken by another \
         that began later: find out which desk that is, then begin again"
    )]
    Overtaken,
    /// Certificates before any proof.
    #[error("expected `activate` before, in this very connection")]
    NotActivated,
    /// A second credential for what is proven.
    #[error("expected `complete` next, found `activate` again: this enrolment's keys are proven")]
    ActivatedAgain,
}

/// Why a chain is not the certificate of a key of this box.
#[derive(Debug, Error)]
enum ChainRefusal {
    /// No certificate, or more than a chain has.
    #[error("expected 1 to {most} certificates for the {key} key, found {found}", most = bounds::CHAIN)]
    Length { key: &'static str, found: usize },
    /// Does not lead to a TRE authority of the deployment, or is for another use.
    #[error("certificate of the {key} key: {cause}")]
    Chain { key: &'static str, cause: webpki::Error },
    /// Certifies another key.
    #[error("expected a certificate for the {key} key with hash {expected}, found {found}")]
    Key { key: &'static str, expected: String, found: String },
    /// Certifies another name.
    #[error("expected the {key} key certified as {expected}")]
    Name { key: &'static str, expected: Identity },
}

/// `POST /v1/enrolment/begin`
pub(crate) async fn begin(shared: &Shared, peer: &Peer, call: &Call) -> Result<Answer, Problem> {
    call.no_parameter()?;
    let BeginEnrolment { tre_id } = call.message()?;
    let keys = Keys::generate().map_err(internal)?;
    let endorsement = shared.tpm.run(|tpm| tpm.endorsement()).await.map_err(unavailable)?;
    let endorsement = endorsement.map_err(internal)?;
    let storage_key = shared.tpm.run(|tpm| tpm.storage_key()).await.map_err(unavailable)?;
    let storage_key = storage_key.map_err(internal)?;
    let attestation_key = &shared.measured.attestation_key;
    let names = KeyNames { attestation: attestation_key.name(), storage: storage_key.name() };
    let proven = |key: &PrivateKey| -> Result<ProvenKey, Problem> {
        let spki = key.spki().map_err(internal)?;
        let proof = key.sign(&document::key_proof(&peer.exporter, tre_id.as_str(), &spki));
        Ok(ProvenKey { spki: HexBytes(spki), proof: HexBytes(proof.map_err(internal)?) })
    };
    let certificates = endorsement.certificates.into_iter();
    let offered = EnrolmentKeys {
        endorsement_certificates: certificates
            .map(|certificate| HexBytes(certificate.der))
            .collect(),
        endorsement_key: HexBytes(endorsement.key),
        attestation_key: HexBytes(attestation_key.area().to_vec()),
        storage_key: HexBytes(storage_key.area().to_vec()),
        tls: proven(&keys.tls)?,
        document: proven(&keys.document)?,
    };
    if shared.standing.borrow().state() != StartState::New {
        return Err(enrolled_meanwhile());
    }
    let exporter = peer.exporter;
    peer.began.set(true);
    *shared.pending.borrow_mut() =
        Some(Pending { tre_id, keys, names, exporter, activated: false });
    answer(&offered)
}

/// `POST /v1/enrolment/activate`
pub(crate) async fn activate(shared: &Shared, peer: &Peer, call: &Call) -> Result<Answer, Problem> {
    call.no_parameter()?;
    with_pending(shared, peer, Pending::check_not_activated)?;
    let ActivateCredential { id_object, encrypted_secret } = call.message()?;
    let malformed =
        |error: CredentialError| Problem::new(ProblemType::Malformed, error.to_string());
    let id_object = IdObject::parse(id_object.as_slice()).map_err(malformed)?;
    let encrypted_secret =
        EncryptedSecret::parse(encrypted_secret.as_slice()).map_err(malformed)?;
    let activated = shared
        .tpm
        .run(move |tpm| tpm.activate_credential(&id_object, &encrypted_secret))
        .await
        .map_err(unavailable)?;
    let refused =
        |error: tre_tpm::ActivateError| Problem::new(ProblemType::OutOfBounds, error.to_string());
    let secret = HexBytes(activated.map_err(refused)?.to_vec());
    with_pending(shared, peer, |pending| {
        pending.activated = true;
        Ok(())
    })?;
    answer(&ActivatedCredential { secret })
}

/// `POST /v1/enrolment/complete`
pub(crate) async fn complete(shared: &Shared, peer: &Peer, call: &Call) -> Result<Answer, Problem> {
    call.no_parameter()?;
    let chains: CompleteEnrolment = call.message()?;
    let deployment = shared.deployment.as_ref();
    let deployment = deployment.ok_or_else(|| internal("no deployment in state new"))?;
    with_pending(shared, peer, |pending| {
        pending.check_activated()?;
        check(shared, deployment, pending, &chains)
    })?;
    // Everything is checked, and nothing else ran since: the enrolment is this connection's.
    let Some(Pending { tre_id, keys, names, .. }) = shared.pending.borrow_mut().take() else {
        return Err(out_of_turn(OutOfTurn::NotBegun));
    };
    let policy = shared.seal_policy;
    let enrolling = Enrolling { tre_id, names, chains, keys };
    let sealed = shared.tpm.run(move |tpm| Enrolled::seal(tpm, &policy, enrolling));
    let (enrolled, secrets, status) = sealed.await.map_err(unavailable)?.map_err(internal)?;
    let bytes = enrolled.to_bytes().map_err(internal)?;
    let front = front::enrolled(shared, &enrolled, &secrets.keys).map_err(internal)?;
    if shared.standing.borrow().state() != StartState::New {
        return Err(enrolled_meanwhile());
    }
    shared.status.borrow_mut().begin(status).map_err(internal)?;
    shared.region.borrow_mut().write(&bytes).map_err(internal)?;
    // From here on the box is enrolled, and no answer may say otherwise.
    let reason = LockReason::Owning;
    *shared.standing.borrow_mut() =
        Standing::Locked { enrolled: Some(Box::new(enrolled.clone())), reason };
    let Secrets { owner, keys } = secrets;
    let owned = shared.tpm.run(move |tpm| tpm.take_ownership(&owner)).await;
    let unowned = match owned {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(error) => Some(error.to_string()),
    };
    if let Some(reason) = unowned {
        crate::log::line(&format!("enrolled; locked until the next start: {reason}"));
        return answer(&EnrolmentDone { state: StartState::Locked });
    }
    *shared.standing.borrow_mut() = Standing::Serving(Box::new(enrolled), keys);
    // New connections show the certified key; this one ends after its answer.
    shared.front.send_replace(front);
    crate::log::line("enrolled; now serving");
    answer(&EnrolmentDone { state: StartState::Serving })
}

/// The enrolment under way, if it began in this connection.
fn with_pending<T>(
    shared: &Shared,
    peer: &Peer,
    work: impl FnOnce(&mut Pending) -> Result<T, Problem>,
) -> Result<T, Problem> {
    let mut pending = shared.pending.borrow_mut();
    work(begun_in(&mut pending, &peer.exporter, peer.began.get()).map_err(out_of_turn)?)
}

/// The same, for the connection with this exporter, which `began` an enrolment before or did not.
fn begun_in<'p>(
    pending: &'p mut Option<Pending>,
    exporter: &[u8; 32],
    began: bool,
) -> Result<&'p mut Pending, OutOfTurn> {
    match pending.as_mut() {
        Some(pending) if pending.exporter == *exporter => Ok(pending),
        Some(_) if began => Err(OutOfTurn::Overtaken),
        Some(_) => Err(OutOfTurn::Replayed),
        None => Err(OutOfTurn::NotBegun),
    }
}

impl Pending {
    /// Refuses to go on before this TPM has recovered a secret.
    fn check_activated(&self) -> Result<(), Problem> {
        if self.activated { Ok(()) } else { Err(out_of_turn(OutOfTurn::NotActivated)) }
    }

    /// Refuses another activation once the keys are proven.
    fn check_not_activated(&mut self) -> Result<(), Problem> {
        if self.activated { Err(out_of_turn(OutOfTurn::ActivatedAgain)) } else { Ok(()) }
    }
}

fn out_of_turn(refusal: OutOfTurn) -> Problem {
    Problem::new(ProblemType::Conflict, refusal.to_string())
}

fn enrolled_meanwhile() -> Problem {
    problem(ProblemType::Conflict, "this box has been enrolled meanwhile")
}

/// Checks all three chains, and the signature over the record.
fn check(
    shared: &Shared,
    deployment: &Deployment,
    pending: &Pending,
    chains: &CompleteEnrolment,
) -> Result<(), Problem> {
    let CompleteEnrolment { attestation_key_chain, tls_chain, document_chain, .. } = chains;
    let three = [attestation_key_chain, tls_chain, document_chain].map(Vec::as_slice);
    check_chains(shared, deployment, (&pending.tre_id, &pending.keys), three)?;
    let signature = chains.record_signature.as_slice();
    let record = pending.names.check(&pending.tre_id, deployment, signature);
    record.map_err(|refusal| Problem::new(ProblemType::OutOfBounds, refusal.to_string()))?;
    Ok(())
}

/// Checks that the chains of attestation, TLS and document key certify this box's keys as `tre_id`,
/// now.
pub(super) fn check_chains(
    shared: &Shared,
    deployment: &Deployment,
    (tre_id, keys): (&PeerId, &Keys),
    [attestation_key_chain, tls_chain, document_chain]: [&[HexBytes]; 3],
) -> Result<(), Problem> {
    let own = Identity {
        trust_domain: deployment.trust_domain.clone(),
        role: Role::Tre,
        id: tre_id.clone(),
    };
    let attestation_key = AikPublic::check(&shared.measured.attestation_key).map_err(internal)?;
    let attestation_key = attestation_key.point().to_spki_der().to_vec();
    let tls_key = keys.tls.spki().map_err(internal)?;
    let document_key = keys.document.spki().map_err(internal)?;
    let refused =
        |refusal: ChainRefusal| Problem::new(ProblemType::OutOfBounds, refusal.to_string());
    let now = core::time::Duration::from_millis(shared.clock.for_certificates().get());
    let now = UnixTime::since_unix_epoch(now);
    for (key, chain, spki, usage) in [
        ("attestation", attestation_key_chain, attestation_key, attestation_key_usage()),
        ("TLS", tls_chain, tls_key, KeyUsage::server_auth()),
        ("document", document_chain, document_key, document_key_usage()),
    ] {
        check_chain(key, chain, &spki, usage, deployment, &own, now).map_err(refused)?;
    }
    Ok(())
}

fn check_chain(
    key: &'static str,
    chain: &[HexBytes],
    spki: &[u8],
    usage: KeyUsage,
    deployment: &Deployment,
    own: &Identity,
    now: UnixTime,
) -> Result<(), ChainRefusal> {
    let length = ChainRefusal::Length { key, found: chain.len() };
    let ders: Vec<CertificateDer<'_>> =
        chain.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
    let Some((leaf, above)) = ders.split_first() else { return Err(length) };
    if ders.len() > bounds::CHAIN {
        return Err(length);
    }
    let broken = |cause| ChainRefusal::Chain { key, cause };
    let anchors = tls::anchors(&deployment.tre_authorities).map_err(broken)?;
    let certificate = EndEntityCert::try_from(leaf).map_err(broken)?;
    let provider = rustls::crypto::ring::default_provider();
    let algorithms = provider.signature_verification_algorithms.all;
    certificate
        .verify_for_usage(algorithms, &anchors, above, now, usage, None, Some(&tls::direct))
        .map_err(broken)?;
    let found = certificate.subject_public_key_info();
    if found.as_ref() != spki {
        let (expected, found) = (hex::encode(&sha256(spki)), hex::encode(&sha256(&found)));
        return Err(ChainRefusal::Key { key, expected, found });
    }
    match tls::identity_of(&certificate, &own.trust_domain) {
        Ok(name) if name == *own => Ok(()),
        Ok(_) | Err(_) => Err(ChainRefusal::Name { key, expected: own.clone() }),
    }
}

/// tcg-kp-AIKCertificate, 2.23.133.8.3. `[AKP]`
fn attestation_key_usage() -> KeyUsage {
    KeyUsage::required(&[0x67, 0x81, 0x05, 0x08, 0x03])
}

/// id-kp-documentSigning, 1.3.6.1.5.5.7.3.36. `[RFC 9336]`
fn document_key_usage() -> KeyUsage {
    KeyUsage::required(&[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x24])
}

fn internal(error: impl core::fmt::Display) -> Problem {
    Problem::new(ProblemType::Internal, error.to_string())
}

#[cfg(test)]
mod tests;
