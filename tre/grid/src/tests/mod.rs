//! Tests of the whole machine, through the one function that changes it.
//!
//! Every step goes through [`Town::act`], which holds two promises on the way: a refused command
//! leaves the state of a `Tick`, and the records so far rebuild the state.
#![expect(clippy::arithmetic_side_effects, reason = "small numbers in tests")]

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt::Debug;
use core::str::FromStr;

use tre_wire::hex::Hex32;
use tre_wire::id::{EventId, GroupId, PeerId};
use tre_wire::journal::{Command, Record};
use tre_wire::message::dno::{Aggregate, PutGroup, Span};
use tre_wire::message::dsm::{Decision, Direction, EventTerms, OpenEvent};
use tre_wire::message::meter::{Bid, BidRequest, Reading, ReceiptStatus};
use tre_wire::message::registrar::ConnectionRecord;
use tre_wire::message::supplier::{Bill, EndPeriod, PostPrices};
use tre_wire::policy::{
    Billing, DemandResponse, Format, Monitoring, OverCapacity, Policy, Spending,
};
use tre_wire::units::{Epsilon, MinorUnit, PricePerKwh, Share, Slot, UnixMillis, WattHours, Watts};

use crate::monitoring::{Group, GroupKey};
use crate::{Grid, Outcome, Refusal};

mod any_bills;
mod any_commands;
mod billing;
mod budget;
mod cancellation;
mod clock;
mod compliance;
mod connections;
mod demand_response;
mod followers;
mod guard;
mod laplace;
mod leavers;
mod linkage;
mod listings;
mod monitoring;
mod own;
mod places;
mod prices;
mod properties;
mod readings;
mod refusals;
mod set_difference;
mod tails;
mod totals;

/// First slot of every test.
const START: u64 = 1_000;

/// Half an hour.
const SLOT_MS: u64 = 1_800_000;

/// One minute.
const GRACE_MS: u64 = 60_000;

/// Slots after its close in which a missing reading may come.
const LATENESS: u64 = 4;

/// Slots of the privacy window, and of a day total.
const WINDOW: u64 = 12;

/// Shortest billing period.
const PERIOD: u64 = 10;

fn id<T: FromStr<Err: Debug>>(text: impl AsRef<str>) -> T {
    text.as_ref().parse().expect("an identifier")
}

fn slot(number: u64) -> Slot {
    Slot::new(number).expect("in range")
}

fn wh(energy: u64) -> WattHours {
    WattHours::new(energy).expect("in range")
}

fn price(micro: i64) -> PricePerKwh {
    PricePerKwh::new(micro).expect("in range")
}

fn key(dno: &str, group: &GroupId) -> GroupKey {
    GroupKey { group: group.clone(), dno: id(dno) }
}

/// What one kind of release may spend. Unit: millionths.
fn spending(epsilon: u64, window: u64) -> Spending {
    let [epsilon_millionths, window_millionths] =
        [epsilon, window].map(|it| Epsilon::new(it).expect("in range"));
    Spending { epsilon_millionths, window_millionths }
}

/// A policy with small numbers: clip 1 kWh, epsilon 1, k 3, no member above half, and a budget
/// that only many groups spend.
pub(crate) fn policy() -> Policy {
    Policy {
        format: Format::default(),
        name: String::from("test"),
        slot_ms: SLOT_MS,
        grace_ms: GRACE_MS,
        lateness_slots: LATENESS,
        monitoring: Monitoring {
            clip_wh: wh(1_000),
            minimum_group: 3,
            dominance_millionths: Share::new(500_000).expect("in range"),
            window_slots: WINDOW,
            slot: spending(1_000_000, 100_000_000),
            day: spending(500_000, 1_000_000),
            week: spending(250_000, 250_000),
        },
        billing: Billing {
            minimum_period_slots: PERIOD,
            minor_unit_nano: MinorUnit::try_from(10_000_000).expect("a hundredth"),
            over_capacity: OverCapacity::BilledAsRead,
            // Wide: what the guard refuses has tests of its own.
            price_floor: price(-1_000_000_000_000),
            price_ceiling: price(1_000_000_000_000),
            levels_most: 64,
            min_slots_per_level: 1,
            minimum_tariff: 1,
        },
        demand_response: DemandResponse {
            quantity_step_wh: wh(100),
            price_step: price(10_000),
            price_most: price(1_000_000),
            event_slots_most: 8,
            // Who delivers has tests of its own.
            baseline_slots: 2,
            tolerance_millionths: 100_000,
            penalty_millionths: 0,
        },
    }
}

/// A TRE with everybody around it.
struct Town {
    grid: Grid,
    now: u64,
    steps: u64,
    begun: Grid,
    journal: Vec<Record>,
}

