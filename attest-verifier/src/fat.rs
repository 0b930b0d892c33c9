//! One file out of a FAT file system: where firmware would look for our EFI file.
//!
//! A reader of FAT12, FAT16 and FAT32 as far as that takes: short names, no partition table.
//! Every loop is bounded by the number of clusters, every read by the length of the image.

/// Where firmware looks on removable media, as FAT short names.
const PATH: [&[u8; 11]; 3] = [b"EFI        ", b"BOOT       ", b"BOOTX64 EFI"];

/// Why a file is not found in an image.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FatError {
    /// No boot sector, or one that contradicts itself.
    #[error("expected a FAT file system, found another first sector")]
    BootSector,
    /// A folder of the path, or the file itself, is not there.
    #[error("expected \\EFI\\BOOT\\BOOTX64.EFI in the image, found no {}",
        .name.escape_ascii())]
    Missing {
        /// The short name that is not there.
        name: &'static [u8; 11],
    },
    /// A chain of clusters leaves the image, or does not end.
    #[error("expected a chain of clusters inside the image, found cluster {cluster}")]
    Chain {
        /// The cluster that is wrong.
        cluster: u32,
    },
    /// A file that is longer than its clusters.
    #[error("expected a file of {claimed} bytes, found {found}")]
    Length {
        /// Length in the folder.
        claimed: usize,
        /// Bytes in its clusters.
        found: usize,
    },
}

/// How wide an entry of the allocation table is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Width {
    Twelve,
    Sixteen,
    ThirtyTwo,
}

struct Fat<'a> {
    image: &'a [u8],
    width: Width,
    table: usize,
    clusters: u32,
    cluster_len: usize,
    first_cluster: usize,
    root: Root,
}

#[derive(Clone, Copy)]
enum Root {
    Fixed { offset: usize, len: usize },
    Chain { cluster: u32 },
}

/// The boot sector's numbers. Unit: sectors, but for `len`, which is in bytes.
struct Sectors {
    len: usize,
    per_cluster: usize,
    before_tables: usize,
    tables: usize,
    root_entries: usize,
    total: usize,
    table: usize,
}

impl Sectors {
    fn read(image: &[u8]) -> Option<Self> {
        let len = usize::from(u16_at(image, 11)?);
        if ![512, 1024, 2048, 4096].contains(&len) {
            return None;
        }
        Some(Self {
            len,
            per_cluster: usize::from(*image.get(13)?),
            before_tables: usize::from(u16_at(image, 14)?),
            tables: usize::from(*image.get(16)?),
            root_entries: usize::from(u16_at(image, 17)?),
            total: either(u16_at(image, 19)?, u32_at(image, 32)?)?,
            table: either(u16_at(image, 22)?, u32_at(image, 36)?)?,
        })
    }
}

/// The content of `\EFI\BOOT\BOOTX64.EFI` in `image`.
///
/// # Errors
///
/// [`FatError`].
pub fn boot_file(image: &[u8]) -> Result<Vec<u8>, FatError> {
    let fat = Fat::open(image).ok_or(FatError::BootSector)?;
    let mut folder = match fat.root {
        Root::Fixed { offset, len } => {
            slice(image, offset, len).ok_or(FatError::BootSector)?.into()
        }
        Root::Chain { cluster } => fat.read_chain(cluster)?,
    };
    let mut claimed = 0;
    for name in PATH {
        let (cluster, len) = find(&folder, name).ok_or(FatError::Missing { name })?;
        folder = fat.read_chain(cluster)?;
        claimed = len;
    }
    let found = folder.len();
    if found < claimed {
        return Err(FatError::Length { claimed, found });
    }
    folder.truncate(claimed);
    Ok(folder)
}

