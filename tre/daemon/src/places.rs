//! Places for connections, shared among those who take them.
//!
//! One address could take every place and hold it: by connecting and saying nothing, or by asking
//! for evidence again and again. So when all are taken, a newcomer gets the oldest place of
//! whoever holds most, if that leaves the other no worse off than itself. A place belongs to the
//! address that it came from until a certificate is shown, and then to that key: households behind
//! one address are apart from each other, and from strangers there.
//!
//! Nobody can show a certificate before the handshake, so many addresses with a connection each
//! could stand in the door. Two rules keep it open: for a newcomer from elsewhere the oldest handshake
//! that is not finished makes way when nothing else does, and part of the places is out of reach for
//! whoever has finished his without a certificate.

use core::cell::RefCell;
use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use tokio::sync::oneshot;

/// Who holds a place.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Holder {
    /// A network whose connection has not finished its handshake.
    Entering([u8; 8]),
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
    /// Connections that finished their handshake without a certificate.
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
    entering: Shares,
    networks: Shares,
    keys: Shares,
    leaving: usize,
}

/// The places of each holder of one kind. Dropping the sender of one tells its connection.
#[derive(Debug, Default)]
struct Shares {
    held: BTreeMap<Holder, BTreeMap<u64, oneshot::Sender<()>>>,
    by_count: BTreeSet<(usize, Holder)>,
    by_age: BTreeMap<u64, Holder>,
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
        Self::Entering(network)
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
        self.passes_to(Holder::Key(key));
    }

    /// Belongs to its network from now on, since no certificate was shown in the handshake; false if
    /// there is no such place for it.
    pub(crate) fn stays_anonymous(&mut self) -> bool {
        let Holder::Entering(network) = self.holder else { return true };
        let most = self.places.most;
        let fits = self.places.taken.borrow_mut().make_anonymous_room(most, network);
        if fits {
            self.passes_to(Holder::Network(network));
        }
        fits
    }

    fn passes_to(&mut self, next: Holder) {
        let mut taken = self.places.taken.borrow_mut();
        let Some(held) = taken.of(self.holder).remove(self.holder, self.number) else { return };
        self.holder = next;
        taken.of(next).insert(next, self.number, held);
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
            Holder::Entering(_) => &mut self.entering,
            Holder::Network(_) => &mut self.networks,
            Holder::Key(_) => &mut self.keys,
        }
    }

    /// Whether there is a place for `newcomer`; frees one if need be: of whoever holds more, or else,
    /// for a network that has none, of whoever has been longest at its handshake.
    fn make_room(&mut self, most: Most, newcomer: Holder) -> bool {
        let (entering, networks, keys) = (&self.entering, &self.networks, &self.keys);
        let all = entering.all.saturating_add(networks.all).saturating_add(keys.all);
        if all < most.all {
            return true;
        }
        let own = self.own(newcomer);
        let greatest = entering.greatest().max(networks.greatest()).max(keys.greatest());
        let greater = greatest.filter(|(count, _)| *count > own.saturating_add(1));
        // Who holds one already pushes nobody: a flood would push out whoever is slower.
        let oldest = self.entering.oldest().filter(|_| own == 0);
        self.free(most, greater.map(|(_, holder)| holder).or(oldest))
    }

    /// Whether there is a place for one more of `network` without a certificate; frees one if that
    /// is fair.
    fn make_anonymous_room(&mut self, most: Most, network: [u8; 8]) -> bool {
        if self.networks.all < most.anonymous {
            return true;
        }
        let own = self.networks.count(Holder::Network(network));
        let greatest = self.networks.greatest();
        let greater = greatest.filter(|(count, _)| *count > own.saturating_add(1));
        self.free(most, greater.map(|(_, holder)| holder))
    }

    /// Takes the oldest place of `victim` away, unless too many are leaving already.
    fn free(&mut self, most: Most, victim: Option<Holder>) -> bool {
        let Some(holder) = victim.filter(|_| self.leaving < most.leaving) else { return false };
        self.of(holder).remove_oldest(holder);
        self.leaving = self.leaving.saturating_add(1);
        true
    }

    /// What the network of a newcomer holds already.
    fn own(&self, newcomer: Holder) -> usize {
        let settled = match newcomer {
            Holder::Entering(network) => self.networks.count(Holder::Network(network)),
            Holder::Network(_) | Holder::Key(_) => 0,
        };
        self.entering.count(newcomer).saturating_add(settled)
    }
}

impl Shares {
    fn count(&self, holder: Holder) -> usize {
        self.held.get(&holder).map_or(0, BTreeMap::len)
    }

    /// Who has the oldest place.
    fn oldest(&self) -> Option<Holder> {
        self.by_age.first_key_value().map(|(_, holder)| *holder)
    }

    fn greatest(&self) -> Option<(usize, Holder)> {
        self.by_count.last().copied()
    }

    fn insert(&mut self, holder: Holder, number: u64, place: oneshot::Sender<()>) {
        let before = self.count(holder);
        self.held.entry(holder).or_default().insert(number, place);
        self.by_age.insert(number, holder);
        self.recount(holder, before);
    }

    fn remove(&mut self, holder: Holder, number: u64) -> Option<oneshot::Sender<()>> {
        let before = self.count(holder);
        let place = self.held.get_mut(&holder)?.remove(&number)?;
        self.by_age.remove(&number);
        self.recount(holder, before);
        Some(place)
    }

    fn remove_oldest(&mut self, holder: Holder) {
        let before = self.count(holder);
        // Dropping the sender tells the connection.
        if let Some((number, _)) = self.held.get_mut(&holder).and_then(BTreeMap::pop_first) {
            self.by_age.remove(&number);
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
