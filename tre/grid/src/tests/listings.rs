//! Listings that no one answer holds: read answer by answer they are whole, and no row comes twice.

use alloc::collections::BTreeSet;

use tre_wire::bounds::{AGGREGATE_ROWS, BILL_ROWS, CONNECTION_ROWS, GROUP_ROWS};
use tre_wire::id::{AccountId, PointId};
use tre_wire::message::dno::GroupSummary;
use tre_wire::message::registrar::Connection;

use super::*;

/// The first slot of a Monday: a day and a week end before it.
const WEEK: u64 = 7 * WINDOW * 13 - 3 * WINDOW;

/// A town of many: each step is made once, and not compared with others.
fn many(homes: usize, policy: Policy) -> Town {
    let mut town = Town::new(policy);
    for home in 0..homes {
        let name = format!("home-{home:04}");
        let record = Town::home(&name, START, None);
        quickly(&mut town, Command::PutConnection { point: id(&name), record });
    }
    town
}

fn quickly(town: &mut Town, command: Command) {
    let record = town.record(command);
    assert_eq!(town.grid.apply(&record), Ok(Outcome::Done));
    town.steps += 1;
    town.journal.push(record);
}

/// Groups of three, `count` of them, each home in at most three.
fn grouped(count: usize) -> Town {
    let homes = count + 2;
    let mut town = many(homes, policy());
    for group in 0..count {
        let members = (group..group + 3).map(|home| id(format!("home-{home:04}"))).collect();
        let group: GroupId = id(format!("group-{group:04}"));
        let dno = if group.as_str().ends_with('7') { "other" } else { "dno" };
        let body = PutGroup { members };
        quickly(&mut town, Command::PutGroup { dno: id(dno), group, body });
    }
    town
}

/// The supplier's bills, answer by answer.
fn bills(town: &Town, from: u64) -> Vec<Vec<Bill>> {
    let mut all: Vec<Vec<Bill>> = Vec::new();
    loop {
        let after = all.last().and_then(|page| page.last()).map(|bill| bill.account.clone());
        let page =
            town.grid.bills_of_supplier(&id("supplier"), slot(from), after.as_ref(), BILL_ROWS);
        if page.is_empty() {
            return all;
        }
        assert!(page.len() <= BILL_ROWS, "an answer of {} bills", page.len());
        all.push(page);
    }
}

#[test]
fn more_bills_than_one_answer_holds_are_all_read_and_each_once() {
    const HOMES: usize = 1_100;
    let mut town = many(HOMES, policy());
    for end in [START + PERIOD, START + 2 * PERIOD] {
        assert_eq!(town.end_period(end), Ok(Outcome::Done));
        town.close(end);
    }
    town.settle(START + 2 * PERIOD);
    for (from, periods) in [(0, 2), (START + PERIOD, 2), (START + PERIOD + 1, 1)] {
        let all = bills(&town, from);
        let key = |bill: &Bill| (bill.account.clone(), bill.from_slot);
        let found: Vec<_> = all.iter().flatten().map(key).collect();
        assert_eq!(found.len(), HOMES * periods, "from {from}");
        assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), found.len());
        // No account is in two answers.
        let accounts = all.iter().map(|page| page.iter().map(|bill| &bill.account));
        let each: usize = accounts.map(|page| page.collect::<BTreeSet<_>>().len()).sum();
        assert_eq!(each, HOMES);
    }
    assert_eq!(bills(&town, START + 2 * PERIOD + 1), [[]; 0]);
    let nobody = town.grid.bills_of_supplier(&id("other"), slot(0), None, BILL_ROWS);
    assert_eq!(nobody, []);
}

