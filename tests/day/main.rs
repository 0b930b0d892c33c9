//! A whole day of the demo on a hosted TRE, in seconds: all three flows, every bill recomputed.

#![forbid(unsafe_code)]

use std::io::Write as _;

use anyhow::Result;
use tempfile::TempDir;
use tre_tests::demo::homes::{Cut, Homes};
use tre_tests::demo::stage::{NewBox, Running};
use tre_tests::demo::{flows, page, page_check, report, stage};
use tre_tests::domain::TestDomain;
use tre_tests::hosted::HostedMachine;
use tre_tests::place;
use tre_tests::trust::Reference;
use tre_wire::message::dno::Withheld;

/// Real readings, with the project.
fn sceaux() -> std::path::PathBuf {
    place::root().join("tests/data/sceaux_weeks_15min_wh.csv")
}

const WEEK: Cut = Cut { days: 7, slots_per_day: None };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bill_of_a_day_equals_its_recomputation() -> Result<()> {
    let homes = Homes::load(&sceaux(), WEEK, 45)?;
    let domain = TestDomain::make("demo", |policy| {
        stage::judge_winners(policy);
        if let Some(policy) = policy.as_object_mut() {
            policy.insert("slot_ms".to_owned(), 500.into());
            policy.insert("grace_ms".to_owned(), 3_000.into());
            policy.insert("lateness_slots".to_owned(), 60.into());
        }
    })?;
    let machine = HostedMachine::make(&domain, "box")?;
    let reference = Reference::of_log(&domain, machine.event_log())?;
    let running = Running::Hosted(machine.start()?);
    let ek_roots = machine.ek_roots().to_owned();
    let stage = stage::set(&homes, NewBox { domain, reference, running, ek_roots }).await?;
    let seen = flows::run(&stage, &homes).await?;
    let out = TempDir::new()?;
    assert!(report::write(out.path(), &stage.shown, &homes, &seen)?, "a bill differs: see above");
    assert_eq!(seen.bills.len(), 45, "one bill a home");
    let page = std::fs::read_to_string(out.path().join("report.html"))?;
    page_check::check(&page, page::attacks(&report::attacks())?.as_ref())?;
    let spent = seen.extra.iter().filter(|row| row.withheld == Some(Withheld::BudgetSpent));
    assert!(spent.count() > 0, "a second sum of the same homes went out: {:?}", seen.extra);
    let (pseudo_bids, accepted, outcome) = &seen.event;
    assert_eq!(usize::try_from(outcome.pseudo_bids)?, *pseudo_bids);
    assert!(*accepted > 0 && accepted < pseudo_bids, "{accepted} of {pseudo_bids}");
    let result: serde_json::Value =
        serde_json::from_slice(&std::fs::read(out.path().join("result.json"))?)?;
    let short = result.pointer("/events/0/short").and_then(serde_json::Value::as_u64);
    assert!(short.is_some_and(|short| short > 0), "no winner was charged: {short:?}");
    Ok(())
}

#[test]
fn a_file_with_too_few_homes_is_refused_with_the_arithmetic() {
    let refused = Homes::load(&sceaux(), Cut { days: 8, slots_per_day: None }, 45);
    let text = refused.map(drop).map_err(|error| format!("{error:#}"));
    let text = text.expect_err("672 rows hold no 8 days");
    assert!(text.contains("3 groups x k 15 = 45 homes"), "{text}");
    assert!(text.contains("205 columns x (672 rows / (8 days x 96 slots)) = 0"), "{text}");
}

#[test]
fn ten_columns_of_half_hours_in_fortnights_are_a_hundred_homes() {
    let Some(folder) = std::env::var_os("TRE_EXTRA_DATA") else {
        // Where a test that passes is heard too; `tests/scripts/test.sh` counts it.
        let told = "extra data: skipped 1: TRE_EXTRA_DATA is not set";
        writeln!(std::io::stderr(), "{told}").expect("an error stream");
        return;
    };
    let file = std::path::Path::new(&folder).join("sgsc10_30min_wh.csv");
    let homes = Homes::load(&file, Cut { days: 14, slots_per_day: None }, 200);
    assert_eq!(homes.expect("a readable file").count(), 100);
}
