//! What the grid authority's desk sends and asks.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::id::{AccountId, PeerId, PointId, TariffId};
use crate::units::{Slot, Watts};

/// Body of `PUT /v1/connections/{point}`: which meter, account and supplier a point has.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionRecord {
    /// Who is billed.
    pub account: AccountId,
    /// Name in the meter's certificate.
    pub meter: PeerId,
    /// Name in the supplier's certificate.
    pub supplier: PeerId,
    /// One of the supplier's tariffs.
    pub tariff: TariffId,
    /// Power that the connection is built for.
    pub capacity_w: Watts,
    /// First slot in which the record holds.
    pub from_slot: Slot,
    /// First slot in which it no longer holds; `null` while open.
    pub to_slot: Option<Slot>,
}

/// Answer to `GET /v1/connections?after=POINT`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Connections {
    /// Whole points by id after the asked one, at most [`crate::bounds::CONNECTION_ROWS`].
    pub connections: Vec<Connection>,
}

/// One point and one of its records.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Connection {
    /// The connection point.
    pub point: PointId,
    /// What the registrar said of it.
    pub record: ConnectionRecord,
}
