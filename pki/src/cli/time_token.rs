//! `sign-time` and `set-time`: what the status key says of the time.

use std::path::PathBuf;

use anyhow::Context as _;
use attest_verifier::signature_path;
use clap::Args;
use pki::domain::KeyName;
use pki::file::{self, Access};
use pki::time_token::{self, Asking, SignedToken};
use serde::Serialize;
use tre_wire::id::PeerId;
use tre_wire::json;
use tre_wire::time::{PUT_BYTES, TimeChallenge};
use tre_wire::units::UnixMillis;

use super::{Unlock, answer};

/// What `sign-time` takes.
#[derive(Args, Debug)]
pub(crate) struct SignTime {
    /// What the TRE asks: the answer to `GET /v1/time`, as `tre-client time challenge` writes it.
    challenge: PathBuf,
    /// The domain's folder.
    #[arg(long)]
    domain: PathBuf,
    /// The token to write, with its signature in OUT.sig, in the place of an older one.
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    unlock: Unlock,
    /// Answers in JSON.
    #[arg(long)]
    json: bool,
}

/// What `set-time` takes.
#[derive(Args, Debug)]
pub(crate) struct SetTime {
    /// Where the TRE listens: HOST:PORT.
    address: String,
    /// Its name.
    #[arg(long)]
    tre_id: PeerId,
    /// The domain's folder.
    #[arg(long)]
    domain: PathBuf,
    #[command(flatten)]
    unlock: Unlock,
    /// Answers in JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Facts<'a> {
    tre_id: &'a PeerId,
    /// Unit: ms since 1970.
    time: UnixMillis,
}

pub(crate) fn sign_time(sign: &SignTime) -> anyhow::Result<()> {
    let domain = sign.unlock.open(&sign.domain, KeyName::Status)?;
    let challenge = file::read(&sign.challenge, u64::try_from(PUT_BYTES)?)?;
    let challenge: TimeChallenge =
        json::decode(&challenge).with_context(|| sign.challenge.display().to_string())?;
    // Read when everything else is there: the passphrase may have been typed slowly.
    let time = crate::now()?;
    let SignedToken { token, signature } = time_token::sign(&domain, &challenge, time)?;
    file::replace(&signature_path(&sign.out), &signature, Access::Everybody)?;
    file::replace(&sign.out, &token, Access::Everybody)?;
    let text = format!(
        "{time} (ms since 1970) signed for {}: {}\nput it within ten minutes of the challenge",
        challenge.tre_id,
        sign.out.display()
    );
    answer(sign.json, &Facts { tre_id: &challenge.tre_id, time }, &text)
}

pub(crate) fn set_time(set: &SetTime) -> anyhow::Result<()> {
    let domain = set.unlock.open(&set.domain, KeyName::Status)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the input and output loop")?;
    let asking = runtime.block_on(Asking::open(&set.address, &set.tre_id))?;
    // Not earlier: whoever is slow to answer would make the time old.
    let time = crate::now()?;
    runtime.block_on(asking.answer(&domain, time))?;
    let text = format!("{} has the time: {time} (ms since 1970)", set.tre_id);
    answer(set.json, &Facts { tre_id: &set.tre_id, time }, &text)
}
