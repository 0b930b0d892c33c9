//! Endorsement key certificates, read from the TPM's non-volatile storage.

use tss_esapi::Context;
use tss_esapi::constants::CapabilityType;
use tss_esapi::handles::{NvIndexHandle, NvIndexTpmHandle, ObjectHandle, TpmHandle};
use tss_esapi::interface_types::reserved_handles::NvAuth;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::CapabilityData;

use crate::error::at;
use crate::{EkCertificate, EndorsementKind, Step, TpmError};

/// The certificates that the TPM holds, in the order of [`CERTIFICATE_INDICES`].
pub(super) fn read_all(
    context: &mut Context,
    session: AuthSession,
) -> Result<Vec<EkCertificate>, TpmError> {
    let defined = defined_indices(context)?;
    let mut certificates = Vec::new();
    for nv_index in CERTIFICATE_INDICES.into_iter().filter(|index| defined.contains(index)) {
        let mut der = read(context, session, nv_index)?;
        der.truncate(der_len(&der).unwrap_or(der.len()));
        certificates.push(EkCertificate { nv_index, der });
    }
    Ok(certificates)
}

/// The kind of endorsement key that this TPM has a certificate for.
pub(super) fn kind(context: &mut Context) -> Result<EndorsementKind, TpmError> {
    let defined = defined_indices(context)?;
    let certified = |kind: &EndorsementKind| defined.contains(&kind.certificate_index());
    Ok(EndorsementKind::ALL.into_iter().find(certified).unwrap_or(EndorsementKind::Rsa2048))
}

/// The NV indices defined in the range of the endorsement certificates.
fn defined_indices(context: &mut Context) -> Result<Vec<u32>, TpmError> {
    let [first, ..] = CERTIFICATE_INDICES;
    let (answer, _more) = context
        .execute_without_session(|context| {
            context.get_capability(CapabilityType::Handles, first, MAX_INDICES)
        })
        .map_err(at(Step::Certificate))?;
    let CapabilityData::Handles(handles) = answer else {
        return Err(TpmError::Answer { step: Step::Certificate, expected: 1, found: 0 });
    };
    Ok(handles.into_inner().into_iter().map(u32::from).collect())
}

fn read(context: &mut Context, session: AuthSession, nv_index: u32) -> Result<Vec<u8>, TpmError> {
    let step = at(Step::Certificate);
    let handle = NvIndexTpmHandle::new(nv_index).map_err(&step)?;
    let mut object = context
        .execute_without_session(|context| context.tr_from_tpm_public(TpmHandle::NvIndex(handle)))
        .map_err(&step)?;
    let content = read_open(context, session, object);
    context.tr_close(&mut object).map_err(step)?;
    content
}

fn read_open(
    context: &mut Context,
    session: AuthSession,
    object: ObjectHandle,
) -> Result<Vec<u8>, TpmError> {
    let step = at(Step::Certificate);
    let index = NvIndexHandle::from(object);
    let (public, _name) =
        context.execute_without_session(|context| context.nv_read_public(index)).map_err(&step)?;
    let size = public.data_size();
    if size > MAX_CERTIFICATE_LEN {
        return Err(TpmError::Answer {
            step: Step::Certificate,
            expected: MAX_CERTIFICATE_LEN,
            found: size,
        });
    }
    let mut content = Vec::with_capacity(size);
    while content.len() < size {
        let wanted = size.saturating_sub(content.len()).min(PIECE_LEN);
        let piece = read_piece(context, session, index, wanted, content.len())?;
        content.extend_from_slice(&piece);
    }
    Ok(content)
}

fn read_piece(
    context: &mut Context,
    session: AuthSession,
    index: NvIndexHandle,
    wanted: usize,
    offset: usize,
) -> Result<Vec<u8>, TpmError> {
    let unfit = |found| TpmError::Answer { step: Step::Certificate, expected: wanted, found };
    let size = u16::try_from(wanted).map_err(|_| unfit(wanted))?;
    let offset = u16::try_from(offset).map_err(|_| unfit(offset))?;
    let piece = context
        .execute_with_session(Some(session), |context| {
            context.nv_read(NvAuth::NvIndex(index), index, size, offset)
        })
        .map_err(at(Step::Certificate))?;
    if piece.len() == wanted { Ok(piece.to_vec()) } else { Err(unfit(piece.len())) }
}

/// Length of the DER SEQUENCE that `bytes` start with; none if they start with something else.
fn der_len(bytes: &[u8]) -> Option<usize> {
    let (header, content) = match *bytes {
        [0x30, length @ 0x00..=0x7f, ..] => (2, usize::from(length)),
        [0x30, 0x81, length, ..] => (3, usize::from(length)),
        [0x30, 0x82, high, low, ..] => (4, usize::from(u16::from_be_bytes([high, low]))),
        _ => return None,
    };
    content.checked_add(header)
}

/// Where certificates lie: RSA-2048 and P-256 of the low range, then the high range. `[EKP]`
const CERTIFICATE_INDICES: [u32; 8] = [
    0x01c0_0002, // RSA-2048
    0x01c0_000a, // P-256
    0x01c0_0012, // RSA-2048, high range
    0x01c0_0014, // P-256, high range
    0x01c0_0016, // P-384
    0x01c0_0018, // P-521
    0x01c0_001c, // RSA-3072
    0x01c0_001e, // RSA-4096
];

/// Most NV indices looked at. The certificate range and what follows it hold a few dozen.
const MAX_INDICES: u32 = 64;

/// Longest certificate. Unit: byte. Real ones take 1 to 2 KiB.
const MAX_CERTIFICATE_LEN: usize = 8192;

/// Bytes read at once. Every TPM's NV buffer holds as many.
const PIECE_LEN: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fill_behind_a_certificate_is_not_part_of_it() {
        assert_eq!(der_len(&[0x30, 0x02, 5, 0, 0xff, 0xff]), Some(4));
        assert_eq!(der_len(&[0x30, 0x81, 0x80]), Some(0x83));
        assert_eq!(der_len(&[0x30, 0x82, 0x03, 0xf2]), Some(0x3f6));
    }

    #[test]
    fn what_is_no_sequence_has_no_length() {
        assert_eq!(der_len(&[0xff, 0xff, 0xff]), None);
        assert_eq!(der_len(&[0x30]), None);
    }
}
