//! Sealed state that is set back: the number of its epoch shows it to whoever saw a later one.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;

use tre_wire::disk;

use super::Household;

/// Starts the TRE and has the meter attest it: the epoch seen, or why it was refused.
async fn next(household: &Household) -> Result<u64, String> {
    let running = household.machine.start().expect("a TRE");
    household.set_time(&running).await;
    let attested = household.attest(&running).await.map_err(|error| error.to_string())?;
    Ok(attested.attested().past().state_epoch)
}

#[tokio::test]
async fn a_disk_that_was_set_back_is_refused_even_by_one_start() {
    let (household, running) = Household::make().await;
    let first = household.attest(&running).await.expect("attested").attested().past();
    assert_eq!(first.state_epoch, 1);
    drop(running);
    let copy = household.domain.folder().join("kept.img");
    fs::copy(household.machine.disk(), &copy).expect("a copy of the disk");
    assert_eq!(next(&household).await, Ok(2));
    let refused = |expected, found| {
        Err(format!("refused: past: expected state epoch {expected} or later, found {found}"))
    };
    fs::copy(&copy, household.machine.disk()).expect("the disk of before");
    assert_eq!(next(&household).await, refused(3, 2), "the number counted up to once more");
    // Nor is a disk believed from which the record was taken out.
    let disk = File::options().write(true).open(household.machine.disk()).expect("the disk");
    for slot in disk::STATUS {
        disk.write_all_at(&[0; 4096], slot.offset).expect("emptied");
    }
    assert_eq!(next(&household).await, refused(3, 1));
}
