//! A software TPM with an interposer before it, and the operations that are attacked.

use std::io;

use measured_boot::digest::sha256;
use measured_boot::pcr::PcrIndex;
use tempfile::TempDir;
use tre_interposer::{Frame, Interposer, Pass};
use tre_tpm::swtpm::{Manufacturer, Swtpm};
use tre_tpm::{EsapiTpm, SealPolicy, SealedObject, Secret32, Tpm as _, TpmError, UnsealError};

pub(crate) const SECRET: [u8; 32] = *b"thirty-two bytes that are secret";
pub(crate) const OWNER: [u8; 32] = *b"owner authorization, 32 bytes ..";

/// Command codes. `[TPM2-P2]`
pub(crate) mod code {
    pub(crate) const HIERARCHY_CHANGE_AUTH: u32 = 0x129;
    pub(crate) const CREATE_PRIMARY: u32 = 0x131;
    pub(crate) const NV_READ: u32 = 0x14e;
    pub(crate) const POLICY_SECRET: u32 = 0x151;
    pub(crate) const CREATE: u32 = 0x153;
    pub(crate) const LOAD: u32 = 0x157;
    pub(crate) const QUOTE: u32 = 0x158;
    pub(crate) const UNSEAL: u32 = 0x15e;
    pub(crate) const READ_PUBLIC: u32 = 0x173;
    pub(crate) const GET_RANDOM: u32 = 0x17b;
    pub(crate) const PCR_READ: u32 = 0x17e;
    pub(crate) const POLICY_PCR: u32 = 0x17f;
    pub(crate) const PCR_EXTEND: u32 = 0x182;
}

/// A machine with a new TPM, running.
pub(crate) struct Scene {
    tpm: Option<Swtpm>,
    folder: TempDir,
}

impl Scene {
    /// With its storage key persistent and no owner.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let state = folder.path().join("state");
        let manufacturer = Manufacturer::open(&folder.path().join("ca")).expect("a manufacturer");
        manufacturer.make(&state).expect("a TPM");
        let mut scene = Self { tpm: None, folder };
        scene.restart();
        scene.direct().persist_storage_key().expect("persistent");
        scene
    }

    /// Cuts the power: what an attack has left loaded in the TPM is gone.
    pub(crate) fn restart(&mut self) {
        self.tpm = None;
        let state = self.folder.path().join("state");
        self.tpm = Some(Swtpm::start(&state).expect("a running TPM"));
    }

    fn running(&self) -> &Swtpm {
        self.tpm.as_ref().expect("a running TPM")
    }

    /// A connection through an interposer.
    pub(crate) fn through(
        &self,
        deed: impl FnMut(&Frame, &mut Pass<'_>) -> io::Result<Option<Frame>> + Send + 'static,
    ) -> (Interposer, EsapiTpm) {
        let between = Interposer::before(&self.running().socket(), deed).expect("an interposer");
        let tpm = EsapiTpm::connect_swtpm(&between.socket()).expect("a connection");
        (between, tpm)
    }

    pub(crate) fn direct(&self) -> EsapiTpm {
        self.running().connect().expect("a connection")
    }

    /// What the present PCRs open.
    pub(crate) fn sealed(&self) -> SealedObject {
        let mut tpm = self.direct();
        let policy = SealPolicy::fulfilled_by(&tpm.read_pcrs().expect("PCRs"));
        tpm.seal(&Secret32::new(SECRET), &policy).expect("sealed")
    }
}

/// An operation of a TRE, with the command of it that is attacked.
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    pub(crate) code: u32,
    pub(crate) run: fn(&mut EsapiTpm, &SealedObject) -> Result<(), TpmError>,
}

/// Those that carry or yield a secret or a decision.
pub(crate) const OPERATIONS: [Operation; 13] = [
    Operation { name: "random", code: code::GET_RANDOM, run: |tpm, _| tpm.random(&mut [0; 32]) },
    Operation { name: "extend", code: code::PCR_EXTEND, run: |tpm, _| extend(tpm) },
    Operation {
        name: "read PCRs",
        code: code::PCR_READ,
        run: |tpm, _| tpm.read_pcrs().map(|_| ()),
    },
    Operation {
        name: "attestation key",
        code: code::CREATE_PRIMARY,
        run: |tpm, _| tpm.attestation_key().map(|_| ()),
    },
    Operation { name: "quote", code: code::QUOTE, run: |tpm, _| tpm.quote(&[7; 32]).map(|_| ()) },
    Operation { name: "seal", code: code::CREATE, run: |tpm, _| seal(tpm) },
    Operation { name: "load", code: code::LOAD, run: unseal },
    Operation { name: "policy of PCRs", code: code::POLICY_PCR, run: unseal },
    Operation { name: "unseal", code: code::UNSEAL, run: unseal },
    Operation {
        name: "storage key",
        code: code::CREATE_PRIMARY,
        run: |tpm, _| tpm.storage_key().map(|_| ()),
    },
    Operation {
        name: "certificate",
        code: code::NV_READ,
        run: |tpm, _| tpm.endorsement().map(|_| ()),
    },
    Operation { name: "own", code: code::HIERARCHY_CHANGE_AUTH, run: |tpm, _| own(tpm) },
    Operation { name: "prove ownership", code: code::POLICY_SECRET, run: |tpm, _| own(tpm) },
];

pub(crate) fn extend(tpm: &mut EsapiTpm) -> Result<(), TpmError> {
    tpm.extend(PcrIndex::P23, &sha256(b"event"))
}

pub(crate) fn own(tpm: &mut EsapiTpm) -> Result<(), TpmError> {
    tpm.take_ownership(&Secret32::new(OWNER))
}

pub(crate) fn seal(tpm: &mut EsapiTpm) -> Result<(), TpmError> {
    let zero = measured_boot::digest::Sha256Digest::ZERO;
    let policy = SealPolicy { pcr4: zero, pcr7: zero, pcr9: zero, pcr11: zero };
    tpm.seal(&Secret32::new(SECRET), &policy).map(|_| ())
}

pub(crate) fn unseal(tpm: &mut EsapiTpm, object: &SealedObject) -> Result<(), TpmError> {
    match tpm.unseal(object) {
        Ok(secret) => {
            assert_eq!(secret.expose(), &SECRET);
            Ok(())
        }
        Err(UnsealError::Tpm(error)) => Err(error),
        Err(other) => panic!("{other:?}"),
    }
}
