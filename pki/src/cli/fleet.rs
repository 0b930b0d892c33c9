//! `issue-fleet`: with progress, and from where it was stopped.

use std::io::Write as _;
use std::time::Instant;

use pki::domain::KeyName;
use pki::file;
use pki::fleet::{Fleet, Progress, REQUESTS_BYTES};
use pki::validity::Validity;
use rsa::rand_core::CryptoRngCore;
use serde::Serialize;
use tre_wire::units::UnixMillis;

use super::answer;
use crate::IssueFleet;

#[derive(Serialize)]
struct Facts {
    requests: usize,
    folder: String,
    ends: UnixMillis,
    elapsed_ms: u128,
}

#[expect(clippy::disallowed_methods, reason = "a command line says how long it took")]
pub(crate) fn issue_fleet(
    fleet: &IssueFleet,
    now: UnixMillis,
    random: &mut dyn CryptoRngCore,
) -> anyhow::Result<()> {
    let IssueFleet { requests, domain, out, days, batch, unlock, json } = fleet;
    let validity = Validity::of_days(now, *days)?;
    let domain = unlock.open(domain, KeyName::GridAuthority)?;
    let file = file::read(requests, REQUESTS_BYTES)?;
    let (authority, mut register) = (domain.grid_authority()?, domain.issuing_register(now)?);
    let trust_domain = domain.trust_domain();
    let fleet = Fleet { authority: &authority, trust_domain, out, validity, now, batch: *batch };
    let started = Instant::now();
    let tell = |Progress { done, all }| {
        // Nobody watching is no reason to stop.
        let _told = writeln!(std::io::stderr(), "{done} of {all}");
    };
    let Progress { done, .. } = fleet.issue(&file, &mut register, random, tell)?;
    let elapsed_ms = started.elapsed().as_millis();
    let facts = Facts {
        requests: done,
        folder: out.display().to_string(),
        ends: validity.ends(),
        elapsed_ms,
    };
    let text = format!("{done} requests are answered in {} ({elapsed_ms} ms)", facts.folder);
    answer(*json, &facts, &text)
}
