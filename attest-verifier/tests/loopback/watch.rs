//! The log of a watch: every verdict derived again, every alteration found.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use attest_verifier::core::measured_boot::digest::{Sha256Digest, sha256};
use attest_verifier::core::measured_boot::manifest::Purpose;
use attest_verifier::core::wire::hex::{Hex32, HexBytes};
use attest_verifier::core::wire::json::JsonError;
use attest_verifier::core::wire::units::UnixMillis;
use attest_verifier::watch::{
    Anchors, Change, GroundsError, LogError, Part, Rechecked, Seen, Standing, Verdict, WatchLog,
    look, recheck,
};
use attest_verifier::{ListPlace, Lists, Loaded, Sources};
use rcgen::KeyPair;
use serde_json::Value;

use crate::list_server::{revocations, signed};
use crate::scene::Scene;
use crate::server::{Server, copy, copy_authority, honest, reference_files};

pub(crate) struct Desk {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) scene: Arc<Scene>,
    pub(crate) status: KeyPair,
    /// Whether a list is given.
    pub(crate) lists: bool,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let mut scene = Scene::honest();
        scene.manifest.purpose = Purpose::Production;
        Self::of(scene)
    }

    pub(crate) fn of(scene: Scene) -> Self {
        let (folder, status) = (tempfile::tempdir().unwrap(), KeyPair::generate().unwrap());
        reference_files(&scene, folder.path());
        fs::write(folder.path().join("status.pem"), status.public_key_pem()).unwrap();
        Self { folder, scene: Arc::new(scene), status, lists: false }
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.at("log")
    }

    /// Puts a list of these keys where it is read.
    pub(crate) fn put_list(&mut self, sequence: u32, keys: &[&KeyPair], valid_until: UnixMillis) {
        let list = revocations(sequence, keys, valid_until);
        fs::write(self.at("revocations.json.sig"), signed(&list, &self.status)).unwrap();
        fs::write(self.at("revocations.json"), list).unwrap();
        self.lists = true;
    }

    pub(crate) async fn load(&self) -> Loaded {
        let lists = Lists {
            status_key: self.at("status.pem"),
            revocations: Some(ListPlace::File(self.at("revocations.json"))),
            denylist: None,
            folder: None,
        };
        let sources = Sources {
            deployment: self.at("deployment.json"),
            manifests: vec![self.at("manifest-0.json")],
            release_key: self.at("release.pem"),
            lists: self.lists.then_some(lists),
        };
        sources.load(Scene::now()).await.unwrap()
    }

    pub(crate) fn anchors(&self) -> Anchors {
        let deployment = self.at("deployment.json");
        let (release, status) = (self.at("release.pem"), self.at("status.pem"));
        Anchors::load([deployment.as_path()], &release, Some(&status)).unwrap()
    }

    pub(crate) async fn open(&self) -> Result<WatchLog, LogError> {
        let loaded = self.load().await;
        WatchLog::open(&self.path(), Scene::identity().id, self.anchors(), &loaded, Scene::now())
    }

    /// Needs nothing but anchors.
    pub(crate) fn recheck(&self) -> Result<Rechecked, LogError> {
        recheck(&self.path(), &Scene::identity().id, &self.anchors(), None, None)
    }

    /// What the honest box shows.
    pub(crate) async fn see(&self) -> Seen {
        let server = Server::start(Arc::clone(&self.scene), honest(&self.scene)).await;
        look(&server.address).await.unwrap()
    }

    /// Three lines of what is judged by, two good looks, and one at nobody.
    async fn watched() -> Self {
        let desk = Self::new();
        let mut log = desk.open().await.unwrap();
        for _ in 0..2 {
            let verdict = log.append(desk.see().await, Scene::now()).unwrap();
            assert!(matches!(verdict, Verdict::Accepted(_)), "{verdict:?}");
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let seen = look(&address).await.unwrap();
        assert_eq!(log.append(seen, Scene::now()).unwrap(), Verdict::Silent);
        desk
    }

    fn lines(&self) -> Vec<String> {
        fs::read_to_string(self.path()).unwrap().lines().map(str::to_owned).collect()
    }

    /// The log with line `number` (from 1) altered.
    fn alter(&self, number: usize, change: impl Fn(&str) -> String) {
        let mut lines = self.lines();
        let line = lines.get_mut(number.saturating_sub(1)).unwrap();
        *line = change(line);
        lines.retain(|line| !line.is_empty());
        fs::write(self.path(), lines.join("\n") + "\n").unwrap();
    }

    /// The log made anew, by somebody who knows how chains are made.
    pub(crate) fn forge(&self, change: impl FnOnce(&mut Vec<Value>)) {
        let read = |line: &String| serde_json::from_str(line).unwrap();
        let mut entries: Vec<Value> = self.lines().iter().map(read).collect();
        change(&mut entries);
        let (mut text, mut previous) = (String::new(), Sha256Digest([0; 32]));
        for (number, entry) in entries.iter_mut().enumerate() {
            entry["number"] = number.into();
            entry["previous"] = previous.to_string().into();
            let line = serde_json::to_string(entry).unwrap();
            previous = sha256(line.as_bytes());
            text += &(line + "\n");
        }
        fs::write(self.path(), text).unwrap();
    }

    /// The line and the part that is found to be wrong.
    #[track_caller]
    pub(crate) fn broken(&self) -> (u64, Part) {
        match self.recheck() {
            Err(LogError::Broken { line, part, .. }) => (line, part),
            outcome => panic!("{outcome:?}"),
        }
    }

    /// The line by whose files nothing can be judged, and why not.
    #[track_caller]
    pub(crate) fn groundless(&self) -> (u64, GroundsError) {
        match self.recheck() {
            Err(LogError::Grounds { line, source, .. }) => (line, *source),
            outcome => panic!("{outcome:?}"),
        }
    }
}