/// The seed of step number `step`.
fn seed(step: u64) -> [u8; 32] {
    let mut seed = [0xa5; 32];
    seed[..8].copy_from_slice(&step.to_be_bytes());
    seed
}

impl Town {
    /// Begins at the start of slot [`START`].
    fn new(policy: Policy) -> Self {
        let now = START * policy.slot_ms;
        let grid = Grid::new(policy, UnixMillis::new(now).expect("in range")).expect("policy");
        Self { begun: grid.clone(), grid, now, steps: 0, journal: Vec::new() }
    }

    /// A town with `homes` homes `home-0..` of 10 kW, all on tariff `flat` of `supplier`, from the
    /// first slot on.
    fn with_homes(homes: usize) -> Self {
        Self::with_policy(policy(), homes)
    }

    fn with_policy(policy: Policy, homes: usize) -> Self {
        let mut town = Self::new(policy);
        for home in 0..homes {
            town.connect(&format!("home-{home}"), START, None);
        }
        town
    }

    fn record(&self, command: Command) -> Record {
        let now = UnixMillis::new(self.now).expect("in range");
        Record { format: 1, now, seed: Hex32(seed(self.steps)), command }
    }

    /// One step. A refused command must leave the state of a tick.
    fn act(&mut self, command: Command) -> Result<Outcome, Refusal> {
        let record = self.record(command);
        let tick = self.record(Command::Tick);
        let mut ticked = self.grid.clone();
        let result = self.grid.apply(&record);
        match result {
            Err(Refusal::Clock(_)) => assert_eq!(self.grid, ticked),
            Err(_) => {
                assert_eq!(ticked.apply(&tick), Ok(Outcome::Done));
                assert!(self.grid == ticked, "a refused command changed the state");
            }
            Ok(_) => {}
        }
        self.steps += 1;
        self.journal.push(record);
        result
    }

    /// One step that must be done.
    fn must(&mut self, command: Command) {
        assert_eq!(self.act(command), Ok(Outcome::Done));
    }

    /// Goes to `ms` after the start of slot `number`.
    fn go(&mut self, number: u64, ms: u64) {
        self.now = number * self.grid.policy().slot_ms + ms;
        self.must(Command::Tick);
    }

    /// Goes to the moment when slot `number` closes, touching every slot before it.
    fn close(&mut self, number: u64) {
        while self.grid.first_open <= slot(number) {
            self.now = self.grid.next_deadline().expect("a slot closes").get();
            self.must(Command::Tick);
        }
    }

    /// Goes on until no reading of a slot before `end` may come any more.
    fn settle(&mut self, end: u64) {
        self.close(end + self.grid.policy().lateness_slots - 1);
    }

    /// What a home's record says: its account and meter have its name.
    fn home(name: &str, from: u64, to: Option<u64>) -> ConnectionRecord {
        ConnectionRecord {
            account: id(format!("account-{name}")),
            meter: id(format!("meter-{name}")),
            supplier: id("supplier"),
            tariff: id("flat"),
            capacity_w: Watts::new(10_000).expect("in range"),
            from_slot: slot(from),
            to_slot: to.map(slot),
        }
    }

    fn put(&mut self, point: &str, record: ConnectionRecord) -> Result<Outcome, Refusal> {
        self.act(Command::PutConnection { point: id(point), record })
    }

    fn connect(&mut self, name: &str, from: u64, to: Option<u64>) {
        assert_eq!(self.put(name, Self::home(name, from, to)), Ok(Outcome::Done));
    }

    fn put_group(&mut self, dno: &str, group: &str, homes: &[&str]) -> Result<Outcome, Refusal> {
        let body = PutGroup { members: homes.iter().map(id).collect() };
        self.act(Command::PutGroup { dno: id(dno), group: id(group), body })
    }

    fn post_prices(&mut self, from: u64, prices: &[i64]) -> Result<Outcome, Refusal> {
        let prices = prices.iter().map(|&micro| price(micro)).collect();
        let body = PostPrices { tariff: id("flat"), from_slot: slot(from), prices };
        self.act(Command::PostPrices { supplier: id("supplier"), body })
    }

    fn end_period(&mut self, end: u64) -> Result<Outcome, Refusal> {
        let body = EndPeriod { tariff: id("flat"), end_slot: slot(end) };
        self.act(Command::EndPeriod { supplier: id("supplier"), body })
    }

    /// Sends one reading of `meter-NAME` and returns what became of it.
    fn read(&mut self, name: &str, number: u64, import: u64, seq: u64) -> ReceiptStatus {
        self.read_both(name, number, (import, 0), seq)
    }

