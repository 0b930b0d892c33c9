//! What of PCR 0 follows from the firmware's file, and what has to be recorded.
//!
//! OVMF measures a version (none), the PEI volume, the DXE volume, a separator. Both volumes lie
//! compressed in the file. The DXE volume is measured as it lies there; the PEI volume only after
//! it ran in place and wrote into itself, which depends on memory size and processors. So three of
//! the four events are computed here, and a platform's record has to agree with them.

use std::io::{self, Read as _};

use lzma_rust2::LzmaReader;
use measured_boot::digest::{Sha256Digest, sha256};
use measured_boot::manifest::{ExpectedEvent, PlatformDefinition};
use measured_boot::predict;
use measured_boot::reader::{ReadError, Reader, len_of};

/// Why a record does not fit the firmware's file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FirmwareError {
    /// Not a file of OVMF's kind.
    #[error("firmware file: expected a compressed section with two firmware volumes in it")]
    NoVolumes,
    /// A structure in it is cut off.
    #[error("firmware file: {0}")]
    Read(#[from] ReadError),
    /// The compressed part is damaged.
    #[error("firmware file: compressed section: {0}")]
    Lzma(#[source] io::Error),
    /// The record is of another firmware, or of a machine that measured something else.
    #[error(
        "PCR 0: expected {expected} events with {what} {computed} as number {number}, \
         as the firmware's file gives it; the record has other ones"
    )]
    OtherEvents {
        /// How many events there are.
        expected: usize,
        /// Which event is missing.
        what: &'static str,
        /// Its digest.
        computed: Sha256Digest,
        /// Its place, from 1.
        number: usize,
    },
}

/// The definition with every event of PCR 0 described as computed from the firmware's file `code`
/// or as recorded.
///
/// # Errors
///
/// [`FirmwareError`]: what was recorded is not what the file gives.
pub fn explained(
    definition: PlatformDefinition,
    code: &[u8],
) -> Result<PlatformDefinition, FirmwareError> {
    let event =
        |description: &str, digest| ExpectedEvent { description: description.into(), digest };
    let computed = [
        // A version string that is empty but for its terminator.
        (0, "the version", event("firmware version, empty: computed", sha256(&[0; 2]))),
        (2, "the DXE volume", event("DXE volume: computed", dxe_volume(code)?)),
        (3, "the separator", event("separator: computed", predict::separator().digest)),
    ];
    let mut pcr0 = definition.pcr0;
    let found = pcr0.len();
    for (place, what, event) in computed {
        let recorded = pcr0.get_mut(place).filter(|recorded| recorded.digest == event.digest);
        match recorded {
            Some(recorded) if found == EVENTS => *recorded = event,
            _ => {
                let (computed, number) = (event.digest, place.saturating_add(1));
                return Err(FirmwareError::OtherEvents {
                    expected: EVENTS,
                    what,
                    computed,
                    number,
                });
            }
        }
    }
    if let Some(pei_volume) = pcr0.get_mut(1) {
        pei_volume.description = "PEI volume, after it ran: recorded".into();
    }
    Ok(PlatformDefinition { pcr0, ..definition })
}

/// The hash of the DXE volume, the second one in the file's compressed section.
fn dxe_volume(code: &[u8]) -> Result<Sha256Digest, FirmwareError> {
    let content = decompressed(code)?;
    let mut reader = Reader::new(&content);
    let mut volumes = Vec::new();
    while reader.left() > 0 {
        let start = reader.offset();
        let [a, b, c, kind] = reader.take::<4>()?;
        let len = len_of(u32::from_le_bytes([a, b, c, 0]));
        let body = reader.take_slice(len.saturating_sub(4))?;
        if kind == VOLUME_SECTION {
            volumes.push(volume(body)?);
        }
        let used = reader.offset().saturating_sub(start);
        let filling = used.next_multiple_of(4).saturating_sub(used);
        reader.take_slice(filling.min(reader.left()))?;
    }
    match volumes.as_slice() {
        [_pei, dxe] => Ok(sha256(dxe)),
        _ => Err(FirmwareError::NoVolumes),
    }
}

