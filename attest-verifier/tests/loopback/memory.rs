//! What is remembered of a TRE: across connections, processes and power cuts, and never lost.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use attest_verifier::core::check::{Check, Mismatch as _};
use attest_verifier::core::measured_boot::tpm::ClockInfo;
use attest_verifier::core::past::PastError;
use attest_verifier::core::refusal::Refusal;
use attest_verifier::{
    AttestError, AttestedStream, ClientIdentity, KeepError, Memory, MemoryError, Trust, examine,
};

use rcgen::KeyPair;

use crate::scene::Scene;
use crate::server::{Noted, Server, copy, honest, meter_pem, trust};

/// A folder with a memory, and one box in several states.
struct Desk {
    folder: tempfile::TempDir,
    first: Arc<Scene>,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), first: Arc::new(Scene::honest()) }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("tres")
    }

    fn trust(&self) -> Trust {
        trust(&self.first).remembering(Memory::at(&self.file()).unwrap())
    }

    /// The same box with another clock and epoch.
    fn later(&self, clock: ClockInfo, state_epoch: u64) -> Arc<Scene> {
        Arc::new(Scene { state_epoch, ..scene_like(self, clock) })
    }

    async fn connect(&self, scene: &Arc<Scene>) -> Result<AttestedStream, AttestError> {
        let server = Server::start(Arc::clone(scene), honest(scene)).await;
        connect(&server, scene, &self.trust()).await
    }
}

fn scene_like(desk: &Desk, clock: ClockInfo) -> Scene {
    let first = &desk.first;
    Scene {
        aik: copy(&first.aik),
        tls: copy(&first.tls),
        release: copy(&first.release),
        authority: crate::server::copy_authority(&first.authority),
        started: first.started.clone(),
        clock,
        ..Scene::honest()
    }
}

async fn connect(
    server: &Server,
    scene: &Scene,
    trust: &Trust,
) -> Result<AttestedStream, AttestError> {
    let meter = ClientIdentity::from_pem(meter_pem(scene).0.as_bytes()).unwrap();
    let (address, tre_id) = (&server.address, Scene::identity().id);
    AttestedStream::connect(address, &tre_id, trust, Some(&meter), Scene::now()).await
}

fn clock(reset_count: u32, clock_ms: u64, safe: bool) -> ClockInfo {
    ClockInfo { clock_ms, reset_count, restart_count: 0, safe }
}

#[track_caller]
fn past(outcome: Result<AttestedStream, AttestError>) -> PastError {
    match outcome {
        Err(AttestError::Refused(Refusal::Past(error))) => error,
        outcome => panic!("{:?}", outcome.map(|stream| stream.attested().past())),
    }
}

#[tokio::test]
async fn a_restored_tpm_is_refused_and_shown_no_identity() {
    let desk = Desk::new();
    desk.connect(&desk.first).await.unwrap();
    let restored = desk.later(clock(6, 90_000, true), 9);
    let mut server = Server::start(Arc::clone(&restored), honest(&restored)).await;
    let refused = past(connect(&server, &restored, &desk.trust()).await);
    assert_eq!(refused, PastError::ResetCount { expected: 7, found: 6 });
    let certificates: Vec<bool> = server.noted(2).await.into_iter().filter_map(shown).collect();
    assert_eq!(certificates, [false]);
}

fn shown(noted: Noted) -> Option<bool> {
    match noted {
        Noted::Handshake { certificate, .. } | Noted::NoHandshake { certificate, .. } => {
            Some(certificate)
        }
        Noted::Request { .. } => None,
    }
}

#[tokio::test]
async fn a_restored_disk_is_refused() {
    let desk = Desk::new();
    desk.connect(&desk.first).await.unwrap();
    let restored = desk.later(clock(7, 6_000, true), 2);
    let refused = past(desk.connect(&restored).await);
    assert_eq!(refused, PastError::StateEpoch { expected: 3, found: 2 });
}

/// A box that was enrolled anew is refused by whoever knows the old one, until told to forget it.
#[tokio::test]
async fn a_tre_is_forgotten_by_its_name_and_no_other() {
    let desk = Desk::new();
    desk.connect(&desk.first).await.unwrap();
    let restored = desk.later(clock(6, 90_000, true), 9);
    past(desk.connect(&restored).await);
    let file = desk.file().to_str().unwrap().to_owned();
    let forget = async |name: &str| {
        crate::cli::run(&["forget", "--tre-id", name, "--remember", &file]).await
    };
    let other = forget("tre-9").await;
    assert_eq!(other.status.code(), Some(1));
    let said = String::from_utf8(other.stderr).unwrap();
    assert_eq!(said, "attest-verifier: expected tre-9 to be remembered, found tre-1\n");
    past(desk.connect(&restored).await);
    let own = forget("tre-1").await;
    assert_eq!(own.status.code(), Some(0), "{own:?}");
    let said = String::from_utf8(own.stdout).unwrap();
    assert!(said.starts_with("tre-1: forgotten. It was last seen with attestation key"), "{said}");
    desk.connect(&restored).await.unwrap();
    assert_eq!(Memory::at(&desk.file()).unwrap().known().unwrap(), [Scene::identity().id]);
}