#[tokio::test]
async fn every_verdict_is_derived_again_and_the_chain_goes_on() {
    let desk = Desk::watched().await;
    let Rechecked { entries, verdicts, head, last } = desk.recheck().unwrap();
    assert_eq!((entries, verdicts, last), (6, 3, Some(Verdict::Silent)));
    let log = desk.open().await.unwrap();
    assert_eq!((log.head(), log.last()), (head, Some(&Verdict::Silent)));
    // The event log stands in the first look alone, the files once.
    let lengths: Vec<usize> = desk.lines().iter().map(String::len).collect();
    assert!(lengths.len() == 6 && lengths[4] + 500 < lengths[3], "{lengths:?}");
}

#[tokio::test]
async fn an_altered_verdict_is_found() {
    let desk = Desk::watched().await;
    desk.alter(6, |line| {
        assert!(line.contains(r#""verdict":"silent""#), "{line}");
        line.replace(
            r#""verdict":"silent""#,
            r#""verdict":{"refused":{"check":"time","expected":"a","found":"b"}}"#,
        )
    });
    assert_eq!(desk.broken(), (6, Part::Verdict));
}

/// Altered so that its own line is sound: the next one does not follow it.
#[tokio::test]
async fn an_altered_entry_breaks_the_chain_behind_it() {
    let desk = Desk::watched().await;
    desk.alter(5, |line| line.replacen(r#""time":"#, r#""time": "#, 1));
    assert_eq!(desk.broken(), (6, Part::Previous));
}

#[tokio::test]
async fn an_entry_left_out_is_found() {
    let desk = Desk::watched().await;
    desk.alter(5, |_| String::new());
    assert_eq!(desk.broken(), (5, Part::Number));
}

/// A deployment says who certifies TREs, and nobody signs it: it is the reader's, or it is none.
#[tokio::test]
async fn a_deployment_that_the_reader_does_not_know_is_not_believed() {
    let desk = Desk::watched().await;
    let other = Desk::new();
    let anchors = Anchors { keys: desk.anchors().keys, ..other.anchors() };
    let outcome = recheck(&desk.path(), &Scene::identity().id, &anchors, None, None);
    let Err(LogError::Grounds { line: 3, source, .. }) = outcome else { panic!("{outcome:?}") };
    let GroundsError::Deployment { found } = *source else { panic!("{source}") };
    assert_eq!(found.0, sha256(&desk.scene.deployment_file()).0);
}

#[tokio::test]
async fn a_manifest_of_another_release_key_is_not_believed() {
    let desk = Desk::watched().await;
    let anchors = Anchors { keys: Desk::new().anchors().keys, ..desk.anchors() };
    let outcome = recheck(&desk.path(), &Scene::identity().id, &anchors, None, None);
    let Err(LogError::Grounds { line: 3, source, .. }) = outcome else { panic!("{outcome:?}") };
    assert!(matches!(*source, GroundsError::Release { .. }), "{source}");
}

#[tokio::test]
async fn an_end_cut_off_is_found_by_who_kept_a_hash() {
    let desk = Desk::watched().await;
    let kept = Sha256Digest(desk.recheck().unwrap().head.0);
    let tre_id = Scene::identity().id;
    let holds = || recheck(&desk.path(), &tre_id, &desk.anchors(), None, Some(kept));
    holds().unwrap();
    desk.alter(6, |_| String::new());
    assert_eq!(desk.recheck().unwrap().verdicts, 2);
    let outcome = holds();
    let Err(LogError::Cut { expected, lines: 5, .. }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(expected, kept);
}

#[tokio::test]
async fn a_line_that_was_never_finished_is_cut_off_by_who_goes_on() {
    let desk = Desk::watched().await;
    let whole = fs::read(desk.path()).unwrap();
    fs::write(desk.path(), [&whole[..], b"{\"format\":2,"].concat()).unwrap();
    assert_eq!(desk.broken(), (7, Part::End));
    assert_eq!(desk.open().await.unwrap().torn(), 12);
    assert_eq!(fs::read(desk.path()).unwrap(), whole);
}

/// It is no unfinished line: nothing behind it is cut off.
#[tokio::test]
async fn a_line_longer_than_any_entry_is_an_error_and_stays() {
    let desk = Desk::watched().await;
    let long = [fs::read(desk.path()).unwrap(), vec![b' '; 9 * 1024 * 1024]].concat();
    fs::write(desk.path(), &long).unwrap();
    let outcome = desk.open().await;
    let Err(LogError::Entry { line: 7, source, .. }) = outcome else { panic!("{outcome:?}") };
    assert!(matches!(source, JsonError::TooLong { .. }), "{source}");
    assert_eq!(fs::read(desk.path()).unwrap().len(), long.len());
}

#[tokio::test]
async fn two_do_not_append_to_one_log() {
    let desk = Desk::new();
    let _open = desk.open().await.unwrap();
    let Err(LogError::Busy { path }) = desk.open().await else { panic!() };
    assert_eq!(path, desk.path());
}

/// Each verdict is held against those before it, and a box set back is refused.
#[tokio::test]
async fn a_restored_tpm_is_refused_by_the_log_alone() {
    let desk = Desk::new();
    let scene = &desk.scene;
    let mut restored = Scene {
        aik: copy(&scene.aik),
        tls: copy(&scene.tls),
        authority: copy_authority(&scene.authority),
        started: scene.started.clone(),
        ..Scene::honest()
    };
    restored.clock.reset_count = 6;
    let restored = Arc::new(restored);
    let server = Server::start(Arc::clone(&restored), honest(&restored)).await;
    let older = look(&server.address).await.unwrap();
    let mut log = desk.open().await.unwrap();
    log.append(desk.see().await, Scene::now()).unwrap();
    let verdict = log.append(older, Scene::now()).unwrap();
    let Verdict::Refused { check, .. } = &verdict else { panic!("{verdict:?}") };
    assert_eq!(check, "past");
    drop(log);
    assert_eq!(desk.recheck().unwrap().last, Some(verdict));
}

#[test]
fn a_hook_is_told_of_what_is_new_alone() {
    let refused = |check: &str, found: &str| Verdict::Refused {
        check: check.to_owned(),
        expected: sha256(b"").to_string(),
        found: found.to_owned(),
    };
    let (time, pcr) = (refused("time", "one"), refused("pcr-4", ""));
    assert_eq!(Change::between(None, &Verdict::Silent), Some(Change::Silent));
    assert_eq!(Change::between(Some(&Verdict::Silent), &Verdict::Silent), None);
    assert_eq!(Change::between(Some(&Verdict::Silent), &time), Some(Change::Refused));
    assert_eq!(Change::between(Some(&time), &pcr), Some(Change::Refused));
    assert_eq!(Change::between(Some(&time), &time), None);
    assert_eq!(Change::between(Some(&time), &refused("time", "another")), None);
    let accepted = |reset_count| {
        Verdict::Accepted(Standing {
            attestation_key: HexBytes(vec![1]),
            server_key: Hex32([2; 32]),
            reset_count,
            restart_count: 0,
            manifest: Hex32([3; 32]),
        })
    };
    assert_eq!(Change::between(None, &accepted(1)), None);
    assert_eq!(Change::between(Some(&accepted(1)), &accepted(1)), None);
    assert_eq!(Change::between(Some(&accepted(1)), &accepted(2)), Some(Change::Changed));
    assert_eq!(Change::between(Some(&accepted(1)), &time), Some(Change::Refused));
    assert_eq!(Change::between(Some(&time), &accepted(1)), Some(Change::Returned));
    assert_eq!(Change::between(Some(&Verdict::Silent), &accepted(1)), Some(Change::Returned));
}

/// What is found differs at each look; that it is refused for its clock is news once.
#[tokio::test]
async fn a_tre_that_is_refused_for_its_clock_is_told_of_once() {
    let desk = Desk::new();
    let mut log = desk.open().await.unwrap();
    let (mut told, mut verdicts) = (Vec::new(), Vec::new());
    for hours in [0, 2, 3] {
        let before = log.last().cloned();
        let now = Scene::now().plus(hours * 3_600_000);
        let verdict = log.append(desk.see().await, now).unwrap();
        told.push(Change::between(before.as_ref(), &verdict));
        verdicts.push(verdict);
    }
    assert_eq!(told, [None, Some(Change::Refused), None]);
    assert!(matches!(&verdicts[1], Verdict::Refused { check, .. } if check == "time"));
    assert_ne!(verdicts[1], verdicts[2]);
}

/// The same box after a reset is accepted, and it is said that it was reset.
#[tokio::test]
async fn another_boot_of_an_accepted_box_is_a_change() {
    let desk = Desk::new();
    let mut log = desk.open().await.unwrap();
    let before = log.append(desk.see().await, Scene::now()).unwrap();
    let scene = &desk.scene;
    let mut rebooted = Scene {
        aik: copy(&scene.aik),
        tls: copy(&scene.tls),
        authority: copy_authority(&scene.authority),
        started: scene.started.clone(),
        state_epoch: scene.state_epoch + 1,
        ..Scene::honest()
    };
    // The deployment and the manifest are those of the first boot, since it is the same box.
    rebooted.manifest.clone_from(&scene.manifest);
    rebooted.clock.reset_count += 1;
    let rebooted = Arc::new(rebooted);
    let server = Server::start(Arc::clone(&rebooted), honest(&rebooted)).await;
    let after = log.append(look(&server.address).await.unwrap(), Scene::now()).unwrap();
    assert!(matches!(after, Verdict::Accepted(_)), "{after:?}");
    assert_eq!(Change::between(Some(&before), &after), Some(Change::Changed));
}
