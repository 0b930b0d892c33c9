//! Fuzzes `tre_decoders::endorsement_key`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // Accepted or not: what may not happen is a panic.
    let _: bool = tre_decoders::endorsement_key(data);
});
