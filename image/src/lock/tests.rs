//! The lock file against scratch checkouts and made-up builds.

use measured_boot::digest::sha256;
use tempfile::TempDir;

use super::*;

fn lock() -> Lock {
    let text = |pairs: &[(&str, &str)]| {
        Versions(pairs.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect())
    };
    let hashes = |pairs: &[(&str, &str)]| -> BTreeMap<String, Sha256Digest> {
        pairs.iter().map(|(name, text)| ((*name).into(), sha256(text.as_bytes()))).collect()
    };
    let libc = Package { version: "2.36".into(), files: hashes(&[("libc.a", "libc")]) };
    let linux = Package { version: "6.12.1".into(), files: hashes(&[("linux.tar.xz", "linux")]) };
    Lock {
        tools: text(&[("bc", "1.07"), ("gcc", "12.2.0")]),
        packages: [("libc6-dev".into(), libc), ("linux-source-6.12".into(), linux)].into(),
        project: hashes(&[("Cargo.lock", "crates"), ("kernel", "options"), ("tred", "sources")]),
        kernel_built_twice: "0123456789".into(),
        products: hashes(&[("manifest.json", "manifest"), ("tre.img", "image"), ("tred", "tred")]),
        pcrs: [(4, sha256(b"four")), (5, sha256(b"five"))].into(),
    }
}

fn inputs() -> Inputs {
    let Lock { tools, packages, .. } = lock();
    Inputs { tools, packages }
}

/// A checkout with the lock file and a README.
fn checkout(readme: &str) -> (TempDir, Checkout) {
    let folder = tempfile::tempdir().expect("temporary folder");
    fs::create_dir(folder.path().join("image")).expect("makes");
    fs::write(folder.path().join("README.md"), readme).expect("writes");
    let text = serde_json::to_string_pretty(&lock()).expect("writes");
    fs::write(folder.path().join("image/inputs.lock"), text).expect("writes");
    let checkout = Checkout::at(folder.path());
    (folder, checkout)
}

fn naming(image: Sha256Digest) -> String {
    format!("# Title\n\nSHA-256 of the image: `{image}`.\n\nMore.\n")
}

/// A build whose kernel source moved, and the image with it.
fn moved_build() -> (Vec<Moved>, Lock) {
    let mut found = inputs();
    let linux = found.packages.get_mut("linux-source-6.12").expect("there");
    linux.version = "6.12.2".into();
    linux.files = [("linux.tar.xz".into(), sha256(b"newer"))].into();
    let moved = lock().moved(&found).expect("compares");
    let mut made = Lock { packages: found.packages, ..lock() };
    made.products.insert("tre.img".into(), sha256(b"another image"));
    made.pcrs.insert(4, sha256(b"another four"));
    (moved, made)
}

#[test]
fn a_lock_file_reads_back_and_is_written_the_same_each_time() {
    let (folder, checkout) = checkout(&naming(Sha256Digest::ZERO));
    lock().write(&checkout).expect("writes");
    let first = fs::read(folder.path().join("image/inputs.lock")).expect("reads");
    assert_eq!(Lock::read(&checkout).expect("reads"), lock());
    lock().write(&checkout).expect("writes");
    assert!(first == fs::read(folder.path().join("image/inputs.lock")).expect("reads"));
    let readme = fs::read_to_string(folder.path().join("README.md")).expect("reads");
    assert_eq!(readme, naming(sha256(b"image")));
}

#[test]
fn a_lock_file_with_an_unknown_field_is_refused() {
    let (folder, checkout) = checkout(&naming(sha256(b"image")));
    let path = folder.path().join("image/inputs.lock");
    let text = fs::read_to_string(&path).expect("reads").replacen('{', "{\"extra\": 1,", 1);
    fs::write(&path, text).expect("writes");
    let error = Lock::read(&checkout).expect_err("refused").to_string();
    assert!(error.contains("unknown field `extra`"), "{error}");
    assert!(error.ends_with("'tre-image lock' writes it anew"), "{error}");
}

