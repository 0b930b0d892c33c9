//! The same of the appliance: the image's own `tred`, in the virtual machine, under the tracer.
//!
//! The tracer is PID 1 there, and `tred` its child; everything else is as in the image. So the
//! measurements differ, and the box is enrolled as what it is: a machine for tests.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, Result, ensure};
use attest_verifier::ClientIdentity;
use image::disk;
use tre_tests::appliance::Appliance;
use tre_tests::domain::TestDomain;
use tre_tests::place;
use tre_tests::trust::Reference;
use tre_wire::role::Role;

use crate::ground::Seen;
use crate::rows::Place;
use crate::usage::many_points;

/// Flags for an executable that can be a kernel's only one.
const STATIC: &str = "-Ctarget-feature=+crt-static -Crelocation-model=static";

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The tracer with the image's `tred` appended, and the length of that at the very end.
fn init(folder: &Path) -> Result<PathBuf> {
    let target = place::root().join("target/tracer");
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--target", TARGET, "--package", "tre-tracer"])
        .current_dir(place::root())
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTFLAGS", STATIC)
        .status()
        .context("compiling the tracer")?;
    ensure!(status.success(), "the tracer does not compile: {status}");
    let mut bytes = fs::read(target.join(TARGET).join("release/tre-tracer"))?;
    let tred = fs::read(place::built("tred")?)?;
    let length = u64::try_from(tred.len())?.to_le_bytes();
    bytes.extend(tred.into_iter().chain(length));
    let path = folder.join("init");
    fs::write(&path, bytes)?;
    Ok(path)
}

/// Runs `tre-image`, built with this test.
fn tre_image(arguments: &[&OsStr]) -> Result<Output> {
    let output = Command::new(place::program("tre-image")?).args(arguments).output();
    output.context("starting tre-image")
}

/// Builds the image with that executable in place of `tred`.
fn build(out: &Path, init: &Path) -> Result<PathBuf> {
    let words = ["build", "--purpose", "demo", "--tred"].map(OsStr::new);
    let built =
        tre_image(&[&words[..], &[init.as_os_str(), "--out".as_ref(), out.as_ref()]].concat())?;
    let said = String::from_utf8_lossy(&built.stderr);
    ensure!(built.status.success(), "the traced image does not build: {said}");
    Ok(out.join("tre.img"))
}

/// What the console shows of a boot with a data disk that holds no deployment: it ends by itself.
fn start_that_fails(folder: &Path, image: &Path) -> Result<String> {
    let (blank, state) = (folder.join("blank.img"), folder.join("off"));
    disk::create_blank(&blank)?;
    let [run, with_disk, with_state, with_image] =
        ["run", "--disk", "--state", "--image"].map(OsStr::new);
    let (blank, state) = (blank.as_os_str(), state.as_os_str());
    let ran = tre_image(&[run, with_disk, blank, with_state, state, with_image, image.as_ref()])?;
    let said = String::from_utf8_lossy(&ran.stderr);
    ensure!(!ran.status.success(), "a box without its disk does not listen: {said}");
    let console = fs::read_to_string(folder.join("off/serial.log"))?;
    ensure!(console.contains("tred: stopped: data disk"), "{console}");
    Ok(console)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_appliance_uses_every_row_and_nothing_else() -> Result<()> {
    let domain = TestDomain::make("demo", |_| {})?;
    let folder = domain.folder().to_owned();
    let image = build(&folder.join("traced"), &init(&folder)?)?;
    let mut seen = Seen::default();
    let console = start_that_fails(&folder, &image)?;
    console.lines().for_each(|line| seen.hear(line.trim_end()));

    let appliance = Appliance::make(&domain, "box")?;
    let machine = appliance.start(&image)?;
    let address = machine.address().to_string();
    let reference = Reference::of_manifest(&domain, &folder.join("traced/manifest.json"))?;
    let tre_id = "tre-1".parse()?;
    reference.enrol(&domain, &address, &machine.ek_roots(), &tre_id).await?;
    let registrar = ClientIdentity::load(&domain.credential(Role::Registrar, "desk-1")?)?;
    many_points(&address, &registrar).await?;
    let console = machine.serial()?;
    machine.stop()?;
    println!("{console}");
    console.lines().for_each(|line| seen.hear(line));
    seen.check(|row| matches!(row.place, Place::All | Place::Appliance))
}
