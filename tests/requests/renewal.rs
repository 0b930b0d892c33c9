//! Certificates are renewed while connections are open, and nobody notices.

use anyhow::Result;
use attest_verifier::core::verdict;
use attest_verifier::{AnyKeyConnection, ClientIdentity, Method};
use pki::renew_tre::{TreRenewal, TreRenewalError};
use pki::validity::Validity;
use rand_core::OsRng;
use tre_tests::domain::{TestDomain, now};
use tre_tests::enrolled::Enrolled;
use tre_tests::hosted::{Hosted, HostedMachine};
use tre_tests::trust::Reference;
use tre_wire::hex::HexBytes;
use tre_wire::json;
use tre_wire::message::Certificates;
use tre_wire::message::enrolment::RenewCertificates;
use tre_wire::problem::{Problem, ProblemType};
use tre_wire::revocation::{Reason, Revoked};
use tre_wire::role::{Identity, Role};

/// A box of its own, for it is changed and restarted.
struct Stage {
    domain: TestDomain,
    machine: HostedMachine,
    reference: Reference,
    hosted: Hosted,
    tre: Identity,
}

/// What a box shows on one connection: TLS leaf, and the attestation key's.
type Shown = (Vec<u8>, Vec<u8>);

impl Stage {
    async fn set() -> Result<Self> {
        let Enrolled { domain, machine, reference, hosted, tre_id } = Enrolled::make().await?;
        let tre = domain.domain().identity(Role::Tre, tre_id);
        Ok(Self { domain, machine, reference, hosted, tre })
    }

    fn address(&self) -> String {
        self.hosted.address().to_string()
    }

    async fn open(&self, role: Role) -> Result<AnyKeyConnection> {
        let identity = ClientIdentity::load(&self.domain.credential(role, "one")?)?;
        Ok(AnyKeyConnection::open(&self.address(), Some(&identity)).await?)
    }

    async fn renew(&self, revoked: &[Revoked], days: u32) -> Result<u64, TreRenewalError> {
        let home = self.domain.domain();
        let now = now().expect("the time");
        let operator = self.domain.credential(Role::Operator, "one").expect("a credential");
        let renewal = TreRenewal {
            tre: &self.tre,
            authority: &home.tre_authority().expect("an authority"),
            records: &home.records(),
            revoked,
            trust: &self.reference.trust().expect("a reference"),
            validity: Validity::of_days(now, days).expect("in range"),
            now,
        };
        let operator = ClientIdentity::load(&operator).expect("readable");
        let record = renewal.run(&self.address(), &operator, &mut OsRng).await?;
        Ok(record.certificates_end.get())
    }

    /// All certificates that the box shows.
    async fn chains(&self) -> Result<RenewCertificates> {
        let mut open = AnyKeyConnection::open(&self.address(), None).await?;
        let tls_chain = open.server_chain().iter().map(|der| HexBytes(der.to_vec())).collect();
        let Certificates { document_chain } = open.get("/v1/certificates").await?;
        let attestation_key_chain = open.challenge().await?.evidence.attestation_key_chain;
        Ok(RenewCertificates { attestation_key_chain, tls_chain, document_chain })
    }

    /// Hands certificates over, as an operator may: what the box has against them.
    async fn hands(&self, newer: &RenewCertificates) -> Result<Option<Problem>> {
        let mut operator = self.open(Role::Operator).await?;
        let body = Some(json::encode(newer)?);
        let answer = operator.request(Method::PUT, "/v1/certificates", body).await?;
        let refused = (answer.status != 200).then(|| serde_json::from_slice(&answer.body));
        Ok(refused.transpose()?)
    }

    /// Attests the box on a connection of its own, as everybody would.
    async fn shown(&self) -> Result<Shown> {
        self.attested(&mut AnyKeyConnection::open(&self.address(), None).await?).await
    }

    async fn attested(&self, open: &mut AnyKeyConnection) -> Result<Shown> {
        let answer = open.challenge().await?;
        let trust = self.reference.trust()?;
        let server = answer.session.as_ref().server_chain.first().expect("a leaf").to_vec();
        let quoting = answer.evidence.attestation_key_chain.first().expect("a leaf").0.clone();
        verdict::attest(&answer.evidence, answer.session, &self.tre, trust.reference(), now()?)?;
        Ok((server, quoting))
    }
}

#[tokio::test]
async fn a_tre_is_renewed_without_downtime_and_stays_so_after_a_power_cut() -> Result<()> {
    let stage = Stage::set().await?;
    let mut meter = stage.open(Role::Meter).await?;
    let before = stage.attested(&mut meter).await?;
    let end = stage.domain.domain().records().read(&stage.tre.id)?.certificates_end.get();
    assert!(stage.renew(&[], 3).await? > end, "the record says until when");
    // The open connection goes on, and shows the newer certificate of the quoting key.
    let answer = meter.request(Method::GET, "/v1/events", None).await?;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let still = stage.attested(&mut meter).await?;
    assert_eq!(still.0, before.0, "the handshake was before");
    assert_ne!(still.1, before.1);
    let after = stage.shown().await?;
    assert!(after.0 != before.0 && after.1 == still.1);
    let Stage { domain, machine, reference, hosted, tre } = stage;
    drop(hosted);
    let hosted = machine.start()?;
    domain.set_time(&hosted.address().to_string(), &tre.id).await?;
    let stage = Stage { domain, machine, reference, hosted, tre };
    assert_eq!(stage.shown().await?, after);
    Ok(())
}

