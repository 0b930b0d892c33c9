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

    /// All our groups, by id.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub async fn groups(&mut self) -> Result<Vec<GroupSummary>, LinkError> {
        let path = |after: Option<&GroupId>| match after {
            Some(after) => format!("/v1/groups?after={after}"),
            None => String::from("/v1/groups"),
        };
        let last = |answer: &Groups| answer.groups.last().map(|row| row.group.clone());
        let all = self.0.all(path, last).await?;
        Ok(all.into_iter().flat_map(|answer| answer.groups).collect())
    }

    /// All sums of our groups from slot `from` on, as the TRE signed them: answer by answer, each of
    /// whole groups.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub async fn all_signed(&mut self, from: Slot) -> Result<Vec<Signed<Aggregates>>, LinkError> {
        let path = |place: Option<&(Slot, GroupId)>| match place {
            Some((slot, after)) => format!("/v1/aggregates?from={}&after={after}", slot.get()),
            None => format!("/v1/aggregates?from={}", from.get()),
        };
        let last = |answer: &Signed<Aggregates>| {
            answer.document.aggregates.last().map(|row| (row.slot, row.group.clone()))
        };
        self.0.all(path, last).await
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
