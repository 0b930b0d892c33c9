//! Memory for the bodies of requests: so many bytes at once, whoever sends them.
//!
//! Every connection could send the longest body that its role may, all of them at the same time.
//! Half of that would not fit the box. So a body's bytes are counted before the first is read, and
//! those that find no room wait as long as a body may take, and are told to come again.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tre_wire::problem::{Problem, ProblemType};
use tre_wire::role::Role;

use crate::bounds;

/// Room for bodies, one for meters and one for companies: neither keeps the other out.
///
/// Peers without a certificate need none: a body for each connection fits.
#[derive(Debug)]
pub(crate) struct Rooms {
    meters: Arc<Semaphore>,
    companies: Arc<Semaphore>,
    long: Arc<Semaphore>,
}

/// A place for one body; the bytes are free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Room(#[expect(dead_code, reason = "held, not read")] OwnedSemaphorePermit);

impl Rooms {
    /// Empty rooms.
    pub(crate) fn new() -> Self {
        let room = |bytes| Arc::new(Semaphore::new(bytes));
        Self {
            meters: room(bounds::METER_BODIES_BYTES),
            companies: room(bounds::COMPANY_BODIES_BYTES),
            long: room(1),
        }
    }

    /// A place for a body of `bytes`, sent by `role`.
    ///
    /// # Errors
    ///
    /// [`ProblemType::Busy`] if there is none within [`bounds::BODY`].
    pub(crate) async fn take(
        &self,
        role: Option<Role>,
        bytes: usize,
    ) -> Result<Option<Room>, Problem> {
        let room = match role {
            None => return Ok(None),
            Some(Role::Meter) => &self.meters,
            Some(
                Role::Dno
                | Role::Supplier
                | Role::Dsm
                | Role::Registrar
                | Role::Operator
                | Role::Tre,
            ) => &self.companies,
        };
        let full = || Problem::new(ProblemType::Busy, "too many bodies at once".to_owned());
        let bytes = u32::try_from(bytes).map_err(|_| full())?;
        let place = timeout(bounds::BODY, Arc::clone(room).acquire_many_owned(bytes)).await;
        Ok(Some(Room(place.map_err(|_| full())?.map_err(|_| full())?)))
    }

    /// The place for a revocation list: one at a time, since no room is large enough for two.
    ///
    /// # Errors
    ///
    /// [`ProblemType::Busy`] if another list is being read.
    pub(crate) fn take_long(&self) -> Result<Room, Problem> {
        let detail = "another list is being read; try again";
        let place = Arc::clone(&self.long).try_acquire_owned();
        place.map(Room).map_err(|_| Problem::new(ProblemType::Busy, detail.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[tokio::test]
    async fn bodies_beyond_the_room_wait_and_the_other_room_stays_open() {
        let rooms = Rooms::new();
        let body = tre_wire::bounds::BODY_BYTES;
        let mut held = Vec::new();
        for _ in 0..bounds::COMPANY_BODIES_BYTES / body {
            held.push(rooms.take(Some(Role::Supplier), body).await.expect("room"));
        }
        let waiting = rooms.take(Some(Role::Dno), body);
        timeout(Duration::from_millis(20), waiting).await.expect_err("no room");
        assert!(rooms.take(Some(Role::Meter), bounds::METER_BODY_BYTES).await.is_ok());
        assert!(rooms.take(None, bounds::ANONYMOUS_BODY_BYTES).await.is_ok());
        held.pop();
        assert!(rooms.take(Some(Role::Dno), body).await.is_ok(), "a place that was given back");
    }
}
