//! Literals for tests: bytes written as hex, and faults written into them.

use alloc::{string::String, vec::Vec};

/// The bytes of hex digits, with spaces wherever they help.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    let byte = |pair: &[u8]| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.as_bytes().chunks(2).map(byte).collect()
}

/// `bytes` with `fault` written over them at `offset`, as far as they go.
pub(crate) fn overwritten(mut bytes: Vec<u8>, offset: usize, fault: &[u8]) -> Vec<u8> {
    for (place, byte) in bytes.iter_mut().skip(offset).zip(fault) {
        *place = *byte;
    }
    bytes
}
