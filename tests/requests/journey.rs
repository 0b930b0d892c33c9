//! A desk's work with the two command lines alone: issue, revoke, carry the list, renew the TRE.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, Result, ensure};
use attest_verifier::{AnyKeyConnection, ClientIdentity, Method};
use serde_json::Value;
use tre_tests::domain::{TRUST_DOMAIN as DOMAIN, TestDomain};
use tre_tests::enrolled::Enrolled;
use tre_tests::hosted::Hosted;
use tre_tests::place;
use tre_wire::problem::{Problem, ProblemType};
use tre_wire::role::Role;

/// A desk beside an enrolled box.
struct Desk {
    domain: TestDomain,
    hosted: Hosted,
}

impl Desk {
    async fn set() -> Result<Self> {
        let Enrolled { domain, reference, hosted, .. } = Enrolled::make().await?;
        let (manifest, signature) = reference.for_real_boxes(&domain)?;
        let desk = Self { domain, hosted };
        fs::write(desk.at("manifest.json"), manifest)?;
        fs::write(desk.at("manifest.json.sig"), signature)?;
        Ok(desk)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.domain.folder().join(name)
    }

    fn run(&self, program: &str, words: &[&str], files: &[(&str, &Path)]) -> Result<Output> {
        let mut command = Command::new(place::program(program)?);
        command.args(words);
        for (option, file) in files {
            command.arg(option).arg(file);
        }
        command.output().with_context(|| format!("starting {program}"))
    }

    /// A command that must do what it says; gives its answer.
    fn done(&self, program: &str, words: &[&str], files: &[(&str, &Path)]) -> Result<String> {
        let output = self.run(program, words, files)?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{program} {words:?}: {said}");
        Ok(String::from_utf8(output.stdout)?)
    }

    /// `tre-client`, with what every command of it takes.
    fn client(&self, words: &[&str], identity: &Path) -> Result<Output> {
        let address = self.hosted.address().to_string();
        let words = [words, &["--tre", &address, "--tre-id", "tre-1"]].concat();
        self.run(
            "tre-client",
            &words,
            &[
                ("--deployment", &self.domain.deployment()),
                ("--manifest", &self.at("manifest.json")),
                ("--release-key", &self.domain.domain().release_key_path()),
                ("--identity", identity),
            ],
        )
    }
}

#[tokio::test]
async fn a_lost_meter_is_revoked_with_three_commands() -> Result<()> {
    let desk = Desk::set().await?;
    let (home, meter, list) =
        (desk.domain.home(), desk.at("home-017.pem"), desk.at("revocations.json"));
    let issue = ["issue", "meter", "home-017"];
    desk.done("tre-pki", &issue, &[("--domain", &home), ("--out", &meter)])?;
    let identity = ClientIdentity::load(&meter)?;
    let address = desk.hosted.address().to_string();
    let mut open = AnyKeyConnection::open(&address, Some(&identity)).await?;
    assert_eq!(open.request(Method::GET, "/v1/events", None).await?.status, 200);
    let revoke = ["revoke", "meter", "home-017", "--reason", "key-lost"];
    desk.done("tre-pki", &revoke, &[("--domain", &home), ("--out", &list)])?;
    let list = list.to_str().context("UTF-8")?;
    for role in [Role::Operator, Role::Registrar] {
        let carrier = desk.domain.credential(role, "carrier")?;
        let put = desk.client(&[role.as_str(), "put-revocations", list], &carrier)?;
        let said = String::from_utf8_lossy(&put.stderr);
        assert!(put.status.success(), "{said}");
        assert_eq!(String::from_utf8(put.stdout)?, "revocation list 1 in force\n");
    }
    let answer = open.request(Method::GET, "/v1/events", None).await?;
    let problem: Problem = serde_json::from_slice(&answer.body)?;
    assert_eq!(problem.kind, ProblemType::Revoked);
    let refused = desk.client(&["meter", "account"], &meter)?;
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("not attested, nothing sent"), "{said}");
    // A file that was changed on its way says so.
    let altered = fs::read_to_string(list)?.replace("key-lost", "withdrawn");
    fs::write(list, altered)?;
    let operator = desk.domain.credential(Role::Operator, "carrier")?;
    let refused = desk.client(&["operator", "put-revocations", list], &operator)?;
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("that was signed, found"), "{said}");
    assert_eq!(refused.status.code(), Some(1));
    Ok(())
}