#[tokio::test]
async fn an_honest_box_is_believed_after_a_power_cut() {
    let desk = Desk::new();
    desk.connect(&desk.first).await.unwrap();
    let cut = desk.later(clock(8, 4_096, false), 4);
    desk.connect(&cut).await.unwrap();
    // The box is remembered as it came back.
    let refused = past(desk.connect(&desk.first).await);
    assert_eq!(refused, PastError::ResetCount { expected: 8, found: 7 });
}

#[tokio::test]
async fn an_examination_remembers_and_names_what_is_older() {
    let desk = Desk::new();
    let tre_id = Scene::identity().id;
    let mut rows = Vec::new();
    for scene in [Arc::clone(&desk.first), desk.later(clock(7, 4_999, true), 3)] {
        let server = Server::start(Arc::clone(&scene), honest(&scene)).await;
        let found = examine(&server.address, &tre_id, &desk.trust(), Scene::now()).await.unwrap();
        let row = found.checks.last().unwrap().clone();
        assert_eq!(row.check, Check::Past);
        rows.push((row.found, row.ok, found.verdict.map_err(|refusal| refusal.check()).err()));
    }
    let first = ("nothing was remembered".to_owned(), true, None);
    assert_eq!(rows, [first, ("4999".to_owned(), false, Some(Check::Past))]);
}

#[test]
fn damage_is_named_and_nothing_is_forgotten() {
    let desk = Desk::new();
    let file = desk.file();
    Memory::at(&file).unwrap();
    let good = fs::read(&file).unwrap();
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    // What still decodes is damage, too.
    let spaced = [&good[..], b" "].concat();
    let texts: [&[u8]; 5] = [b"", b"{}\n", &good[..good.len() - 1], &flipped, &spaced];
    for damaged in texts {
        fs::write(&file, damaged).unwrap();
        let Err(MemoryError::Damaged { path, .. }) = Memory::at(&file) else { panic!() };
        assert_eq!((&path, fs::read(&file).unwrap().as_slice()), (&file, damaged));
    }
    fs::write(&file, good).unwrap();
    Memory::at(&file).unwrap();
}

#[test]
fn a_memory_that_is_gone_is_not_begun_anew() {
    let desk = Desk::new();
    let file = desk.file();
    Memory::at(&file).unwrap();
    fs::remove_file(&file).unwrap();
    let Err(MemoryError::Gone { path, lock }) = Memory::at(&file) else { panic!() };
    assert_eq!(path, file);
    fs::remove_file(lock).unwrap();
    Memory::at(&file).unwrap();
}

/// What an operator must do stands where the refusal does; counters that went back are no such case.
#[tokio::test]
async fn a_box_that_was_enrolled_anew_is_refused_with_what_to_do() {
    let desk = Desk::new();
    desk.connect(&desk.first).await.unwrap();
    let first = desk.first.clock;
    let anew = Scene { aik: KeyPair::generate().unwrap(), ..scene_like(&desk, first) };
    let anew = Arc::new(anew);
    let server = Server::start(Arc::clone(&anew), honest(&anew)).await;
    let error = connect(&server, &anew, &desk.trust()).await.unwrap_err();
    let AttestError::Refused(Refusal::Past(PastError::AttestationKey { .. })) = &error else {
        panic!("{error}");
    };
    assert!(error.to_string().contains("attest-verifier forget --tre-id"), "{error}");
    let older = desk.later(clock(first.reset_count - 1, 5_000, true), 3);
    let error = desk.connect(&older).await.unwrap_err();
    assert!(!error.to_string().contains("forget"), "{error}");
}

#[test]
fn a_memory_without_a_folder_is_an_error() {
    let Err(MemoryError::Keep(KeepError::Write { path, .. })) =
        Memory::at(Path::new("/nonexistent/tres"))
    else {
        panic!()
    };
    assert_eq!(path, Path::new("/nonexistent/tres.lock"));
}

/// Eight meters of one household share a file; the box goes on while they attest it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_at_one_time_lose_nothing() {
    let desk = Arc::new(Desk::new());
    let mut tasks = Vec::new();
    for reset in 0..8 {
        let desk = Arc::clone(&desk);
        tasks.push(tokio::spawn(async move {
            let scene =
                desk.later(clock(7 + reset, 5_000 + u64::from(reset), true), 3 + u64::from(reset));
            let outcome = desk.connect(&scene).await;
            // An older one may come too late, and is then refused.
            outcome.is_ok() || matches!(outcome, Err(AttestError::Refused(Refusal::Past(_))))
        }));
    }
    for task in tasks {
        assert!(task.await.unwrap());
    }
    let refused = past(desk.connect(&desk.later(clock(13, 90_000, true), 3)).await);
    assert_eq!(refused, PastError::ResetCount { expected: 14, found: 13 });
}
