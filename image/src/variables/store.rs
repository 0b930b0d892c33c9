//! The bytes of a variable store: a firmware volume with authenticated variables in it.
//!
//! Written by EDK2's `MdeModulePkg/Universal/Variable`; its structures' names stand beside their
//! readers. The file may come from anywhere, so it is read through one bounded reader and every
//! contradiction is refused.

use measured_boot::reader::{ReadError, Reader, len_of};

/// Why bytes are no variable store, or not one that is understood. Offsets count from the start
/// of the file.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A structure is cut off.
    #[error("variable store: {0}")]
    Read(#[from] ReadError),
    /// No firmware volume, or one of something else.
    #[error("expected a firmware volume of variables, found another header")]
    Volume,
    /// A store without authentication, or half formatted.
    #[error("at offset {offset}: expected a healthy store of authenticated variables")]
    Header {
        /// Where the store's header starts.
        offset: usize,
    },
    /// A variable that stands there twice, so that it depends on the firmware which one counts.
    #[error("at offset {offset}: expected each variable once, found one again")]
    Repeated {
        /// Where the second starts.
        offset: usize,
    },
    /// More than a store of this size can hold.
    #[error("expected at most {MAX_VARIABLES} variables, found more")]
    TooMany,
    /// A store that is to be filled has variables in it.
    #[error("expected a blank store, found {found} variables in it")]
    NotBlank {
        /// How many.
        found: usize,
    },
    /// The variables are longer than the store.
    #[error("expected at most {room} bytes of variables, found {needed}")]
    NoRoom {
        /// Unit: byte.
        room: usize,
        /// Unit: byte.
        needed: usize,
    },
    /// The database of time-stamping keys, which no prediction here accounts for.
    #[error("expected no variable dbt: what it does to PCR 7 is not predicted")]
    TimeStampDatabase,
}

/// A variable to be written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewVariable<'a> {
    /// The name's owner, as it lies in memory.
    pub guid: [u8; 16],
    /// Its name.
    pub name: &'a str,
    /// Where it lives and who may change it.
    pub attributes: Attributes,
    /// Its content.
    pub value: Vec<u8>,
}

/// Attributes of a variable. Source: UEFI specification, `GetVariable`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Attributes(u32);

impl Attributes {
    /// Non-volatile, seen by firmware alone.
    pub const BOOT: Self = Self(0x03);
    /// Non-volatile, seen by everyone, changed only by a signed and dated update.
    pub const KEY: Self = Self(0x27);
}

/// A store whose structure is sound.
#[derive(Clone, Debug)]
pub struct Store<'a> {
    file: &'a [u8],
    /// Where the first variable stands, or would.
    start: usize,
    /// Where the room for variables ends.
    end: usize,
    variables: Vec<Variable<'a>>,
}

#[derive(Clone, Copy, Debug)]
struct Variable<'a> {
    offset: usize,
    guid: [u8; 16],
    /// UTF-16, with a terminator.
    name: &'a [u8],
    value: &'a [u8],
    /// Being replaced: counts only while the new one is not there.
    replaced: bool,
}

impl<'a> Store<'a> {
    /// Reads a store.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn parse(file: &'a [u8]) -> Result<Self, StoreError> {
        let mut reader = Reader::new(file);
        read_volume(&mut reader, file.len())?;
        let offset = reader.offset();
        let end = offset.saturating_add(read_header(&mut reader)?);
        let start = reader.offset();
        let room = end.checked_sub(start).ok_or(StoreError::Header { offset })?;
        let mut room = reader.take_reader(room)?;
        let mut variables = Vec::new();
        while let Some(variable) = read_variable(&mut room)? {
            if variables.len() >= MAX_VARIABLES {
                return Err(StoreError::TooMany);
            }
            variables.extend(variable.in_use);
        }
        let store = Self { file, start, end, variables };
        store.check_unique()?;
        Ok(store)
    }

    /// The value of a variable, if it is set.
    #[must_use]
    pub fn value(&self, guid: &[u8; 16], name: &str) -> Option<&'a [u8]> {
        let name = utf16(name);
        let mut found = self.variables.iter().filter(|one| one.guid == *guid && one.name == name);
        let first = found.clone().find(|one| !one.replaced);
        first.or_else(|| found.next()).map(|one| one.value)
    }

    /// This blank store with `variables` in it.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotBlank`], [`StoreError::NoRoom`].
    pub fn filled(&self, variables: &[NewVariable<'_>]) -> Result<Vec<u8>, StoreError> {
        if !self.variables.is_empty() {
            return Err(StoreError::NotBlank { found: self.variables.len() });
        }
        let bytes = variables.iter().flat_map(NewVariable::to_bytes).collect::<Vec<u8>>();
        let room = self.end.saturating_sub(self.start);
        let (head, rest) = self.file.split_at_checked(self.start).unwrap_or_default();
        let needed = bytes.len();
        match rest.get(needed..) {
            Some(rest) if needed <= room => Ok([head, &bytes, rest].concat()),
            _ => Err(StoreError::NoRoom { room, needed }),
        }
    }

    fn check_unique(&self) -> Result<(), StoreError> {
        let mut seen = std::collections::BTreeSet::new();
        for one in &self.variables {
            if !seen.insert((one.guid, one.name, one.replaced)) {
                return Err(StoreError::Repeated { offset: one.offset });
            }
        }
        Ok(())
    }
}