#[tokio::test]
async fn the_time_is_carried_with_three_commands() -> Result<()> {
    let desk = Desk::set().await?;
    let address = desk.hosted.address().to_string();
    let asked = desk.done("tre-client", &["time", "challenge", "--tre", &address], &[])?;
    let challenge: Value = serde_json::from_str(&asked)?;
    assert_eq!(
        (&challenge["tre_id"], &challenge["trust_domain"]),
        (&"tre-1".into(), &DOMAIN.into())
    );
    let (file, token) = (desk.at("challenge.json"), desk.at("token.json"));
    fs::write(&file, &asked)?;
    let sign = ["sign-time", file.to_str().context("UTF-8")?, "--json"];
    let signed =
        desk.done("tre-pki", &sign, &[("--domain", &desk.domain.home()), ("--out", &token)])?;
    let signed: Value = serde_json::from_str(&signed)?;
    let put = ["time", "put", token.to_str().context("UTF-8")?, "--tre", &address];
    let said = desk.done("tre-client", &put, &[])?;
    assert!(said.starts_with("the TRE has the time: "), "{said}");
    let now = serde_json::from_str::<Value>(&desk.done(
        "tre-client",
        &["time", "challenge", "--tre", &address],
        &[],
    )?)?;
    assert!(now["time"].as_u64() >= signed["time"].as_u64(), "{now} after {signed}");
    // The same token again says what is wrong with it.
    let again = desk.run("tre-client", &put, &[])?;
    let said = String::from_utf8_lossy(&again.stderr);
    assert!(said.contains("found one again that came into force"), "{said}");
    assert_eq!(again.status.code(), Some(1));
    Ok(())
}

#[tokio::test]
async fn a_tre_is_renewed_with_one_command_and_its_record_says_until_when() -> Result<()> {
    let desk = Desk::set().await?;
    let end = |text: &str| -> Result<u64> {
        let record: Value = serde_json::from_str(text)?;
        record["certificates_end"].as_u64().context("an end")
    };
    let path = desk.domain.domain().records().path(&"tre-1".parse()?);
    let before = end(&fs::read_to_string(&path)?)?;
    let address = desk.hosted.address().to_string();
    let words = ["renew-tre", &address, "--tre-id", "tre-1", "--days", "9", "--json"];
    let (home, operator) = (desk.domain.home(), desk.domain.credential(Role::Operator, "op-1")?);
    let (deployment, manifest) = (desk.domain.deployment(), desk.at("manifest.json"));
    let files = [
        ("--domain", home.as_path()),
        ("--deployment", &deployment),
        ("--manifest", &manifest),
        ("--operator", &operator),
    ];
    let refused = |expected: &str| -> Result<()> {
        let ended = desk.run("tre-pki", &words, &files)?;
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{said}");
        assert!(said.contains(expected), "{said}");
        assert_eq!(end(&fs::read_to_string(&path)?)?, before);
        Ok(())
    };
    let list = |words: &[&str]| {
        let out = desk.at(&format!("{}.json", words.join("-").replace(':', "-")));
        desk.done("tre-pki", words, &[("--domain", &home), ("--out", &out)])
    };
    // Whether it is revoked nobody here has said.
    refused("expected a revocation list in")?;
    list(&["revoke", "--refresh"])?;
    // The maker of software TPMs, whatever the version.
    let firmware = ["id:00001014", "0000000000000000", "ffffffffffffffff"];
    list(&[&["deny"], firmware.as_slice(), &["--reason", "a flaw"]].concat())?;
    refused("a flaw")?;
    list(&[&["deny"], firmware.as_slice(), &["--lift"]].concat())?;
    let after = end(&desk.done("tre-pki", &words, &files)?)?;
    assert!(after > before, "{before} and {after}");
    assert_eq!(end(&fs::read_to_string(&path)?)?, after);
    list(&["revoke", "tre", "tre-1", "--reason", "withdrawn"])?;
    let ended = desk.run("tre-pki", &words, &files)?;
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(said.contains("expected keys that are believed"), "{said}");
    Ok(())
}
