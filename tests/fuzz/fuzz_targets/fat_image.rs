//! Fuzzes `tre_decoders::fat_image`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // Accepted or not: what may not happen is a panic.
    let _: bool = tre_decoders::fat_image(data);
});
