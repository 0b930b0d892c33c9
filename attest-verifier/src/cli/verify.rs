//! `verify`: examines a box, shows every check, and ends with the verdict.

use std::path::PathBuf;

use anyhow::Context as _;
use attest_verifier::core::wire::id::PeerId;
use attest_verifier::core::wire::units::UnixMillis;
use attest_verifier::{Examination, ImageFinding, Memory, Trust, compare_image, examine, export};

use super::{json, table};
use crate::{Ending, Verify, answer, complain};

/// What is to be verified, against what.
pub(crate) struct Job {
    address: String,
    tre_id: PeerId,
    trust: Trust,
    image: Option<PathBuf>,
    json: bool,
    out: Option<PathBuf>,
}

/// What came of it.
pub(crate) struct Outcome<'a> {
    pub(crate) address: &'a str,
    pub(crate) tre_id: &'a PeerId,
    pub(crate) examination: &'a Examination,
    pub(crate) image: Option<&'a ImageFinding>,
}

impl Job {
    pub(crate) fn load(verify: &Verify, now: UnixMillis) -> anyhow::Result<Self> {
        let mut trust = verify.reference.load(now)?;
        if let Some(file) = &verify.remember {
            trust = trust.remembering(Memory::at(file)?);
        }
        if let Some(image) = &verify.image {
            std::fs::metadata(image).with_context(|| format!("image {}", image.display()))?;
        }
        Ok(Self {
            address: verify.address.clone(),
            tre_id: verify.tre_id.clone(),
            trust,
            image: verify.image.clone(),
            json: verify.json,
            out: verify.out.clone(),
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
            address: &self.address,
            tre_id: &self.tre_id,
            examination: &examination,
            image: image.as_ref().and_then(|finding| finding.as_ref().ok()),
        };
        let shown = if self.json { json::show(&outcome)? } else { table::show(&outcome) };
        answer(&shown)?;
        let exported = self.out.as_deref().map_or(Ok(()), |folder| {
            export(folder, &examination.evidence, &examination.expected_answer)
        });
        // Whatever else went wrong, a refusal is a refusal.
        let rest = image.transpose().context("image").and(exported.context("evidence to files"));
        match (&examination.verdict, rest) {
            (Ok(_), rest) => rest.map(|()| Ending::Accepted),
            (Err(_), Ok(())) => Ok(Ending::Refused),
            (Err(_), Err(error)) => {
                complain(format_args!("{error:#}"));
                Ok(Ending::Refused)
            }
        }
    }
}
