//! One attribute of a certificate's subject, which the path builder leaves as it lies.
//!
//! Read after the certificate's signature was verified. Whatever is not as X.509 has it says nothing.

/// The value of the attribute `oid` (DER content) in `subject`, the content of an `RDNSequence`;
/// none if it is missing or stands more than once. `[RFC5280]`
pub(crate) fn attribute<'a>(subject: &'a [u8], oid: &[u8]) -> Option<&'a [u8]> {
    let mut found = None;
    let mut names = subject;
    while !names.is_empty() {
        let (mut set, rest) = element(names, SET)?;
        names = rest;
        while !set.is_empty() {
            let (pair, rest) = element(set, SEQUENCE)?;
            set = rest;
            let (kind, value) = element(pair, OBJECT_IDENTIFIER)?;
            if kind != oid {
                continue;
            }
            let (value, rest) = element(value, UTF8_STRING)?;
            if !rest.is_empty() || found.replace(value).is_some() {
                return None;
            }
        }
    }
    found
}

/// The content of the element with this tag that `bytes` begin with, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, length], rest) = bytes.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    let (length, rest) = match length {
        0x00..=0x7f => (usize::from(length), rest),
        0x81 => rest.split_first().map(|(length, rest)| (usize::from(*length), rest))?,
        _ => return None,
    };
    rest.split_at_checked(length)
}

const SET: u8 = 0x31;
const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;

#[cfg(test)]
mod tests {
    use super::*;

    const OID: &[u8] = &[0x67, 1];

    #[test]
    fn attribute_that_stands_once_is_found() {
        let one = [0x31, 9, 0x30, 7, 6, 2, 0x67, 1, 0x0c, 1, b'x'];
        assert_eq!(attribute(&one, OID), Some(b"x".as_slice()));
        assert_eq!(attribute(&one, &[0x67, 2]), None);
        assert_eq!(attribute(&[], OID), None);
    }

    #[test]
    fn attribute_that_stands_twice_or_is_cut_short_says_nothing() {
        let one = [0x31, 9, 0x30, 7, 6, 2, 0x67, 1, 0x0c, 1, b'x'];
        assert_eq!(attribute(&[one, one].concat(), OID), None);
        for cut in 1..one.len() {
            assert_eq!(attribute(&one[..cut], OID), None, "{cut}");
        }
        let number = [0x31, 9, 0x30, 7, 6, 2, 0x67, 1, 0x02, 1, b'x'];
        assert_eq!(attribute(&number, OID), None);
    }
}