#[tokio::test]
async fn a_revoked_tre_is_not_renewed() -> Result<()> {
    let stage = Stage::set().await?;
    let record = stage.domain.domain().records().read(&stage.tre.id)?;
    let revoked = Revoked {
        spki_sha256: record.document_key_spki_sha256,
        identity: stage.tre.clone(),
        since: now()?,
        reason: Reason::KeyCompromise,
        until: record.certificates_end,
    };
    let refused = stage.renew(&[revoked], 3).await.expect_err("revoked");
    assert!(matches!(refused, TreRenewalError::Revoked { .. }), "{refused}");

    Ok(())
}

#[tokio::test]
async fn a_box_takes_no_certificates_but_its_own_of_its_own_authority() -> Result<()> {
    let (stage, elsewhere) = (Stage::set().await?, Stage::set().await?);
    // A second box of the same domain.
    let machine = HostedMachine::make(&stage.domain, "second")?;
    let second = machine.start()?;
    let (address, tre_id) = (second.address().to_string(), "tre-2".parse()?);
    let (domain, reference) = (&stage.domain, &stage.reference);
    reference.enrol(domain, &address, machine.ek_roots(), &tre_id).await?;
    let own = certificates(&stage.address()).await?;
    let before = stage.shown().await?;
    for (files, why) in [
        (certificates(&elsewhere.address()).await?, "attestation key: InvalidSignature"),
        (certificates(&address).await?, "for the attestation key with hash"),
        (Vec::new(), "expected 1 to 4 certificates for the attestation key, found 0"),
        // Its own, for another key than that of the place.
        (own, "certificate of the TLS key: RequiredEkuNotFound"),
    ] {
        let newer = RenewCertificates {
            attestation_key_chain: files.clone(),
            tls_chain: files.clone(),
            document_chain: files,
        };
        let problem = stage.hands(&newer).await?.expect("others' certificates are refused");
        assert_eq!(problem.kind, ProblemType::OutOfBounds, "{}", problem.detail);
        assert!(problem.detail.contains(why), "{}", problem.detail);
    }
    assert_eq!(stage.shown().await?, before);
    Ok(())
}

/// All that the renewal wrote is on the wire: whoever has kept it can send it again.
#[tokio::test]
async fn an_older_renewal_sent_again_is_refused_and_the_present_one_stays() -> Result<()> {
    let stage = Stage::set().await?;
    stage.renew(&[], 3).await?;
    let older = stage.chains().await?;
    stage.renew(&[], 5).await?;
    let (present, shown) = (stage.chains().await?, stage.shown().await?);
    // One older certificate among newer ones is as bad as three.
    for (key, newer) in [
        ("attestation", older.clone()),
        ("TLS", RenewCertificates { tls_chain: older.tls_chain.clone(), ..present.clone() }),
        ("document", RenewCertificates { document_chain: older.document_chain, ..present.clone() }),
    ] {
        let problem = stage.hands(&newer).await?.expect("an older renewal is refused");
        assert_eq!(problem.kind, ProblemType::Conflict, "{}", problem.detail);
        let expected = format!("of the {key} key that ends no earlier than the present one");
        assert!(problem.detail.contains(&expected), "{}", problem.detail);
        assert_eq!(stage.shown().await?, shown);
    }
    // What is there already changes nothing, and is no older.
    assert_eq!(stage.hands(&present).await?, None);
    assert_eq!(stage.shown().await?, shown);
    Ok(())
}

/// The chain of the quoting key of a box.
async fn certificates(address: &str) -> Result<Vec<HexBytes>> {
    let mut open = AnyKeyConnection::open(address, None).await?;
    Ok(open.challenge().await?.evidence.attestation_key_chain)
}

#[tokio::test]
async fn a_peer_changes_over_to_its_next_certificate_when_it_likes() -> Result<()> {
    let stage = Stage::set().await?;
    let home = stage.domain.domain();
    let identity = home.identity(Role::Meter, "one".parse()?);
    let mut old = stage.open(Role::Meter).await?;
    let validity = Validity::of_days(now()?, 2)?;
    let next = pki::issue::issue(&home.grid_authority()?, identity, validity, &mut OsRng)?;
    let next = ClientIdentity::from_pem(next.to_pem().as_bytes())?;
    let mut new = AnyKeyConnection::open(&stage.address(), Some(&next)).await?;
    for open in [&mut old, &mut new] {
        let answer = open.request(Method::GET, "/v1/events", None).await?;
        assert_eq!(answer.status, 200);
    }
    Ok(())
}
