//! A day: everybody does what the paper says they do, through the TRE in QEMU.

use core::time::Duration;
use std::sync::Arc;

use crate::domain::now;
use anyhow::{Context as _, Result};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tre_client::bidding::{BidRule, Offer};
use tre_client::dno::Dno;
use tre_client::dsm::Dsm;
use tre_client::jitter::Jitter;
use tre_client::merit;
use tre_client::meter::Meter;
use tre_client::patience::Patience;
use tre_client::registrar::Registrar;
use tre_client::replay::{Plan, Summary, replay};
use tre_client::supplier::Supplier;
use tre_wire::id::PointId;
use tre_wire::message::dno::{Aggregate, Span};
use tre_wire::message::dsm::{Direction, EventOutcome, EventTerms};
use tre_wire::message::registrar::ConnectionRecord;
use tre_wire::message::supplier::Bill;
use tre_wire::policy::Policy;
use tre_wire::role::Role;
use tre_wire::units::{PricePerKwh, Share, Slot, UnixMillis, WattHours, Watts};

use crate::demo::homes::{GROUPS, Homes, SLOTS, SLOTS_U64};
use crate::demo::stage::{Stage, meter};

/// What every party saw.
#[derive(Debug)]
pub struct Seen {
    /// First slot of the replay.
    pub start: Slot,
    /// Price of each slot, in millionths of the currency per kWh.
    pub prices: Vec<i64>,
    /// The network operator's.
    pub aggregates: Vec<Aggregate>,
    /// What the network operator got when it asked once more for homes that it had asked for.
    pub extra: Vec<Aggregate>,
    /// Both suppliers', by supplier.
    pub bills: Vec<(usize, Bill)>,
    /// The demand side manager's: pseudo-bids, number accepted, final state.
    pub event: (usize, usize, EventOutcome),
    /// Every meter's own, by home.
    pub meters: Vec<Summary>,
    /// The rules of the deployment.
    pub policy: Policy,
}

/// London's dynamic tariff: 3.99, 11.76 and 67.20 p/kWh, in millionths of a pound.
const BANDS: [i64; 3] = [39_900, 117_600, 672_000];

/// Power that a household's connection is built for. Unit: W.
const CAPACITY_W: u64 = 12_000;

/// Notice, bid deadline, first slot of the event and the one after its last, counted from the
/// first slot. At the notice every home has its baseline; it is of the afternoon, and the event of
/// late evening.
const EVENT: (u64, u64, u64, u64) = (70, 80, 84, 88);

/// Time for all records to arrive before they are in force. Unit: ms.
const REGISTERING_MS: u64 = 10_000;

/// Meters that connect at the same time: one quote at a time is all a TPM can do.
const CONNECTING: usize = 12;

/// The slots of the event, from and to, counted from the first slot.
#[must_use]
pub fn event_slots() -> (usize, usize) {
    let number = |slot| usize::try_from(slot).unwrap_or(SLOTS);
    (number(EVENT.2), number(EVENT.3))
}

/// The slot that closed last when the event was announced, counted from the first slot.
#[must_use]
pub fn last_before_notice(policy: &Policy) -> usize {
    let behind = policy.grace_ms.div_ceil(policy.slot_ms).saturating_add(1);
    usize::try_from(EVENT.0.saturating_sub(behind)).unwrap_or(0)
}

/// Runs the day.
///
/// # Errors
///
/// Whatever party is refused, named.
#[expect(clippy::print_stdout, reason = "a command line")]
pub async fn run(stage: &Stage, homes: &Homes) -> Result<Seen> {
    let in_force = register(stage, homes).await.context("registrar")?;
    define_groups(stage, homes).await.context("network operator")?;
    println!("meters      {} verify the TRE before they send a byte ...", homes.count());
    let meters = connect(stage, homes).await.context("meters")?;

    let policy = stage.policy().clone();
    let start = policy.slot_at(now()?).plus(4).max(in_force);
    let prices: Vec<i64> = (0..SLOTS).map(band).collect();
    publish(stage, start, &prices).await.context("suppliers")?;
    let seconds = policy.slot_ms.saturating_mul(SLOTS_U64).div_ceil(1_000);
    println!("day         {SLOTS} slots of {} ms: about {seconds} s", policy.slot_ms);

    let event = tokio::spawn(dsm(stage.link(Role::Dsm, "dsm-1").await?, start, policy.clone()));
    let meters = replay_all(meters, homes, start).await?;
    let event = event.await?.context("demand side manager")?;

    // The last slot closes a grace after its end; a slot more and every sum is out.
    let over = policy.close_of(start.plus(SLOTS_U64));
    wait_until(over).await?;
    let mut dno = Dno(stage.link(Role::Dno, "dno-1").await?);
    let aggregates = dno.all_aggregates(start).await.context("network operator")?;
    let extra = ask_once_more(&mut dno, homes, &policy).await.context("network operator")?;
    // A bill waits for late readings.
    wait_until(policy.close_of(start.plus(SLOTS_U64).plus(policy.lateness_slots))).await?;
    let bills = all_bills(stage).await.context("suppliers")?;
    Ok(Seen { start, prices, aggregates, extra, bills, event, meters, policy })
}