#[test]
fn a_readme_that_names_another_image_is_refused() {
    let (_folder, checkout) = checkout(&naming(sha256(b"an older image")));
    let error = Lock::read(&checkout).expect_err("refused");
    assert!(
        matches!(&error, LockError::Readme(ReadmeError::Differs { expected, found })
            if *expected == sha256(b"image") && *found == sha256(b"an older image")),
        "{error}",
    );
}

#[test]
fn a_readme_without_the_hash_is_refused() {
    let (_folder, checkout) = checkout("# Title\n");
    let error = Lock::read(&checkout).expect_err("refused");
    assert!(matches!(error, LockError::Readme(ReadmeError::Lines { found: 0, .. })), "{error}");
}

#[test]
fn equal_inputs_have_not_moved() {
    assert_eq!(lock().moved(&inputs()).expect("compares"), []);
}

#[test]
fn a_moved_version_is_named_with_both_versions() {
    let (moved, _) = moved_build();
    let words: Vec<String> = moved.iter().map(ToString::to_string).collect();
    assert_eq!(words, ["linux-source-6.12: 6.12.1 -> 6.12.2"]);
}

/// One archive more in a package of the same version would be linked without a word.
#[test]
fn a_file_more_than_locked_has_moved() {
    let mut found = inputs();
    let libc = found.packages.get_mut("libc6-dev").expect("locked");
    libc.files.insert("libevil.a".into(), sha256(b"more"));
    let moved = lock().moved(&found).expect("compares");
    let [Moved { name, expected: None, found: Some(hash) }] = moved.as_slice() else {
        panic!("expected one file more, found {moved:?}");
    };
    assert_eq!((name.as_str(), hash), ("libc6-dev: libevil.a", &sha256(b"more").to_string()));
    assert!(matches!(LockMode::Strict.admit(&moved), Err(LockError::Moved(_))));
}

#[test]
fn a_missing_and_a_new_tool_have_moved() {
    let mut found = inputs();
    found.tools.0.remove("bc");
    found.tools.0.insert("ld".into(), "2.40".into());
    let moved = lock().moved(&found).expect("compares");
    let words: Vec<String> = moved.iter().map(ToString::to_string).collect();
    assert_eq!(words, ["bc: 1.07 -> nothing", "ld: nothing -> 2.40"]);
}

/// The attack: the package's version is the locked one, its content is not.
#[test]
fn a_tampered_source_of_the_locked_version_is_refused_in_every_mode() {
    let mut found = inputs();
    let libc = found.packages.get_mut("libc6-dev").expect("there");
    libc.files.insert("libc.a".into(), sha256(b"libc with a back door"));
    let error = lock().moved(&found).expect_err("refused");
    let LockError::Tampered(tampering) = &error else { panic!("{error}") };
    let file = Difference {
        name: "libc.a".into(),
        expected: Some(sha256(b"libc")),
        found: Some(sha256(b"libc with a back door")),
    };
    let (package, version) = ("libc6-dev".into(), "2.36".into());
    assert_eq!(**tampering, Tampering { package, version, file });
}

#[test]
fn strict_refuses_moved_inputs_and_names_the_remedy() {
    let (moved, _) = moved_build();
    let error = LockMode::Strict.admit(&moved).expect_err("refused").to_string();
    assert_eq!(
        error,
        "LOCK=strict: not as locked:\n  linux-source-6.12: 6.12.1 -> 6.12.2\n\
         install what is expected, or write the lock file anew with 'tre-image lock'",
    );
    LockMode::Follow.admit(&moved).expect("follow goes on");
    LockMode::Strict.admit(&[]).expect("nothing moved");
}

#[test]
fn follow_prints_what_moved_and_which_pcrs_change() {
    let (moved, made) = moved_build();
    let outcome = Outcome::of(&lock(), moved, &made);
    assert!(!outcome.is_locked());
    outcome.explained().expect("moved inputs are a reason");
    let expected = format!(
        "not as locked: linux-source-6.12: 6.12.1 -> 6.12.2\n\
         the image differs from the committed one, since inputs moved:\n\
         tre.img: {} -> {}\n\
         expected PCR 04: {} -> {}\n",
        sha256(b"image"),
        sha256(b"another image"),
        sha256(b"four"),
        sha256(b"another four"),
    );
    assert_eq!(outcome.to_string(), expected);
}

