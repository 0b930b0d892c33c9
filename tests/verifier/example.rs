//! The example of the library's documentation, as a program against a real TRE.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tre_tests::place;
use tre_wire::role::Role;

use super::Household;

fn run(folder: &Path, address: &str) -> Output {
    let program = place::program("examples/health");
    let program = program.expect("`cargo test --workspace` or `cargo build --examples` builds it");
    Command::new(program).arg(address).current_dir(folder).output().expect("runs")
}

#[tokio::test]
async fn the_example_of_the_documentation_speaks_to_a_proven_tre_and_to_no_other() {
    let (household, running) = Household::make().await;
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let (manifest, signature) =
        household.reference.for_real_boxes(&household.domain).expect("signed");
    fs::write(at("manifest.json"), manifest).expect("a manifest");
    fs::write(at("manifest.json.sig"), signature).expect("its signature");
    let meter = household.domain.credential(Role::Meter, "meter-1").expect("a credential");
    for (from, name) in [
        (household.domain.deployment(), "deployment.json"),
        (household.domain.domain().release_key_path(), "release.pem"),
        (meter, "meter-1.pem"),
    ] {
        fs::copy(from, at(name)).expect(name);
    }
    let output = run(folder.path(), &running.address().to_string());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    drop(running);

    // The same machine with another image.
    let log = fs::read(household.machine.event_log()).expect("the log of a boot");
    let other = tre_tests::hosted::log_of_another_image(&log).expect("the log of another");
    fs::write(household.machine.event_log(), other).expect("another image");
    let changed = household.machine.start().expect("a changed TRE");
    let output = run(folder.path(), &changed.address().to_string());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("Refused("), "{said}");
}
