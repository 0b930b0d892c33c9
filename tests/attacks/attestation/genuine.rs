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
use tre_wire::message::StartState;

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
        what: "a relay, its key wrongly certified, puts the nonce to the genuine TRE behind it",
        must: refused_by!(Binding(BindingError::QualifyingData { .. })),
        mutant: Some("quote-binding"),
        play: relay,
    },
    Attack {
        name: "server-uncertified",
        what: "a box with every certificate but one of the key that it shows in the handshake",
        must: refused_by!(Channel(ChannelError::Chain { cause: ChainError::SelfIssued })),
        mutant: Some("tls-chain"),
        play: |stage| {
            let own = Impostor::with_image(stage, Image::Genuine)?;
            let answer = move |seen: &Seen| own.honest(seen);
            let rogue = stage.listen(own_face(stage)?, Arc::new(answer))?;
            stage.visit(&rogue.address, Some(&rogue.heard))
        },
    },
    Attack {
        name: "other-tre",
        what: "TRE 2, as genuine, answers for TRE 1",
        must: refused_by!(Claim(ClaimError::TreId { .. })),
        mutant: Some("asked-for"),
        play: |stage| stage.visit(&stage.genuine(Which::Other)?.address(), None),
    },
    Attack {
        name: "other-tre-name",
        what: "a box with every certificate of TRE 1 says, and has quoted, that it is TRE 2",
        must: refused_by!(Claim(ClaimError::TreId { .. })),
        mutant: Some("claim-tre-id"),
        play: |stage| {
            let mut own = Impostor::with_image(stage, Image::Genuine)?;
            own.said_name = "tre-2";
            own.await_victim(stage, Impostor::honest)
        },
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
        mutant: Some("tls-identity"),
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
        name: "locked",
        what: "a locked box that has every certificate of a TRE all the same",
        must: refused_by!(Claim(ClaimError::State { .. })),
        mutant: Some("claim-state"),
        play: |stage| {
            let own = Impostor::with_image(stage, Image::Genuine)?;
            own.await_victim(stage, |own, seen| {
                Ok(Evidence { state: StartState::Locked, ..own.honest(seen)? })
            })
        },
    },
    Attack {
        name: "image-replaced",
        what: "a genuine, enrolled box is booted with a modified image, to use its keys there",
        must: Must::FindNothing { found: KEYS_STAY_SEALED },
        mutant: Some("seal-image"),
        play: image_replaced,
    },
];

/// What another image finds on an enrolled box.
const KEYS_STAY_SEALED: &str = "a locked box: its keys stay sealed";

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
fn relay(stage: &Stage) -> Result<Outcome> {
    let address = stage.genuine(Which::AskedFor)?.address();
    let answer = move |seen: &Seen| wait(ask(&address, seen.nonce));
    let rogue = stage.listen(certified_face(stage, "tre-1")?, Arc::new(answer))?;
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

/// Has the box, booted again with another image, say in which state it started.
fn image_replaced(stage: &Stage) -> Result<Outcome> {
    let genuine = stage.make_genuine("replaced", "tre-3")?;
    let other = stage.boot_again(genuine, &stage.log_of(Image::Modified)?)?;
    Ok(match stage.runtime.block_on(ask(&other.address(), [0x11; 32]))?.state {
        StartState::Locked => Outcome::FoundNothing(KEYS_STAY_SEALED),
        state @ (StartState::New | StartState::Serving) => {
            Outcome::GotIn(format!("the modified image started as {}", state.as_str()))
        }
    })
}
