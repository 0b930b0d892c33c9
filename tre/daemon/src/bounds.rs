//! Every bound on connections, time and queues, with unit and reason.
//!
//! What a message may hold is bounded in [`tre_wire::bounds`].

use core::time::Duration;

/// Connections open at once. Each holds about 40 KiB of TLS and HTTP buffers: 80 MiB of 256.
pub(crate) const CONNECTIONS: usize = 2_048;

/// Time for a TLS handshake, from accept to finish.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(10);

/// Time for the whole of a request's header, and for a connection to stay idle before it.
pub(crate) const HEADER: Duration = Duration::from_secs(30);

/// Time for the whole of a request's body.
pub(crate) const BODY: Duration = Duration::from_secs(10);

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
