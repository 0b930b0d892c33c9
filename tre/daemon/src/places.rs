//! Places for connections, shared among those who take them.
//!
//! One address could take every place and hold it: by connecting and saying nothing, or by asking
//! for evidence again and again. So when all are taken, a newcomer gets the oldest place of
//! whoever holds most, and is turned away only if it would then hold as many itself. A place
//! belongs to the address that it came from until a certificate is shown, and then to that key:
//! households behind one address are apart from each other, and from strangers there. Part of the
//! places is out of reach for whoever shows none.

use core::cell::RefCell;
use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use tokio::sync::oneshot;

/// Who holds a place.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Holder {
    /// An IPv4 address; or 64 bits of an IPv6 address, of which one line has all the rest.
    Network([u8; 8]),
    /// Whoever has the key with this SHA-256.
    Key([u8; 32]),
}

/// How many there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Most {
    /// Connections.
    pub(crate) all: usize,
    /// Connections without a certificate.
    pub(crate) anonymous: usize,
    /// Connections that have lost their place and are not closed yet.
    pub(crate) leaving: usize,
}

/// All places.
#[derive(Debug)]
pub(crate) struct Places {
    most: Most,
    taken: RefCell<Taken>,
}

/// One place. It is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Rc<Places>,
    number: u64,
    holder: Holder,
    lost: oneshot::Receiver<()>,
}

#[derive(Debug, Default)]
struct Taken {
    /// Counts the places given; an older place has a lower number.
    next: u64,
    networks: Shares,
    keys: Shares,
    leaving: usize,
}

/// The places of each holder of one kind. Dropping the sender of one tells its connection.
#[derive(Debug, Default)]
struct Shares {
    held: BTreeMap<Holder, BTreeMap<u64, oneshot::Sender<()>>>,
    by_count: BTreeSet<(usize, Holder)>,
    all: usize,
}

impl Holder {
    /// Whoever connects from `address`.
    pub(crate) fn at(address: IpAddr) -> Self {
        let mut network = [0; 8];
        match address.to_canonical() {
            IpAddr::V4(address) => {
                // Beside every address of IPv6 that is in use.
                let [.., a, b, c, d] = &mut network;
                [*a, *b, *c, *d] = address.octets();
            }
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                network = [a, b, c, d, e, f, g, h];
            }
        }
        Self::Network(network)
    }
}

impl Places {
    /// As many as `most` says, all free.
    pub(crate) fn new(most: Most) -> Rc<Self> {
        Rc::new(Self { most, taken: RefCell::default() })
    }

    /// A place for a newcomer, if need be another's.
    pub(crate) fn take(self: &Rc<Self>, newcomer: Holder) -> Option<Place> {
        let mut taken = self.taken.borrow_mut();
        if !taken.make_room(self.most, newcomer) {
            return None;
        }
        let number = taken.next;
        taken.next = number.wrapping_add(1);
        let (held, lost) = oneshot::channel();
        taken.of(newcomer).insert(newcomer, number, held);
        Some(Place { places: Rc::clone(self), number, holder: newcomer, lost })
    }
}

impl Place {
    /// Belongs to `key` from now on, which was shown in the handshake.
    pub(crate) fn belongs_to(&mut self, key: [u8; 32]) {
        let mut taken = self.places.taken.borrow_mut();
        let Some(held) = taken.of(self.holder).remove(self.holder, self.number) else { return };
        self.holder = Holder::Key(key);
        taken.of(self.holder).insert(self.holder, self.number, held);
    }

    /// Waits until another has the place.
    pub(crate) async fn lost(&mut self) {
        // Nothing is ever sent: the other end goes.
        (&mut self.lost).await.ok();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.borrow_mut();
        if taken.of(self.holder).remove(self.holder, self.number).is_none() {
            taken.leaving = taken.leaving.saturating_sub(1);
        }
    }
}

impl Taken {
    fn of(&mut self, holder: Holder) -> &mut Shares {
        match holder {
            Holder::Network(_) => &mut self.networks,
            Holder::Key(_) => &mut self.keys,
        }
    }

    /// Whether there is a place for `newcomer`; frees one if that is fair.
    fn make_room(&mut self, most: Most, newcomer: Holder) -> bool {
        let all = self.networks.all.saturating_add(self.keys.all);
        let greatest = if all >= most.all {
            self.networks.greatest().max(self.keys.greatest())
        } else if self.networks.all >= most.anonymous {
            self.networks.greatest()
        } else {
            return true;
        };
        let own = self.of(newcomer).count(newcomer);
        match greatest {
            Some((count, holder))
                if count > own.saturating_add(1) && self.leaving < most.leaving =>
            {
                self.of(holder).remove_oldest(holder);
                self.leaving = self.leaving.saturating_add(1);
                true
            }
            Some(_) | None => false,
        }
    }
}

impl Shares {
    fn count(&self, holder: Holder) -> usize {
        self.held.get(&holder).map_or(0, BTreeMap::len)
    }

    fn greatest(&self) -> Option<(usize, Holder)> {
        self.by_count.last().copied()
    }

    fn insert(&mut self, holder: Holder, number: u64, place: oneshot::Sender<()>) {
        let before = self.count(holder);
        self.held.entry(holder).or_default().insert(number, place);
        self.recount(holder, before);
    }

    fn remove(&mut self, holder: Holder, number: u64) -> Option<oneshot::Sender<()>> {
        let before = self.count(holder);
        let place = self.held.get_mut(&holder)?.remove(&number);
        self.recount(holder, before);
        place
    }

    fn remove_oldest(&mut self, holder: Holder) {
        let before = self.count(holder);
        if let Some(places) = self.held.get_mut(&holder) {
            drop(places.pop_first());
        }
        self.recount(holder, before);
    }

    fn recount(&mut self, holder: Holder, before: usize) {
        let now = self.count(holder);
        self.by_count.remove(&(before, holder));
        if now == 0 {
            self.held.remove(&holder);
        } else {
            self.by_count.insert((now, holder));
        }
        self.all = self.all.saturating_sub(before).saturating_add(now);
    }
}

#[cfg(test)]
mod tests;
