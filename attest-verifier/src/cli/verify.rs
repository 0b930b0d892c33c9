//! `verify`: examines a box, shows every check, and ends with the verdict.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use attest_verifier::core::refusal::Refusal;
use attest_verifier::core::report::CheckReport;
use attest_verifier::core::wire::attestation::Evidence;
use attest_verifier::core::wire::id::PeerId;
use attest_verifier::core::wire::units::UnixMillis;
use attest_verifier::{
    ImageFinding, Memory, TokenKey, Trust, compare_image, examine, examine_stored, export,
    load_evidence,
};

use super::{json, table};
use crate::{Ending, Verify, answer, complain};

/// Examines evidence from files.
pub(crate) async fn stored(
    verify: &Verify,
    path: &Path,
    now: UnixMillis,
) -> anyhow::Result<Ending> {
    let trust = verify.reference.load(now).await?;
    let evidence = load_evidence(path)?;
    let examination = examine_stored(&evidence, &verify.tre_id, &trust, now);
    let manifest = trust.closest_to(&evidence, now).manifest();
    let image = verify.image.as_deref();
    let image = image.map(|path| compare_image(path, &evidence, manifest)).transpose();
    let subject = path.display().to_string();
    let outcome = Outcome {
        subject: &subject,
        tre_id: &verify.tre_id,
        evidence: &evidence,
        checks: &examination.checks,
        verdict: match &examination.verdict {
            Ok(_) => Conclusion::Unbound,
            Err(refusal) => Conclusion::Refused(refusal),
        },
        image: image.as_ref().ok().and_then(Option::as_ref),
    };
    answer(&if verify.json { json::show(&outcome)? } else { table::show(&outcome) })?;
    ending(examination.verdict.is_ok(), image.map(|_| ()).context("image"))
}

/// Whatever else went wrong, a refusal is a refusal.
fn ending(accepted: bool, rest: anyhow::Result<()>) -> anyhow::Result<Ending> {
    match (accepted, rest) {
        (true, rest) => rest.map(|()| Ending::Accepted),
        (false, Ok(())) => Ok(Ending::Refused),
        (false, Err(error)) => {
            complain(format_args!("{error:#}"));
            Ok(Ending::Refused)
        }
    }
}

/// What is to be verified, against what.
pub(crate) struct Job {
    address: String,
    tre_id: PeerId,
    trust: Trust,
    image: Option<PathBuf>,
    json: bool,
    out: Option<PathBuf>,
    token: Option<(PathBuf, TokenKey)>,
}

/// What came of it.
pub(crate) struct Outcome<'a> {
    /// The box's address, or the evidence's file.
    pub(crate) subject: &'a str,
    pub(crate) tre_id: &'a PeerId,
    pub(crate) evidence: &'a Evidence,
    pub(crate) checks: &'a [CheckReport],
    pub(crate) verdict: Conclusion<'a>,
    pub(crate) image: Option<&'a ImageFinding>,
}

/// How it ended.
#[derive(Clone, Copy)]
pub(crate) enum Conclusion<'a> {
    Accepted,
    /// Right, for no connection.
    Unbound,
    Refused(&'a Refusal),
}

impl Job {
    pub(crate) async fn load(
        verify: &Verify,
        address: &str,
        now: UnixMillis,
    ) -> anyhow::Result<Self> {
        // Whatever goes wrong, no token of an earlier time is taken for one of this.
        let earlier = verify.token.as_ref().filter(|token| token.is_file());
        if let Some(token) = earlier {
            std::fs::remove_file(token).with_context(|| token.display().to_string())?;
        }
        let mut trust = verify.reference.load(now).await?;
        if let Some(file) = &verify.remember {
            trust = trust.remembering(Memory::at(file)?);
        }
        if let Some(image) = &verify.image {
            std::fs::metadata(image).with_context(|| format!("image {}", image.display()))?;
        }
        let token = match (&verify.token, &verify.token_key) {
            (Some(token), Some(key)) => Some((token.clone(), TokenKey::load(key)?)),
            (_, _) => None,
        };
        Ok(Self {
            address: address.to_owned(),
            tre_id: verify.tre_id.clone(),
            trust,
            image: verify.image.clone(),
            json: verify.json,
            out: verify.out.clone(),
            token,
        })
    }

    pub(crate) async fn run(self, now: UnixMillis) -> anyhow::Result<Ending> {
        let examination = match examine(&self.address, &self.tre_id, &self.trust, now).await {
            Ok(examination) => examination,
            Err(error) => return Ok(Ending::without_evidence(&error)),
        };
        let manifest = self.trust.closest_to(&examination.evidence, now).manifest();
        let image = self.image.as_deref();
        let image = image.map(|path| compare_image(path, &examination.evidence, manifest));
        let outcome = Outcome {
            subject: &self.address,
            tre_id: &self.tre_id,
            evidence: &examination.evidence,
            checks: &examination.checks,
            verdict: match &examination.verdict {
                Ok(_) => Conclusion::Accepted,
                Err(refusal) => Conclusion::Refused(refusal),
            },
            image: image.as_ref().and_then(|finding| finding.as_ref().ok()),
        };
        let shown = if self.json { json::show(&outcome)? } else { table::show(&outcome) };
        answer(&shown)?;
        let exported = self.out.as_deref().map_or(Ok(()), |folder| {
            export(folder, &examination.evidence, &examination.expected_answer)
        });
        let token = self.token.map_or(Ok(()), |(path, key)| {
            let token = key.sign(&examination, &self.tre_id, now)?;
            std::fs::write(&path, token).with_context(|| path.display().to_string())
        });
        let exported = exported.context("evidence to files");
        let rest = image.transpose().context("image").and(exported).and(token.context("token"));
        ending(examination.verdict.is_ok(), rest)
    }
}