    fn read_both(
        &mut self,
        name: &str,
        number: u64,
        (import, export): (u64, u64),
        seq: u64,
    ) -> ReceiptStatus {
        let reading =
            Reading { slot: slot(number), import_wh: wh(import), export_wh: wh(export), seq };
        let meter = id(format!("meter-{name}"));
        match self.act(Command::Readings { meter, readings: Vec::from([reading]) }) {
            Ok(Outcome::Receipts(receipts)) => {
                assert_eq!(receipts.len(), 1);
                receipts[0].status
            }
            other => panic!("no receipt: {other:?}"),
        }
    }

    /// Opens an event of `dsm` over `from..to` with a deadline `lead` ms from now.
    fn open(&mut self, event: &str, from: u64, to: u64, lead: u64) -> Result<Outcome, Refusal> {
        self.open_as("dsm", event, from, to, lead)
    }

    fn open_as(
        &mut self,
        dsm: &str,
        event: &str,
        from: u64,
        to: u64,
        lead: u64,
    ) -> Result<Outcome, Refusal> {
        let terms = EventTerms {
            direction: Direction::Reduce,
            from_slot: slot(from),
            to_slot: slot(to),
            deadline: UnixMillis::new(self.now + lead).expect("in range"),
        };
        self.act(Command::OpenEvent { dsm: id(dsm), body: OpenEvent { event: id(event), terms } })
    }

    fn bid(
        &mut self,
        name: &str,
        event: &str,
        bid: Option<(u64, i64)>,
    ) -> Result<Outcome, Refusal> {
        let bid = bid.map(|(energy, micro)| Bid { quantity_wh: wh(energy), price: price(micro) });
        let body = BidRequest { event: id(event), bid };
        self.act(Command::Bid { meter: id(format!("meter-{name}")), body })
    }

    fn decide(&mut self, event: &str, accepted: &[Hex32]) -> Result<Outcome, Refusal> {
        let body = Decision { accepted: accepted.to_vec() };
        self.act(Command::Decide { dsm: id("dsm"), event: id(event), body })
    }

    fn cancel(&mut self, event: &str) -> Result<Outcome, Refusal> {
        self.act(Command::CancelEvent { dsm: id("dsm"), event: id(event) })
    }

    /// Running bill of the account that the meter serves, in billionths.
    fn running(&self, name: &str) -> i128 {
        let account = self.grid.account(&id(format!("meter-{name}"))).expect("a connection");
        account.running_nano.parse().expect("a number")
    }

    /// (account, from, to, minor units) of each bill that the supplier sees.
    fn bills(&self) -> Vec<(String, u64, u64, i64)> {
        self.bills_of("supplier")
    }

    fn bills_of(&self, supplier: &str) -> Vec<(String, u64, u64, i64)> {
        let bills = self.all_bills(supplier).into_iter();
        bills
            .map(|bill| {
                let account = bill.account.to_string();
                (account, bill.from_slot.get(), bill.to_slot.get(), bill.total_minor.get())
            })
            .collect()
    }

    /// All bills of a supplier, by period and account.
    fn all_bills(&self, supplier: &str) -> Vec<Bill> {
        let mut bills = self.grid.bills_of_supplier(&id(supplier), slot(0), None, usize::MAX);
        bills.sort_by_key(|bill| (bill.to_slot, bill.from_slot, bill.account.clone()));
        bills
    }

    /// A group of `dno`.
    fn group(&self, group: &str) -> &Group {
        &self.grid.groups.0[&key("dno", &id(group))]
    }

    /// The sums of one slot that the network operator sees, from the first slot on.
    fn aggregates(&self, dno: &str) -> Vec<Aggregate> {
        self.releases(dno, Span::Slot)
    }

    /// What the network operator sees of one span, from the first slot on.
    fn releases(&self, dno: &str, span: Span) -> Vec<Aggregate> {
        let all = self.grid.aggregates(&id(dno), slot(0), None, 1_000_000).aggregates;
        all.into_iter().filter(|row| row.span == span).collect()
    }

    /// The pseudo-bids of an event of `dsm`: (id, quantity).
    fn pseudo_bids(&self, event: &str) -> Vec<(Hex32, u64)> {
        let (dsm, event): (PeerId, EventId) = (id("dsm"), id(event));
        let bids = self.grid.pseudo_bids(&dsm, &event).expect("after the deadline").pseudo_bids;
        bids.into_iter().map(|bid| (bid.id, bid.bid.quantity_wh.get())).collect()
    }

    /// Rebuilds the state from the records.
    fn replay(&self) -> Grid {
        let mut grid = self.begun.clone();
        for record in &self.journal {
            // Refusals are part of the history; they are repeated like everything else.
            drop(grid.apply(record));
        }
        grid
    }
}

impl Drop for Town {
    /// Every test ends with a replay: the records rebuild the state.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.replay() == self.grid, "the records do not rebuild the state");
        }
    }
}
