//! How fast a fleet of meters is certified, against what the signing library alone could do.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::float_arithmetic, reason = "a ratio in a report")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the time")]

use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use pki::domain::Domain;
use pki::fleet::{Fleet, Progress};
use pki::request;
use pki::validity::Validity;
use rcgen::{KeyPair, SigningKey as _};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rsa::rand_core::OsRng;
use tre_wire::role::Role;
use tre_wire::units::UnixMillis;

/// Meters of the fleet.
const METERS: u32 = 100_000;

/// Certificates a second on two cores.
const GOAL: u32 = 2_000;

fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let now = UnixMillis::new(1_800_000_000_000)?;
    let name = "grid.example".parse()?;
    let domain = Domain::init_demo(&folder.path().join("domain"), name, now, &mut OsRng)?;
    let (key, authority) = (KeyPair::generate()?, domain.grid_authority()?);
    let cores = thread::available_parallelism()?.get();
    let requests = requests(&domain)?;
    let (out, validity) = (folder.path().join("out"), Validity::of_days(now, 30)?);
    let fleet = Fleet {
        authority: &authority,
        trust_domain: domain.trust_domain(),
        out: &out,
        validity,
        now,
        batch: 1_000,
    };
    let mut register = domain.register()?;
    let started = Instant::now();
    let done = fleet.issue(requests.as_bytes(), &mut register, &mut OsRng, |_| {})?;
    let took = started.elapsed();
    ensure!(done == Progress { done: 100_000, all: 100_000 }, "expected all, found {done:?}");
    let rate = f64::from(METERS) / took.as_secs_f64();
    let bare = library(&key, cores)?;
    println!("fleet: {METERS} requests checked, certified, registered, on disk in {took:.1?}");
    println!("  {rate:.0} certificates/s on {cores} cores (goal on two: {GOAL})");
    println!(
        "  baseline, one verification and one signature each: {bare:.0}/s; {:.2}",
        rate / bare
    );
    Ok(())
}

fn requests(domain: &Domain) -> Result<String> {
    let mut all = String::new();
    for number in 0..METERS {
        let identity = domain.identity(Role::Meter, format!("m-{number}").parse()?);
        all.push_str(&request::make(&identity, &KeyPair::generate()?)?);
    }
    Ok(all)
}

/// Pairs of one verification and one signature a second, on all cores.
fn library(key: &KeyPair, cores: usize) -> Result<f64> {
    const EACH: u32 = 10_000;
    let message = [0x5a; 512];
    let signature = key.sign(&message)?;
    let started = Instant::now();
    thread::scope(|scope| {
        let work = || -> Result<()> {
            let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.public_key_raw());
            for _ in 0..EACH {
                public.verify(&message, &signature).ok().context("a good signature")?;
                key.sign(&message)?;
            }
            Ok(())
        };
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().ok().context("a worker ended unexpectedly")?)
    })?;
    let pairs = f64::from(EACH) * f64::from(u32::try_from(cores)?);
    Ok(pairs / started.elapsed().as_secs_f64())
}
