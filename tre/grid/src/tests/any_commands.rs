//! Any commands at any times: nothing panics, what is refused changes nothing, the records rebuild
//! the state ([`Town`] holds the last two at every step), and the invariants of the state hold.

use alloc::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// What a command is made from: which one, three small choices, and time since the last.
type Choice = (u8, u8, u8, u8, u64);

/// Names and numbers are few, so that commands meet.
fn command(town: &Town, (kind, a, b, c, _): Choice) -> Command {
    let begun = town.grid.begun.get();
    let name = |prefix: &str, choice: u8, of: u8| format!("{prefix}-{}", choice % of);
    let near = slot((begun + u64::from(c % 12)).saturating_sub(4));
    match kind % 10 {
        0 => Command::Tick,
        1 | 2 => {
            let mut record = Town::home(&name("h", b, 6), near.get(), None);
            record.tariff = id(name("t", c, 2));
            record.meter = id(name("m", a ^ b, 6));
            record.to_slot = c.is_multiple_of(3).then(|| near.plus(u64::from(a % 5)));
            record.capacity_w = Watts::new(1 + 4_000 * u64::from(b % 4)).expect("in range");
            Command::PutConnection { point: id(name("p", a, 5)), record }
        }
        3 => {
            let members = (0..2 + c % 4).map(|offset| id(name("p", a.wrapping_add(offset), 5)));
            let body = PutGroup { members: members.collect() };
            Command::PutGroup { dno: id(name("d", b, 2)), group: id(name("g", c, 3)), body }
        }
        4 => {
            let prices = (0..1 + a % 3).map(|offset| price(i64::from(b % 2 + offset) * 100_000));
            let tariff = id(name("t", b, 2));
            let body = PostPrices { tariff, from_slot: near, prices: prices.collect() };
            Command::PostPrices { supplier: id("supplier"), body }
        }
        5 => {
            let end_slot = near.plus(u64::from(a % 12));
            let body = EndPeriod { tariff: id(name("t", b, 2)), end_slot };
            Command::EndPeriod { supplier: id("supplier"), body }
        }
        6 | 7 => {
            let energy = wh(u64::from(a) * 37);
            let reading =
                Reading { slot: near, import_wh: energy, export_wh: wh(b.into()), seq: c.into() };
            Command::Readings { meter: id(name("m", b, 6)), readings: Vec::from([reading; 2]) }
        }
        8 => {
            let deadline = UnixMillis::new(town.now + u64::from(c) * 20_000).expect("in range");
            let (from_slot, to_slot) = (near, near.plus(u64::from(b % 4)));
            let terms = EventTerms { direction: Direction::Reduce, from_slot, to_slot, deadline };
            let body = OpenEvent { event: id(name("e", a, 4)), terms };
            Command::OpenEvent { dsm: id(name("s", b, 2)), body }
        }
        _ => respond(town, a, b, c),
    }
}

/// Bids, and decisions that take some of the pseudo-bids.
fn respond(town: &Town, a: u8, b: u8, c: u8) -> Command {
    let event: EventId = id(format!("e-{}", a % 4));
    if c % 16 == 1 {
        return Command::CancelEvent { dsm: id(format!("s-{}", b % 2)), event };
    }
    if c.is_multiple_of(3) {
        let dsm: PeerId = id(format!("s-{}", b % 2));
        let bids = town.grid.pseudo_bids(&dsm, &event).map(|all| all.pseudo_bids);
        let bids = bids.unwrap_or_default().into_iter().take(usize::from(a % 3));
        let accepted = bids.map(|bid| bid.id).collect();
        return Command::Decide { dsm, event, body: Decision { accepted } };
    }
    let quantity_wh = wh(100 * u64::from(b % 5));
    let bid = (!c.is_multiple_of(5)).then_some(Bid { quantity_wh, price: price(10_000) });
    Command::Bid { meter: id(format!("m-{}", b % 6)), body: BidRequest { event, bid } }
}

/// What must be true of every state.
fn check(town: &Town) {
    let grid = &town.grid;
    assert!(grid.next_deadline() > Some(grid.now()), "something was due and not done");
    check_connections(grid);
    check_what_went_out(grid);
    assert_eq!(grid.events(&id("m-0")).events.len(), grid.outcomes(&id("m-0")).outcomes.len());
}

/// One point, one meter, one account at a time, and a running bill for each.
fn check_connections(grid: &Grid) {
    let rows = grid.connections(None, 1_000).connections;
    let holding = |at: Slot| {
        let holds = |record: &ConnectionRecord| {
            record.from_slot <= at && record.to_slot.is_none_or(|to| at < to)
        };
        rows.iter().filter(|row| holds(&row.record)).collect::<Vec<_>>()
    };
    for offset in 0..12 {
        let standing = holding(slot(grid.begun.get().saturating_sub(4) + offset));
        let points: BTreeSet<_> = standing.iter().map(|row| &row.point).collect();
        let meters: BTreeSet<_> = standing.iter().map(|row| &row.record.meter).collect();
        let accounts: BTreeSet<_> = standing.iter().map(|row| &row.record.account).collect();
        let each = standing.len();
        assert_eq!((points.len(), meters.len(), accounts.len()), (each, each, each));
    }
    for row in holding(grid.begun) {
        let account = grid.account(&row.record.meter).expect("a running bill");
        assert!(account.period_from <= grid.begun);
        assert!(grid.prices(&row.record.meter, slot(0)).is_ok());
        assert!(grid.bills_of_meter(&row.record.meter).is_ok());
    }
}

/// No bill before its time, no sum of too few.
fn check_what_went_out(grid: &Grid) {
    for bill in grid.bills_of_supplier(&id("supplier"), slot(0), None, usize::MAX) {
        assert!(bill.from_slot < bill.to_slot && bill.to_slot <= grid.first_open);
        let waited = grid.first_open.since(bill.from_slot) >= PERIOD;
        assert!(waited, "a bill went out before its minimum period had elapsed");
        let last = slot(bill.to_slot.get() - 1);
        assert!(!grid.takes_late(last), "a bill went out of which a reading may still come");
    }
    for dno in ["d-0", "d-1"] {
        for row in grid.aggregates(&id(dno), slot(0), None, 1_000).aggregates {
            assert_eq!(row.released_wh.is_none(), row.withheld.is_some());
            assert!(row.released_wh.is_none() || row.members >= 3);
        }
    }
}

fn any_choice() -> impl Strategy<Value = Choice> {
    (any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>(), 0_u64..3_000_000)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_commands_keep_every_promise(
        choices in vec(any_choice(), 1..160),
        grace in prop::sample::select(alloc::vec![0, GRACE_MS, 2 * SLOT_MS + 7]),
        lateness in prop::sample::select(alloc::vec![0_u64, 1, LATENESS]),
    ) {
        let mut policy = policy();
        (policy.grace_ms, policy.lateness_slots) = (grace, lateness);
        let mut town = Town::new(policy);
        for choice in choices {
            town.now += choice.4;
            let command = command(&town, choice);
            drop(town.act(command));
            check(&town);
        }
    }
}
