//! `tre-pki deny`: what it writes, takes back, and refuses.

use std::fs;

use serde_json::Value;

use crate::command_line::{Desk, Ended, desk, refused, tre_pki};
use crate::fixture::text;

const MAKER: &str = "id:49465800";
const FIRST: &str = "0007005500000000";
const LAST: &str = "00070055ffffffff";

impl Desk {
    fn deny(&self, others: &[&str]) -> Ended {
        let (domain, out) = (self.at("domain"), self.at("denied.json"));
        let fixed = ["deny", "--domain", text(&domain), "--out", text(&out), "--json"];
        tre_pki(&[fixed.as_slice(), others].concat())
    }

    fn denied(&self) -> Value {
        serde_json::from_slice(&fs::read(self.at("denied.json")).expect("there")).expect("JSON")
    }
}

#[test]
fn firmware_is_denied_with_reason_and_date_and_lifted_again() {
    let desk = desk();
    let ended = desk.deny(&[MAKER, FIRST, LAST, "--reason", "CVE-0000-0001"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let list = desk.denied();
    let entry = &list["denied"][0];
    assert_eq!((&list["sequence"], &entry["manufacturer"]), (&1.into(), &MAKER.into()));
    assert_eq!((&entry["first"], &entry["last"]), (&FIRST.into(), &LAST.into()));
    assert_eq!((&entry["reason"], &entry["since"]), (&"CVE-0000-0001".into(), &list["issued_at"]));
    // The same range again: another reason, one entry. One version alone: another entry.
    assert_eq!(desk.deny(&[MAKER, FIRST, LAST, "--reason", "CVE-0000-0002"]).code, 0);
    assert_eq!(desk.deny(&[MAKER, FIRST, "--reason", "one version"]).code, 0);
    let list = desk.denied();
    assert_eq!(list["denied"].as_array().map(Vec::len), Some(2));
    assert_eq!(list["denied"][0]["reason"], "CVE-0000-0002");
    assert_eq!(list["denied"][1]["last"], FIRST);
    assert_eq!(desk.deny(&[MAKER, FIRST, LAST, "--lift"]).code, 0);
    assert_eq!(desk.deny(&["--refresh"]).code, 0);
    let list = desk.denied();
    assert_eq!((&list["sequence"], list["denied"].as_array().map(Vec::len)), (&5.into(), Some(1)));
}

#[test]
fn nothing_is_denied_by_half_a_sentence_or_an_odd_one() {
    let desk = desk();
    refused(&desk.deny(&[MAKER, FIRST]), 2, "--reason");
    refused(&desk.deny(&[MAKER, "--reason", "x"]), 2, "FIRST");
    refused(&desk.deny(&["IFX", FIRST, "--reason", "x"]), 2, "expected a TPM manufacturer");
    refused(&desk.deny(&[MAKER, "7.85", "--reason", "x"]), 2, "expected a firmware version");
    refused(&desk.deny(&["--refresh", "--lift"]), 2, "--refresh");
    refused(&desk.deny(&[MAKER, LAST, FIRST, "--reason", "x"]), 1, "expected firmware from");
    refused(&desk.deny(&[MAKER, FIRST, "--reason", "a\nb"]), 1, "expected a reason of 1 to 200");
    refused(&desk.deny(&[MAKER, FIRST, "--lift"]), 1, "found no such entry");
    refused(&desk.deny(&["--refresh", "--days", "398"]), 1, "1 to 397 days");
    assert!(!desk.at("domain/denied").exists() && !desk.at("denied.json").exists());
}

#[test]
fn a_list_that_was_changed_on_disk_is_not_built_upon() {
    let desk = desk();
    assert_eq!(desk.deny(&[MAKER, FIRST, "--reason", "CVE-0000-0001"]).code, 0);
    let path = desk.at("domain/denied/00000001.json");
    let list = fs::read_to_string(&path).expect("a list");
    fs::write(&path, list.replace("CVE-0000-0001", "CVE-0000-0002")).expect("written");
    refused(&desk.deny(&["--refresh"]), 1, "that was signed, found ");
}
