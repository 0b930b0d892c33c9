//! Lines on the console: `tred: ` first, and never a reading, identity, bid, bill or key.

use std::io::{Write as _, stdout};

/// Prints one line. A console that is gone takes nothing with it: `println!` would panic.
pub(crate) fn line(text: &str) {
    stdout().write_all(format!("tred: {text}\n").as_bytes()).ok();
}
