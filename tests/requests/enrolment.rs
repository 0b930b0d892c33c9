//! Enrolments that cross one another: replayed, mixed from two boxes, begun twice. The box refuses
//! each with its own problem, stays new, and is enrolled afterwards.

use anyhow::Result;
use attest_verifier::{AnyKeyConnection, ClientIdentity, RequestError};
use measured_boot::tpm::Name;
use pki::enrol::offer::{Challenge, ChallengeError, CheckedOffer, Offer, ProvenTre};
use pki::validity::Validity;
use rand_core::OsRng;
use tre_tests::domain::{TestDomain, now};
use tre_tests::hosted::{Hosted, HostedMachine};
use tre_tests::trust::Reference;
use tre_wire::message::enrolment::{
    ActivateCredential, ActivatedCredential, BeginEnrolment, CompleteEnrolment, EnrolmentDone,
    EnrolmentKeys,
};
use tre_wire::message::{Health, StartState};
use tre_wire::problem::ProblemType;
use tre_wire::role::{Identity, Role};

/// A new box, and the desk that is to enrol it.
struct Stage {
    domain: TestDomain,
    machine: HostedMachine,
    reference: Reference,
    hosted: Hosted,
    tre: Identity,
}

/// An enrolment that has begun, in its connection.
struct Begun {
    open: AnyKeyConnection,
    keys: EnrolmentKeys,
}

impl Stage {
    fn set() -> Result<Self> {
        let domain = TestDomain::make("demo", |_| {})?;
        let machine = HostedMachine::make(&domain, "box")?;
        let reference = Reference::of_log(&domain, machine.event_log())?;
        let hosted = machine.start()?;
        let tre = domain.domain().identity(Role::Tre, "tre-1".parse()?);
        Ok(Self { domain, machine, reference, hosted, tre })
    }

    async fn begin_at(&self, hosted: &Hosted) -> Result<Begun> {
        let operator = ClientIdentity::load(&self.domain.credential(Role::Operator, "one")?)?;
        let address = hosted.address().to_string();
        let mut open = AnyKeyConnection::open(&address, Some(&operator)).await?;
        let name = BeginEnrolment { tre_id: self.tre.id.clone() };
        let keys = open.post("/v1/enrolment/begin", &name).await?;
        Ok(Begun { open, keys })
    }

    async fn begin(&self) -> Result<Begun> {
        self.begin_at(&self.hosted).await
    }

    fn checked(&self, begun: &Begun, machine: &HostedMachine) -> Result<CheckedOffer> {
        let Begun { open, keys } = begun;
        let appraised_key = Name::of_public_area(&keys.attestation_key.0);
        let offer = Offer { tre: &self.tre, appraised_key, exporter: open.exporter(), keys };
        Ok(offer.check(&pki::ek::EkRoots::load(machine.ek_roots())?, now()?)?)
    }

    fn challenged(&self, begun: &Begun) -> Result<(Challenge, ActivateCredential)> {
        Ok(self.checked(begun, &self.machine)?.challenge(&mut OsRng)?)
    }

    fn certified(&self, proven: &ProvenTre) -> Result<CompleteEnrolment> {
        let authority = self.domain.domain().tre_authority()?;
        Ok(proven.certify(&authority, Validity::of_days(now()?, 1)?, &mut OsRng)?)
    }

    /// The box is as new as before, also after a power cut, and is enrolled in the ordinary way.
    async fn stays_new(self) -> Result<()> {
        let Self { domain, machine, reference, hosted, tre } = self;
        assert_eq!(state(&hosted).await?, StartState::New);
        drop(hosted);
        let hosted = machine.start()?;
        assert_eq!(state(&hosted).await?, StartState::New);
        let address = hosted.address().to_string();
        reference.enrol(&domain, &address, machine.ek_roots(), &tre.id).await?;
        Ok(())
    }
}

async fn state(hosted: &Hosted) -> Result<StartState> {
    let mut open = AnyKeyConnection::open(&hosted.address().to_string(), None).await?;
    Ok(open.get::<Health>("/v1/health").await?.state)
}

impl Begun {
    async fn activate(
        &mut self,
        credential: &ActivateCredential,
    ) -> Result<ActivatedCredential, RequestError> {
        self.open.post("/v1/enrolment/activate", credential).await
    }

    async fn complete(
        &mut self,
        certificates: &CompleteEnrolment,
    ) -> Result<EnrolmentDone, RequestError> {
        self.open.post("/v1/enrolment/complete", certificates).await
    }
}

/// The box refused with this problem, and these words in it.
fn refused<T: core::fmt::Debug>(answer: Result<T, RequestError>, kind: ProblemType, words: &str) {
    let error = answer.expect_err(words);
    let right = matches!(
        &error,
        RequestError::Problem { problem, .. }
            if problem.kind == kind && problem.detail.contains(words)
    );
    assert!(right, "expected {kind:?}, {words:?}; found {error}");
}

const NOT_BEGUN: &str = "no enrolment of this box is under way";
const REPLAYED: &str = "found one replayed from elsewhere";
const OVERTAKEN: &str = "was overtaken by another that began later";

