//! Lists of a server: fetched, kept, obeyed; and a server that is wrong, slow or gone.

use core::time::Duration;
use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Arc;

use attest_verifier::core::measured_boot::manifest::Purpose;
use attest_verifier::core::refusal::Refusal;
use attest_verifier::core::revocation::{RevocationError, Seen};
use attest_verifier::core::verdict;
use attest_verifier::core::wire::denylist::{self, Denied, DenyList, Firmware, TpmManufacturer};
use attest_verifier::core::wire::revocation::{LIST_BYTES, ListError};
use attest_verifier::core::wire::signed::SignatureError;
use attest_verifier::core::wire::units::UnixMillis;
use attest_verifier::{
    AttestError, AttestedStream, FetchError, ListKind, Lists, Loaded, RequestError,
    RevocationFiles, Sources, Trust, TrustError, examine,
};
use rcgen::KeyPair;

use crate::list_server::{ListServer, Serves, revocations, signed};
use crate::scene::Scene;
use crate::server::{Server, honest, http, reference_files};
use crate::signing::signature_as;

/// How long the lists here are good for. Unit: milliseconds.
const LIFE: u64 = 1_000;

/// A domain with a status key, and a verifier's folder.
struct Desk {
    folder: tempfile::TempDir,
    scene: Scene,
    status: KeyPair,
}

