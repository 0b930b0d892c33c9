//! Looks at the clock by itself, and seals how far it has come.
//!
//! A step that nobody proved is seen for what it is only if somebody looks often; and a time that
//! has been must still have been after a power cut.

use std::rc::Rc;

use tokio::time::sleep;

use crate::bounds;
use crate::log::line;
use crate::shared::Shared;

/// Runs as long as the process.
pub(crate) async fn keep(shared: Rc<Shared>) {
    let mut known = false;
    loop {
        sleep(bounds::CLOCK_WATCH).await;
        let Some(now) = shared.clock.now() else {
            if known {
                line(
                    "time lost: a step that no token proves, or a token too old; put a time token",
                );
            }
            known = false;
            continue;
        };
        known = true;
        let mut status = shared.status.borrow_mut();
        if now.get().saturating_sub(status.mark().get()) < bounds::MARK_STEP_MS {
            continue;
        }
        if let Err(error) = status.keep_mark(now) {
            line(&format!("time's high-water mark not sealed: {error}"));
        }
    }
}
