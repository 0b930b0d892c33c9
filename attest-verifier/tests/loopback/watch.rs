//! The log of a watch: every verdict derived again, every alteration found.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use attest_verifier::Trust;
use attest_verifier::core::measured_boot::digest::sha256;
use attest_verifier::watch::{Change, LogError, Part, Rechecked, Verdict, WatchLog, look, recheck};

use crate::scene::Scene;
use crate::server::{Server, honest, trust};

struct Desk {
    folder: tempfile::TempDir,
    scene: Arc<Scene>,
    trust: Trust,
}

impl Desk {
    fn new() -> Self {
        let scene = Arc::new(Scene::honest());
        Self { folder: tempfile::tempdir().unwrap(), trust: trust(&scene), scene }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn open(&self) -> Result<WatchLog, LogError> {
        WatchLog::open(&self.path(), Scene::identity().id, self.trust.clone())
    }

    fn recheck(&self) -> Result<Rechecked, LogError> {
        recheck(&self.path(), &Scene::identity().id, &self.trust, None)
    }

    /// Two good looks, and one at nobody.
    async fn watched() -> Self {
        let desk = Self::new();
        let scene = &desk.scene;
        let server = Server::start(Arc::clone(scene), honest(scene)).await;
        let mut log = desk.open().unwrap();
        for _ in 0..2 {
            let seen = look(&server.address).await.unwrap();
            let verdict = log.append(seen, Scene::now()).unwrap();
            assert!(matches!(verdict, Verdict::Accepted(_)), "{verdict:?}");
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let seen = look(&address).await.unwrap();
        assert_eq!(log.append(seen, Scene::now()).unwrap(), Verdict::Silent);
        desk
    }

    /// The log with line `number` (from 1) altered.
    fn alter(&self, number: usize, change: impl Fn(&str) -> String) {
        let text = fs::read_to_string(self.path()).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let line = lines.get_mut(number.saturating_sub(1)).unwrap();
        *line = change(line);
        lines.retain(|line| !line.is_empty());
        fs::write(self.path(), lines.join("\n") + "\n").unwrap();
    }

    /// The line and the part that is found to be wrong.
    #[track_caller]
    fn broken(&self) -> (u64, Part) {
        match self.recheck() {
            Err(LogError::Broken { line, part, .. }) => (line, part),
            outcome => panic!("{outcome:?}"),
        }
    }
}

#[tokio::test]
async fn every_verdict_is_derived_again_and_the_chain_goes_on() {
    let desk = Desk::watched().await;
    let Rechecked { entries, head, last } = desk.recheck().unwrap();
    assert_eq!((entries, last), (3, Some(Verdict::Silent)));
    let log = desk.open().unwrap();
    assert_eq!((log.head(), log.last()), (head, Some(&Verdict::Silent)));
    // The event log stands in the first entry alone.
    let text = fs::read_to_string(desk.path()).unwrap();
    let lengths: Vec<usize> = text.lines().map(str::len).collect();
    assert!(lengths[1] + 500 < lengths[0], "{lengths:?}");
}

#[tokio::test]
async fn an_altered_verdict_is_found() {
    let desk = Desk::watched().await;
    desk.alter(3, |line| {
        assert!(line.contains(r#""verdict":"silent""#), "{line}");
        line.replace(
            r#""verdict":"silent""#,
            r#""verdict":{"refused":{"check":"time","expected":"a","found":"b"}}"#,
        )
    });
    assert_eq!(desk.broken(), (3, Part::Verdict));
}

/// Altered so that its own line is sound: the next one does not follow it.
#[tokio::test]
async fn an_altered_entry_breaks_the_chain_behind_it() {
    let desk = Desk::watched().await;
    desk.alter(2, |line| line.replacen(r#""time":"#, r#""time": "#, 1));
    assert_eq!(desk.broken(), (3, Part::Previous));
}

#[tokio::test]
async fn an_entry_left_out_is_found() {
    let desk = Desk::watched().await;
    desk.alter(2, |_| String::new());
    assert_eq!(desk.broken(), (2, Part::Number));
}

#[tokio::test]
async fn another_reference_is_not_what_the_verdicts_were_made_with() {
    let desk = Desk::watched().await;
    let other = trust(&Scene::honest());
    let outcome = recheck(&desk.path(), &Scene::identity().id, &other, None);
    let Err(LogError::Broken { line: 1, part: Part::Deployment, .. }) = outcome else {
        panic!("{outcome:?}");
    };
}

#[tokio::test]
async fn an_end_cut_off_is_found_by_who_kept_a_hash() {
    let desk = Desk::watched().await;
    let head = desk.recheck().unwrap().head;
    let kept = attest_verifier::core::measured_boot::digest::Sha256Digest(head.0);
    let tre_id = Scene::identity().id;
    recheck(&desk.path(), &tre_id, &desk.trust, Some(kept)).unwrap();
    desk.alter(3, |_| String::new());
    assert_eq!(desk.recheck().unwrap().entries, 2);
    let outcome = recheck(&desk.path(), &tre_id, &desk.trust, Some(kept));
    let Err(LogError::Cut { expected, lines: 2, .. }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(expected, kept);
}

#[tokio::test]
async fn a_line_that_was_never_finished_is_cut_off_by_who_goes_on() {
    let desk = Desk::watched().await;
    let whole = fs::read(desk.path()).unwrap();
    fs::write(desk.path(), [&whole[..], b"{\"format\":1,"].concat()).unwrap();
    assert_eq!(desk.broken(), (4, Part::End));
    assert_eq!(desk.open().unwrap().torn(), 12);
    assert_eq!(fs::read(desk.path()).unwrap(), whole);
}

#[tokio::test]
async fn two_do_not_append_to_one_log() {
    let desk = Desk::new();
    let _open = desk.open().unwrap();
    let Err(LogError::Busy { path }) = desk.open() else { panic!() };
    assert_eq!(path, desk.path());
}

/// Each verdict is held against those before it, and a box set back is refused.
#[tokio::test]
async fn a_restored_tpm_is_refused_by_the_log_alone() {
    let desk = Desk::new();
    let scene = &desk.scene;
    let server = Server::start(Arc::clone(scene), honest(scene)).await;
    let seen = look(&server.address).await.unwrap();
    let restored = Scene {
        aik: crate::server::copy(&scene.aik),
        tls: crate::server::copy(&scene.tls),
        authority: crate::server::copy_authority(&scene.authority),
        started: scene.started.clone(),
        ..Scene::honest()
    };
    let clock =
        attest_verifier::core::measured_boot::tpm::ClockInfo { reset_count: 6, ..restored.clock };
    let restored = Arc::new(Scene { clock, ..restored });
    let server = Server::start(Arc::clone(&restored), honest(&restored)).await;
    let older = look(&server.address).await.unwrap();
    let mut log = desk.open().unwrap();
    log.append(seen, Scene::now()).unwrap();
    let verdict = log.append(older, Scene::now()).unwrap();
    let Verdict::Refused { check, .. } = &verdict else { panic!("{verdict:?}") };
    assert_eq!(check, "past");
    drop(log);
    assert_eq!(desk.recheck().unwrap().last, Some(verdict));
}

#[test]
fn a_hook_is_told_of_what_is_new_alone() {
    let refused = |check: &str| Verdict::Refused {
        check: check.to_owned(),
        expected: sha256(b"").to_string(),
        found: String::new(),
    };
    let (time, pcr) = (refused("time"), refused("pcr-4"));
    assert_eq!(Change::between(None, &Verdict::Silent), Some(Change::Silent));
    assert_eq!(Change::between(Some(&Verdict::Silent), &Verdict::Silent), None);
    assert_eq!(Change::between(Some(&Verdict::Silent), &time), Some(Change::Refused));
    assert_eq!(Change::between(Some(&time), &pcr), Some(Change::Refused));
    assert_eq!(Change::between(Some(&time), &time), None);
}