impl Desk {
    fn new() -> Self {
        let mut scene = Scene::honest();
        scene.manifest.purpose = Purpose::Production;
        let (folder, status) = (tempfile::tempdir().unwrap(), KeyPair::generate().unwrap());
        reference_files(&scene, folder.path());
        fs::write(folder.path().join("status.pem"), status.public_key_pem()).unwrap();
        Self { folder, scene, status }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The list of this number, on which the box's attestation key stands.
    fn list(&self, sequence: u32) -> Vec<u8> {
        revocations(sequence, &[&self.scene.aik], Scene::now().plus(LIFE))
    }

    fn serves(&self, sequence: u32) -> Serves {
        let list = self.list(sequence);
        Serves::List { signature: signed(&list, &self.status), list }
    }

    fn sources(&self, url: &str) -> Sources {
        Sources {
            deployment: self.at("deployment.json"),
            manifests: vec![self.at("manifest-0.json")],
            release_key: self.at("release.pem"),
            lists: Some(Lists {
                status_key: self.at("status.pem"),
                revocations: Some(url.parse().unwrap()),
                denylist: None,
                folder: Some(self.folder.path().to_path_buf()),
            }),
        }
    }

    async fn load(&self, url: &str, now: UnixMillis) -> Result<Loaded, TrustError> {
        self.sources(url).load(now).await
    }

    /// Whether the box is refused for its key.
    fn is_revoked(&self, trust: &Trust) -> bool {
        let (evidence, identity) = (self.scene.play(), Scene::identity());
        let outcome =
            verdict::appraise_stored(&evidence, &identity, trust.reference(), Scene::now());
        matches!(outcome, Err(Refusal::Key(_)))
    }

    /// The list that is kept of a server's.
    fn copy(&self, kind: &str) -> Vec<u8> {
        let file = fs::read(self.at(&format!("grid.example-{kind}.json"))).unwrap();
        let copy: serde_json::Value = serde_json::from_slice(&file).unwrap();
        copy["list"].as_str().unwrap().as_bytes().to_vec()
    }

    /// The number that is remembered of the fetched list.
    fn seen(&self) -> u32 {
        let file = fs::read(self.at("grid.example-revocations.json.seen")).unwrap();
        serde_json::from_slice::<Seen>(&file).unwrap().sequence
    }
}

/// Why a list was not fetched of which there is no copy.
#[track_caller]
fn not_fetched(outcome: Result<Loaded, TrustError>) -> TrustError {
    match outcome {
        Err(TrustError::NoCopy { fetch, copy }) => {
            assert!(matches!(*copy, TrustError::File(_)), "{copy}");
            *fetch
        }
        outcome => panic!("{outcome:?}"),
    }
}

#[tokio::test]
async fn a_list_of_a_server_is_obeyed_and_outlives_the_server_to_its_own_end() {
    let desk = Desk::new();
    let server = ListServer::start(desk.serves(7)).await;
    let loaded = desk.load(&server.url, Scene::now()).await.unwrap();
    assert!(desk.is_revoked(&loaded.trust) && loaded.not_fetched.is_empty());
    let kept = loaded.files.revocations.unwrap();
    assert_eq!((kept.file, desk.seen()), (desk.list(7), 7));
    let url = server.stop().await;
    let loaded = desk.load(&url, Scene::now().plus(LIFE)).await.unwrap();
    assert!(desk.is_revoked(&loaded.trust));
    let [TrustError::Fetch(FetchError::Unreachable { url: named, .. })] = &loaded.not_fetched[..]
    else {
        panic!("{:?}", loaded.not_fetched);
    };
    assert_eq!(*named, url);
    let outcome = desk.load(&url, Scene::now().plus(LIFE + 1)).await;
    let Err(TrustError::NoCopy { fetch, copy }) = &outcome else { panic!("{outcome:?}") };
    assert!(matches!(**fetch, TrustError::Fetch(FetchError::Unreachable { .. })), "{fetch}");
    let TrustError::Revocations { source, .. } = &**copy else { panic!("{copy}") };
    assert!(matches!(source, RevocationError::List(ListError::Expired { .. })), "{source}");
}

#[tokio::test]
async fn a_newer_list_takes_the_place_of_the_copy_and_an_older_one_never_does() {
    let desk = Desk::new();
    let server = ListServer::start(desk.serves(7)).await;
    desk.load(&server.url, Scene::now()).await.unwrap();
    server.serves.send_replace(desk.serves(8));
    desk.load(&server.url, Scene::now()).await.unwrap();
    assert_eq!(desk.seen(), 8);
    server.serves.send_replace(desk.serves(7));
    let loaded = desk.load(&server.url, Scene::now()).await.unwrap();
    assert_eq!((loaded.files.revocations.unwrap().file, desk.seen()), (desk.list(8), 8));
    let [TrustError::Revocations { path, source }] = &loaded.not_fetched[..] else {
        panic!("{:?}", loaded.not_fetched);
    };
    assert_eq!(path.to_str().unwrap(), server.url);
    let RevocationError::List(ListError::Older { seen: 8, found: 7 }) = source else {
        panic!("{source}");
    };
}

/// Whoever stands between can withhold a list, not make one.
#[tokio::test]
async fn a_list_that_somebody_else_signed_is_neither_kept_nor_obeyed() {
    let desk = Desk::new();
    let list = desk.list(9);
    let signature = signed(&list, &KeyPair::generate().unwrap());
    let forged = Serves::List { list, signature };
    let server = ListServer::start(forged.clone()).await;
    let error = not_fetched(desk.load(&server.url, Scene::now()).await);
    let TrustError::Revocations { source, .. } = &error else { panic!("{error}") };
    let is_other = |source: &RevocationError| {
        matches!(source, RevocationError::Signature(SignatureError::OtherKey { .. }))
    };
    assert!(is_other(source), "{source}");
    server.serves.send_replace(desk.serves(7));
    desk.load(&server.url, Scene::now()).await.unwrap();
    server.serves.send_replace(forged);
    let loaded = desk.load(&server.url, Scene::now()).await.unwrap();
    let [TrustError::Revocations { source, .. }] = &loaded.not_fetched[..] else {
        panic!("{:?}", loaded.not_fetched);
    };
    assert!(is_other(source), "{source}");
    assert_eq!((loaded.files.revocations.unwrap().file, desk.seen()), (desk.list(7), 7));
}

#[tokio::test]
async fn an_answer_that_is_no_list_is_named() {
    let desk = Desk::new();
    let server = ListServer::start(Serves::Answer(http(404, "a/b", b""))).await;
    let error = not_fetched(desk.load(&server.url, Scene::now()).await);
    let TrustError::Fetch(FetchError::Status { found: 404, .. }) = error else { panic!("{error}") };
    let elsewhere = b"HTTP/1.1 302 X\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    server.serves.send_replace(Serves::Answer(elsewhere.to_vec()));
    let error = not_fetched(desk.load(&server.url, Scene::now()).await);
    let TrustError::Fetch(FetchError::Status { found: 302, .. }) = error else { panic!("{error}") };
    server.serves.send_replace(Serves::Answer(http(200, "a/b", &vec![b' '; LIST_BYTES + 1])));
    let error = not_fetched(desk.load(&server.url, Scene::now()).await);
    let TrustError::Fetch(FetchError::Answer { source, .. }) = &error else { panic!("{error}") };
    let RequestError::TooLong { most, .. } = source else { panic!("{source}") };
    assert_eq!(*most, LIST_BYTES);
    server.serves.send_replace(Serves::Answer(b"SSH-2.0-a\r\n".to_vec()));
    let error = not_fetched(desk.load(&server.url, Scene::now()).await);
    let TrustError::Fetch(FetchError::Answer { source, .. }) = &error else { panic!("{error}") };
    assert!(matches!(source, RequestError::Closed { .. }), "{source}");
}

/// The clock of this test stands still until nothing else is left to do.
#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_is_not_waited_for_beyond_the_bound() {
    let desk = Desk::new();
    let server = ListServer::start(Serves::Silence).await;
    let error = not_fetched(desk.load(&server.url, Scene::now()).await);
    let TrustError::Fetch(FetchError::Late { bound, .. }) = error else { panic!("{error}") };
    assert_eq!(bound, Duration::from_secs(20));
}

