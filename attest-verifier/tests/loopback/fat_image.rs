//! FAT images as small as each width allows, with one file where firmware looks for it.

#![expect(clippy::arithmetic_side_effects, reason = "offsets of files made here, of known length")]

/// How wide the entries of the allocation table are. Unit: bits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Width {
    Twelve,
    Sixteen,
    ThirtyTwo,
}

const SECTOR: usize = 512;

impl Width {
    /// Clusters, sectors of one table, entries of the root folder, reserved sectors.
    fn shape(self) -> (usize, usize, usize, usize) {
        match self {
            Self::Twelve => (2_000, 6, 16, 1),
            Self::Sixteen => (5_000, 20, 16, 1),
            Self::ThirtyTwo => (66_000, 516, 0, 32),
        }
    }
}

/// A file system of clusters of one sector. The file's clusters lie in descending order.
pub(crate) fn with_file(width: Width, content: &[u8]) -> Vec<u8> {
    let (clusters, table, root_entries, reserved) = width.shape();
    let root_sectors = root_entries * 32 / SECTOR;
    let first = reserved + 2 * table + root_sectors;
    let total = first + clusters;
    let mut image = vec![0; total * SECTOR];
    put(&mut image, 11, &u16::try_from(SECTOR).unwrap().to_le_bytes());
    image[13] = 1;
    put(&mut image, 14, &u16::try_from(reserved).unwrap().to_le_bytes());
    image[16] = 2;
    put(&mut image, 17, &u16::try_from(root_entries).unwrap().to_le_bytes());
    put(&mut image, 32, &u32::try_from(total).unwrap().to_le_bytes());
    if width == Width::ThirtyTwo {
        put(&mut image, 36, &u32::try_from(table).unwrap().to_le_bytes());
        put(&mut image, 44, &2_u32.to_le_bytes());
    } else {
        put(&mut image, 22, &u16::try_from(table).unwrap().to_le_bytes());
    }
    let at = |cluster: usize| (first + cluster - 2) * SECTOR;
    let root = if width == Width::ThirtyTwo { at(2) } else { (reserved + 2 * table) * SECTOR };
    let needed = content.len().div_ceil(SECTOR);
    let file = 4 + needed;
    // A label, a part of a long name, then the folder.
    put(&mut image, root, &entry(b"EFI        ", 0x08, 0, 0));
    put(&mut image, root + 32, &entry(b"EFI        ", 0x0f, 0, 0));
    put(&mut image, root + 64, &entry(b"EFI        ", 0x10, 3, 0));
    put(&mut image, at(3), &entry(b"BOOT       ", 0x10, 4, 0));
    put(&mut image, at(4), &entry(b"BOOTX64 EFI", 0x20, file, content.len()));
    let mut links = vec![(2, None), (3, None), (4, None)];
    for (position, part) in content.chunks(SECTOR).enumerate() {
        put(&mut image, at(file - position), part);
        let next = (position + 1 < needed).then(|| file - position - 1);
        links.push((file - position, next));
    }
    for (cluster, next) in links {
        link(&mut image, width, reserved * SECTOR, cluster, next);
    }
    image
}

/// Writes the table's entry of one cluster.
pub(crate) fn link(
    image: &mut [u8],
    width: Width,
    table: usize,
    cluster: usize,
    next: Option<usize>,
) {
    let next = u32::try_from(next.unwrap_or(0x0fff_ffff)).unwrap();
    match width {
        Width::Twelve => {
            let place = table + cluster * 3 / 2;
            let old = u16::from_le_bytes([image[place], image[place + 1]]);
            let next = u16::try_from(next & 0x0fff).unwrap();
            let new = if cluster.is_multiple_of(2) {
                (old & 0xf000) | next
            } else {
                (old & 0x000f) | (next << 4)
            };
            put(image, place, &new.to_le_bytes());
        }
        Width::Sixteen => {
            let next = u16::try_from(next & 0xffff).unwrap();
            put(image, table + cluster * 2, &next.to_le_bytes());
        }
        Width::ThirtyTwo => put(image, table + cluster * 4, &next.to_le_bytes()),
    }
}

fn entry(name: &[u8; 11], attributes: u8, cluster: usize, len: usize) -> [u8; 32] {
    let mut entry = [0; 32];
    put(&mut entry, 0, name);
    entry[11] = attributes;
    let cluster = u32::try_from(cluster).unwrap().to_le_bytes();
    put(&mut entry, 26, &cluster[..2]);
    put(&mut entry, 20, &cluster[2..]);
    put(&mut entry, 28, &u32::try_from(len).unwrap().to_le_bytes());
    entry
}

fn put(bytes: &mut [u8], at: usize, content: &[u8]) {
    bytes[at..at + content.len()].copy_from_slice(content);
}
