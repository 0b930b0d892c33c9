//! What the attestation key signs.

use measured_boot::tpm::AlgorithmId;
use tss_esapi::structures::{Data, Signature, SignatureScheme};
use tss_esapi::traits::Marshall as _;

use super::session::Cover;
use super::{EsapiTpm, pcrs};
use crate::error::at;
use crate::{Quote, Step, TpmError};

pub(super) fn quote(tpm: &mut EsapiTpm, qualifying: &[u8; 32]) -> Result<Quote, TpmError> {
    let key = tpm.loaded_attestation_key()?.handle;
    let step = at(Step::Quote);
    let qualifying = Data::from_bytes(qualifying).map_err(&step)?;
    let all = pcrs::all_selected().map_err(&step)?;
    let (attest, signature) = tpm.covered(Cover::Encrypted, |context, session| {
        context
            .execute_with_session(Some(session), |context| {
                context.quote(key, qualifying, SignatureScheme::Null, all)
            })
            .map_err(&step)
    })?;
    Ok(Quote {
        attest: attest.marshall().map_err(&step)?,
        signature: signature_bytes(Step::Quote, &signature)?,
    })
}

/// The `TPMT_SIGNATURE` of an ECDSA signature: scheme, hash, R and S. `[TPM2-P2]`
pub(super) fn signature_bytes(step: Step, signature: &Signature) -> Result<Vec<u8>, TpmError> {
    let Signature::EcDsa(ecdsa) = signature else {
        return Err(TpmError::Answer { step, expected: 1, found: 0 });
    };
    let algorithms = [AlgorithmId::ECDSA, AlgorithmId::SHA256];
    let mut bytes: Vec<u8> = algorithms.iter().flat_map(|id| id.0.to_be_bytes()).collect();
    for scalar in [ecdsa.signature_r().as_bytes(), ecdsa.signature_s().as_bytes()] {
        let found = scalar.len();
        let size = u16::try_from(found).map_err(|_| TpmError::Answer {
            step,
            expected: P256_SCALAR_LEN,
            found,
        })?;
        bytes.extend_from_slice(&size.to_be_bytes());
        bytes.extend_from_slice(scalar);
    }
    Ok(bytes)
}

/// Length of an ECDSA scalar on P-256. Unit: byte.
const P256_SCALAR_LEN: usize = 32;
