//! Every mutant's patch fits the sources as they are: known in a second, not at the end of a run.

use std::process::Command;

use tre_tests::{place, teeth};

#[test]
fn every_patch_applies() {
    let mutants = teeth::mutants().expect("readable mutants");
    let unfit = mutants.iter().filter_map(|mutant| {
        let output = Command::new("git")
            .args(["apply", "--check"])
            .arg(mutant.path())
            .current_dir(place::root())
            .output()
            .expect("git");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (!output.status.success()).then(|| format!("{}: {said}", mutant.name()))
    });
    let unfit: Vec<String> = unfit.collect();
    assert!(unfit.is_empty(), "patches that do not fit the sources:\n{}", unfit.join("\n"));
}
