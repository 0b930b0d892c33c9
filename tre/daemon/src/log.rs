//! Lines on the console: `tred: ` first, and never a reading, identity, bid, bill or key.

/// Prints one line.
#[expect(clippy::print_stdout, reason = "the console is the box's only log")]
pub(crate) fn line(text: &str) {
    println!("tred: {text}");
}
