//! Every bound of this end of a connection, with unit and reason.

use core::time::Duration;

/// How often what a TRE is held against is read again while a program runs.
pub const RELOAD: Duration = Duration::from_secs(60);

/// Time to resolve the name and to connect.
pub(crate) const CONNECT: Duration = Duration::from_secs(10);

/// Time for the TLS handshake. An emulated box takes up to a second.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(20);

/// Time for one whole request. A quote waits for less than three of the slowest TPM's, 750 ms each;
/// a step of an enrolment may wait behind 64 other jobs of as long.
pub(crate) const REQUEST: Duration = Duration::from_secs(60);

/// Header fields of one answer.
pub(crate) const HEADERS: usize = 32;

/// Status line and headers together. Unit: bytes; hyper takes no less than 8 KiB.
pub(crate) const HEADER_BYTES: usize = 16 * 1024;

/// Longest file with a certificate chain and a key. Unit: bytes.
pub(crate) const IDENTITY_BYTES: u64 = 64 * 1024;

/// Longest evidence file of `fetch`. Unit: bytes. A log of 1 MiB has twice that in hexadecimal.
pub(crate) const EVIDENCE_BYTES: u64 = 4 * 1024 * 1024;

/// Longest line of a log of `watch`. Unit: bytes. Evidence with certificates around it, or a list
/// of 4 MiB as text in JSON, where each of its quotation marks takes two bytes.
pub(crate) const ENTRY_BYTES: u64 = 9 * 1024 * 1024;

/// Connections that a proxy carries at one time: more than a TRE takes of one peer.
pub(crate) const PROXIED: usize = 64;

/// How long a proxy waits after it could not accept a connection: descriptors come back as others
/// end, and nothing spins meanwhile.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

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

/// Longest list that is fetched. Unit: bytes. No list of either kind is read that is longer.
pub(crate) const LIST_BYTES: usize = attest_verifier_core::wire::revocation::LIST_BYTES;

/// Longest copy of such a list. Unit: bytes. Text in JSON, where quotation marks take two bytes.
pub(crate) const COPY_BYTES: u64 = 9 * 1024 * 1024;

/// Time to fetch one list with its signature: 4 MiB at 2 Mbit/s.
pub(crate) const FETCH: Duration = Duration::from_secs(20);

/// Longest image file. Unit: bytes. Ours have under 16 MiB.
pub(crate) const IMAGE_BYTES: u64 = 256 * 1024 * 1024;
