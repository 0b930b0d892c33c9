//! Writes logs, well-formed or not.

use alloc::vec::Vec;

use proptest::prelude::*;

use crate::{digest::sha256, eventlog::EventType};

/// A log that is being written.
#[derive(Clone, Debug)]
pub(crate) struct LogBuilder {
    banks: Vec<(u16, u16)>,
    bytes: Vec<u8>,
}

impl LogBuilder {
    /// A log with a SHA-256 bank alone.
    pub(crate) fn sha256() -> Self {
        Self::new(&[(0x000b, 32)])
    }

    /// A log with these banks: algorithm, digest length.
    pub(crate) fn new(banks: &[(u16, u16)]) -> Self {
        let count = u32::try_from(banks.len()).unwrap();
        let list = banks.iter().flat_map(|(id, len)| [id.to_le_bytes(), len.to_le_bytes()]);
        let header = [
            b"Spec ID Event03\0".as_slice(),
            &[0, 0, 0, 0, 0, 2, 0, 2],
            &count.to_le_bytes(),
            &list.flatten().collect::<Vec<_>>(),
            &[0],
        ]
        .concat();
        let mut bytes = [[0, 0, 0, 0, 3, 0, 0, 0].as_slice(), &[0; 20]].concat();
        push_sized(&mut bytes, &header);
        Self { banks: banks.to_vec(), bytes }
    }

    /// An event whose digest is that of `measured`: SHA-256 in its bank, filler in the others.
    pub(crate) fn event(mut self, pcr: u32, kind: EventType, measured: &[u8], data: &[u8]) -> Self {
        let count = u32::try_from(self.banks.len()).unwrap();
        for word in [pcr, kind.0, count] {
            self.bytes.extend_from_slice(&word.to_le_bytes());
        }
        for (algorithm, len) in &self.banks {
            self.bytes.extend_from_slice(&algorithm.to_le_bytes());
            match algorithm {
                0x000b => self.bytes.extend_from_slice(&sha256(measured).0),
                _ => self.bytes.extend((0..*len).map(|_| 0xee)),
            }
        }
        push_sized(&mut self.bytes, data);
        self
    }

    /// An `EV_EFI_ACTION`.
    pub(crate) fn action(self, pcr: u32, text: &str) -> Self {
        self.event(pcr, EventType::EFI_ACTION, text.as_bytes(), text.as_bytes())
    }

    /// The note about the startup locality.
    pub(crate) fn locality(self, locality: u8) -> Self {
        let data = [b"StartupLocality\0".as_slice(), &[locality]].concat();
        self.event(0, EventType::NO_ACTION, b"", &data)
    }

    /// The log.
    pub(crate) fn bytes(self) -> Vec<u8> {
        self.bytes
    }
}

fn push_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap().to_le_bytes());
    out.extend_from_slice(bytes);
}

/// An event to be written.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) pcr: u32,
    pub(crate) note: bool,
    pub(crate) measured: Vec<u8>,
}

impl Written {
    /// Any event, one in five a note.
    pub(crate) fn any() -> impl Strategy<Value = Self> {
        (0_u32..24, prop::bool::weighted(0.2), prop::collection::vec(any::<u8>(), 0..9))
            .prop_map(|(pcr, note, measured)| Self { pcr, note, measured })
    }

    pub(crate) fn event_type(&self) -> EventType {
        if self.note { EventType::NO_ACTION } else { EventType::IPL }
    }
}
