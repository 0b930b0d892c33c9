//! The network operator: defines groups, receives noisy sums. `[TRE14 III-C]`

use tre_wire::id::{GroupId, PointId};
use tre_wire::message::dno::{Aggregate, Aggregates, GroupSummary, Groups, PutGroup};
use tre_wire::message::{Done, Signed};
use tre_wire::units::Slot;

use crate::link::{Link, LinkError};

/// An attested TRE as a network operator sees it.
#[derive(Debug)]
pub struct Dno(pub Link);

impl Dno {
    /// Defines a group: the whole membership from the next slot on.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub async fn put_group(
        &mut self,
        group: &GroupId,
        members: Vec<PointId>,
    ) -> Result<(), LinkError> {
        let Done {} = self.0.put(&format!("/v1/groups/{group}"), &PutGroup { members }).await?;
        Ok(())
    }

    /// Our groups, by id.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub async fn groups(&mut self) -> Result<Vec<GroupSummary>, LinkError> {
        let Groups { groups } = self.0.get("/v1/groups").await?;
        Ok(groups)
    }

    /// One answer: released sums from slot `from` on, by slot and group; more may follow.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub async fn aggregates(&mut self, from: Slot) -> Result<Vec<Aggregate>, LinkError> {
        let path = format!("/v1/aggregates?from={}", from.get());
        let sums: Signed<Aggregates> = self.0.get(&path).await?;
        Ok(sums.document.aggregates)
    }

    /// All released sums from slot `from` on.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub async fn all_aggregates(&mut self, from: Slot) -> Result<Vec<Aggregate>, LinkError> {
        let (mut all, mut from) = (Vec::new(), from);
        // Every turn passes at least one slot, and a TRE keeps a bounded number of them.
        loop {
            let more = self.aggregates(from).await?;
            let Some(last) = more.iter().map(|aggregate| aggregate.slot).max() else {
                return Ok(all);
            };
            from = last.next().max(from.next());
            all.extend(more);
        }
    }
}
