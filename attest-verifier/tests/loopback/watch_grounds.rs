//! What verdicts are judged by changes, and the log tells what it was: lists, deployments; logs of
//! format 1.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use attest_verifier::core::revocation::RevocationError;
use attest_verifier::core::wire::revocation::ListError;
use attest_verifier::core::wire::signed::SignatureError;
use attest_verifier::core::wire::units::UnixMillis;
use attest_verifier::watch::{
    Anchors, GroundsError, LogError, Part, Rechecked, Seen, Verdict, WatchLog, recheck,
};
use attest_verifier::{ListKind, ListRefusal, Sources};
use rcgen::KeyPair;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::list_server::{revocations, signed};
use crate::scene::Scene;
use crate::server::{Server, honest};
use crate::watch::Desk;

/// How long lists are good for. Unit: milliseconds.
const LIFE: u64 = 1_000;

impl Desk {
    /// Judged by list 7, on which nobody stands, and by list 8, on which the box does. Lines: three
    /// files, grounds, look; list, grounds, look.
    async fn revoked() -> Self {
        let mut desk = Self::new();
        desk.put_list(7, &[], Scene::now().plus(LIFE));
        let mut log = desk.open().await.unwrap();
        let verdict = log.append(desk.see().await, Scene::now()).unwrap();
        assert!(matches!(verdict, Verdict::Accepted(_)), "{verdict:?}");
        let scene = Arc::clone(&desk.scene);
        desk.put_list(8, &[&scene.aik], Scene::now().plus(LIFE));
        let files = desk.load().await.files;
        assert!(log.judge_by(&files, Scene::now()).unwrap());
        assert!(!log.judge_by(&files, Scene::now()).unwrap(), "nothing is new");
        let verdict = log.append(desk.see().await, Scene::now()).unwrap();
        assert_eq!(check(&verdict), "aik-chain");
        desk
    }

    /// The log with another second list, by which the box would be accepted.
    fn with_list(&self, list: &[u8], signature: Option<&[u8]>) {
        let text = |bytes: &[u8]| Value::from(core::str::from_utf8(bytes).unwrap());
        self.forge(|entries| {
            let sha256 = attest_verifier::core::measured_boot::digest::sha256(list).to_string();
            entries[5]["content"]["file"]["text"] = text(list);
            entries[5]["content"]["file"]["signature"] = signature.map(text).into();
            entries[6]["content"]["grounds"]["revocations"] = sha256.into();
            entries[7]["content"]["look"]["verdict"] = accepted(entries);
        });
    }
}

#[track_caller]
fn check(verdict: &Verdict) -> &str {
    let Verdict::Refused { check, .. } = verdict else { panic!("{verdict:?}") };
    check
}

/// What a verdict says once somebody has made it good.
fn accepted(entries: &[Value]) -> Value {
    entries[4]["content"]["look"]["verdict"].clone()
}

#[tokio::test]
async fn each_verdict_is_derived_by_the_list_of_its_time() {
    let desk = Desk::revoked().await;
    let Rechecked { entries, verdicts, last, .. } = desk.recheck().unwrap();
    assert_eq!((entries, verdicts), (8, 2));
    assert_eq!(check(&last.unwrap()), "aik-chain");
    // Whatever lies in the verifier's folder by now: the files in the log are those of its time.
    fs::remove_file(desk.at("revocations.json")).unwrap();
    fs::remove_file(desk.at("manifest-0.json")).unwrap();
    assert_eq!(desk.recheck().unwrap().verdicts, 2);
}

#[tokio::test]
async fn a_list_that_goes_back_is_refused() {
    let desk = Desk::revoked().await;
    let old = revocations(6, &[], Scene::now().plus(LIFE));
    desk.with_list(&old, Some(&signed(&old, &desk.status)));
    let (line, error) = desk.groundless();
    let GroundsError::List(ListRefusal::Revocations(RevocationError::List(error))) = error else {
        panic!("{error}");
    };
    assert!(matches!(error, ListError::Older { seen: 7, found: 6 }), "{error}");
    assert_eq!(line, 7);
}

