//! The bounded reader at every edge.

use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

#[test]
fn integers_are_read_in_both_orders() {
    let mut reader = Reader::new(&[1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(reader.take_u16_be(), Ok(0x0102));
    assert_eq!(reader.take_u16_le(), Ok(0x0403));
    assert_eq!(reader.take_u32_be(), Ok(0x0506_0708));
    assert_eq!(reader.finish(), Ok(()));
    assert_eq!(Reader::new(&[1, 2, 3, 4]).take_u32_le(), Ok(0x0403_0201));
    assert_eq!(Reader::new(&[0, 0, 0, 0, 0, 0, 0, 9]).take_u64_be(), Ok(9));
    assert_eq!(Reader::new(&[9, 0, 0, 0, 0, 0, 0, 0]).take_u64_le(), Ok(9));
}

#[test]
fn truncated_field_names_offset_need_and_rest() {
    let mut reader = Reader::new(&[0, 1, 2]);
    assert_eq!(reader.take_u16_be(), Ok(1));
    let error = ReadError::Truncated { offset: 2, needed: 4, left: 1 };
    assert_eq!(reader.take_u32_be(), Err(error));
    assert_eq!(reader.take_u8(), Ok(2), "nothing was consumed by the failure");
}

#[test]
fn claimed_length_beyond_the_input_is_refused() {
    let mut reader = Reader::new(&[0xff, 0xff, 1]);
    let error = ReadError::Truncated { offset: 2, needed: 0xffff, left: 1 };
    assert_eq!(reader.take_sized_u16_be(), Err(error));
    let mut reader = Reader::new(&[0xff, 0xff, 0xff, 0xff]);
    let error = ReadError::Truncated { offset: 4, needed: 0xffff_ffff, left: 0 };
    assert_eq!(reader.take_sized_u32_le(), Err(error));
}

#[test]
fn inner_reader_counts_from_the_outermost_start() {
    let mut outer = Reader::new(&[0, 0, 1, 2, 3]);
    assert_eq!(outer.take_u16_be(), Ok(0));
    let mut inner = outer.take_reader(2).unwrap();
    assert_eq!(inner.take_u8(), Ok(1));
    assert_eq!(inner.finish(), Err(ReadError::Trailing { offset: 3, left: 1 }));
    assert_eq!(outer.offset(), 4);
}

proptest! {
    #[test]
    fn offset_and_rest_always_add_up(
        bytes: Vec<u8>,
        lens in prop::collection::vec(0_usize..9, 0..9),
    ) {
        let mut reader = Reader::new(&bytes);
        for len in lens {
            let before = reader.offset();
            match reader.take_slice(len) {
                Ok(slice) => prop_assert_eq!(slice, &bytes[before..reader.offset()]),
                Err(_) => prop_assert_eq!(reader.offset(), before),
            }
            prop_assert_eq!(&bytes[reader.offset()..], reader.rest);
        }
    }
}
