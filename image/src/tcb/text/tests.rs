//! The counter against sources small enough to count by hand.

use super::*;

fn lines(text: &str) -> u32 {
    count(text).expect("tokens").code_lines
}

fn unsafe_code(text: &str) -> (u32, u32, u32) {
    let UnsafeCode { blocks, functions, implementations } =
        count(text).expect("tokens").unsafe_code;
    (blocks, functions, implementations)
}

#[test]
fn only_lines_with_a_token_are_code() {
    let text = r##"//! A module comment.
/* A comment
   of two lines. */

/// Documentation.
#[doc = "an attribute is code"]
pub fn one() -> u32 { // and a comment behind it
    /* in front */ 1

    //
}
const TEXT: &str = "two lines,
// and no comment";
"##;
    // The attribute, fn, 1, }, and two of the string.
    assert_eq!(lines(text), 6);
    assert_eq!(lines(""), 0);
    assert_eq!(lines("// nothing\n\n"), 0);
}

#[test]
fn every_use_of_unsafe_is_counted_by_its_kind() {
    let text = r#"
        unsafe fn plain() { unsafe { inner() } }
        pub const unsafe extern "C" fn foreign() {}
        unsafe impl Send for Thing {}
        unsafe trait Promise {}
        fn safe() { let x = unsafe { a() } + unsafe { b() }; }
    "#;
    assert_eq!(unsafe_code(text), (3, 2, 2));
}

#[test]
fn what_is_not_unsafe_code_is_not_counted() {
    let text = r##"
        #![forbid(unsafe_code)]
        //! unsafe { }
        /// unsafe fn documented()
        type Pointer = unsafe extern "C" fn(u32) -> u32;
        unsafe extern "C" { fn declared(); }
        const WORDS: &str = "unsafe { }"; // unsafe { }
        const RAW: &str = r#"unsafe fn x() {}"#;
    "##;
    assert_eq!(unsafe_code(text), (0, 0, 0));
}

#[test]
fn macros_count_like_everything_else() {
    let text = r"
        macro_rules! call {
            ($name:ident) => { unsafe fn $name() { unsafe { go() } } };
        }
    ";
    assert_eq!(unsafe_code(text), (1, 1, 0));
    assert_eq!(lines(text), 3);
}

#[test]
fn modules_of_tests_are_left_out_and_nothing_else_of_tests_is() {
    let text = r"
        fn shipped() {}
        #[cfg(test)]
        mod tests;
        #[cfg(test)]
        #[allow(dead_code)]
        pub(crate) mod more {
            fn f() { unsafe { g() } }
        }
        #[cfg(all(test, feature = 'a'))]
        mod also {}
        #[cfg(not(test))]
        mod kept { fn h() { unsafe { i() } } }
        #[cfg(test)]
        fn helper() {}
        #[cfg(any(test, unix))]
        mod shared {}
    ";
    let text = text.replace("'a'", "\"a\"");
    assert_eq!(unsafe_code(&text), (1, 0, 0));
    assert_eq!(lines(&text), 1 + 2 + 2 + 2);
}

#[test]
fn what_is_no_rust_is_refused() {
    assert_eq!(count("fn whole() {}\nfn broken( {"), Err(NotRust { line: 2 }));
}