#[tokio::test]
async fn a_list_of_a_server_needs_a_folder_to_be_kept_in() {
    let desk = Desk::new();
    let mut sources = desk.sources("http://127.0.0.1:1/a");
    sources.lists.as_mut().unwrap().folder = None;
    let outcome = sources.load(Scene::now()).await;
    let Err(TrustError::NoFolder { url }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(url, "http://127.0.0.1:1/a");
}

/// What is seen of a list is read and written by one at a time.
#[tokio::test]
async fn nobody_reads_a_list_while_another_holds_it() {
    let desk = Desk::new();
    let (list, path) = (desk.list(7), desk.at("list.json"));
    fs::write(&path, &list).unwrap();
    fs::write(desk.at("list.json.sig"), signed(&list, &desk.status)).unwrap();
    let files = RevocationFiles { list: path, status_key: desk.at("status.pem") };
    let trust =
        Trust::new(&desk.scene.deployment_file(), desk.scene.released(), Purpose::Production);
    let trust = trust.unwrap();
    let held = File::create(desk.at("list.json.seen.lock")).unwrap();
    held.lock().unwrap();
    let reader = std::thread::spawn(move || trust.revoking(&files, Scene::now()).map(drop));
    std::thread::sleep(Duration::from_millis(300));
    assert!(!reader.is_finished(), "it did not wait");
    assert!(!desk.at("list.json.seen").exists(), "it wrote meanwhile");
    drop(held);
    reader.join().unwrap().unwrap();
    assert!(desk.at("list.json.seen").exists());
}

/// Two servers, one of which lags; two verifiers, one folder.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn verifiers_that_share_a_folder_never_go_back() {
    let desk = Arc::new(Desk::new());
    let (late, new) =
        (ListServer::start(desk.serves(1)).await, ListServer::start(desk.serves(2)).await);
    for round in 1..10 {
        late.serves.send_replace(desk.serves(round));
        new.serves.send_replace(desk.serves(round + 1));
        let mut loads = tokio::task::JoinSet::new();
        for url in [&late.url, &new.url].repeat(4) {
            let (desk, url) = (Arc::clone(&desk), url.clone());
            loads.spawn(async move { desk.load(&url, Scene::now()).await.map(|_| ()) });
        }
        for outcome in loads.join_all().await {
            outcome.unwrap();
        }
        assert_eq!(desk.seen(), round + 1);
        assert_eq!(desk.copy("revocations"), desk.list(round + 1));
    }
}

