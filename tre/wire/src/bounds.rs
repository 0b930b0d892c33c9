//! Every bound on what a peer may send or make a TRE hold, with unit and reason.

/// Longest request or response body. Unit: bytes. A group of [`GROUP_MEMBERS`] points fits.
pub const BODY_BYTES: usize = 256 * 1024;

/// Longest identifier. Unit: ASCII characters. A UUID with a prefix fits.
pub const ID_CHARS: usize = 48;

/// Longest trust domain. Unit: ASCII characters. `[RFC 1035]` allows 253 in a name; SPIFFE 255.
pub const TRUST_DOMAIN_CHARS: usize = 253;

/// Readings in one batch. Two days of quarter hours: what a meter sends after an outage.
pub const READINGS: usize = 192;

/// Share of each reading in the length of a batch. Unit: bytes. The longest reading has 99.
pub const READING_BYTES: usize = 100;

/// Share of each receipt in the length of an answer. Unit: bytes. The longest receipt has 125.
pub const RECEIPT_BYTES: usize = 128;

/// Connection points in one group. A sector of the distribution network `[TRE14 III-C]`.
pub const GROUP_MEMBERS: usize = 4_096;

/// Prices in one publication. A week of quarter hours.
pub const PRICES: usize = 672;

/// Rows in one answer with prices or daily counts.
pub const ROWS: usize = 1_000;

/// Sums in one answer: as many of the longest fit a body. The caller asks again after the last one,
/// as with every listing below.
pub const AGGREGATE_ROWS: usize = 600;

/// Groups in one answer.
pub const GROUP_ROWS: usize = 2_000;

/// Connection records in one answer.
pub const CONNECTION_ROWS: usize = 500;

/// Bills in one answer.
pub const BILL_ROWS: usize = 400;

/// Share of each bill in the length of an answer. Unit: bytes. The longest bill has 619.
pub const BILL_BYTES: usize = 640;

/// Pseudo-bids in one event, and ids in one decision. Bounds the body of both.
pub const BIDS: usize = 2_000;

/// Body of every bid, and of every "no bid", padded with spaces. Unit: bytes. The longest bid has
/// about 110.
pub const BID_BYTES: usize = 256;

/// Connection points that one TRE serves.
pub const POINTS: usize = 1_000_000;

/// Records kept for one connection point: present, next, and two past.
pub const RECORDS_PER_POINT: usize = 4;

/// Groups of one TRE.
pub const GROUPS: usize = 10_000;

/// Groups of one network operator. Half: no operator has every place, and nobody else's names.
pub const GROUPS_PER_OPERATOR: usize = GROUPS / 2;

/// Groups that one connection point may be a member of at once. The ledger counts them in half a
/// byte.
pub const GROUPS_PER_POINT: usize = 15;

/// Those of one network operator: what it fills up, it fills up for itself.
pub const GROUPS_PER_POINT_AND_OPERATOR: usize = 8;

/// Longest privacy window. Unit: slots. A week of quarter hours; the ledger holds half a byte a
/// slot of it for each connection point.
pub const WINDOW_SLOTS: u64 = 672;

/// Tariffs of one TRE, all suppliers together.
pub const TARIFFS: usize = 1_000;

/// Slots that a baseline is the mean of. Each keeps 16 bytes a connection point past its close.
pub const BASELINE_SLOTS: u64 = 16;

/// Demand-response events kept at once, open and decided.
pub const EVENTS: usize = 64;

/// Events of one demand side manager, open and decided. A quarter: no manager has every place.
pub const EVENTS_PER_MANAGER: usize = EVENTS / 4;

/// How long before it begins an event is announced at most. Unit: windows of the policy, days. The
/// deadline is within one of them. So no place is held for longer than a week and the event itself.
pub const EVENT_WINDOWS: u64 = 7;

/// Baselines that are taken in one window of the policy at most; events announced in between share
/// them. Each keeps 4 bytes a connection point until the deadlines of its events have passed, so at
/// most one more than this are kept at once.
pub const BASELINES_PER_WINDOW: u64 = 3;

/// Slots of published prices kept for one tariff, past and future.
pub const PRICE_SLOTS: usize = 8_192;

/// Released aggregates kept for one group.
pub const RELEASES_PER_GROUP: usize = 1_024;

/// Bills kept for one account.
pub const BILLS_PER_ACCOUNT: usize = 24;

/// Slots that one step of the clock may close; more means that the clock jumped.
pub const SLOTS_PER_STEP: u64 = 100_000;

/// Certificates in one chain: leaf, authority, root.
pub const CHAIN: usize = 4;

/// Longest certificate. Unit: bytes of DER.
pub const CERTIFICATE_BYTES: usize = 4_096;

/// Longest firmware event log. Unit: bytes.
pub const EVENT_LOG_BYTES: usize = 64 * 1024;

/// Siblings in the path of one attestation: a batch of up to 2^13 requests.
pub const ATTESTATION_SIBLINGS: usize = 13;

/// Longest TPM structure inside evidence. Unit: bytes.
pub const TPM_STRUCTURE_BYTES: usize = 1_024;

/// Longest JSON nesting. `serde_json` itself stops at 128.
pub const JSON_DEPTH: usize = 16;