impl<'a> Fat<'a> {
    /// Reads the boot sector; `None` if it contradicts itself.
    fn open(image: &'a [u8]) -> Option<Self> {
        let Sectors { len, per_cluster, before_tables, tables, root_entries, total, table } =
            Sectors::read(image)?;
        let cluster_len = len.checked_mul(per_cluster)?;
        let root_len = root_entries.checked_mul(32)?;
        let root = tables.checked_mul(table)?.checked_add(before_tables)?;
        let first_cluster = root_len.div_ceil(len).checked_add(root)?;
        let clusters = total.checked_sub(first_cluster)?.checked_div(per_cluster)?;
        let clusters = u32::try_from(clusters).ok()?;
        // The width follows from the number of clusters alone.
        let width = match clusters {
            0..4_085 => Width::Twelve,
            4_085..65_525 => Width::Sixteen,
            _ => Width::ThirtyTwo,
        };
        let first_cluster = first_cluster.checked_mul(len)?;
        let root = match width {
            Width::Twelve | Width::Sixteen => {
                Root::Fixed { offset: root.checked_mul(len)?, len: root_len }
            }
            Width::ThirtyTwo => Root::Chain { cluster: u32_at(image, 44)? },
        };
        let table = before_tables.checked_mul(len)?;
        Some(Self { image, width, table, clusters, cluster_len, first_cluster, root })
    }

    /// The bytes of a chain of clusters.
    fn read_chain(&self, first: u32) -> Result<Vec<u8>, FatError> {
        let mut bytes = Vec::new();
        let mut next = Some(first);
        for _ in 0..self.clusters {
            let Some(cluster) = next else { return Ok(bytes) };
            let part = self.cluster(cluster).ok_or(FatError::Chain { cluster })?;
            bytes.extend_from_slice(part);
            next = self.after(cluster).ok_or(FatError::Chain { cluster })?;
        }
        match next {
            None => Ok(bytes),
            Some(cluster) => Err(FatError::Chain { cluster }),
        }
    }

    fn cluster(&self, cluster: u32) -> Option<&'a [u8]> {
        // Clusters are numbered from 2.
        let number = cluster.checked_sub(2).filter(|number| *number < self.clusters)?;
        let offset = usize::try_from(number).ok()?.checked_mul(self.cluster_len)?;
        slice(self.image, offset.checked_add(self.first_cluster)?, self.cluster_len)
    }

    /// The cluster after this one; `Some(None)` at the end of the chain.
    fn after(&self, cluster: u32) -> Option<Option<u32>> {
        let number = usize::try_from(cluster).ok()?;
        let (value, end) = match self.width {
            Width::Twelve => {
                let place = number.checked_mul(3)?.checked_div(2)?;
                let pair = u16_at(self.image, self.table.checked_add(place)?)?;
                let value = if number.is_multiple_of(2) { pair & 0x0fff } else { pair >> 4 };
                (u32::from(value), 0x0ff8)
            }
            Width::Sixteen => {
                let place = self.table.checked_add(number.checked_mul(2)?)?;
                (u32::from(u16_at(self.image, place)?), 0xfff8)
            }
            Width::ThirtyTwo => {
                let place = self.table.checked_add(number.checked_mul(4)?)?;
                (u32_at(self.image, place)? & 0x0fff_ffff, 0x0fff_fff8)
            }
        };
        Some((value < end).then_some(value))
    }
}

/// First cluster and length of the entry called `name`.
fn find(folder: &[u8], name: &[u8; 11]) -> Option<(u32, usize)> {
    let (entries, _) = folder.as_chunks::<32>();
    // Volume labels and the parts of long names have bit 3 set.
    let is_entry = |entry: &&[u8; 32]| entry.get(11).is_some_and(|bits| bits & 0x08 == 0);
    let entry = entries.iter().filter(is_entry).find(|entry| entry.starts_with(name))?;
    let cluster = (u32::from(u16_at(entry, 20)?) << 16) | u32::from(u16_at(entry, 26)?);
    Some((cluster, usize::try_from(u32_at(entry, 28)?).ok()?))
}

/// The 16-bit field, or the 32-bit one that stands for it when it is zero.
fn either(short: u16, long: u32) -> Option<usize> {
    if short == 0 { usize::try_from(long).ok() } else { Some(usize::from(short)) }
}

fn slice(bytes: &[u8], offset: usize, len: usize) -> Option<&[u8]> {
    bytes.get(offset..offset.checked_add(len)?)
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}
