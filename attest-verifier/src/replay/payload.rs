//! The data of an event, held against its type: lengths that hold, and the digest over it.
//!
//! No PCR depends on it, but it is what people read. So data that does not hold what it says it
//! holds is refused, and data that is not what was measured is named.

use attest_verifier_core::measured_boot::eventlog::{Event, EventType};
use attest_verifier_core::measured_boot::reader::{ReadError, Reader};

use super::{Mismatch, ReplayError, hash_of};

/// Decodes the data of an event whose type gives it a form. `[PFP]`
pub(super) fn decode(event: &Event<'_>) -> Result<(), ReplayError> {
    let read = match event.event_type {
        EventType::EFI_VARIABLE_DRIVER_CONFIG
        | EventType::EFI_VARIABLE_BOOT
        | EventType::EFI_VARIABLE_BOOT2
        | EventType::EFI_VARIABLE_AUTHORITY => variable(event.data).map(drop),
        EventType::EFI_PLATFORM_FIRMWARE_BLOB => {
            // Base and length.
            Reader::new(event.data).take::<16>().map(drop)
        }
        EventType::EFI_BOOT_SERVICES_APPLICATION
        | EventType::EFI_BOOT_SERVICES_DRIVER
        | EventType::EFI_RUNTIME_SERVICES_DRIVER => loaded_image(event.data),
        _ => Ok(()),
    };
    read.map_err(|source| ReplayError::Data {
        event: event.index,
        event_type: event.event_type,
        source: moved(source, data_offset(event)),
    })
}

/// The event, if its type says that its digests are over its data and one of them is not. `[PFP]`
pub(super) fn mismatch(event: &Event<'_>) -> Option<Mismatch> {
    let measured: &[&[u8]] = match event.event_type {
        EventType::SEPARATOR
        | EventType::ACTION
        | EventType::EFI_ACTION
        | EventType::S_CRTM_VERSION
        | EventType::EFI_GPT_EVENT
        | EventType::EFI_VARIABLE_DRIVER_CONFIG
        | EventType::EFI_VARIABLE_BOOT2
        | EventType::EFI_VARIABLE_AUTHORITY => &[event.data],
        // The value alone; some firmware measures the whole.
        EventType::EFI_VARIABLE_BOOT => &[variable(event.data).ok()?, event.data],
        _ => return None,
    };
    let other = event.digests.iter().filter(|entry| {
        hash_of(entry.algorithm)
            .is_some_and(|hash| !measured.iter().any(|data| hash(&[data]) == entry.digest))
    });
    let banks: Vec<_> = other.map(|entry| entry.algorithm).collect();
    let (event, offset, event_type) = (event.index, event.offset, event.event_type);
    (!banks.is_empty()).then_some(Mismatch { event, offset, event_type, banks })
}

/// The value in a `UEFI_VARIABLE_DATA`: GUID, two lengths, the name in UTF-16, the value.
fn variable(data: &[u8]) -> Result<&[u8], ReadError> {
    let mut reader = Reader::new(data);
    reader.take::<16>()?;
    let (units, len) = (reader.take_u64_le()?, reader.take_u64_le()?);
    reader.take_slice(length(units.saturating_mul(2)))?;
    reader.take_slice(length(len))
}

/// A `UEFI_IMAGE_LOAD_EVENT`: address, length, link address, length of a device path, the path.
fn loaded_image(data: &[u8]) -> Result<(), ReadError> {
    let mut reader = Reader::new(data);
    reader.take::<24>()?;
    let len = reader.take_u64_le()?;
    reader.take_slice(length(len)).map(drop)
}

/// A claimed length. What does not fit is longer than any input.
fn length(claimed: u64) -> usize {
    usize::try_from(claimed).unwrap_or(usize::MAX)
}

/// Where the data of an event starts: behind PCR, type, digests and length. `[PFP]`
fn data_offset(event: &Event<'_>) -> usize {
    let digests = event.digests.iter().map(|entry| entry.digest.len().saturating_add(2));
    digests.fold(event.offset.saturating_add(16), usize::saturating_add)
}

/// The same error in an input that starts `by` bytes earlier.
fn moved(error: ReadError, by: usize) -> ReadError {
    match error {
        ReadError::Truncated { offset, needed, left } => {
            ReadError::Truncated { offset: offset.saturating_add(by), needed, left }
        }
        ReadError::Trailing { offset, left } => {
            ReadError::Trailing { offset: offset.saturating_add(by), left }
        }
    }
}
