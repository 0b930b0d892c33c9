//! The grid authority's desk: which connection has which meter, account and supplier.

use tre_wire::id::PointId;
use tre_wire::message::Done;
use tre_wire::message::registrar::{Connection, ConnectionRecord, Connections};

use crate::link::{Link, LinkError};

/// An attested TRE as the registrar sees it.
#[derive(Debug)]
pub struct Registrar(pub Link);

impl Registrar {
    /// Says what stands at a connection point.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub async fn put_connection(
        &mut self,
        point: &PointId,
        record: &ConnectionRecord,
    ) -> Result<(), LinkError> {
        let Done {} = self.0.put(&format!("/v1/connections/{point}"), record).await?;
        Ok(())
    }

    /// All records, by point.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub async fn all_connections(&mut self) -> Result<Vec<Connection>, LinkError> {
        let path = |after: Option<&PointId>| match after {
            Some(after) => format!("/v1/connections?after={after}"),
            None => String::from("/v1/connections"),
        };
        let last = |answer: &Connections| answer.connections.last().map(|row| row.point.clone());
        let all = self.0.all(path, last).await?;
        Ok(all.into_iter().flat_map(|answer| answer.connections).collect())
    }
}