#[tokio::test]
async fn a_list_that_nobody_or_somebody_else_signed_is_refused() {
    let desk = Desk::revoked().await;
    let forged = revocations(8, &[], Scene::now().plus(LIFE));
    desk.with_list(&forged, None);
    let (line, error) = desk.groundless();
    assert!(line == 7 && matches!(error, GroundsError::Unsigned { .. }), "{error}");
    desk.with_list(&forged, Some(&signed(&forged, &KeyPair::generate().unwrap())));
    let (line, error) = desk.groundless();
    let GroundsError::List(ListRefusal::Revocations(RevocationError::Signature(error))) = error
    else {
        panic!("{error}");
    };
    assert!(line == 7 && matches!(error, SignatureError::OtherKey { .. }), "{error}");
}

#[tokio::test]
async fn a_verdict_by_a_changed_list_cannot_be_made_good() {
    let desk = Desk::revoked().await;
    desk.forge(|entries| entries[7]["content"]["look"]["verdict"] = accepted(entries));
    assert_eq!(desk.broken(), (8, Part::Verdict));
}

#[tokio::test]
async fn grounds_left_out_are_missed_by_the_looks_behind_them() {
    let desk = Desk::revoked().await;
    desk.forge(|entries| drop(entries.drain(5..7)));
    assert_eq!(desk.broken(), (6, Part::Grounds));
    // With that put right, too, the verdict is not the one of the grounds before.
    desk.forge(|entries| entries[5]["content"]["look"]["grounds"] = 3.into());
    assert_eq!(desk.broken(), (6, Part::Verdict));
}

#[tokio::test]
async fn a_file_left_out_is_missed() {
    let desk = Desk::revoked().await;
    desk.forge(|entries| drop(entries.remove(5)));
    let (line, error) = desk.groundless();
    assert!(line == 6 && matches!(error, GroundsError::NotKept { .. }), "{error}");
}

/// Without its list a box would be believed again.
#[tokio::test]
async fn a_log_that_was_judged_by_a_list_goes_on_with_it() {
    let desk = Desk::revoked().await;
    desk.forge(|entries| {
        entries[6]["content"]["grounds"]["revocations"] = Value::Null;
        entries[7]["content"]["look"]["verdict"] = accepted(entries);
    });
    let (line, error) = desk.groundless();
    let GroundsError::Dropped { kind: ListKind::Revocations } = error else { panic!("{error}") };
    assert_eq!(line, 7);
    let mut desk = Desk::revoked().await;
    desk.lists = false;
    let Err(LogError::Grounds { source, .. }) = desk.open().await else { panic!() };
    assert!(matches!(*source, GroundsError::Dropped { .. }), "{source}");
}

#[tokio::test]
async fn nothing_is_judged_by_a_list_that_has_ended() {
    let mut desk = Desk::new();
    desk.put_list(7, &[], Scene::now().plus(LIFE));
    let mut log = desk.open().await.unwrap();
    let seen = desk.see().await;
    let last = log.append(seen.clone(), Scene::now().plus(LIFE)).unwrap();
    assert!(matches!(last, Verdict::Accepted(_)), "{last:?}");
    let ended = log.append(seen, Scene::now().plus(LIFE + 1)).unwrap();
    assert_eq!(check(&ended), "revocations");
    drop(log);
    assert_eq!(desk.recheck().unwrap().last, Some(ended));
    desk.forge(|entries| entries[5]["content"]["look"]["verdict"] = accepted(entries));
    assert_eq!(desk.broken(), (6, Part::Verdict));
}

#[tokio::test]
async fn lists_need_the_word_of_their_key() {
    let desk = Desk::revoked().await;
    let mut anchors = desk.anchors();
    anchors.keys.status = None;
    let outcome = recheck(&desk.path(), &Scene::identity().id, &anchors, None, None);
    let Err(LogError::Grounds { line: 4, source, .. }) = outcome else { panic!("{outcome:?}") };
    assert!(matches!(*source, GroundsError::NoStatusKey), "{source}");
}

