//! The linker's map, read as far as the report needs it.

use super::*;

const MAP: &str = "
             VMA              LMA     Size Align Out     In      Symbol
          201000           201000       30    16 .text
          201000           201000       10    16         /usr/lib/x86/libc.a(abort.o):(.text)
          201000           201000       10     1                 abort
          201010           201010        8    16         /b/libring-e876da650f004f3a.rlib(1d2c4b69585b25ac-aes_nohw.o):(.text.a)
          201018           201018        8    16         /b/libring-e876da650f004f3a.rlib(1d2c4b69585b25ac-aes_nohw.o):(.text.b)
          201020           201020        4     1         /b/libtss_esapi_sys-b08f4200d9838374.rlib(aes.c.o):(.text)
          201024           201024        6     1         /b/libtss_esapi_sys-b08f4200d9838374.rlib(libtss2_esys_la-Esys_Load.o):(.text)
          20102a           20102a        6     1         /b/tred-1.tred.2-cgu.0.rcgu.o:(.text.unlikely.)
          201030           201030        0     1         <internal>:(.got)
               0                0        9     1         /usr/lib/x86/libc.a(gone.o):(.comment)
";

fn versions() -> Versions {
    let version = |(name, version): (&str, &str)| (name.to_owned(), version.to_owned());
    Versions(
        [("libc6-dev", "2.36"), ("libmbedtls-dev", "2.28"), ("ring", "0.17"), ("tpm2-tss", "4.1")]
            .map(version)
            .into(),
    )
}

fn rows(map: &str) -> Vec<Row<'_>> {
    map.lines().filter_map(Row::parse).collect()
}

#[test]
fn objects_are_told_by_library_and_what_was_dropped_does_not_count() {
    let kept = kept(&rows(MAP)).expect("known origins");
    let of = |name| {
        let objects = kept.get(name).expect("linked");
        objects.iter().map(|(object, len)| (object.as_str(), *len)).collect::<Vec<_>>()
    };
    assert_eq!(of("glibc"), [("abort", 0x10)]);
    assert_eq!(of("ring"), [("aes_nohw", 0x10)]);
    assert_eq!(of("mbedtls"), [("aes", 4)]);
    assert_eq!(of("tpm2-tss"), [("Esys_Load", 6)]);
    assert_eq!(kept.len(), 4);
}

#[test]
fn an_object_of_unknown_origin_is_refused() {
    let map = MAP.replace("libc.a(abort.o)", "libz.a(inflate.o)");
    let error = kept(&rows(&map)).expect_err("refused");
    let expected = "/usr/lib/x86/libz.a(inflate.o)";
    assert!(matches!(&error, NativeError::Origin { found } if found == expected), "{error}");
}

#[test]
fn lines_are_those_of_the_linked_objects_and_none_is_forgotten() {
    let objects = BTreeMap::from([("aes".to_owned(), 4)]);
    let counted = BTreeMap::from([("aes".to_owned(), 100), ("other".to_owned(), 7)]);
    assert_eq!(sum("mbedtls", "2.28", &objects, &counted).expect("counted"), 100);
    let objects = BTreeMap::from([("new".to_owned(), 4)]);
    let error = sum("mbedtls", "2.28", &objects, &counted).expect_err("refused");
    assert!(matches!(&error, NativeError::Uncounted { object, .. } if object == "new"), "{error}");
}

/// This test's own executable is a whole one, and not the one of the map.
#[test]
fn a_map_of_another_executable_is_refused() {
    let executable = std::env::current_exe().expect("it runs");
    let bytes = std::fs::read(executable).expect("it lies there");
    let error = libraries(MAP, &bytes, &versions(), &CLines::committed()).expect_err("refused");
    assert!(matches!(error, NativeError::OtherMap { .. }), "{error}");
    let error = libraries(MAP, b"#!/bin/sh", &versions(), &CLines::committed());
    assert!(matches!(error, Err(NativeError::Elf(_))));
}