impl NewVariable<'_> {
    /// `AUTHENTICATED_VARIABLE_HEADER`, name, value, and filling to the next header.
    fn to_bytes(&self) -> Vec<u8> {
        let name = utf16(self.name);
        // A store is half a megabyte long: no length here comes near the limit.
        let len = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
        let time = if self.attributes == Attributes::KEY { TIME } else { [0; 16] };
        let mut bytes = [
            &START.to_le_bytes()[..],
            &[ADDED, 0],
            &self.attributes.0.to_le_bytes(),
            &[0; 8], // monotonic count, not used since there is the time
            &time,
            &[0; 4], // index of a public key, likewise
            &len(&name),
            &len(&self.value),
            &self.guid,
            &name,
            &self.value,
        ]
        .concat();
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), BLANK);
        bytes
    }
}

/// `EFI_FIRMWARE_VOLUME_HEADER`, of a volume that fills the file.
fn read_volume(reader: &mut Reader<'_>, file_len: usize) -> Result<(), StoreError> {
    let mut header = *reader;
    header.take::<16>()?; // zero vector
    let guid = header.take::<16>()?;
    let volume_len = header.take_u64_le()?;
    let signature = header.take::<4>()?;
    header.take::<4>()?; // attributes
    let header_len = usize::from(header.take_u16_le()?);
    let whole = usize::try_from(volume_len).is_ok_and(|len| len == file_len);
    if guid != SYSTEM_NV_DATA || &signature != b"_FVH" || !whole {
        return Err(StoreError::Volume);
    }
    let header = reader.take_slice(header_len)?;
    // Sixteen-bit words that add up to zero.
    let words = header.chunks_exact(2).map(|pair| pair.iter().rev().fold(0, word));
    if header_len % 2 != 0 || words.fold(0_u16, u16::wrapping_add) != 0 {
        return Err(StoreError::Volume);
    }
    Ok(())
}

fn word(high: u16, low: &u8) -> u16 {
    high.wrapping_shl(8) | u16::from(*low)
}

/// `VARIABLE_STORE_HEADER`; returns the store's length with it.
fn read_header(reader: &mut Reader<'_>) -> Result<usize, StoreError> {
    let offset = reader.offset();
    let guid = reader.take::<16>()?;
    let len = len_of(reader.take_u32_le()?);
    let [format, state] = reader.take::<2>()?;
    reader.take::<6>()?;
    if guid != AUTHENTICATED_VARIABLES || format != FORMATTED || state != HEALTHY {
        return Err(StoreError::Header { offset });
    }
    Ok(len)
}

/// What stands at one place of the store.
struct Place<'a> {
    /// A variable that counts, or nothing for one that was deleted or never finished.
    in_use: Option<Variable<'a>>,
}

/// `AUTHENTICATED_VARIABLE_HEADER` and what it heads; `None` behind the last variable.
fn read_variable<'a>(reader: &mut Reader<'a>) -> Result<Option<Place<'a>>, StoreError> {
    let offset = reader.offset();
    let mut ahead = *reader;
    if !ahead.take_u16_le().is_ok_and(|start| start == START) {
        return Ok(None);
    }
    let [state, _] = ahead.take::<2>()?;
    ahead.take::<32>()?; // attributes, count, time, key
    let (name_len, value_len) = (len_of(ahead.take_u32_le()?), len_of(ahead.take_u32_le()?));
    let guid = ahead.take::<16>()?;
    let (name, value) = (ahead.take_slice(name_len)?, ahead.take_slice(value_len)?);
    let used = ahead.offset().saturating_sub(offset);
    let filling = used.next_multiple_of(ALIGNMENT).saturating_sub(used);
    ahead.take_slice(filling.min(ahead.left()))?;
    *reader = ahead;
    let variable = |replaced| Some(Variable { offset, guid, name, value, replaced });
    let in_use = match state {
        ADDED => variable(false),
        ADDED_AND_BEING_REPLACED => variable(true),
        _ => None,
    };
    Ok(Some(Place { in_use }))
}

/// A name as it lies in the store: little endian, with a terminator.
fn utf16(name: &str) -> Vec<u8> {
    name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

/// `EFI_SYSTEM_NV_DATA_FV_GUID`, `fff12b8d-7696-4c8b-a985-2747075b4f50`.
const SYSTEM_NV_DATA: [u8; 16] = [
    0x8d, 0x2b, 0xf1, 0xff, 0x96, 0x76, 0x8b, 0x4c, 0xa9, 0x85, 0x27, 0x47, 0x07, 0x5b, 0x4f, 0x50,
];

/// `EFI_AUTHENTICATED_VARIABLE_GUID`, `aaf32c78-947b-439a-a180-2e144ec37792`.
const AUTHENTICATED_VARIABLES: [u8; 16] = [
    0x78, 0x2c, 0xf3, 0xaa, 0x7b, 0x94, 0x9a, 0x43, 0xa1, 0x80, 0x2e, 0x14, 0x4e, 0xc3, 0x77, 0x92,
];

/// `VARIABLE_STORE_FORMATTED` and `VARIABLE_STORE_HEALTHY`.
const FORMATTED: u8 = 0x5a;
const HEALTHY: u8 = 0xfe;

/// `VARIABLE_DATA`, with which every variable starts.
const START: u16 = 0x55aa;

/// `VAR_ADDED`, and the same while its replacement is being written.
const ADDED: u8 = 0x3f;
const ADDED_AND_BEING_REPLACED: u8 = 0x3e;

/// Variables start at multiples of this. Unit: byte.
const ALIGNMENT: usize = 4;

/// What flash holds where nothing was written.
const BLANK: u8 = 0xff;

/// When the keys were set, an `EFI_TIME`: 2000-01-01 00:00 UTC, before any update of them.
const TIME: [u8; 16] = [0xd0, 0x07, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Most variables of a store. A quarter of a megabyte holds 4,000 of the smallest.
const MAX_VARIABLES: usize = 4_096;
