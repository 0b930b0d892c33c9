//! No row of the table is unused, and no call is made that is not in it.

use std::process::Command;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result, anyhow, ensure};
use attest_verifier::{AnyKeyConnection, ClientIdentity, Method};
use tre_tests::demo::homes::{Cut, Homes};
use tre_tests::demo::stage::{NewBox, Running};
use tre_tests::demo::{flows, stage};
use tre_tests::domain::TestDomain;
use tre_tests::hosted::HostedMachine;
use tre_tests::place;
use tre_tests::trust::Reference;
use tre_wire::role::Role;

use crate::ground::{Seen, is_hosted};

const WEEK: Cut = Cut { days: 7, slots_per_day: None };

/// Connection points whose table outgrows what the heap gives, and is moved.
const POINTS: u32 = 10_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hosted_tre_uses_every_row_and_nothing_else() -> Result<()> {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let heard = Arc::clone(&seen);
    let hear = move |line: &str| {
        if let Ok(mut seen) = heard.lock() {
            seen.hear(line);
        }
    };
    let refused = a_start_that_fails()?;
    refused.lines().for_each(&hear);

    let data = place::root().join("tests/data/sceaux_weeks_15min_wh.csv");
    let homes = Homes::load(&data, WEEK, 45)?;
    let domain = TestDomain::make("demo", |policy| {
        if let Some(policy) = policy.as_object_mut() {
            policy.insert("slot_ms".to_owned(), 500.into());
            policy.insert("grace_ms".to_owned(), 3_000.into());
        }
    })?;
    let machine = HostedMachine::make(&domain, "box")?;
    let reference = Reference::of_log(&domain, machine.event_log())?;
    let tracer = place::program("tre-tracer")?;
    let running = machine.start_under(&[tracer.as_os_str(), "watch".as_ref()], hear)?;
    let (address, running) = (running.address().to_string(), Running::Hosted(running));
    let ek_roots = machine.ek_roots().to_owned();
    let stage = stage::set(&homes, NewBox { domain, reference, running, ek_roots }).await?;
    flows::run(&stage, &homes).await?;
    many_points(&address, &stage.credential(Role::Registrar, "desk-1")?).await?;
    let seen = seen.lock().map_err(|_| anyhow!("a reader that panicked"))?;
    seen.check(is_hosted)
}

/// What a `tred` without a TPM, disk and log does.
fn a_start_that_fails() -> Result<String> {
    let output = Command::new(place::program("tre-tracer")?)
        .arg("watch")
        .arg(place::program("tred")?)
        .args(["--swtpm", "/nowhere", "--disk", "/nowhere", "--event-log", "/nowhere"])
        .output()
        .context("starting the tracer")?;
    Ok(String::from_utf8(output.stdout)?)
}

/// Records [`POINTS`] connection points, and reads the first of them.
pub(crate) async fn many_points(address: &str, registrar: &ClientIdentity) -> Result<()> {
    let mut open = AnyKeyConnection::open(address, Some(registrar)).await?;
    for number in 0..POINTS {
        let record = format!(
            r#"{{"account":"b{number}","meter":"n{number}","supplier":"s1","tariff":"t1",
            "capacity_w":9000,"from_slot":9000000000,"to_slot":null}}"#
        );
        let path = format!("/v1/connections/q{number}");
        let answer = open.request(Method::PUT, &path, Some(record.into_bytes())).await?;
        ensure!(answer.status == 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
    }
    let answer = open.request(Method::GET, "/v1/connections", None).await?;
    ensure!(answer.status == 200, "{}", String::from_utf8_lossy(&answer.body));
    Ok(())
}
