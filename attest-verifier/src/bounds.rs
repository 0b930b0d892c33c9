//! Every bound of this end of a connection, with unit and reason.

use core::time::Duration;

/// Time to resolve the name and to connect.
pub(crate) const CONNECT: Duration = Duration::from_secs(10);

/// Time for the TLS handshake. An emulated box takes up to a second.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(20);

/// Time for one whole request. A quote may wait behind 64 others of 750 ms each.
pub(crate) const REQUEST: Duration = Duration::from_secs(60);

/// Header fields of one answer.
pub(crate) const HEADERS: usize = 32;

/// Status line and headers together. Unit: bytes; hyper takes no less than 8 KiB.
pub(crate) const HEADER_BYTES: usize = 16 * 1024;

/// Longest file with a certificate chain and a key. Unit: bytes.
pub(crate) const IDENTITY_BYTES: u64 = 64 * 1024;

/// Longest evidence file of `fetch`. Unit: bytes. A log of 1 MiB has twice that in hexadecimal.
pub(crate) const EVIDENCE_BYTES: u64 = 4 * 1024 * 1024;

/// Longest line of a log of `watch`. Unit: bytes. Evidence with certificates around it.
pub(crate) const ENTRY_BYTES: u64 = 5 * 1024 * 1024;

/// Connections that a proxy carries at one time: more than a TRE takes of one peer.
pub(crate) const PROXIED: usize = 64;

/// How long a token is good for. Unit: seconds.
pub(crate) const TOKEN_SECONDS: u64 = 300;

/// Longest event log file. Unit: bytes. Longer ones are refused when they are read.
pub(crate) const LOG_BYTES: u64 = 4 * 1024 * 1024;

/// Longest CoRIM file. Unit: bytes. Ours have under 8 KiB.
pub(crate) const CORIM_BYTES: usize = 1024 * 1024;

/// Longest file with a signature or a public key. Unit: bytes. What is in it is bounded when read.
pub(crate) const SIGNATURE_BYTES: u64 = 64 * 1024;

/// Longest file of remembered state. Unit: bytes. A TRE takes under 400.
pub(crate) const MEMORY_BYTES: u64 = 1024 * 1024;

/// How often the lock of such a file is tried, and how long is waited in between.
pub(crate) const LOCK_TRIES: u32 = 200;

/// See [`LOCK_TRIES`].
pub(crate) const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// Longest deployment or manifest file. Unit: bytes. What is in them is bounded when read.
pub(crate) const REFERENCE_BYTES: u64 = 2 * 1024 * 1024;

/// Longest revocation list. Unit: bytes. What is in it is bounded when read.
pub(crate) const REVOCATION_BYTES: u64 = 8 * 1024 * 1024;

/// Longest image file. Unit: bytes. Ours have under 16 MiB.
pub(crate) const IMAGE_BYTES: u64 = 256 * 1024 * 1024;
