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

    /// One answer: records of the points after `after`, by point; more may follow.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub async fn connections(
        &mut self,
        after: Option<&PointId>,
    ) -> Result<Vec<Connection>, LinkError> {
        let path = match after {
            Some(after) => format!("/v1/connections?after={after}"),
            None => String::from("/v1/connections"),
        };
        let Connections { connections } = self.0.get(&path).await?;
        Ok(connections)
    }

    /// All records.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub async fn all_connections(&mut self) -> Result<Vec<Connection>, LinkError> {
        let mut all: Vec<Connection> = Vec::new();
        // Every turn passes at least one point, and a TRE has a bounded number of them.
        loop {
            let after = all.last().map(|connection| connection.point.clone());
            let more = self.connections(after.as_ref()).await?;
            let advances = more.last().is_some_and(|last| Some(&last.point) > after.as_ref());
            if !advances {
                return Ok(all);
            }
            all.extend(more);
        }
    }
}