/// A firmware volume as long as its header says.
fn volume(section: &[u8]) -> Result<&[u8], FirmwareError> {
    let mut header = Reader::new(section);
    header.take::<32>()?; // zero vector, file system
    let len = usize::try_from(header.take_u64_le()?).unwrap_or(usize::MAX);
    if &header.take::<4>()? != b"_FVH" {
        return Err(FirmwareError::NoVolumes);
    }
    Ok(Reader::new(section).take_slice(len)?)
}

/// What lies in the LZMA section.
fn decompressed(code: &[u8]) -> Result<Vec<u8>, FirmwareError> {
    let guid = code.windows(LZMA_SECTION.len()).position(|window| window == LZMA_SECTION);
    let section = guid.and_then(|at| at.checked_sub(4)).ok_or(FirmwareError::NoVolumes)?;
    let mut header = Reader::new(code.get(section..).unwrap_or_default());
    let body = header;
    header.take::<20>()?; // length, type, GUID
    let offset = usize::from(header.take_u16_le()?);
    let mut body = body;
    body.take_slice(offset)?;
    let packed = body.take_slice(body.left())?;
    let lzma = LzmaReader::new_mem_limit(packed, MEMORY_KIB, None).map_err(FirmwareError::Lzma)?;
    let mut content = Vec::new();
    lzma.take(MAX_CONTENT).read_to_end(&mut content).map_err(FirmwareError::Lzma)?;
    Ok(content)
}

/// Events of PCR 0.
const EVENTS: usize = 4;

/// `LZMA_CUSTOM_DECOMPRESS_GUID`, `ee4e5898-3914-4259-9d6e-dc7bd79403cf`.
const LZMA_SECTION: [u8; 16] = [
    0x98, 0x58, 0x4e, 0xee, 0x14, 0x39, 0x59, 0x42, 0x9d, 0x6e, 0xdc, 0x7b, 0xd7, 0x94, 0x03, 0xcf,
];

/// `EFI_SECTION_FIRMWARE_VOLUME_IMAGE`.
const VOLUME_SECTION: u8 = 0x17;

/// Memory that unpacking may take; OVMF's dictionary has 16 MiB. Unit: KiB.
const MEMORY_KIB: u32 = 64 * 1024;

/// Longest content; OVMF's has 13 MiB. Unit: byte.
const MAX_CONTENT: u64 = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkout::Checkout;
    use crate::machine::Firmware;
    use crate::platform;

    fn code(firmware: Firmware) -> Vec<u8> {
        std::fs::read(firmware.code()).expect("installed")
    }

    #[test]
    fn the_dxe_volume_is_what_a_machine_measured() {
        let platform = platform::identify(&crate::machine::Hardware::USUAL).expect("installed");
        let found = platform::find(&Checkout::own(), &platform).expect("reads").expect("committed");
        let descriptions: Vec<&str> =
            found.pcr0.iter().map(|event| event.description.as_str()).collect();
        assert_eq!(
            descriptions,
            [
                "firmware version, empty: computed",
                "PEI volume, after it ran: recorded",
                "DXE volume: computed",
                "separator: computed",
            ],
        );
    }

    #[test]
    fn a_record_of_another_firmware_is_refused() {
        let platform = platform::identify(&crate::machine::Hardware::USUAL).expect("installed");
        let found = platform::find(&Checkout::own(), &platform).expect("reads").expect("committed");
        let computed = dxe_volume(&code(Firmware::SecureBoot)).expect("unpacks");
        let refused = explained(found, &code(Firmware::SecureBoot));
        assert!(
            matches!(&refused, Err(FirmwareError::OtherEvents { number: 3, computed: it, .. })
                if *it == computed),
            "{refused:?}",
        );
    }

    #[test]
    fn a_cut_firmware_file_is_refused() {
        let whole = code(Firmware::Plain);
        let cut = dxe_volume(&whole[..whole.len() / 3]);
        assert!(matches!(cut, Err(FirmwareError::Lzma(_) | FirmwareError::Read(_))), "{cut:?}");
        let none = dxe_volume(&whole[..0x90]);
        assert!(matches!(none, Err(FirmwareError::NoVolumes)), "{none:?}");
    }
}
