//! One box through its life: new, serving, rebooted, tampered with, restored.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use attest_verifier::core::check::Check;
use attest_verifier::{ClientIdentity, Examination, Trust, compare_image, export};
use image::assemble::{self, BuildConfig, Image};
use image::checkout::Checkout;
use image::lock::LockMode;
use image::machine::{Hardware, Machine};
use measured_boot::digest::{Sha256Digest, sha256};
use measured_boot::manifest::Purpose;
use tre_client::link::{Link, LinkError, Target};
use tre_client::own::Own;
use tre_tests::appliance::Appliance;
use tre_tests::descriptors::LIMIT_OF_TRED;
use tre_tests::domain::{TestDomain, WallClock, now};
use tre_tests::trust::Reference;
use tre_tests::{place, tools};
use tre_wire::id::PeerId;
use tre_wire::message::StartState;
use tre_wire::role::Role;

use crate::outside::initrd_and_command_line_are_ignored_and_named;
use crate::sight::{accepted, examined, health, locked};

/// An image whose `tred` differs from the reference in one byte: a letter of a console line.
pub(crate) fn tampered_image(folder: &Path) -> Result<Image> {
    let mut tred = fs::read(place::built("tred")?)?;
    let line = b"enrolled; now serving";
    let place = tred.windows(line.len()).position(|window| window == line);
    let place = place.context("expected the console line in tred")?;
    let byte = tred.get_mut(place).context("inside")?;
    *byte = b'E';
    let changed = folder.join("tred-changed");
    fs::write(&changed, tred)?;
    let config = BuildConfig {
        out: folder.join("tampered"),
        tred: Some(changed),
        hardware: Hardware::USUAL,
        purpose: Purpose::Demo,
        lock: LockMode::Follow,
    };
    Ok(assemble::build(&Checkout::own(), &config)?)
}

fn hash_of(file: &Path) -> Result<Sha256Digest> {
    Ok(sha256(&fs::read(file)?))
}

/// What the box says of its own protection once it serves; none of it is missing.
fn protected(console: &str) -> Result<()> {
    const STANDING: [&str; 8] = [
        "no debugger in this kernel",
        "root read-only, no devices, nothing else mounted",
        "empty bounding set, locked secure bits",
        "user 65534, no capability but to power off",
        LIMIT_OF_TRED,
        "start filter, ",
        "no capability, no new thread",
        "serving filter, ",
    ];
    for protection in STANDING {
        let line = format!("protection: {protection}");
        ensure!(console.contains(&line), "expected '{line}' on the console:\n{console}");
    }
    ensure!(!console.contains("no protection: "), "expected every protection:\n{console}");
    Ok(())
}

