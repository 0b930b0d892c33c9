//! Every bound on connections, time and queues, with unit and reason.
//!
//! What a message may hold is bounded in [`tre_wire::bounds`].

use core::time::Duration;

/// Connections open at once: as many verifiers as one quote serves. With what TLS and HTTP keep
/// for each, and the bodies below, they fit the guest's memory.
pub(crate) const CONNECTIONS: usize = 8_192;

/// How many of them have finished their handshake without a client certificate: the rest is for peers
/// with one, and for those who may show one yet.
pub(crate) const ANONYMOUS_CONNECTIONS: usize = 6 * 1024;

/// Connections that have lost their place to another and are not closed yet.
pub(crate) const LEAVING: usize = 128;

/// File descriptors: one for each connection, those that leave, and the box's own.
pub(crate) const DESCRIPTORS: u64 = 8_192 + 128 + 64;

/// Connections that the kernel keeps until they are accepted; half as many as all, for when a crowd
/// comes back at once. Whoever finds no room there asks again after 1, 3, 7, 15 and 31 seconds.
pub(crate) const UNACCEPTED: u32 = 4_096;

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

/// Body of a peer without a certificate: at most a time token and its signature. Unit: bytes. One
/// for each of [`CONNECTIONS`] takes 16 MiB.
pub(crate) const ANONYMOUS_BODY_BYTES: usize = tre_wire::time::PUT_BYTES;

/// Body of a meter: a full batch of readings has about 20 KiB. Unit: bytes.
pub(crate) const METER_BODY_BYTES: usize = 32 * 1024;

/// Bodies of all meters at once. Unit: bytes.
pub(crate) const METER_BODIES_BYTES: usize = 32 * 1024 * 1024;

/// Bodies of all companies at once. Unit: bytes.
pub(crate) const COMPANY_BODIES_BYTES: usize = 16 * 1024 * 1024;

/// Body of a refused request that is read and thrown away: but for revocation lists nobody's may be
/// larger than half of it.
/// Unit: bytes.
pub(crate) const THROWN_AWAY_BYTES: usize = 2 * tre_wire::bounds::BODY_BYTES;

/// Request line and headers together. Unit: bytes; hyper takes no less than 8 KiB.
pub(crate) const HEADER_BYTES: usize = 8 * 1024;

/// Header fields of one request.
pub(crate) const HEADERS: usize = 32;

/// Requests waiting for the owner of the grid's state.
pub(crate) const OWNER_QUEUE: usize = 1_024;

/// Jobs waiting for the TPM: a quote, and the steps of an enrolment.
pub(crate) const TPM_QUEUE: usize = 64;

/// Requests waiting for a quote. All of them fit the next one, so none waits longer than the rest
/// of the quote under way, three quarters of one at most for a crowd (`quotes/pace.rs`), and one more.
pub(crate) const ATTESTATIONS: usize = 1 << tre_wire::bounds::ATTESTATION_SIBLINGS;

/// How many of them may wait when a peer without a certificate comes: one for each connection that
/// it may have, so that none is turned away here. The rest of the places is for peers with one.
pub(crate) const ANONYMOUS_ATTESTATIONS: usize = ANONYMOUS_CONNECTIONS + LEAVING;

/// When a peer that found every place taken may come again: two quotes of the slowest TPM later.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Firmware event log, as read from the kernel. Unit: bytes.
pub(crate) const EVENT_LOG_BYTES: usize = tre_wire::bounds::EVENT_LOG_BYTES;

/// Answers whose length must say nothing: body, reason and media type together. Unit: bytes. Longer
/// than any refusal of a bid.
pub(crate) const EVEN_ANSWER_BYTES: usize = 640;

/// An account is padded to a multiple of this. Unit: bytes. 64 events fit, each with a bid.
pub(crate) const ACCOUNT_STEP_BYTES: usize = 16 * 1024;

/// Life of a nonce for a time token, and so the most that one which is held back can make the clock
/// slow: time for somebody to carry it to the status key's desk and back.
pub(crate) const TIME_NONCE_LIFE: Duration = Duration::from_secs(600);

/// Age from which a nonce is not handed out any more: half of its life is left to whoever has it.
pub(crate) const TIME_NONCE_RENEWAL: Duration = Duration::from_secs(300);

/// Nonces that are remembered: two live at most but for those that were answered.
pub(crate) const TIME_NONCES: usize = 4;

/// Pause before each time token of peers without a certificate, and of those with one. A signature
/// takes under half a millisecond to check; and if every place that such peers can have brings a
/// token, the last waits half a minute.
pub(crate) const TIME_TOKEN_PAUSE: Duration = Duration::from_millis(5);

/// Life of a time token: a quartz that is off by a hundred millionths is wrong by a minute then.
pub(crate) const TOKEN_LIFE: Duration = Duration::from_secs(7 * 86_400);

/// Pause after a step in time that could not be made.
pub(crate) const RETRY_STEP: Duration = Duration::from_secs(1);

/// How often the clock is looked at, whoever asks or not.
pub(crate) const CLOCK_WATCH: Duration = Duration::from_secs(60);

/// Most that the monotonic clock may have passed between two looks at it. Ten looks: no load keeps
/// the one thread that long. Whoever moves the counter gains less than the shortest real slot at a
/// look, and may have it looked at as often as he likes.
pub(crate) const CLOCK_STEP: Duration = Duration::from_secs(600);

/// How far a TPM's clock may be wrong. Unit: per cent of what has passed. `[TPM2-P1]`
pub(crate) const TPM_CLOCK_PER_CENT: u64 = 15;

/// What the kernel's clock and the TPM's may differ by beyond that. Unit: ms. A machine that is
/// paused as a whole, for a copy of it, keeps its time if its own counter stood for no longer.
pub(crate) const TPM_CLOCK_SLACK_MS: u64 = 60_000;

/// How far the time may be ahead of the sealed high-water mark before a newer mark is sealed. Unit:
/// ms. What a power cut takes off it.
pub(crate) const MARK_STEP_MS: u64 = 600_000;
