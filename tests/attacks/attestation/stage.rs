//! A domain, its genuine TREs, and the victim: a meter that wants to send a reading to `tre-1`.

use core::cell::OnceCell;
use std::fs;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use attest_verifier::{AttestError, AttestedStream, ClientIdentity, Method, Trust};
use measured_boot::digest::Sha256Digest;
use measured_boot::eventlog::EventLog;
use measured_boot::pcr::{PcrIndex, PcrValues};
use pki::authority::Profile;
use pki::validity::Validity;
use rand_core::OsRng;
use rcgen::PublicKeyData;
use rustls::pki_types::CertificateDer;
use tokio::runtime::Runtime;
use tre_tests::domain::{TestDomain, now};
use tre_tests::hosted::{Hosted, HostedMachine, log_of_another_image};
use tre_tests::place;
use tre_tests::trust::Reference;
use tre_wire::deployment;
use tre_wire::id::PeerId;
use tre_wire::role::{Identity, Role};

use crate::attack::Outcome;
use crate::rogue::{Answer, BROKEN, Face, Heard, Rogue};
use crate::tpm::AttackersTpm;

/// Everything that attacks share.
pub(crate) struct Stage {
    pub(crate) runtime: Runtime,
    domain: TestDomain,
    reference: Reference,
    log: Vec<u8>,
    meter: ClientIdentity,
    genuine: [OnceCell<Genuine>; 2],
    attackers: [OnceCell<Arc<AttackersTpm>>; 2],
}

/// Which image a box started.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Image {
    /// The one in the manifest.
    Genuine,
    /// Another one.
    Modified,
}

/// An enrolled hosted TRE with a TPM of its own.
#[derive(Debug)]
pub(crate) struct Genuine {
    machine: HostedMachine,
    running: Hosted,
}

/// Which TRE.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Which {
    /// `tre-1`, which the victim asks for.
    AskedFor,
    /// `tre-2`, as genuine.
    Other,
}

impl Which {
    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::AskedFor => "tre-1",
            Self::Other => "tre-2",
        }
    }
}

impl Genuine {
    /// Where it listens.
    pub(crate) fn address(&self) -> String {
        self.running.address().to_string()
    }
}

impl Stage {
    pub(crate) fn make() -> Result<Self> {
        let runtime = Runtime::new().context("a runtime")?;
        let domain = TestDomain::make("demo", |_| {})?;
        let log_file = place::root().join("tests/vectors/eventlog/recorder.bin");
        let reference = Reference::of_log(&domain, &log_file)?;
        let meter = ClientIdentity::load(&domain.credential(Role::Meter, "meter-1")?)?;
        let log = fs::read(&log_file).context("reading the log of a boot")?;
        let (genuine, attackers) = Default::default();
        Ok(Self { runtime, domain, reference, log, meter, genuine, attackers })
    }

    /// What a peer of one's own is set up with.
    pub(crate) const fn scene(&self) -> (&TestDomain, &Reference) {
        (&self.domain, &self.reference)
    }

    /// The log of a boot.
    pub(crate) fn log_of(&self, image: Image) -> Result<Vec<u8>> {
        match image {
            Image::Genuine => Ok(self.log.clone()),
            Image::Modified => log_of_another_image(&self.log),
        }
    }

    /// The attacker's TPM behind such a boot, made when it is first asked for.
    pub(crate) fn attackers_tpm(&self, image: Image) -> Result<Arc<AttackersTpm>> {
        let [genuine, modified] = &self.attackers;
        let cell = if image == Image::Genuine { genuine } else { modified };
        if let Some(there) = cell.get() {
            return Ok(Arc::clone(there));
        }
        let made = AttackersTpm::measured(&self.log_of(image)?, &self.extended_by_the_tre()?)?;
        Ok(Arc::clone(cell.get_or_init(|| Arc::new(made))))
    }

    /// What PID 1 extends into PCR 11.
    fn extended_by_the_tre(&self) -> Result<[Sha256Digest; 2]> {
        let file = fs::read(self.domain.deployment()).context("reading the deployment")?;
        Ok([deployment::measurement(&file), deployment::started()].map(Sha256Digest))
    }

