//! Decoding and encoding of JSON with the bounds of this crate.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::bounds;
use crate::plain::plain;

/// Why a body is not the message that was expected.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// More bytes than any message has.
    #[error("expected at most {most} bytes, found {found}")]
    TooLong {
        /// Most bytes allowed.
        most: usize,
        /// Bytes found.
        found: usize,
    },
    /// Brackets nested deeper than any message nests.
    #[error("expected at most {most} levels of nesting")]
    TooDeep {
        /// Most levels allowed.
        most: usize,
    },
    /// Read, but not said as the message says it: a field left out or by position, a word as an
    /// object. A request has one reading because it has one writing.
    #[error("expected every field by its name, `null` where there is nothing")]
    NotLiteral,
    /// Not JSON, or not this message: unknown, missing or repeated field, value out of range.
    #[error("{}", plain(&.0.to_string()))]
    Malformed(serde_json::Error),
}

/// Decodes one message from the whole of `body`.
///
/// # Errors
///
/// [`JsonError`]; the text of [`JsonError::Malformed`] names the field and the position.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, JsonError> {
    decode_at_most(body, bounds::BODY_BYTES)
}

/// Decodes one request: like [`decode`], and the body must say what the message says, field by
/// field, white space and order apart.
///
/// # Errors
///
/// [`JsonError`]; [`JsonError::NotLiteral`] for what serde would fill in by itself.
pub fn decode_request<T: DeserializeOwned + Serialize>(body: &[u8]) -> Result<T, JsonError> {
    decode_request_at_most(body, bounds::BODY_BYTES)
}

/// [`decode_request`] for one of at most `most` bytes.
///
/// # Errors
///
/// As [`decode_request`].
pub fn decode_request_at_most<T: DeserializeOwned + Serialize>(
    body: &[u8],
    most: usize,
) -> Result<T, JsonError> {
    let message: T = decode_at_most(body, most)?;
    let said: serde_json::Value = serde_json::from_slice(body).map_err(JsonError::Malformed)?;
    let meant = serde_json::to_value(&message).map_err(JsonError::Malformed)?;
    if said == meant { Ok(message) } else { Err(JsonError::NotLiteral) }
}

/// Decodes one file or message of at most `most` bytes.
///
/// # Errors
///
/// [`JsonError`].
pub fn decode_at_most<T: DeserializeOwned>(body: &[u8], most: usize) -> Result<T, JsonError> {
    if body.len() > most {
        return Err(JsonError::TooLong { most, found: body.len() });
    }
    if nesting(body) > bounds::JSON_DEPTH {
        return Err(JsonError::TooDeep { most: bounds::JSON_DEPTH });
    }
    serde_json::from_slice(body).map_err(JsonError::Malformed)
}

/// The `format` that a file of at most `most` bytes says it is of. It is read before the rest, which
/// another format may have otherwise.
///
/// # Errors
///
/// As [`decode_at_most`].
pub fn format_at_most(body: &[u8], most: usize) -> Result<u32, JsonError> {
    let Version { format } = decode_at_most(body, most)?;
    Ok(format)
}

/// The version alone, which every format has.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Version {
    format: u32,
}

/// Encodes one message and adds spaces until it is `length` bytes long; a longer one stays as it
/// is.
///
/// # Errors
///
/// As [`encode`].
pub fn encode_padded<T: Serialize>(message: &T, length: usize) -> Result<Vec<u8>, JsonError> {
    let mut bytes = encode(message)?;
    pad(&mut bytes, length);
    Ok(bytes)
}

/// Adds spaces to an encoded message until it is `length` bytes long. White space after a message
/// says nothing.
pub fn pad(bytes: &mut Vec<u8>, length: usize) {
    if bytes.len() < length {
        bytes.resize(length, b' ');
    }
}

/// Encodes one message.
///
/// # Errors
///
/// [`JsonError::Malformed`] if the type refuses; no type of this crate does.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, JsonError> {
    serde_json::to_vec(message).map_err(JsonError::Malformed)
}

impl JsonError {
    /// The message as one line of text.
    #[must_use]
    pub fn detail(&self) -> String {
        self.to_string()
    }
}

/// Deepest nesting of brackets outside strings.
fn nesting(body: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    let (mut in_string, mut escaped) = (false, false);
    for &byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth = depth.saturating_add(1);
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_level_too_deep_is_refused() {
        let deep = |levels: usize| alloc::format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let refused = decode::<serde_json::Value>(deep(bounds::JSON_DEPTH + 1).as_bytes());
        assert!(matches!(refused, Err(JsonError::TooDeep { most: bounds::JSON_DEPTH })));
        assert!(decode::<serde_json::Value>(deep(bounds::JSON_DEPTH).as_bytes()).is_ok());
    }

    #[test]
    fn brackets_inside_a_string_do_not_nest() {
        let text = alloc::format!("\"\\\"{}\"", "[".repeat(100));
        assert!(decode::<String>(text.as_bytes()).is_ok());
    }

    #[test]
    fn one_byte_too_long_is_refused() {
        let body = alloc::vec![b' '; 17];
        let refused = decode_at_most::<u64>(&body, 16);
        assert!(matches!(refused, Err(JsonError::TooLong { most: 16, found: 17 })));
    }

    #[test]
    fn bytes_after_the_message_are_refused() {
        assert!(matches!(decode::<u64>(b"1 2"), Err(JsonError::Malformed(_))));
    }
}