/// A deployment that was in force earlier must be given beside the present one.
#[tokio::test]
async fn another_deployment_is_kept_and_the_one_before_must_be_given() {
    let desk = Desk::new();
    let mut log = desk.open().await.unwrap();
    log.append(desk.see().await, Scene::now()).unwrap();
    let before = desk.at("before.json");
    fs::copy(desk.at("deployment.json"), &before).unwrap();
    let next = [&desk.scene.deployment_file()[..], b"\n"].concat();
    fs::write(desk.at("deployment.json"), next).unwrap();
    assert!(log.judge_by(&desk.load().await.files, Scene::now()).unwrap());
    let verdict = log.append(desk.see().await, Scene::now()).unwrap();
    assert!(check(&verdict).starts_with("pcr"), "it was measured to the one before: {verdict:?}");
    drop(log);
    let (line, error) = desk.groundless();
    assert!(line == 3 && matches!(error, GroundsError::Deployment { .. }), "{error}");
    let both = [desk.at("deployment.json"), before];
    let (release, tre_id) = (desk.at("release.pem"), Scene::identity().id);
    let anchors = Anchors::load(both.iter().map(PathBuf::as_path), &release, None).unwrap();
    let found = recheck(&desk.path(), &tre_id, &anchors, None, None).unwrap();
    assert_eq!(found.verdicts, 2);
}

/// The command line reads its files again before each look.
#[tokio::test]
async fn a_running_watch_takes_a_newer_list_and_its_log_needs_anchors_alone() {
    let mut desk = Desk::of(crate::cli::scene());
    let until = UnixMillis::new(desk.scene.time).unwrap().plus(3_600_000);
    desk.put_list(7, &[], until);
    let server = Server::start(Arc::clone(&desk.scene), honest(&desk.scene)).await;
    let at = |name: &str| desk.at(name).to_str().unwrap().to_owned();
    let (log, deployment, release) = (at("log"), at("deployment.json"), at("release.pem"));
    let (status, list, manifest) =
        (at("status.pem"), at("revocations.json"), at("manifest-0.json"));
    let anchors = ["--tre-id", "tre-1", "--log", &log, "--deployment", &deployment];
    let anchors = [&anchors[..], &["--release-key", &release, "--status-key", &status]].concat();
    let lists = ["--manifest", &manifest, "--revocations", &list, "--every", "1", "--times", "4"];
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_attest-verifier"));
    command.args(["watch", &server.address]).args(&anchors).args(lists);
    let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = said.next_line().await.unwrap().unwrap();
    assert!(first.contains(" accepted"), "{first}");
    let scene = Arc::clone(&desk.scene);
    desk.put_list(8, &[&scene.aik], until);
    let mut last = first;
    while let Some(line) = said.next_line().await.unwrap() {
        last = line;
    }
    assert!(last.contains(" refused: aik-chain"), "{last}");
    assert_eq!(child.wait().await.unwrap().code(), Some(1));
    let check = crate::cli::run(&[&["watch", "--check"], &anchors[..]].concat()).await;
    assert_eq!(check.status.code(), Some(0), "{check:?}");
    let said = crate::cli::text(&check.stdout);
    assert!(said.starts_with("4 verdicts derived again"), "{said}");
}

/// What was written once is read for good: a change of the layout is a new format. The log is that of
/// [`Desk::revoked`].
#[test]
fn a_log_of_format_2_that_was_stored_is_derived_again_by_anchors_alone() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/watch-v2");
    let at = |name: &str| folder.join(name);
    let (deployment, release, status) =
        (at("deployment.json"), at("release.pem"), at("status.pem"));
    let anchors = Anchors::load([deployment.as_path()], &release, Some(&status)).unwrap();
    let found = recheck(&at("log"), &Scene::identity().id, &anchors, None, None).unwrap();
    assert_eq!((found.entries, found.verdicts), (8, 2));
    assert_eq!(check(&found.last.unwrap()), "aik-chain");
}