    /// What a genuine TRE's PCRs hold.
    pub(crate) fn genuine_pcrs(&self) -> Result<PcrValues> {
        let mut values = EventLog::parse(&self.log)?.replay()?;
        for digest in self.extended_by_the_tre()? {
            values.extend(PcrIndex::P11, &digest);
        }
        Ok(values)
    }

    /// The TRE, made, enrolled and started when it is first asked for.
    pub(crate) fn genuine(&self, which: Which) -> Result<&Genuine> {
        let [asked_for, other] = &self.genuine;
        let cell = if which == Which::AskedFor { asked_for } else { other };
        if let Some(there) = cell.get() {
            return Ok(there);
        }
        let made = self.make_genuine(which.name(), which.name())?;
        Ok(cell.get_or_init(|| made))
    }

    /// A new machine, started and enrolled.
    pub(crate) fn make_genuine(&self, folder: &str, name: &str) -> Result<Genuine> {
        let machine = HostedMachine::make(&self.domain, folder)?;
        let running = machine.start()?;
        let (address, tre_id) = (running.address().to_string(), name.parse()?);
        let roots = machine.ek_roots();
        let enrolment = self.reference.enrol(&self.domain, &address, roots, &tre_id);
        self.runtime.block_on(enrolment)?;
        Ok(Genuine { machine, running })
    }

    /// Another boot of this machine, with this log.
    pub(crate) fn boot_again(&self, genuine: Genuine, log: &[u8]) -> Result<Genuine> {
        let Genuine { machine, running } = genuine;
        drop(running);
        fs::write(machine.event_log(), log).context("writing the log of a boot")?;
        let running = machine.start()?;
        Ok(Genuine { machine, running })
    }

    /// A TRE of this name.
    pub(crate) fn identity(&self, name: &str) -> Result<Identity> {
        Ok(self.domain.domain().identity(Role::Tre, name.parse()?))
    }

    /// What the TRE authority says of a key: rightly, or because it was deceived.
    pub(crate) fn certify(
        &self,
        profile: Profile,
        name: &str,
        key: &impl PublicKeyData,
    ) -> Result<Vec<CertificateDer<'static>>> {
        let authority = self.domain.domain().tre_authority()?;
        let (identity, validity) = (self.identity(name)?, Validity::of_days(now()?, 1)?);
        let leaf = authority.certify(profile, &identity, key, validity, &mut OsRng)?;
        Ok(vec![leaf, authority.certificate().clone()])
    }

    /// Lets the attacker listen with this face.
    pub(crate) fn listen(&self, face: Face, answer: Answer) -> Result<Rogue> {
        let clients = self.domain.domain().grid_authority()?;
        self.runtime.block_on(Rogue::listen(face, clients.certificate(), answer))
    }

    /// What a verifier holds evidence against.
    pub(crate) fn trust(&self) -> Result<Trust> {
        self.reference.trust()
    }

    /// The victim goes to `address`, where `attacker` may be listening.
    pub(crate) fn visit(&self, address: &str, attacker: Option<&Heard>) -> Result<Outcome> {
        let (trust, now) = (self.trust()?, now()?);
        let tre_id: PeerId = Which::AskedFor.name().parse()?;
        let spoken = self.runtime.block_on(async {
            let meter = Some(&self.meter);
            let stream = AttestedStream::connect(address, &tre_id, &trust, meter, now).await?;
            let mut tre = stream.into_http().await?;
            let reading = Some(b"{\"the household's\":\"reading\"}".to_vec());
            Ok(tre.request(Method::POST, "/v1/readings", reading).await?)
        });
        let heard = attacker.map(Heard::all).unwrap_or_default();
        if let Some(broken) = heard.iter().find(|heard| heard.starts_with(BROKEN)) {
            bail!("{broken}");
        }
        let error: AttestError = match spoken {
            Ok(_) => return Ok(Outcome::GotIn("Attested: the reading was sent".to_owned())),
            Err(error) => error,
        };
        if heard.is_empty() {
            return Ok(Outcome::Refused(error));
        }
        Ok(Outcome::GotIn(format!("refused, but only after {}: {error}", heard.join(", "))))
    }
}