#[test]
fn a_moved_input_unlocks_even_an_unchanged_image() {
    let (moved, _) = moved_build();
    let outcome = Outcome::of(&lock(), moved, &lock());
    assert!(!outcome.is_locked());
    let same = Outcome::of(&lock(), Vec::new(), &lock());
    assert!(same.is_locked());
    assert_eq!(same.to_string(), "the image is the committed one\n");
}

/// Equal inputs that make something else are a failure in both modes.
#[test]
fn another_image_from_equal_inputs_is_not_reproduced() {
    let mut made = lock();
    made.products.insert("tre.img".into(), sha256(b"another image"));
    let outcome = Outcome::of(&lock(), Vec::new(), &made);
    for judged in [outcome.explained(), outcome.committed()] {
        let error = judged.expect_err("refused");
        assert!(
            matches!(&error, NotCommitted::NotReproduced(products)
            if products.len() == 1 && products[0].name == "tre.img"),
            "{error}"
        );
    }
}

#[test]
fn changed_sources_are_a_reason_for_follow_and_none_for_strict() {
    let mut made = lock();
    made.project.insert("tred".into(), sha256(b"changed sources"));
    made.products.insert("tre.img".into(), sha256(b"another image"));
    let outcome = Outcome::of(&lock(), Vec::new(), &made);
    assert!(!outcome.is_locked());
    outcome.explained().expect("a reason");
    let words = outcome.to_string();
    let expected = "the image differs from the committed one, because tred's sources changed \
                    (inputs equal):\n";
    assert!(words.starts_with(expected), "{words}");
    let error = outcome.committed().expect_err("refused");
    assert!(matches!(&error, NotCommitted::Changed { changed, .. } if changed == &["tred"]));
    assert!(error.to_string().ends_with("'tre-image lock'"), "{error}");
}

/// What counts lines for a manifest cannot be blamed for another image.
#[test]
fn a_changed_manifest_maker_is_a_reason_for_another_manifest_alone() {
    let mut made = lock();
    made.project.insert("manifest".into(), sha256(b"changed sources"));
    made.products.insert("manifest.json".into(), sha256(b"another manifest"));
    Outcome::of(&lock(), Vec::new(), &made).explained().expect("a reason");
    made.products.insert("tre.img".into(), sha256(b"another image"));
    let error = Outcome::of(&lock(), Vec::new(), &made).explained().expect_err("no reason");
    assert!(
        matches!(&error, NotCommitted::NotReproduced(products)
        if products.len() == 1 && products[0].name == "tre.img"),
        "{error}"
    );
}

/// A moved tool makes another manifest, which names it, and may still make the same image.
#[test]
fn an_image_may_be_the_committed_one_though_inputs_moved() {
    let (moved, mut made) = moved_build();
    made.products = lock().products;
    made.products.insert("manifest.json".into(), sha256(b"names another tool"));
    assert!(Outcome::of(&lock(), moved.clone(), &made).is_image_committed());
    made.products.insert("tre.img".into(), sha256(b"another image"));
    assert!(!Outcome::of(&lock(), moved, &made).is_image_committed());
}

/// A manifest for another machine is not compared with the committed one.
#[test]
fn what_was_not_made_does_not_differ() {
    let mut made = lock();
    made.products.remove("manifest.json");
    made.pcrs.clear();
    let outcome = Outcome::of(&lock(), Vec::new(), &made);
    assert_eq!(outcome, Outcome::default());
}

#[test]
fn only_two_words_are_modes() {
    assert_eq!("follow".parse(), Ok(LockMode::Follow));
    assert_eq!("strict".parse(), Ok(LockMode::Strict));
    for word in ["", "Strict", "renew", "off"] {
        assert_eq!(word.parse::<LockMode>(), Err(UnknownMode), "{word}");
    }
}

/// What is committed: the README names the lock file's image.
#[test]
fn the_committed_lock_file_and_readme_name_one_image() {
    Lock::read(&Checkout::own()).expect("both name the same image");
}
