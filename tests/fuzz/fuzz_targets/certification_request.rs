//! Fuzzes `tre_decoders::certification_request`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // Accepted or not: what may not happen is a panic.
    let _: bool = tre_decoders::certification_request(data);
});