/// A log of format 1, with the files of its time: two good looks, silence, another image.
struct Older {
    folder: tempfile::TempDir,
}

impl Older {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/watch-v1");
        for file in fs::read_dir(stored).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
        }
        Self { folder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn anchors(&self) -> Anchors {
        let deployment = self.at("deployment.json");
        Anchors::load([deployment.as_path()], &self.at("release.pem"), None).unwrap()
    }

    async fn load(&self) -> attest_verifier::Loaded {
        let sources = Sources {
            deployment: self.at("deployment.json"),
            manifests: vec![self.at("manifest-0.json")],
            release_key: self.at("release.pem"),
            lists: None,
        };
        sources.load(Scene::now()).await.unwrap()
    }

    async fn recheck(&self) -> Result<Rechecked, LogError> {
        let (tre_id, trust) = (Scene::identity().id, self.load().await.trust);
        recheck(&self.at("log"), &tre_id, &self.anchors(), Some(&trust), None)
    }

    fn recheck_alone(&self) -> Result<Rechecked, LogError> {
        recheck(&self.at("log"), &Scene::identity().id, &self.anchors(), None, None)
    }

    async fn open(&self) -> Result<WatchLog, LogError> {
        let (tre_id, loaded) = (Scene::identity().id, self.load().await);
        WatchLog::open(&self.at("log"), tre_id, self.anchors(), &loaded, Scene::now())
    }
}

#[tokio::test]
async fn a_log_of_format_1_is_derived_again_by_files_that_are_given() {
    let older = Older::new();
    let found = older.recheck().await.unwrap();
    assert_eq!((found.entries, found.verdicts), (4, 4));
    assert_eq!(check(&found.last.unwrap()), "pcr-4");
    let outcome = older.recheck_alone();
    let Err(LogError::Grounds { line: 1, source, .. }) = outcome else { panic!("{outcome:?}") };
    assert!(matches!(*source, GroundsError::NoFiles), "{source}");
}

#[tokio::test]
async fn a_log_of_format_1_is_not_derived_by_other_files() {
    let (older, desk) = (Older::new(), Desk::new());
    let (tre_id, trust) = (Scene::identity().id, desk.load().await.trust);
    let outcome = recheck(&older.at("log"), &tre_id, &older.anchors(), Some(&trust), None);
    let Err(LogError::Broken { line: 1, part: Part::Deployment, .. }) = outcome else {
        panic!("{outcome:?}");
    };
}

/// From then on it holds what its first entries were judged by, too, and needs no files.
#[tokio::test]
async fn a_log_of_format_1_goes_on_in_format_2() {
    let older = Older::new();
    let mut log = older.open().await.unwrap();
    log.append(Seen::Silence("nobody".to_owned()), Scene::now()).unwrap();
    drop(log);
    let found = older.recheck_alone().unwrap();
    assert_eq!((found.entries, found.verdicts, found.last), (8, 5, Some(Verdict::Silent)));
    // Its first entries are no less held to what they say.
    let text = fs::read_to_string(older.at("log")).unwrap();
    let altered = text.replacen(
        "\"verdict\":\"silent\"",
        "\"verdict\":{\"refused\":\
        {\"check\":\"a\",\"expected\":\"b\",\"found\":\"c\"}}",
        1,
    );
    fs::write(older.at("log"), altered).unwrap();
    let outcome = older.recheck_alone();
    let Err(LogError::Broken { line: 3, part: Part::Verdict, .. }) = outcome else {
        panic!("{outcome:?}");
    };
    // And none comes behind those of format 2.
    let first = text.lines().next().unwrap();
    let mut entry: Value = serde_json::from_str(first).unwrap();
    entry["number"] = json!(8);
    fs::write(older.at("log"), format!("{text}{entry}\n")).unwrap();
    let outcome = older.recheck_alone();
    let Err(LogError::Broken { line: 9, part: Part::Format, .. }) = outcome else {
        panic!("{outcome:?}");
    };
}