/// As an operator does it: the list's address in place of its file.
#[tokio::test]
async fn the_command_line_takes_a_list_from_a_server_and_says_when_it_cannot() {
    let mut desk = Desk::new();
    desk.scene = crate::cli::scene();
    reference_files(&desk.scene, desk.folder.path());
    let until = UnixMillis::new(desk.scene.time).unwrap().plus(3_600_000);
    let list = revocations(7, &[&desk.scene.aik], until);
    let signature = signed(&list, &desk.status);
    let lists = ListServer::start(Serves::List { list, signature }).await;
    let scene = Arc::new(desk.scene);
    let server = Server::start(Arc::clone(&scene), honest(&scene)).await;
    let at = |name: &str| desk.folder.path().join(name).to_str().unwrap().to_owned();
    let (deployment, release) = (at("deployment.json"), at("release.pem"));
    let (status, manifest, folder) = (at("status.pem"), at("manifest-0.json"), at(""));
    let verify = |url: &str| {
        [
            ["verify", &server.address, "--tre-id", "tre-1"],
            ["--deployment", &deployment, "--release-key", &release],
            ["--manifest", &manifest, "--status-key", &status],
            ["--revocations", url, "--list-folder", &folder],
        ]
        .concat()
        .into_iter()
        .map(str::to_owned)
        .collect::<Vec<_>>()
    };
    let run = async |words: Vec<String>| {
        crate::cli::run(&words.iter().map(String::as_str).collect::<Vec<_>>()).await
    };
    let url = lists.url.clone();
    let output = run(verify(&url)).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(crate::cli::text(&output.stdout).contains("first aik-chain"), "{output:?}");
    assert_eq!(crate::cli::text(&output.stderr), "");
    lists.stop().await;
    let output = run(verify(&url)).await;
    assert!(crate::cli::text(&output.stdout).contains("first aik-chain"), "{output:?}");
    let said = crate::cli::text(&output.stderr);
    assert!(said.contains("the last good list serves: ") && said.contains(&url), "{said}");
    let output = run(verify("https://lists.example/a")).await;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

/// It was good when it was read; who goes on with it must not.
#[tokio::test]
async fn nobody_is_attested_by_a_list_that_has_ended_since_it_was_read() {
    let mut desk = Desk::new();
    // Nobody stands on the list.
    let until = Scene::now().plus(LIFE);
    let list = revocations(7, &[], until);
    let signature = signed(&list, &desk.status);
    let lists = ListServer::start(Serves::List { list, signature }).await;
    let trust = desk.load(&lists.url, Scene::now()).await.unwrap().trust;
    let scene = Arc::new(core::mem::replace(&mut desk.scene, Scene::honest()));
    let mut server = Server::start(Arc::clone(&scene), honest(&scene)).await;
    let (address, tre_id) = (server.address.clone(), Scene::identity().id);
    AttestedStream::connect(&address, &tre_id, &trust, None, until).await.unwrap();
    let asked = server.noted(2).await.len();
    let late = until.plus(1);
    let error = AttestedStream::connect(&address, &tre_id, &trust, None, late).await.unwrap_err();
    let AttestError::ListEnded { kind: ListKind::Revocations, until: end, .. } = error else {
        panic!("{error}");
    };
    assert_eq!((end, asked), (until, 2));
    let error = examine(&address, &tre_id, &trust, late).await.unwrap_err();
    assert!(matches!(error, AttestError::ListEnded { .. }), "{error}");
}

/// Both kinds come the same way, and each is kept under its own name.
#[tokio::test]
async fn a_denylist_of_a_server_is_obeyed() {
    let desk = Desk::new();
    let version = Firmware(0x2023_1101);
    let denied = Denied {
        manufacturer: TpmManufacturer(*b"MAKR"),
        first: version,
        last: version,
        reason: "CVE-0000-0001".to_owned(),
        since: Scene::now(),
    };
    let list = DenyList {
        format: 1,
        trust_domain: Scene::identity().trust_domain,
        sequence: 7,
        issued_at: Scene::now(),
        valid_until: Scene::now().plus(LIFE),
        denied: vec![denied],
    };
    let list = serde_json::to_vec(&list).unwrap();
    let signature = signature_as(denylist::LABEL, &desk.status, &list, None);
    let signature = serde_json::to_vec(&signature).unwrap();
    let server = ListServer::start(Serves::List { list: list.clone(), signature }).await;
    let mut sources = desk.sources(&server.url);
    let lists = sources.lists.as_mut().unwrap();
    lists.denylist = lists.revocations.take();
    let trust = sources.load(Scene::now()).await.unwrap().trust;
    let (evidence, identity) = (desk.scene.play(), Scene::identity());
    let outcome = verdict::appraise_stored(&evidence, &identity, trust.reference(), Scene::now());
    assert!(matches!(outcome, Err(Refusal::Firmware(_))), "{outcome:?}");
    assert_eq!(desk.copy("denylist"), list);
    // It is no revocation list, whoever gives it as one.
    let error = not_fetched(desk.load(&server.url, Scene::now()).await);
    let TrustError::Revocations { source, .. } = &error else { panic!("{error}") };
    let RevocationError::Signature(SignatureError::Label { .. }) = source else {
        panic!("{source}");
    };
}

/// Damage to the copy is an error while no list can be fetched, and put right by the next one.
#[tokio::test]
async fn a_damaged_copy_is_named_and_replaced() {
    let desk = Desk::new();
    let server = ListServer::start(desk.serves(7)).await;
    desk.load(&server.url, Scene::now()).await.unwrap();
    let path = desk.at("grid.example-revocations.json");
    fs::write(&path, b"{\"list\":").unwrap();
    server.serves.send_replace(Serves::Answer(http(404, "a/b", b"")));
    let outcome = desk.load(&server.url, Scene::now()).await;
    let Err(TrustError::NoCopy { copy, .. }) = outcome else { panic!("{outcome:?}") };
    let TrustError::Copy { path: named, .. } = *copy else { panic!("{copy}") };
    assert_eq!(named, path);
    server.serves.send_replace(desk.serves(7));
    desk.load(&server.url, Scene::now()).await.unwrap();
    assert_eq!(desk.copy("revocations"), desk.list(7));
}
