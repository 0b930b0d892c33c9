//! Counters for the operator. No label, no name: a fixed set of numbers.

use core::cell::Cell;

use tre_wire::message::operator::Metrics;

/// The counters of this process.
#[derive(Debug, Default)]
pub(crate) struct Counters(Cell<Metrics>);

impl Counters {
    /// Changes the counters.
    pub(crate) fn count(&self, change: impl FnOnce(&mut Metrics)) {
        let mut metrics = self.0.get();
        change(&mut metrics);
        self.0.set(metrics);
    }

    /// The counters now.
    pub(crate) const fn now(&self) -> Metrics {
        self.0.get()
    }
}

/// Adds one; a counter that is full stays full.
pub(crate) const fn bump(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}
