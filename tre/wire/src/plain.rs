//! Somebody's words for a terminal.

use alloc::string::String;

/// What is no printable ASCII is escaped: so the words neither move the cursor nor begin a line that
/// could be taken for ours.
#[must_use]
pub fn plain(words: &str) -> String {
    let mut plain = String::with_capacity(words.len());
    for character in words.chars() {
        match character {
            ' '..='~' => plain.push(character),
            _ => plain.extend(character.escape_unicode()),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_shown() {
        assert_eq!(plain("tre-1, as ever ~"), "tre-1, as ever ~");
        let drawn = plain("\u{1b}[2J\nACCEPTED\u{202e}\u{9b}H\u{7f}");
        assert_eq!(drawn, r"\u{1b}[2J\u{a}ACCEPTED\u{202e}\u{9b}H\u{7f}");
    }
}
