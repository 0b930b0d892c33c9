//! Attackers before, between and behind genuine TREs.

use core::net::Ipv4Addr;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use attest_verifier::core::ChainError;
use attest_verifier::core::channel::ChannelError;
use attest_verifier::core::claim::ClaimError;
use attest_verifier::core::key::KeyError;
use attest_verifier::core::quote::BindingError;
use attest_verifier::core::refusal::Refusal;
use attest_verifier::{ConnectError, ElsewhereError, Method};
use rcgen::{CertificateParams, KeyPair, SanType};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tre_wire::attestation::{AttestationRequest, Evidence};
use tre_wire::hex::Hex32;
use tre_wire::json;

use crate::attack::{Attack, Must, Outcome, refused_by};
use crate::impostor::{Impostor, certified, certified_face};
use crate::resume;
use crate::rogue::{Face, Seen, wait};
use crate::stage::{Image, Stage, Which};

pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        name: "control-genuine",
        what: "nobody: a genuine TRE is spoken to",
        must: Must::GetIn,
        mutant: None,
        play: |stage| stage.visit(&stage.genuine(Which::AskedFor)?.address(), None),
    },
    Attack {
        name: "relay",
        what: "a relay with a key of its own puts the nonce to the genuine TRE behind it",
        must: refused_by!(Channel(ChannelError::Chain { cause: ChainError::SelfIssued })),
        mutant: None,
        play: |stage| relay(stage, own_face(stage)?, Which::AskedFor),
    },
    Attack {
        name: "relay-certified",
        what: "the same relay, its key wrongly certified as the TRE's",
        must: refused_by!(Binding(BindingError::QualifyingData { .. })),
        mutant: Some("quote-binding"),
        play: |stage| relay(stage, certified_face(stage, "tre-1")?, Which::AskedFor),
    },
    Attack {
        name: "other-tre",
        what: "TRE 2, as genuine, answers for TRE 1",
        must: refused_by!(Claim(ClaimError::TreId { .. })),
        mutant: None,
        play: |stage| stage.visit(&stage.genuine(Which::Other)?.address(), None),
    },
    Attack {
        name: "other-tre-renamed",
        what: "a relay, wrongly certified as TRE 1, has TRE 2 answer and writes TRE 1 over it",
        must: refused_by!(Key(KeyError::Identity { .. })),
        mutant: None,
        play: |stage| relay(stage, certified_face(stage, "tre-1")?, Which::Other),
    },
    Attack {
        name: "other-tre-key",
        what: "TRE 2's operator, its TLS key wrongly certified as TRE 1's, quotes with TRE 2's key",
        must: refused_by!(Key(KeyError::Identity { .. })),
        mutant: Some("aik-identity"),
        play: |stage| {
            let mut own = Impostor::with_image(stage, Image::Genuine)?;
            own.aik_chain = certified(stage, "tre-2", &own.key.public)?;
            own.await_victim(stage, Impostor::honest)
        },
    },
    Attack {
        name: "other-tre-connection",
        what: "TRE 1's former operator shows TRE 2's TLS certificate",
        must: refused_by!(Channel(ChannelError::Identity { .. })),
        mutant: None,
        play: |stage| {
            let mut own = Impostor::with_image(stage, Image::Genuine)?;
            own.tls_name = "tre-2";
            own.await_victim(stage, Impostor::honest)
        },
    },
    Attack {
        name: "switch",
        what: "the first connection goes to the genuine TRE, the one with a certificate elsewhere",
        must: refused_by!(Connect(ConnectError::Elsewhere {
            source: ElsewhereError::Key { .. },
            ..
        })),
        mutant: Some("server-key-in-handshake"),
        play: switch,
    },
    Attack {
        name: "resumed",
        what: "a TLS session that was attested is resumed, to speak in it without evidence",
        must: Must::FindNothing { found: resume::NO_TICKET },
        mutant: Some("tls-resumption"),
        play: |stage| resume::play(stage),
    },
    Attack {
        name: "image-replaced",
        what: "a genuine, enrolled box is booted with a modified image",
        must: refused_by!(Claim(ClaimError::State { .. })),
        mutant: None,
        play: image_replaced,
    },
];

/// A key of the attacker's that calls itself `tre-1` and that nobody certified.
fn own_face(stage: &Stage) -> Result<Face> {
    let key = KeyPair::generate().context("making a key")?;
    let mut params = CertificateParams::default();
    let name = stage.identity("tre-1")?.to_string();
    params.subject_alt_names = vec![SanType::URI(name.as_str().try_into()?)];
    let certificate = params.self_signed(&key).context("a certificate of one's own")?;
    Ok(Face { chain: vec![certificate.der().clone()], key })
}

/// A relay: the victim's nonce, put on a connection of the relay's own.
fn relay(stage: &Stage, face: Face, behind: Which) -> Result<Outcome> {
    let address = stage.genuine(behind)?.address();
    let answer = move |seen: &Seen| {
        let mut evidence = wait(ask(&address, seen.nonce))?;
        "tre-1".clone_into(&mut evidence.tre_id);
        Ok(evidence)
    };
    let rogue = stage.listen(face, Arc::new(answer))?;
    stage.visit(&rogue.address, Some(&rogue.heard))
}

/// Has a genuine TRE answer this nonce.
async fn ask(address: &str, nonce: [u8; 32]) -> Result<Evidence> {
    let mut connection = attest_verifier::AnyKeyConnection::open(address, None).await?;
    let request = json::encode(&AttestationRequest { nonce: Hex32(nonce) })?;
    let path = "/v1/attestation";
    let response = connection.request(Method::POST, path, Some(request)).await?;
    Ok(json::decode_at_most(&response.body, response.body.len())?)
}

/// Passes the first connection through and takes the second, with a box that is certified.
fn switch(stage: &Stage) -> Result<Outcome> {
    let own = Impostor::with_image(stage, Image::Genuine)?;
    let face = certified_face(stage, "tre-1")?;
    let rogue = stage.listen(face, Arc::new(move |seen: &Seen| own.honest(seen)))?;
    let (first, second) = (stage.genuine(Which::AskedFor)?.address(), rogue.address.clone());
    let listener = stage.runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    let address = listener.local_addr()?.to_string();
    let task = stage.runtime.spawn(async move {
        let count = AtomicUsize::new(0);
        while let Ok((mut victim, _)) = listener.accept().await {
            let nth = count.fetch_add(1, Ordering::Relaxed);
            let Ok(mut to) = TcpStream::connect(if nth == 0 { &first } else { &second }).await
            else {
                return;
            };
            // How a connection ends says nothing.
            tokio::spawn(async move { drop(copy_bidirectional(&mut victim, &mut to).await) });
        }
    });
    let outcome = stage.visit(&address, Some(&rogue.heard));
    task.abort();
    outcome
}

/// The box's own sealed keys stay closed under another image.
fn image_replaced(stage: &Stage) -> Result<Outcome> {
    let genuine = stage.make_genuine("replaced", "tre-3")?;
    let other = stage.boot_again(genuine, &stage.log_of(Image::Modified)?)?;
    stage.visit(&other.address(), None)
}
