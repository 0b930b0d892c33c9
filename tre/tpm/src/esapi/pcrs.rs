//! Extending one PCR, and reading all of them as they stood at one moment.

use measured_boot::digest::Sha256Digest;
use measured_boot::pcr::{PCR_COUNT, PcrIndex, PcrSelection, PcrValues};
use tss_esapi::handles::PcrHandle;
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::{
    Digest, DigestValues, PcrSelectionList, PcrSelectionListBuilder, PcrSlot,
};
use tss_esapi::{Context, Error};

use super::EsapiTpm;
use super::session::Cover;
use crate::error::at;
use crate::{Step, TpmError};

pub(super) fn extend(
    tpm: &mut EsapiTpm,
    pcr: PcrIndex,
    digest: &Sha256Digest,
) -> Result<(), TpmError> {
    let step = at(Step::Extend);
    let handle = PcrHandle::try_from(u32::from(pcr.number())).map_err(&step)?;
    let mut digests = DigestValues::new();
    digests.set(HashingAlgorithm::Sha256, Digest::from(digest.0));
    tpm.covered(Cover::Encrypted, |context, session| {
        context
            .execute_with_session(Some(session), |context| context.pcr_extend(handle, digests))
            .map_err(step)
    })
}

/// Reads until no PCR changed between the first command and the last.
pub(super) fn read_all(tpm: &mut EsapiTpm) -> Result<PcrValues, TpmError> {
    for _ in 0..MAX_ATTEMPTS {
        if let Some(values) = tpm.covered(Cover::Audited, read_once)? {
            return Ok(values);
        }
    }
    Err(TpmError::PcrsKeepChanging { attempts: MAX_ATTEMPTS })
}

/// The selection of all 24 PCRs of the SHA-256 bank.
pub(super) fn all_selected() -> Result<PcrSelectionList, Error> {
    selected(PcrSelection::ALL.iter())
}

/// The selection of these PCRs of the SHA-256 bank.
pub(super) fn selected(pcrs: impl Iterator<Item = PcrIndex>) -> Result<PcrSelectionList, Error> {
    let slots = pcrs
        .map(|pcr| PcrSlot::try_from(1_u32.wrapping_shl(u32::from(pcr.number()))))
        .collect::<Result<Vec<_>, _>>()?;
    PcrSelectionListBuilder::new().with_selection(HashingAlgorithm::Sha256, &slots).build()
}

/// All values; none if a PCR changed meanwhile.
fn read_once(context: &mut Context, session: AuthSession) -> Result<Option<PcrValues>, TpmError> {
    let step = at(Step::ReadPcrs);
    let all: Vec<PcrIndex> = PcrIndex::all().collect();
    let mut values = Vec::with_capacity(PCR_COUNT);
    let mut counters = Vec::new();
    for pcrs in all.chunks(PCRS_PER_READ) {
        let selection = selected(pcrs.iter().copied()).map_err(&step)?;
        let (counter, _, digests) = context
            .execute_with_session(Some(session), |context| context.pcr_read(selection))
            .map_err(&step)?;
        counters.push(counter);
        for digest in digests.value() {
            values.push(Sha256Digest(sha256_length(digest)?));
        }
    }
    let values = <[Sha256Digest; PCR_COUNT]>::try_from(values).map_err(|values| {
        TpmError::Answer { step: Step::ReadPcrs, expected: PCR_COUNT, found: values.len() }
    })?;
    let unchanged = counters.windows(2).all(|pair| matches!(pair, [a, b] if a == b));
    Ok(unchanged.then(|| PcrValues::from_array(values)))
}

fn sha256_length(digest: &Digest) -> Result<[u8; 32], TpmError> {
    digest.as_bytes().try_into().map_err(|_| TpmError::Answer {
        step: Step::ReadPcrs,
        expected: 32,
        found: digest.len(),
    })
}

/// Most PCRs one `TPM2_PCR_Read` returns: the longest `TPML_DIGEST`. `[TPM2-P2]`
const PCRS_PER_READ: usize = 8;

/// How often all PCRs are read before giving up. Nobody extends that often by chance.
const MAX_ATTEMPTS: u32 = 8;
