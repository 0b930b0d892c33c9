//! What the firmware says of secure boot, in PCR 7.
//!
//! Five variables are measured whether they are set or not, then a separator. With secure boot on,
//! the entry of the signature database that let the image start is measured as well, behind the
//! separator: PCR 7 tells *why* something was allowed to run, PCR 4 what it was.

use alloc::{format, string::ToString as _, vec::Vec};

use crate::{digest::sha256_of_parts, manifest::ExpectedEvent, predict::separator};

/// Contents of the variables that hold keys, each a sequence of `EFI_SIGNATURE_LIST`; empty for a
/// variable that is not set.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SecureVariables<'a> {
    /// `PK`: the key that may replace the others.
    pub platform_key: &'a [u8],
    /// `KEK`: the keys that may change the two databases.
    pub key_exchange_keys: &'a [u8],
    /// `db`: what may start.
    pub allowed: &'a [u8],
    /// `dbx`: what may not, even if `db` says so.
    pub forbidden: &'a [u8],
}

/// State of secure boot while the firmware starts an image.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SecureBoot<'a> {
    /// Anything may start.
    Off(SecureVariables<'a>),
    /// Only what `db` allows may start.
    On {
        /// The keys.
        variables: SecureVariables<'a>,
        /// The entry of `db` that allows the image: an `EFI_SIGNATURE_DATA`, which is the owner's
        /// GUID and the hash or certificate.
        authority: &'a [u8],
    },
}

impl SecureBoot<'_> {
    /// Firmware as it leaves the factory: no keys, secure boot off.
    pub const PRISTINE: Self = Self::Off(SecureVariables {
        platform_key: &[],
        key_exchange_keys: &[],
        allowed: &[],
        forbidden: &[],
    });

    /// The events of PCR 7, in order.
    ///
    /// Source: `[PFP]`, `EV_EFI_VARIABLE_DRIVER_CONFIG` and `EV_EFI_VARIABLE_AUTHORITY`.
    #[must_use]
    pub fn events(&self) -> Vec<ExpectedEvent> {
        let (state, variables, authority) = match self {
            Self::Off(variables) => (0, variables, None),
            Self::On { variables, authority } => (1, variables, Some(*authority)),
        };
        let mut events = Vec::from([
            variable(&EFI_GLOBAL_VARIABLE, "SecureBoot", &[state]),
            variable(&EFI_GLOBAL_VARIABLE, "PK", variables.platform_key),
            variable(&EFI_GLOBAL_VARIABLE, "KEK", variables.key_exchange_keys),
            variable(&EFI_IMAGE_SECURITY_DATABASE, "db", variables.allowed),
            variable(&EFI_IMAGE_SECURITY_DATABASE, "dbx", variables.forbidden),
            separator(),
        ]);
        if let Some(entry) = authority {
            let ExpectedEvent { digest, .. } = variable(&EFI_IMAGE_SECURITY_DATABASE, "db", entry);
            let description = "entry of db that allows the image".to_string();
            events.push(ExpectedEvent { description, digest });
        }
        events
    }

    /// Why PCR 7 is as [`Self::events`] say.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Off(variables) if *variables == SecureVariables::default() => {
                "secure boot off, no keys enrolled"
            }
            Self::Off(_) => "secure boot off, keys enrolled",
            Self::On { .. } => {
                "secure boot on; the keys, and the entry of db that allows the image"
            }
        }
    }
}

/// A `UEFI_VARIABLE_DATA`, which is measured whole. `[PFP]`
fn variable(guid: &[u8; 16], name: &str, value: &[u8]) -> ExpectedEvent {
    let units = name.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let count = |len: usize| u64::try_from(len).unwrap_or(u64::MAX).to_le_bytes();
    let (name_len, value_len) = (count(name.encode_utf16().count()), count(value.len()));
    let parts = [guid.as_slice(), &name_len, &value_len, &units, value];
    let description = format!("variable {name}");
    ExpectedEvent { description, digest: sha256_of_parts(parts) }
}

/// `8be4df61-93ca-11d2-aa0d-00e098032b8c`, as it lies in memory.
pub const EFI_GLOBAL_VARIABLE: [u8; 16] =
    [0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0, 0xe0, 0x98, 3, 0x2b, 0x8c];

/// `d719b2cb-3d3a-4596-a3bc-dad00e67656f`, as it lies in memory.
pub const EFI_IMAGE_SECURITY_DATABASE: [u8; 16] = [
    0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45, 0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f,
];

#[cfg(test)]
mod tests;
