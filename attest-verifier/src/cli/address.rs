//! Where a box listens. What is no address is wrong usage, not a box that is silent.

/// Why a text is no address.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("expected HOST:PORT, such as 192.0.2.1:8443 or [2001:db8::1]:8443")]
pub(crate) struct NoAddress;

/// Reads `HOST:PORT`; who that is, is asked later.
pub(crate) fn parse(text: &str) -> Result<String, NoAddress> {
    let (host, port) = text.rsplit_once(':').ok_or(NoAddress)?;
    let port: u16 = port.parse().map_err(|_| NoAddress)?;
    let is_open = host.contains(':') && !(host.starts_with('[') && host.ends_with(']'));
    if host.is_empty() || is_open || port == 0 { Err(NoAddress) } else { Ok(text.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for text in ["127.0.0.1:8443", "tre.example:1", "[::1]:65535"] {
            assert_eq!(parse(text), Ok(text.to_owned()));
        }
        for text in ["", "tre", "tre:", ":1", "tre:0", "tre:65536", "::1:8443", "https://tre"] {
            assert_eq!(parse(text), Err(NoAddress), "{text}");
        }
    }
}
