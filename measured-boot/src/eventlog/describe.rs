//! One line about an event, for people. Nothing is decided by it.

use alloc::{
    format,
    string::{String, ToString as _},
};

use super::{Event, EventType};
use crate::{
    limits::MAX_DESCRIPTION_LEN,
    reader::{ReadError, Reader},
};

impl Event<'_> {
    /// What the event says it is, as printable ASCII of at most
    /// [`MAX_DESCRIPTION_LEN`] characters.
    ///
    /// Words from data that the digest does not cover are marked `unproven`.
    #[must_use]
    pub fn describe(&self) -> String {
        let words = match self.event_type {
            EventType::SEPARATOR => Some("separator".to_string()),
            EventType::ACTION | EventType::EFI_ACTION => Some(printable(self.data)),
            EventType::EFI_VARIABLE_DRIVER_CONFIG
            | EventType::EFI_VARIABLE_BOOT
            | EventType::EFI_VARIABLE_BOOT2
            | EventType::EFI_VARIABLE_AUTHORITY => variable_name(self.data),
            EventType::EFI_PLATFORM_FIRMWARE_BLOB => firmware_blob(self.data),
            _ => None,
        };
        let line = match words {
            None => self.event_type.to_string(),
            Some(words) if self.data_is_measured() => words,
            Some(words) => format!("{} (unproven: {words})", self.event_type),
        };
        line.chars().take(MAX_DESCRIPTION_LEN).collect()
    }
}

/// `UEFI_VARIABLE_DATA`: GUID, two lengths, the name in UTF-16. `[PFP]`
fn variable_name(data: &[u8]) -> Option<String> {
    let mut reader = Reader::new(data);
    let mut header = || -> Result<u64, ReadError> {
        reader.take::<16>()?;
        let name_len = reader.take_u64_le()?;
        reader.take_u64_le()?;
        Ok(name_len)
    };
    let units = usize::try_from(header().ok()?).ok()?;
    let name = reader.take_slice(units.checked_mul(2)?).ok()?;
    let (units, _) = name.as_chunks::<2>();
    let ascii = units.iter().map(|[low, high]| if *high == 0 { *low } else { b'?' });
    Some(format!("variable {}", ascii.take(MAX_DESCRIPTION_LEN).map(shown).collect::<String>()))
}

/// `UEFI_PLATFORM_FIRMWARE_BLOB`: base and length. `[PFP]`
fn firmware_blob(data: &[u8]) -> Option<String> {
    let mut reader = Reader::new(data);
    let (base, len) = (reader.take_u64_le().ok()?, reader.take_u64_le().ok()?);
    Some(format!("{len:#x} bytes at {base:#x}"))
}

fn printable(data: &[u8]) -> String {
    data.iter().copied().take(MAX_DESCRIPTION_LEN).map(shown).collect()
}

fn shown(byte: u8) -> char {
    if byte == b' ' || byte.is_ascii_graphic() { char::from(byte) } else { '?' }
}
