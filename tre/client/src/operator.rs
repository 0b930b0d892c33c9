//! The operator of the box: counts, never a reading, a bid, a bill or a name.

use tre_wire::message::Health;
use tre_wire::message::operator::{Alerts, Metrics};

use crate::link::{Link, LinkError};

/// An attested TRE as its operator sees it.
#[derive(Debug)]
pub struct Operator(pub Link);

impl Operator {
    /// How the box came up, and its time.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub async fn health(&mut self) -> Result<Health, LinkError> {
        self.0.health().await
    }

    /// Counters since start.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub async fn metrics(&mut self) -> Result<Metrics, LinkError> {
        self.0.get("/v1/metrics").await
    }

    /// Readings above their connection's capacity, by day.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub async fn alerts(&mut self) -> Result<Alerts, LinkError> {
        self.0.get("/v1/alerts").await
    }
}
