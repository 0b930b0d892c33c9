//! The comparison of two builds' files, and the surroundings of the second.

use super::*;

/// Two folders with the same files, listed; the second may be changed.
fn two_builds() -> (tempfile::TempDir, Files, Files) {
    let folder = tempfile::tempdir().expect("temporary folder");
    let build = |which: &str| {
        let files = ["manifest.json", "tred"].map(|name| {
            let path = folder.path().join(which).join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("makes");
            fs::write(&path, vec![1; 300]).expect("writes");
            (name.to_owned(), path)
        });
        Files::from(files)
    };
    let (first, second) = (build("first"), build("second"));
    (folder, first, second)
}

#[test]
fn equal_builds_are_equal() {
    let (_folder, first, second) = two_builds();
    let comparison = compare(&first, &second).expect("compares");
    assert!(comparison.is_equal());
    assert_eq!(comparison.compared, ["manifest.json", "tred"]);
}

#[test]
fn one_planted_byte_is_found_and_kept() {
    let (folder, first, second) = two_builds();
    let mut bytes = vec![1; 300];
    bytes[299] = 2;
    fs::write(&second["tred"], &bytes).expect("writes");
    let comparison = compare(&first, &second).expect("compares");
    let [difference] = comparison.differences.as_slice() else {
        panic!("expected one difference, found {comparison:?}");
    };
    assert_eq!((difference.name.as_str(), difference.offset), ("tred", 299));

    let checkout = Checkout::at(folder.path());
    keep(&checkout, &comparison, &first, &second).expect("keeps");
    assert_eq!(fs::read(kept(&checkout).join("second/tred")).expect("kept"), bytes);
}

#[test]
fn a_file_that_one_build_did_not_make_is_a_difference() {
    let (_folder, first, mut second) = two_builds();
    second.remove("tred");
    for (one, other) in [(&first, &second), (&second, &first)] {
        let comparison = compare(one, other).expect("compares");
        assert_eq!(comparison.missing, ["tred"]);
        assert!(!comparison.is_equal());
    }
}

/// What a program sees of itself in `place`: umask, home, time zone, user, locale, the year.
fn seen(place: &Surroundings, folder: &Path) -> Vec<String> {
    let out = folder.join("seen");
    let script = format!(
        "(umask; echo $HOME; date +%z; id -un; locale 2>/dev/null | grep LC_TIME; date +%s) >{}",
        out.display()
    );
    let arguments = ["-c".into(), script.into()];
    place.run(Path::new("/bin/sh"), &arguments).expect("runs");
    fs::read_to_string(out).expect("reads").lines().map(String::from).collect()
}

#[test]
fn the_second_build_is_somebody_elsewhere() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let ordinary = Surroundings::ordinary(folder.path().join("one")).expect("made");
    let foreign = Surroundings::foreign(folder.path().join("other")).expect("made");
    let home = |name: &str| folder.path().join(name).join("home").display().to_string();
    let (one, other) = (seen(&ordinary, folder.path()), seen(&foreign, folder.path()));
    assert_eq!(one[..3], ["0022".into(), home("one"), "+0000".into()]);
    assert_eq!(other[..3], ["0077".into(), home("other"), "+1337".into()]);
    // Here as everywhere: what is not said to be left is another.
    for (row, what) in [(3, "user: "), (4, "locale: "), (5, "clock: ")] {
        let left = foreign.unvaried.iter().any(|unvaried| unvaried.starts_with(what));
        assert_eq!(one[row] == other[row], left, "{what}{} and {}", one[row], other[row]);
    }
    let year = |clock: &str| clock.parse::<u64>().expect("seconds") / (365 * 86_400);
    let moved = foreign.unvaried.iter().all(|unvaried| !unvaried.starts_with("clock: "));
    assert_eq!(year(&other[5]) > year(&one[5]), moved, "{one:?} {other:?}");
    let words = foreign.words.join("\n");
    for varied in ["folder: ", "umask: ", "time zone: ", "user: ", "locale: ", "clock: "] {
        assert!(words.contains(varied), "nothing is said of {varied:?} in\n{words}");
    }
    let left = words.matches("NOT varied: ").count();
    assert_eq!(left, foreign.unvaried.len(), "{words}");
}

/// Two builds in one locale show nothing about locales: who asks for proof is told so.
#[test]
fn surroundings_that_are_not_varied_are_refused_when_strict() {
    let left = ["locale: package 'locales' has more than C.UTF-8"];
    let refused = admit(LockMode::Strict, &left).expect_err("refused");
    assert!(matches!(&refused, ReproduceError::Unvaried(found) if *found == left), "{refused}");
    assert!(refused.to_string().contains("locale: "), "{refused}");
    admit(LockMode::Follow, &left).expect("told, not refused");
    admit(LockMode::Strict, &[]).expect("all is varied");
}
