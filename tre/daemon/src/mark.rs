//! Looks at the clock by itself, and seals how far it has come.
//!
//! A step that nobody proved is seen for what it is only if somebody looks often; a counter that is
//! moved a little at a time, only if it is held against another; and a time that has been must still
//! have been after a power cut.

use core::time::Duration;
use std::rc::Rc;

use tokio::time::{sleep, timeout};
use tre_wire::units::UnixMillis;

use crate::bounds;
use crate::log::line;
use crate::shared::Shared;
use crate::witness::{Disagreement, Reading, Witness};

/// What was known of the time at the last look.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Watch {
    /// The token in force, by when it was put, and what the TPM has said since.
    token: Option<(Duration, Witness)>,
}

/// What a look at the clock has shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Look {
    /// There is no time, and was none.
    Untold,
    /// There was a time, and is none.
    Lost,
    /// There is a time.
    Told,
}

impl Watch {
    /// Looks at the clock: when the token in force was put, if there is a time.
    fn look(&mut self, put: Option<Duration>) -> Look {
        match (put, self.token) {
            (Some(put), Some((before, _))) if before == put => Look::Told,
            (Some(put), _) => {
                self.token = Some((put, Witness::since(put)));
                Look::Told
            }
            (None, Some(_)) => {
                self.token = None;
                Look::Lost
            }
            (None, None) => Look::Untold,
        }
    }

    /// Hears what the TPM's clock says, or that it says nothing `elapsed` after the process began.
    fn hear(&mut self, reading: Option<Reading>, elapsed: Duration) -> Result<(), Disagreement> {
        let Some((_, witness)) = &mut self.token else { return Ok(()) };
        match reading {
            Some(reading) => witness.hear(reading),
            None => witness.hear_nothing(elapsed),
        }
    }
}

/// Whether a time that has come to `now` is so far ahead of the sealed mark that it is sealed anew.
const fn is_due(now: UnixMillis, mark: UnixMillis) -> bool {
    now.get().saturating_sub(mark.get()) >= bounds::MARK_STEP_MS
}

/// Runs as long as the process.
pub(crate) async fn keep(shared: Rc<Shared>) {
    let mut watch = Watch::default();
    loop {
        tokio::select! {
            () = sleep(bounds::CLOCK_WATCH) => {}
            () = shared.told.notified() => {}
        }
        let put = shared.clock.put();
        match watch.look(put) {
            Look::Told => {}
            Look::Untold => continue,
            Look::Lost => {
                line(
                    "time lost: a step that no token proves, or a token too old; put a time token",
                );
                continue;
            }
        }
        let reading = read(&shared).await;
        if shared.clock.put() != put {
            // Another token meanwhile, or none: what was heard says nothing of it.
            continue;
        }
        if let Err(error) = watch.hear(reading, shared.clock.elapsed()) {
            shared.clock.lose();
            line(&format!("time lost: {error}; put a time token"));
            watch = Watch::default();
            continue;
        }
        let Some(now) = shared.clock.now() else { continue };
        let mut status = shared.status.borrow_mut();
        if !is_due(now, status.mark()) {
            continue;
        }
        if let Err(error) = status.keep_mark(now) {
            line(&format!("time's high-water mark not sealed: {error}"));
        }
    }
}

/// What the TPM's clock says now; nothing if the TPM is too busy, or refuses.
async fn read(shared: &Shared) -> Option<Reading> {
    let asked = shared.clock.elapsed();
    let answer = timeout(bounds::CLOCK_WATCH, shared.tpm.run(|tpm| tpm.clock())).await;
    let clock = answer.ok()?.ok()?.ok()?;
    Some(Reading { asked, answered: shared.clock.elapsed(), clock })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(number: u64) -> UnixMillis {
        UnixMillis::new(number).expect("in range")
    }

    fn after(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_time_that_is_lost_is_said_once_and_each_token_has_a_witness_of_its_own() {
        let mut watch = Watch::default();
        assert_eq!(watch.look(None), Look::Untold);
        assert_eq!(watch.look(Some(after(5))), Look::Told);
        let heard = watch.hear_nothing_at(after(5 + 600));
        assert_eq!(heard, Ok(()));
        assert_eq!(watch.look(Some(after(5))), Look::Told);
        let silent = after(601);
        assert_eq!(watch.hear_nothing_at(after(5 + 601)), Err(Disagreement::Silent { silent }));
        // The next token begins anew.
        assert_eq!(watch.look(Some(after(600))), Look::Told);
        assert_eq!(watch.hear_nothing_at(after(5 + 601)), Ok(()));
        assert_eq!(watch.look(None), Look::Lost);
        assert_eq!(watch.look(None), Look::Untold);
        assert_eq!(watch.hear_nothing_at(after(9_999)), Ok(()), "nothing to hold it against");
    }

    #[test]
    fn the_mark_is_sealed_anew_ten_minutes_on_and_not_before() {
        let mark = ms(1_000_000);
        assert!(!is_due(mark, mark));
        assert!(!is_due(mark.plus(bounds::MARK_STEP_MS - 1), mark));
        assert!(is_due(mark.plus(bounds::MARK_STEP_MS), mark));
        // A token below the mark would not be in force; were it, nothing would be sealed.
        assert!(!is_due(ms(0), mark));
    }

    impl Watch {
        fn hear_nothing_at(&mut self, elapsed: Duration) -> Result<(), Disagreement> {
            self.hear(None, elapsed)
        }
    }
}