/// The evidence is good in the eyes of tools that nobody here wrote.
fn accepted_by_tpm2_tools(folder: &Path, examination: &Examination) -> Result<()> {
    export(folder, &examination.evidence, &examination.expected_answer)?;
    let file = |name: &str| folder.join(name).display().to_string();
    let qualification = fs::read_to_string(file("qualification.hex"))?;
    tools::run(
        "tpm2_checkquote",
        &[
            "--public",
            &file("aik.pem"),
            "--message",
            &file("quote.attest"),
            "--signature",
            &file("quote.sig"),
            "--qualification",
            &qualification,
            "--pcr",
            &file("pcrs.bin"),
            "--hash-algorithm",
            "sha256",
        ],
    )?;
    let log = tools::run("tpm2_eventlog", &[&file("eventlog.bin")])?;
    // What it replays for PCR 4 is what was quoted.
    let pcr4 = examination.evidence.pcrs.get(4).context("24 PCRs")?.to_string();
    ensure!(log.contains(&pcr4), "expected {pcr4} in the replay of tpm2_eventlog:\n{log}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_box_is_enrolled_once_and_a_changed_image_is_locked_and_named() -> Result<()> {
    let domain = TestDomain::make("demo", |_| {})?;
    let reference = Reference::of_image(&domain)?;
    let trust = reference.trust()?;
    let tre_id: PeerId = "tre-1".parse()?;
    let appliance = Appliance::make(&domain, "box")?;
    let image = place::built("tre.img")?;

    let machine = appliance.start(&image)?;
    assert_eq!(health(&machine).await?.state, StartState::New);
    protected(&machine.serial()?)?;
    let address = machine.address().to_string();
    let ek_roots = machine.ek_roots();
    reference.enrol(&domain, &address, &ek_roots, &tre_id).await?;
    let first = examined(&machine, &tre_id, &trust).await?;
    accepted_by_tpm2_tools(&domain.folder().join("evidence"), &first)?;
    // Enrolled once: the name is taken, and the box is no longer new.
    let again = reference.enrol(&domain, &address, &ek_roots, &tre_id).await;
    let again = again.map(drop).map_err(|error| format!("{error:#}"));
    ensure!(again.as_ref().is_err_and(|text| text.contains("tre-1")), "found {again:?}");
    machine.stop()?;

    // A power cut: the same keys, one more reset.
    let machine = appliance.start(&image)?;
    domain.set_time(&machine.address().to_string(), &tre_id).await?;
    let second = examined(&machine, &tre_id, &trust).await?;
    let (first, second) = (accepted(&first)?, accepted(&second)?);
    assert_eq!(second.server_key(), first.server_key());
    assert_eq!(second.facts().attestation_key, first.facts().attestation_key);
    assert!(second.facts().clock.reset_count > first.facts().clock.reset_count);
    machine.stop()?;

    let disk_before = hash_of(appliance.disk())?;
    let tampered = tampered_image(domain.folder())?.disk;
    let machine = appliance.start(&tampered)?;
    locked(&machine).await?;
    let found = examined(&machine, &tre_id, &trust).await?;
    named_as_changed(&found, &tampered, &trust)?;
    meter_sends_nothing(&domain, &machine, &tre_id, &trust).await?;
    machine.stop()?;
    assert_eq!(hash_of(appliance.disk())?, disk_before, "a locked box writes nothing");

    let machine = appliance.start(&image)?;
    domain.set_time(&machine.address().to_string(), &tre_id).await?;
    let restored = examined(&machine, &tre_id, &trust).await?;
    assert_eq!(accepted(&restored)?.server_key(), first.server_key());
    machine.stop()?;

    initrd_and_command_line_are_ignored_and_named(&domain, &appliance, &tre_id, &trust).await
}

/// The refusal names PCR 4 and its event; with the image at hand, the changed section.
pub(crate) fn named_as_changed(found: &Examination, tampered: &Path, trust: &Trust) -> Result<()> {
    ensure!(found.verdict.is_err(), "a changed image is never accepted");
    let failed = |check: &Check| found.checks.iter().any(|row| row.check == *check && !row.ok);
    for pcr in measured_boot::pcr::PcrIndex::all() {
        let named = failed(&Check::Pcr(pcr));
        assert_eq!(named, pcr.number() == 4, "{pcr} of a box with another EFI file");
    }
    let pcr4 = found.checks.iter().find(|row| row.check.to_string() == "pcr-4");
    let pcr4 = pcr4.context("a check of PCR 4")?;
    ensure!(pcr4.found.contains("event"), "expected the event in: {}", pcr4.found);
    let manifest = trust.closest_to(&found.evidence, now()?).manifest();
    let image = compare_image(tampered, &found.evidence, manifest)?;
    ensure!(image.measured_as.is_some(), "the box started this very file");
    let telling = image.changes.iter().filter(|change| !change.follows_others());
    let telling: Vec<&str> = telling.map(|change| change.name()).collect();
    ensure!(telling.len() == 1 && telling.iter().all(|name| name.contains("init")), "{telling:?}");
    Ok(())
}

async fn meter_sends_nothing(
    domain: &TestDomain,
    machine: &Machine,
    tre_id: &PeerId,
    trust: &Trust,
) -> Result<()> {
    let credential = ClientIdentity::load(&domain.credential(Role::Meter, "m1")?)?;
    let target = Target {
        address: machine.address().to_string(),
        tre_id: tre_id.clone(),
        trust: trust.clone(),
        clock: Arc::new(WallClock),
    };
    let refused = Link::open(target, Own::new(credential, Role::Meter)?).await;
    ensure!(matches!(refused, Err(LinkError::Attest(_))), "found {refused:?}");
    Ok(())
}
