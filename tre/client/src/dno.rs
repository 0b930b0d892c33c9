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

    /// Sums of our groups from slot `from` on, as the TRE signed them: one answer of it.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub async fn aggregates(&mut self, from: Slot) -> Result<Signed<Aggregates>, LinkError> {
        self.0.get(&format!("/v1/aggregates?from={}", from.get())).await
    }

    /// All of them, answer by answer.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub async fn all_signed(&mut self, from: Slot) -> Result<Vec<Signed<Aggregates>>, LinkError> {
        let (mut all, mut from) = (Vec::new(), from);
        // Every turn passes at least one slot, and a TRE keeps a bounded number of them.
        loop {
            let more = self.aggregates(from).await?;
            let Some(last) = more.document.aggregates.iter().map(|row| row.slot).max() else {
                return Ok(all);
            };
            from = last.next().max(from.next());
            all.push(more);
        }
    }

    /// The sums of all of them.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub async fn all_aggregates(&mut self, from: Slot) -> Result<Vec<Aggregate>, LinkError> {
        let all = self.all_signed(from).await?;
        Ok(all.into_iter().flat_map(|answer| answer.document.aggregates).collect())
    }
}