#[tokio::test]
async fn a_replayed_activation_enrols_nobody() -> Result<()> {
    let stage = Stage::set()?;
    let mut first = stage.begin().await?;
    let (challenge, credential) = stage.challenged(&first)?;
    let activated = first.activate(&credential).await?;
    let certificates = stage.certified(&challenge.check(&activated)?)?;
    let keys = first.keys.clone();
    drop(first);

    // To the box before anything begins, as after a restart.
    drop(stage.hosted);
    let stage = Stage { hosted: stage.machine.start()?, ..stage };
    let operator = ClientIdentity::load(&stage.domain.credential(Role::Operator, "one")?)?;
    let address = stage.hosted.address().to_string();
    let open = AnyKeyConnection::open(&address, Some(&operator)).await?;
    let mut early = Begun { open, keys };
    refused(early.activate(&credential).await, ProblemType::Conflict, NOT_BEGUN);
    refused(early.complete(&certificates).await, ProblemType::Conflict, NOT_BEGUN);

    // To another connection of the box, where nothing has begun.
    let mut second = stage.begin().await?;
    let open = AnyKeyConnection::open(&address, Some(&operator)).await?;
    let mut third = Begun { open, keys: second.keys.clone() };
    refused(third.activate(&credential).await, ProblemType::Conflict, REPLAYED);
    refused(third.complete(&certificates).await, ProblemType::Conflict, REPLAYED);

    // Where another enrolment has begun: its certificates are for the keys of the first.
    let early = "expected `activate` before, in this very connection";
    refused(second.complete(&certificates).await, ProblemType::Conflict, early);
    second.activate(&credential).await?;
    let again = "found `activate` again: this enrolment's keys are proven";
    refused(second.activate(&credential).await, ProblemType::Conflict, again);
    let words = "expected a certificate for the TLS key with hash";
    refused(second.complete(&certificates).await, ProblemType::OutOfBounds, words);

    // To the desk, whose secret is another by now.
    let (challenge, _) = stage.challenged(&second)?;
    let refused = challenge.check(&activated).map(|_| ());
    assert!(matches!(refused, Err(ChallengeError::WrongSecret { .. })), "{refused:?}");
    drop((second, third));
    stage.stays_new().await
}

#[tokio::test]
async fn of_two_enrolments_of_one_box_the_later_goes_on_and_the_earlier_is_refused() -> Result<()> {
    let stage = Stage::set()?;
    let mut earlier = stage.begin().await?;
    let (challenge, credential) = stage.challenged(&earlier)?;
    let activated = earlier.activate(&credential).await?;
    let certificates = stage.certified(&challenge.check(&activated)?)?;
    let mut later = stage.begin().await?;
    refused(earlier.activate(&credential).await, ProblemType::Conflict, OVERTAKEN);
    refused(earlier.complete(&certificates).await, ProblemType::Conflict, OVERTAKEN);
    let (challenge, credential) = stage.challenged(&later)?;
    let activated = later.activate(&credential).await?;
    let certificates = stage.certified(&challenge.check(&activated)?)?;
    let done = later.complete(&certificates).await?;
    assert_eq!(done.state, StartState::Serving);
    // And now nobody's any more.
    let answer = earlier.complete(&certificates).await.map_err(|error| error.to_string());
    assert!(answer.is_err(), "{answer:?}");
    Ok(())
}

#[tokio::test]
async fn an_endorsement_key_and_an_attestation_key_of_two_tpms_are_never_activated() -> Result<()> {
    let stage = Stage::set()?;
    let machine = HostedMachine::make(&stage.domain, "second")?;
    let hosted = machine.start()?;
    let (mut one, mut two) = (stage.begin().await?, stage.begin_at(&hosted).await?);
    // What a box would offer that borrows another's endorsement key: each part of it is good.
    let mixed = EnrolmentKeys {
        endorsement_key: two.keys.endorsement_key.clone(),
        endorsement_certificates: two.keys.endorsement_certificates.clone(),
        ..one.keys.clone()
    };
    one.keys = mixed;
    let (_, credential) = stage.checked(&one, &machine)?.challenge(&mut OsRng)?;
    let words = "the credential is not for this attestation key in this TPM";
    refused(one.activate(&credential).await, ProblemType::OutOfBounds, words);
    // The TPM of the endorsement key does not open it either: the attestation key is another.
    refused(two.activate(&credential).await, ProblemType::OutOfBounds, words);
    drop((one, two, hosted));
    stage.stays_new().await
}

#[tokio::test]
async fn a_second_box_under_a_taken_name_is_refused_and_stays_new() -> Result<()> {
    let stage = Stage::set()?;
    let machine = HostedMachine::make(&stage.domain, "second")?;
    let (address, second) = (stage.hosted.address().to_string(), machine.start()?);
    let Stage { domain, reference, tre, .. } = &stage;
    reference.enrol(domain, &address, stage.machine.ek_roots(), &tre.id).await?;
    let record = domain.domain().records().read(&tre.id)?;
    let address = second.address().to_string();
    let error = reference.enrol(domain, &address, machine.ek_roots(), &tre.id).await;
    let error = format!("{:#}", error.expect_err("the name is taken"));
    assert!(
        error.contains("expected no TRE named tre-1 in this domain, found its record"),
        "{error}"
    );
    assert_eq!(domain.domain().records().read(&tre.id)?, record);
    assert_eq!(state(&second).await?, StartState::New);
    Ok(())
}