/// Both suppliers' bills.
async fn all_bills(stage: &Stage) -> Result<Vec<(usize, Bill)>> {
    let mut bills = Vec::new();
    for number in 0..2 {
        let mut supplier = Supplier(stage.link(Role::Supplier, &supplier(number)).await?);
        let own = supplier.bills(Slot::default()).await?;
        bills.extend(own.into_iter().map(|bill| (number, bill.document)));
    }
    Ok(bills)
}

fn supplier(number: usize) -> String {
    format!("supplier-{number}")
}

/// Night low, evening high, else normal.
fn band(slot: usize) -> i64 {
    let [low, normal, high] = BANDS;
    match slot {
        0..=23 => low,
        68..=79 => high,
        _ => normal,
    }
}

/// Records every connection, in force from the slot returned on.
async fn register(stage: &Stage, homes: &Homes) -> Result<Slot> {
    let mut registrar = Registrar(stage.link(Role::Registrar, "desk-1").await?);
    let from_slot = stage.policy().slot_at(now()?.plus(REGISTERING_MS));
    // The demo compresses time: the energy of a real slot passes in a short one.
    let factor = homes.real_slot_ms().checked_div(stage.policy().slot_ms).unwrap_or(1);
    let capacity_w = Watts::new(CAPACITY_W.saturating_mul(factor))?;
    for index in 0..homes.count() {
        let record = ConnectionRecord {
            account: format!("a{index:03}").parse()?,
            meter: meter(index).parse()?,
            supplier: supplier(index % 2).parse()?,
            tariff: "dynamic".parse()?,
            capacity_w,
            from_slot,
            to_slot: None,
        };
        registrar.put_connection(&point(index).parse()?, &record).await?;
    }
    Ok(from_slot)
}

fn point(index: usize) -> String {
    format!("p{index:03}")
}

async fn define_groups(stage: &Stage, homes: &Homes) -> Result<()> {
    let mut dno = Dno(stage.link(Role::Dno, "dno-1").await?);
    for group in 0..GROUPS {
        dno.put_group(&format!("g{group}").parse()?, members(homes, group)?).await?;
    }
    Ok(())
}

/// The connection points of one group.
fn members(homes: &Homes, group: usize) -> Result<Vec<PointId>> {
    let members = (0..homes.count()).filter(|index| homes.group_of(*index) == group);
    members.map(|index| Ok(point(index).parse()?)).collect()
}

/// The operator puts the homes of its first group into another one too, and waits for the first
/// sum of that: by then every slot of the window has spent their budget.
async fn ask_once_more(dno: &mut Dno, homes: &Homes, policy: &Policy) -> Result<Vec<Aggregate>> {
    let extra = "one-more".parse()?;
    dno.put_group(&extra, members(homes, 0)?).await?;
    let from = policy.slot_at(now()?);
    wait_until(policy.close_of(from.plus(2)).plus(500)).await?;
    let rows = dno.all_aggregates(from).await?.into_iter();
    Ok(rows.filter(|row| row.group == extra && row.span == Span::Slot).collect())
}

