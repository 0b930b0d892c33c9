//! Where a TPM is, as tpm2-tools write it.

use core::fmt;
use core::str::FromStr;
use std::path::{Path, PathBuf};

use tre_tpm::{EsapiTpm, TpmError};

/// Where a TPM is reached.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    /// The kernel's device: `device:/dev/tpmrm0`.
    Device(PathBuf),
    /// A software TPM at a unix socket: `swtpm:path=/run/meter/tpm`. It shows how it works; whoever
    /// reads its files has the key.
    Swtpm(PathBuf),
}

/// A text that names no place of a TPM.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "expected device:/PATH (such as device:/dev/tpmrm0) or swtpm:path=/PATH, with a whole path"
)]
pub struct NotAPlace;

impl Place {
    /// Connects to the TPM there.
    pub(crate) fn connect(&self) -> Result<EsapiTpm, TpmError> {
        match self {
            Self::Device(path) => EsapiTpm::open_device(path),
            Self::Swtpm(path) => EsapiTpm::connect_swtpm(path),
        }
    }
}

impl FromStr for Place {
    type Err = NotAPlace;

    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        let (kind, path): (fn(PathBuf) -> Self, &str) =
            match (text.strip_prefix("device:"), text.strip_prefix("swtpm:path=")) {
                (Some(path), _) => (Self::Device, path),
                (None, Some(path)) => (Self::Swtpm, path),
                (None, None) => return Err(NotAPlace),
            };
        // A comma would begin the software stack's next option.
        let plain = path.chars().all(|char| !char.is_control() && char != ',');
        let whole = Path::new(path).is_absolute();
        if plain && whole { Ok(kind(PathBuf::from(path))) } else { Err(NotAPlace) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(path) => write!(f, "device:{}", path.display()),
            Self::Swtpm(path) => write!(f, "swtpm:path={}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_written_as_it_is_read() {
        for text in ["device:/dev/tpmrm0", "swtpm:path=/run/meter/tpm"] {
            assert_eq!(text.parse::<Place>().map(|place| place.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn another_connector_a_relative_path_and_a_second_option_are_refused() {
        let bad = ["", "/dev/tpm0", "device:tpm0", "swtpm:/tmp/tpm", "mssim:", "device:/a\nb"];
        for text in bad.into_iter().chain(["swtpm:path=/a,port=1", "cmd:/bin/sh"]) {
            assert_eq!(text.parse::<Place>(), Err(NotAPlace), "{text:?}");
        }
    }
}
