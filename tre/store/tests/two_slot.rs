//! Power cuts and damage, on a file in place of the disk.
//!
//! A write is one range of bytes, then a flush. A power cut leaves any of its sectors written and
//! the others as they were; where the sector itself tears, any number of its bytes. Each test
//! puts such an image together from the bytes before and after a real write, and opens it.

#![forbid(unsafe_code)]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a helper of tests may panic like a test"
)]

use std::fs;

use tempfile::NamedTempFile;
use tre_store::{
    Device, DeviceError, Extent, Record, SlotFault, TwoSlotError, TwoSlotRegion, Unfit,
};

const FIRST: Extent = Extent { offset: 4096, length: 8192 };
const SECOND: Extent = Extent { offset: 16384, length: 8192 };
const DISK_LEN: usize = 32768;
const SECTOR: usize = 512;

/// A file that stands for a disk.
struct Disk(NamedTempFile);

impl Disk {
    fn blank() -> Self {
        Self::with(&[0; DISK_LEN])
    }

    fn with(image: &[u8]) -> Self {
        let file = NamedTempFile::new().expect("a temporary file");
        fs::write(file.path(), image).expect("an image");
        Self(file)
    }

    fn image(&self) -> Vec<u8> {
        fs::read(self.0.path()).expect("an image")
    }

    fn region(&self) -> TwoSlotRegion {
        let device = Device::open(self.0.path()).expect("opens");
        TwoSlotRegion::new(device, FIRST, SECOND).expect("a layout")
    }

    fn write(&self, bytes: &[u8]) -> u64 {
        self.region().write(bytes).expect("writes")
    }

    fn read(&self) -> Option<Record> {
        self.region().read().expect("reads")
    }
}

fn record(sequence: u64, bytes: &[u8]) -> Option<Record> {
    Some(Record { sequence, bytes: bytes.to_vec() })
}

/// Where two images differ, from the first to the last byte.
fn changed(before: &[u8], after: &[u8]) -> core::ops::Range<usize> {
    let differs = |at: &usize| before[*at] != after[*at];
    let first = (0..before.len()).find(differs).expect("a difference");
    let last = (0..before.len()).rfind(differs).expect("a difference");
    first..last + 1
}

#[test]
fn blank_region_holds_no_record() {
    assert_eq!(Disk::blank().read(), None);
}

#[test]
fn record_is_replaced_and_counted() {
    let disk = Disk::blank();
    for (sequence, bytes) in [(1, b"one".as_slice()), (2, b"second"), (3, b""), (4, b"four")] {
        assert_eq!(disk.write(bytes), sequence);
        assert_eq!(disk.read(), record(sequence, bytes));
    }
}

#[test]
fn write_cut_at_any_byte_leaves_the_older_record() {
    let disk = Disk::blank();
    disk.write(b"the first record");
    for (sequence, new) in [(2, b"the second, longer record".as_slice()), (3, b"third")] {
        let before = disk.image();
        let older = disk.read();
        disk.write(new);
        let after = disk.image();
        let range = changed(&before, &after);
        for cut in range.clone() {
            let image = [&after[..cut], &before[cut..]].concat();
            assert_eq!(Disk::with(&image).read(), older, "cut at byte {cut}");
        }
        let image = [&after[..range.end], &before[range.end..]].concat();
        assert_eq!(Disk::with(&image).read(), record(sequence, new));
    }
}

#[test]
fn write_of_any_of_its_sectors_alone_leaves_the_older_record() {
    let disk = Disk::blank();
    disk.write(&[1; 2000]);
    disk.write(&[2; 2000]);
    let (before, older) = (disk.image(), disk.read());
    disk.write(&[3; 2000]);
    let after = disk.image();
    let sectors: Vec<usize> = (0..DISK_LEN / SECTOR)
        .map(|sector| sector * SECTOR)
        .filter(|at| before[*at..at + SECTOR] != after[*at..at + SECTOR])
        .collect();
    assert_eq!(sectors.len(), 5, "header and 2000 bytes");
    let all = (1_u32 << sectors.len()) - 1;
    for written in 0..=all {
        let mut image = before.clone();
        for (_, at) in sectors.iter().enumerate().filter(|(bit, _)| written >> bit & 1 == 1) {
            let sector = *at..at + SECTOR;
            image[sector.clone()].copy_from_slice(&after[sector]);
        }
        let expected = if written == all { record(3, &[3; 2000]) } else { older.clone() };
        assert_eq!(Disk::with(&image).read(), expected, "sectors {written:05b}");
    }
}

#[test]
fn very_first_write_cut_at_any_byte_leaves_none_or_the_record() {
    let blank = Disk::blank().image();
    let disk = Disk::blank();
    disk.write(b"the first record");
    let after = disk.image();
    let range = changed(&blank, &after);
    for cut in range.clone() {
        let image = [&after[..cut], &blank[cut..]].concat();
        let first_slot_is_whole = cut >= 4096 + 56 + b"the first record".len();
        let expected = if first_slot_is_whole { record(1, b"the first record") } else { None };
        assert_eq!(Disk::with(&image).read(), expected, "cut at byte {cut}");
    }
}

