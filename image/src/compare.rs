//! Where two files that should be the same are not: offset, section, component.

use core::fmt;

use measured_boot::component;
use measured_boot::pe::EfiFile;

use crate::reference;

/// EFI files begin in a FAT file system at a multiple of this. Unit: bytes.
const SECTOR: usize = 512;

/// How an EFI file begins.
const EFI_MAGIC: &[u8] = b"MZ";

/// Two files of one name that differ.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Difference {
    /// The file.
    pub name: String,
    /// Where they first differ, in bytes from the start.
    pub offset: usize,
    /// How many bytes differ, those that only one file has included.
    pub bytes: usize,
    /// The files' lengths, in bytes.
    pub lens: [usize; 2],
    /// The place in words: the innermost thing that has a name.
    pub places: Vec<String>,
}

/// Compares two files byte for byte.
#[must_use]
pub fn difference(name: &str, first: &[u8], second: &[u8]) -> Option<Difference> {
    let lens = [first.len(), second.len()];
    let shorter = first.len().min(second.len());
    let pairs = first.iter().zip(second);
    let offset = match pairs.clone().position(|(one, other)| one != other) {
        Some(offset) => offset,
        None if first.len() == second.len() => return None,
        None => shorter,
    };
    let tail = first.len().max(second.len()).saturating_sub(shorter);
    let bytes = pairs.filter(|(one, other)| one != other).count().saturating_add(tail);
    let places = places(first, second, offset);
    Some(Difference { name: name.into(), offset, bytes, lens, places })
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, offset, bytes, lens: [first, second], places } = self;
        write!(f, "{name}: differs from offset {offset:#x} on, in {bytes} bytes")?;
        if first != second {
            write!(f, " (lengths {first} and {second})")?;
        }
        for place in places {
            write!(f, "; {place}")?;
        }
        Ok(())
    }
}

/// What stands at `offset`, if the files are EFI files or file systems with one in it.
fn places(first: &[u8], second: &[u8], offset: usize) -> Vec<String> {
    let Some(start) = find_efi(first) else { return Vec::new() };
    let mut places = Vec::new();
    if start > 0 {
        places.push(format!("the EFI file in it begins at {start:#x}"));
    }
    let (Some(first), Some(second)) = (first.get(start..), second.get(start..)) else {
        return places;
    };
    match offset.checked_sub(start) {
        Some(offset) => places.push(section_at(first, offset)),
        None => places.push("before it: the file system's tables".into()),
    }
    places.extend(components(first, second));
    places
}

/// Where an EFI file begins.
fn find_efi(file: &[u8]) -> Option<usize> {
    let begins = |start: &usize| {
        let rest = file.get(*start..).unwrap_or_default();
        rest.starts_with(EFI_MAGIC) && EfiFile::parse(rest).is_ok()
    };
    (0..file.len()).step_by(SECTOR).find(begins)
}

fn section_at(efi: &[u8], offset: usize) -> String {
    let sections = EfiFile::parse(efi).map(|efi| efi.sections()).unwrap_or_default();
    let holds = |section: &&measured_boot::pe::Section| {
        offset >= section.offset && offset < section.offset.saturating_add(section.len)
    };
    match sections.iter().find(holds) {
        Some(section) => format!("section {}", section.name),
        None => "outside all sections".into(),
    }
}

/// Components that differ; of those that follow others, only if no other does.
fn components(first: &[u8], second: &[u8]) -> Vec<String> {
    let (first, second) = match (reference::components(first), reference::components(second)) {
        (Ok(first), Ok(second)) => (first, second),
        (Err(error), _) | (_, Err(error)) => {
            return Vec::from([format!("component unknown: {error}")]);
        }
    };
    let mut changes = component::changes(&first, &second);
    if changes.iter().any(|change| !change.follows_others()) {
        changes.retain(|change| !change.follows_others());
    }
    changes.iter().map(|change| format!("component {}", change.name())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_files_do_not_differ() {
        assert_eq!(difference("a", b"same", b"same"), None);
    }

    #[test]
    fn one_planted_byte_is_found_by_name_and_offset() {
        let (first, mut second) = (vec![7; 5_000], vec![7; 5_000]);
        second[4_321] = 8;
        let found = difference("libtss2-esys.a", &first, &second).expect("differs");
        assert_eq!(found.to_string(), "libtss2-esys.a: differs from offset 0x10e1 on, in 1 bytes",);
    }

    #[test]
    fn a_file_that_goes_on_differs_where_the_other_ends() {
        let found = difference("tred", b"abc", b"abcde").expect("differs");
        assert_eq!(
            found.to_string(),
            "tred: differs from offset 0x3 on, in 2 bytes (lengths 3 and 5)",
        );
    }
}