async fn publish(stage: &Stage, start: Slot, prices: &[i64]) -> Result<()> {
    let prices = prices.iter().map(|price| PricePerKwh::new(*price));
    let prices = prices.collect::<Result<Vec<_>, _>>()?;
    let tariff = "dynamic".parse()?;
    for number in 0..2 {
        let mut supplier = Supplier(stage.link(Role::Supplier, &supplier(number)).await?);
        supplier.post_prices(&tariff, start, &prices, &mut |_| {}).await?;
        supplier.end_period(&tariff, start.plus(SLOTS_U64)).await?;
    }
    Ok(())
}

async fn connect(stage: &Stage, homes: &Homes) -> Result<Vec<(usize, Meter)>> {
    let places = Arc::new(Semaphore::new(CONNECTING));
    let mut connecting = JoinSet::new();
    for index in 0..homes.count() {
        let credential = stage.credential(Role::Meter, &meter(index))?;
        let (target, places) = (stage.target(), Arc::clone(&places));
        connecting.spawn(async move {
            let _place = places.acquire().await?;
            let seed = u64::try_from(index)?;
            let mut patience = Patience::new(Duration::from_secs(60), Jitter::new(seed));
            let meter = Meter::connect_patiently(target, credential, &mut patience).await?;
            anyhow::Ok((index, meter))
        });
    }
    let mut meters = Vec::new();
    while let Some(connected) = connecting.join_next().await {
        meters.push(connected??);
    }
    Ok(meters)
}

#[expect(clippy::print_stdout, reason = "a command line")]
async fn replay_all(
    meters: Vec<(usize, Meter)>,
    homes: &Homes,
    start: Slot,
) -> Result<Vec<Summary>> {
    let mut replays = JoinSet::new();
    for (index, mut meter) in meters {
        let readings = homes.readings.get(index).context("a home for every meter")?;
        let readings = readings.iter().map(|wh| WattHours::new(*wh));
        // Every third home offers half of its recent mean, at one of five prices.
        let number = i64::try_from(index)?;
        let price =
            PricePerKwh::new(number.rem_euclid(5).saturating_mul(20_000).saturating_add(60_000))?;
        let offer = if index % 3 == 0 { Offer::Of(Share::new(500_000)?) } else { Offer::Nothing };
        let plan = Plan {
            readings: readings.collect::<Result<Vec<_>, _>>()?,
            start,
            rule: BidRule { offer, price },
            seed: u64::try_from(index)?,
            patience: Duration::from_secs(60),
        };
        replays.spawn(async move {
            let summary = replay(&mut meter, &plan, &mut |_| {}).await?;
            anyhow::Ok((index, summary))
        });
    }
    let mut summaries = vec![Summary::default(); homes.count()];
    while let Some(done) = replays.join_next().await {
        let (index, summary) = done?.context("meter")?;
        if let Some(place) = summaries.get_mut(index) {
            *place = summary;
        }
    }
    println!("readings    all sent and receipted");
    Ok(summaries)
}

/// Opens the event, waits for the deadline, decides by merit, once.
async fn dsm(
    link: tre_client::link::Link,
    start: Slot,
    policy: Policy,
) -> Result<(usize, usize, EventOutcome)> {
    let (notice, deadline, from, to) = EVENT;
    let event = "evening-peak".parse()?;
    let deadline = policy.start_of(start.plus(deadline));
    let terms = EventTerms {
        direction: Direction::Reduce,
        from_slot: start.plus(from),
        to_slot: start.plus(to),
        deadline,
    };
    let mut dsm = Dsm(link);
    // In the middle of a slot, so that none closes just then.
    wait_until(policy.start_of(start.plus(notice)).plus(policy.slot_ms / 2)).await?;
    dsm.open_event(&event, terms).await?;
    wait_until(deadline.plus(500)).await?;
    let bids = dsm.bids(&event).await?;
    let offered: u64 =
        bids.iter().map(|bid| bid.bid.quantity_wh.get()).fold(0, u64::saturating_add);
    let selection = merit::select(&bids, WattHours::new(offered / 2)?);
    let accepted = selection.accepted.len();
    dsm.decide(&event, selection.accepted).await?;
    wait_until(policy.start_of(start.plus(from))).await?;
    let outcome = dsm.outcome(&event).await?;
    Ok((bids.len(), accepted, outcome))
}

async fn wait_until(time: UnixMillis) -> Result<()> {
    let wait = time.get().saturating_sub(now()?.get());
    tokio::time::sleep(Duration::from_millis(wait)).await;
    Ok(())
}