#[test]
fn region_goes_on_after_a_cut() {
    let disk = Disk::blank();
    disk.write(b"one");
    let before = disk.image();
    disk.write(b"two");
    let after = disk.image();
    let cut = changed(&before, &after).start + 20;
    let torn = Disk::with(&[&after[..cut], &before[cut..]].concat());
    assert_eq!(torn.read(), record(1, b"one"));
    assert_eq!(torn.write(b"again"), 2);
    assert_eq!(torn.read(), record(2, b"again"));
    assert_eq!(torn.write(b"three"), 3);
    assert_eq!(torn.read(), record(3, b"three"));
}

#[test]
fn altered_byte_anywhere_in_the_newer_slot_leaves_the_older_record() {
    let disk = Disk::blank();
    disk.write(b"older");
    let before = disk.image();
    disk.write(b"newer");
    let image = disk.image();
    let start = changed(&before, &image).start / 4096 * 4096;
    for at in start..start + 56 + b"newer".len() {
        let mut altered = image.clone();
        altered[at] ^= 0x40;
        assert_eq!(Disk::with(&altered).read(), record(1, b"older"), "byte {at}");
    }
}

#[test]
fn damage_in_both_slots_is_named_and_never_overwritten() {
    let disk = Disk::blank();
    disk.write(b"older");
    disk.write(b"newer");
    let mut image = disk.image();
    image[4096] ^= 1;
    image[16384 + 60] ^= 1;
    let damaged = Disk::with(&image);
    let read = damaged.region().read().map(|_| ());
    let written = damaged.region().write(b"new").map(|_| ());
    for refused in [read, written] {
        let Err(TwoSlotError::Damaged { first, second }) = refused else {
            panic!("expected Damaged, found {refused:?}");
        };
        assert_eq!(first, Unfit::Fault(SlotFault::Magic));
        assert_eq!(second, Unfit::Fault(SlotFault::Checksum));
    }
    assert_eq!(damaged.image(), image);
}

#[test]
fn wiped_first_slot_beside_a_damaged_second_is_damage() {
    let disk = Disk::blank();
    disk.write(b"record");
    let mut image = disk.image();
    image[4096..8192].fill(0);
    image[16384 + 56] ^= 1;
    let refused = Disk::with(&image).region().read();
    assert!(
        matches!(
            refused,
            Err(TwoSlotError::Damaged {
                first: Unfit::Empty,
                second: Unfit::Fault(SlotFault::Checksum)
            })
        ),
        "found {refused:?}"
    );
}

#[test]
fn claimed_length_beyond_the_slot_is_damage() {
    let disk = Disk::blank();
    disk.write(b"older");
    disk.write(b"newer");
    let mut image = disk.image();
    for slot in [4096, 16384] {
        image[slot + 20..slot + 24].fill(0xff);
    }
    let refused = Disk::with(&image).region().read();
    let fault = Unfit::Fault(SlotFault::Length {
        max: 8192 - 56,
        found: usize::try_from(u32::MAX).expect("64 bits"),
    });
    let Err(TwoSlotError::Damaged { first, second }) = refused else {
        panic!("expected Damaged, found {refused:?}");
    };
    assert_eq!((first, second), (fault, fault));
}

#[test]
fn record_fills_a_slot_and_no_more() {
    let disk = Disk::blank();
    let max = disk.region().max_record_len();
    assert_eq!(max, 8192 - 56);
    disk.write(&vec![5; max]);
    assert_eq!(disk.read(), record(1, &vec![5; max]));
    let image = disk.image();
    let refused = disk.region().write(&vec![6; max + 1]);
    let Err(TwoSlotError::TooLong { max: bound, found }) = refused else {
        panic!("expected TooLong, found {refused:?}");
    };
    assert_eq!((bound, found), (max, max + 1));
    assert_eq!(disk.image(), image);
}

#[test]
fn region_beyond_the_end_of_the_disk_is_refused() {
    let disk = Disk::with(&[0; 20480]);
    for second in [SECOND, Extent { offset: u64::MAX - 4095, length: 4096 }] {
        let device = Device::open(disk.0.path()).expect("opens");
        let refused = TwoSlotRegion::new(device, FIRST, second);
        let Err(TwoSlotError::Device(DeviceError::OutOfBounds { offset, .. })) = refused else {
            panic!("expected OutOfBounds, found {refused:?}");
        };
        assert_eq!(offset, second.offset);
    }
}

#[test]
fn slots_that_share_a_sector_are_no_layout() {
    let disk = Disk::blank();
    let extent = |offset, length| Extent { offset, length };
    let unfit = [
        (extent(0, 4096), extent(2048, 4096)),
        (extent(0, 8192), extent(4096, 8192)),
        (extent(512, 4096), extent(8192, 4096)),
        (extent(0, 0), extent(8192, 4096)),
    ];
    for (first, second) in unfit {
        let device = Device::open(disk.0.path()).expect("opens");
        let refused = TwoSlotRegion::new(device, first, second);
        assert!(matches!(refused, Err(TwoSlotError::Layout { .. })), "{first:?} {second:?}");
    }
}
