//! `tre-pki sign-time` and `set-time`: for whom no time is signed. (That a TRE takes what is signed
//! is in `tests/requests` and `tests/journeys`.)

use std::fs;

use crate::command_line::{Desk, Ended, desk, refused, tre_pki};
use crate::fixture::text;

impl Desk {
    fn sign_time(&self, challenge: &str) -> Ended {
        let (file, domain, out) =
            (self.at("challenge.json"), self.at("domain"), self.at("token.json"));
        fs::write(&file, challenge).expect("written");
        tre_pki(&["sign-time", text(&file), "--domain", text(&domain), "--out", text(&out)])
    }
}

fn challenge(domain: &str) -> String {
    let nonce = "07".repeat(32);
    format!(r#"{{"trust_domain":"{domain}","tre_id":"tre-1","nonce":"{nonce}","time":0}}"#)
}

#[test]
fn no_time_is_signed_for_another_domain_or_a_tre_that_was_never_enrolled() {
    let desk = desk();
    let other = desk.sign_time(&challenge("other.example"));
    refused(&other, 1, "expected a TRE of grid.example, found one of other.example");
    refused(&desk.sign_time(&challenge("grid.example")), 1, "expected an enrolled TRE: ");
    refused(&desk.sign_time("{}"), 1, "challenge.json: missing field");
    assert!(!desk.at("token.json").exists() && !desk.at("token.json.sig").exists());
}
