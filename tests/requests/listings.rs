//! Companies with more rows than one answer holds read all of them, with the project's own client:
//! every name is as long as a name may be.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use tre_client::ClientIdentity;
use tre_client::dno::Dno;
use tre_client::link::{Link, Target};
use tre_client::own::Own;
use tre_client::registrar::Registrar;
use tre_client::supplier::Supplier;
use tre_tests::domain::{TestDomain, WallClock, now};
use tre_tests::enrolled::Enrolled;
use tre_wire::bounds;
use tre_wire::id::GroupId;
use tre_wire::message::dno::Span;
use tre_wire::message::kept::Content;
use tre_wire::message::registrar::ConnectionRecord;
use tre_wire::role::Role;
use tre_wire::units::{Slot, UnixMillis, Watts};

/// Homes of one supplier: each has a bill.
const HOMES: usize = 1_100;

/// Groups of one network operator. Each has a sum of every slot, and a total at a day's end.
const GROUPS: usize = 1_000;

/// Slots of a privacy window.
const WINDOW: u64 = 16;

/// Slots of a billing period, and of the lateness horizon after it.
const PERIOD: u64 = 4;

/// Time for the registrar and the operator to say all this. Unit: ms.
const REGISTERING_MS: u64 = 60_000;

/// The demo's policy, with short periods and windows, and groups of few.
fn policy(policy: &mut serde_json::Value) {
    for (field, value) in [
        ("/lateness_slots", PERIOD),
        ("/monitoring/minimum_group", 3),
        ("/monitoring/dominance_millionths", 500_000),
        ("/monitoring/window_slots", WINDOW),
        ("/billing/minimum_period_slots", PERIOD),
        ("/billing/min_slots_per_level", PERIOD),
    ] {
        *policy.pointer_mut(field).expect("a field of the policy") = value.into();
    }
}

/// The longest name there is.
fn name(number: usize) -> String {
    format!("{number:x>48}")
}

async fn link(domain: &TestDomain, target: &Target, role: Role) -> Result<Link> {
    let credential = ClientIdentity::load(&domain.credential(role, &name(0))?)?;
    Ok(Link::open(target.clone(), Own::new(credential, role)?).await?)
}

/// Every home has a connection from `from_slot` on.
async fn register(registrar: &mut Registrar, from_slot: Slot) -> Result<()> {
    for home in 0..HOMES {
        let record = ConnectionRecord {
            account: name(home).parse()?,
            meter: name(home).parse()?,
            supplier: name(0).parse()?,
            tariff: name(0).parse()?,
            capacity_w: Watts::MAX,
            from_slot,
            to_slot: None,
        };
        registrar.put_connection(&name(home).parse()?, &record).await?;
    }
    Ok(())
}

async fn until(time: UnixMillis) -> Result<()> {
    let wait = time.plus(1_000).get().saturating_sub(now()?.get());
    tokio::time::sleep(core::time::Duration::from_millis(wait)).await;
    Ok(())
}

#[tokio::test]
async fn companies_read_all_of_their_own_however_many_answers_it_takes() -> Result<()> {
    let enrolled = Enrolled::of(TestDomain::make("demo", policy)?).await?;
    let Enrolled { domain, reference, hosted, tre_id, .. } = &enrolled;
    let (address, trust) = (hosted.address().to_string(), reference.trust()?);
    let target = Target { address, tre_id: tre_id.clone(), trust, clock: Arc::new(WallClock) };
    let policy = target.policy().clone();
    let start = policy.slot_at(now()?.plus(REGISTERING_MS));
    let mut registrar = Registrar(link(domain, &target, Role::Registrar).await?);
    register(&mut registrar, start).await.context("registrar")?;
    let mut dno = Dno(link(domain, &target, Role::Dno).await?);
    for group in 0..GROUPS {
        let members = (group..group.saturating_add(3)).map(|home| Ok(name(home).parse()?));
        dno.put_group(&name(group).parse()?, members.collect::<Result<_>>()?).await?;
    }
    let mut supplier = Supplier(link(domain, &target, Role::Supplier).await?);
    let end = start.plus(PERIOD);
    supplier.end_period(&name(0).parse()?, end).await.context("supplier")?;

    let connections = registrar.all_connections().await?;
    let points: BTreeSet<_> = connections.iter().map(|row| &row.point).collect();
    assert_eq!((connections.len(), points.len()), (HOMES, HOMES));
    let groups = dno.groups().await?;
    let groups: BTreeSet<GroupId> = groups.into_iter().map(|row| row.group).collect();
    assert_eq!(groups.len(), GROUPS);

    // The first day that ends after the period does.
    let days = end.get().div_ceil(WINDOW).saturating_add(1);
    let day = Slot::new(days.saturating_mul(WINDOW).saturating_sub(1))?;
    until(policy.close_of(day)).await?;
    // Through to a slot that has closed for sure: later ones may close between two answers.
    let all = dno.all_signed(start).await?;
    assert!(all.iter().all(|it| it.document.aggregates.len() <= bounds::AGGREGATE_ROWS));
    let rows = all.iter().flat_map(|it| &it.document.aggregates).filter(|row| row.slot <= day);
    let rows: Vec<_> = rows.map(|row| (row.slot, row.group.clone(), row.span)).collect();
    assert!(rows.is_sorted());
    let spans = |slot: Slot| match slot.get().checked_rem(WINDOW) {
        Some(last) if last == WINDOW.saturating_sub(1) => vec![Span::Slot, Span::Day],
        _ => vec![Span::Slot],
    };
    let slots = (start.get()..=day.get()).map(Slot::new).collect::<Result<Vec<_>, _>>()?;
    let expected: Vec<_> = slots
        .into_iter()
        .flat_map(|slot| groups.iter().map(move |group| (slot, group.clone())))
        .flat_map(|(slot, group)| spans(slot).into_iter().map(move |it| (slot, group.clone(), it)))
        .filter(|(_, _, span)| *span != Span::Week)
        .collect();
    let rows: Vec<_> = rows.into_iter().filter(|(_, _, span)| *span != Span::Week).collect();
    assert_eq!(rows.len(), expected.len());
    assert!(rows == expected, "a sum is missing, or comes twice");

    let bills = supplier.bills(Slot::default()).await?;
    let accounts: BTreeSet<_> = bills.iter().map(|bill| &bill.document.account).collect();
    assert_eq!((bills.len(), accounts.len()), (HOMES, HOMES));
    // All that came is signed.
    let own = dno.0.own().identity().id.clone();
    let sums = all.into_iter().map(|sums| Content::Aggregates { dno: own.clone(), sums });
    dno.0.keep(sums.collect()).await?;
    supplier.0.keep(bills.into_iter().map(Content::Bill).collect()).await?;
    Ok(())
}