#[test]
fn a_bill_is_shown_to_the_supplier_alone_whose_tariff_it_is() {
    let mut town = many(1, policy());
    let record = ConnectionRecord { supplier: id("other"), ..Town::home("home-x", START, None) };
    assert_eq!(town.put("home-x", record), Ok(Outcome::Done));
    assert_eq!(town.end_period(START + PERIOD), Ok(Outcome::Done));
    let body = EndPeriod { tariff: id("flat"), end_slot: slot(START + PERIOD) };
    town.must(Command::EndPeriod { supplier: id("other"), body });
    town.settle(START + PERIOD);
    let seen = |supplier: &str, after: Option<&str>| {
        let after = after.map(id);
        let bills = town.grid.bills_of_supplier(&id(supplier), slot(0), after.as_ref(), BILL_ROWS);
        bills.into_iter().map(|bill| bill.account.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(seen("supplier", None), ["account-home-0000"]);
    assert_eq!(seen("other", None), ["account-home-x"]);
    // Nor by asking for what follows somebody else's.
    for (who, own) in [("supplier", "account-home-0000"), ("other", "account-home-x")] {
        for after in ["account-home-0000", "account-home-x", "nobody"] {
            assert!(seen(who, Some(after)).iter().all(|account| account == own), "{who} {after}");
        }
    }
    assert_eq!(seen("third", None), [""; 0]);
}

#[test]
fn bills_go_on_after_an_account_that_is_erased_meanwhile() {
    let mut town = many(4, policy());
    assert_eq!(town.end_period(START + PERIOD), Ok(Outcome::Done));
    town.settle(START + PERIOD);
    let page = |town: &Town, after: Option<&AccountId>| {
        let page = town.grid.bills_of_supplier(&id("supplier"), slot(0), after, 2);
        page.into_iter().map(|bill| bill.account).collect::<Vec<_>>()
    };
    let first = page(&town, None);
    let second = page(&town, first.last());
    let number = town.grid.connections.accounts.number(&first[1]).expect("an account");
    let mut later = town.grid.clone();
    later.connections.accounts.forget(number);
    let rest = later.bills_of_supplier(&id("supplier"), slot(0), first.last(), 2);
    assert_eq!(rest.into_iter().map(|bill| bill.account).collect::<Vec<_>>(), second);
}

/// The sums of `dno` from a slot on, answer by answer.
fn sums(town: &Town, from: u64) -> Vec<Vec<Aggregate>> {
    let mut all: Vec<Vec<Aggregate>> = Vec::new();
    loop {
        let last = all.last().and_then(|page| page.last());
        let (at, after) = match last {
            Some(row) => (row.slot, Some(&row.group)),
            None => (slot(from), None),
        };
        let page = town.grid.aggregates(&id("dno"), at, after, AGGREGATE_ROWS).aggregates;
        if page.is_empty() {
            return all;
        }
        assert!(page.len() <= AGGREGATE_ROWS, "an answer of {} sums", page.len());
        all.push(page);
    }
}

#[test]
fn a_thousand_groups_at_a_days_end_are_read_and_none_is_lost() {
    const GROUPS: usize = 1_000;
    let mut town = grouped(GROUPS);
    town.close(WEEK);
    let all = sums(&town, WEEK - 2);
    let rows: Vec<_> = all.iter().flatten().map(|row| (row.slot, &row.group, row.span)).collect();
    assert!(rows.is_sorted(), "by slot, group and span");
    assert_eq!(rows.iter().collect::<BTreeSet<_>>().len(), rows.len());
    // Every tenth is another operator's. At the week's end there are three rows of each.
    let count = |at: u64| rows.iter().filter(|row| row.0 == slot(at)).count();
    assert_eq!([WEEK - 2, WEEK - 1, WEEK].map(count), [900, 2_700, 900]);
    for two in all.windows(2) {
        let [one, other] = [two[0].last(), two[1].first()].map(|row| row.expect("a row"));
        assert!((one.slot, &one.group) < (other.slot, &other.group), "cut within a group");
    }
}

#[test]
fn an_answer_that_begins_within_a_slot_goes_on_with_whole_slots() {
    let mut town = grouped(5);
    town.close(START + 4);
    let page = |from, after: Option<&str>, rows| {
        let after = after.map(|group| id(format!("group-000{group}")));
        let found = town.grid.aggregates(&id("dno"), slot(from), after.as_ref(), rows).aggregates;
        let name = |row: &Aggregate| (row.group.as_str().as_bytes()[9] - b'0', row.slot.get());
        found.iter().map(name).collect::<Vec<_>>()
    };
    let (two, three) = (START + 2, START + 3);
    assert_eq!(page(two, None, 3), [(0, two), (1, two), (2, two)]);
    assert_eq!(page(two, Some("2"), 3), [(3, two), (4, two)]);
    let on = [(3, two), (4, two), (0, three), (1, three), (2, three), (3, three), (4, three)];
    assert_eq!(page(two, Some("2"), 7), on);
    assert_eq!(page(two, Some("2"), 6), on[..2]);
    assert_eq!(page(two, Some("4"), 5), on[2..]);
    // At another slot than the asked one every group counts.
    assert_eq!(page(0, Some("4"), 1).len(), 1);
}

#[test]
fn groups_and_connections_are_listed_answer_by_answer() {
    let town = grouped(30);
    let mut groups: Vec<GroupSummary> = Vec::new();
    let mut points: Vec<Connection> = Vec::new();
    loop {
        let after = groups.last().map(|row| row.group.clone());
        let page = town.grid.groups(&id("dno"), after.as_ref(), 4).groups;
        assert!(page.len() <= 4);
        let done = page.is_empty();
        groups.extend(page);
        if done {
            break;
        }
    }
    assert_eq!(groups, town.grid.groups(&id("dno"), None, GROUP_ROWS).groups);
    assert_eq!((groups.len(), groups.is_sorted_by_key(|row| &row.group)), (27, true));
    loop {
        let after: Option<PointId> = points.last().map(|row| row.point.clone());
        let page = town.grid.connections(after.as_ref(), 5).connections;
        let done = page.is_empty();
        points.extend(page);
        if done {
            break;
        }
    }
    assert_eq!(points, town.grid.connections(None, CONNECTION_ROWS).connections);
    assert_eq!(points.len(), 32);
}
