//! Every bound on connections, time and queues, with unit and reason.
//!
//! What a message may hold is bounded in [`tre_wire::bounds`].

use core::time::Duration;

/// Connections open at once. With buffers and a full body each they fit the guest's memory.
pub(crate) const CONNECTIONS: usize = 2_048;

/// File descriptors: one for each connection, and the box's own.
pub(crate) const DESCRIPTORS: u64 = 2_048 + 64;

/// Wait after the system could not accept a connection, before the next try.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Life of a connection without a client certificate: to attest and read what is public.
pub(crate) const ANONYMOUS_LIFE: Duration = Duration::from_secs(60);

/// Life of a connection with one. It also bounds how long an expired certificate still serves.
pub(crate) const LIFE: Duration = Duration::from_secs(3_600);

/// Time for the answer under way when a connection is to end.
pub(crate) const DRAIN: Duration = Duration::from_secs(5);

/// Time for a TLS handshake, from accept to finish.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(10);

/// Time for the whole of a request's header, and for a connection to stay idle before it.
pub(crate) const HEADER: Duration = Duration::from_secs(30);

/// Time for the whole of a request's body.
pub(crate) const BODY: Duration = Duration::from_secs(10);

/// Body of a peer without a certificate: a nonce, and room. Unit: bytes. Together with
/// [`METER_BODY_BYTES`] it keeps [`CONNECTIONS`] full bodies within 64 MiB.
pub(crate) const ANONYMOUS_BODY_BYTES: usize = 1024;

/// Body of a meter: a full batch of readings has about 20 KiB. Unit: bytes.
pub(crate) const METER_BODY_BYTES: usize = 32 * 1024;

/// Request line and headers together. Unit: bytes; hyper takes no less than 8 KiB.
pub(crate) const HEADER_BYTES: usize = 8 * 1024;

/// Header fields of one request.
pub(crate) const HEADERS: usize = 32;

/// Requests waiting for the owner of the grid's state.
pub(crate) const OWNER_QUEUE: usize = 1_024;

/// Jobs waiting for the TPM; at 750 ms a quote the last waits 48 s.
pub(crate) const TPM_QUEUE: usize = 64;

/// Firmware event log, as read from the kernel. Unit: bytes.
pub(crate) const EVENT_LOG_BYTES: usize = tre_wire::bounds::EVENT_LOG_BYTES;
