//! A manifest's values as a CoRIM (draft-ietf-rats-corim), for appraisers that read those.
//!
//! One CoMID with one reference-values triple. Its environment is the class of machine: vendor
//! [`VENDOR`], model the platform's name. Its measurements are, by key: `pcrs` (integrity
//! registers of the SHA-256 bank), `image`, `efi`, `authenticode`, `firmware` and
//! `component:NAME` (SHA-256 digests), and `release` (a security version number) if there is one.
//! The dates are the CoRIM's own validity.
//!
//! What CoRIM cannot carry is left out, see [`LEFT_OUT`]; so an import yields values, never a
//! manifest, and nothing here judges a box. The CoRIM is not signed.

mod read;

use std::collections::BTreeMap;

use attest_verifier_core::measured_boot::digest::Sha256Digest;
use attest_verifier_core::measured_boot::manifest::{Expectation, ReferenceManifest};
use attest_verifier_core::measured_boot::pcr::PcrIndex;
use corim::builder::{ComidBuilder, CorimBuilder};
use corim::types::common::{MeasuredElement, TagIdChoice};
use corim::types::corim::CorimId;
use corim::types::environment::EnvironmentMap;
use corim::types::measurement::{
    Digest, IntegrityRegisterId, IntegrityRegisters, MeasurementMap, MeasurementValuesMap,
    SvnChoice,
};
use corim::types::triples::ReferenceTriple;

pub use read::CorimError;

/// The vendor in the environment's class.
pub const VENDOR: &str = "Trustworthy Remote Entity";

/// What a manifest says and a CoRIM of ours does not, in words for people.
pub const LEFT_OUT: [&str; 6] = [
    "the events of each PCR and the reason for its value",
    "which values were computed from files and which recorded",
    "PCR 11, which the judge computes from the deployment",
    "PCR 16 and 23, which are waived by name",
    "lengths of files, tools, packages, and whether the inputs were locked",
    "the purpose, the machine's definition beyond its name, and the TCB report",
];

/// The values of a manifest that a CoRIM carries.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReferenceValues {
    /// Name of the platform.
    pub platform: String,
    /// SHA-256 of the boot image.
    pub image: Sha256Digest,
    /// SHA-256 of the EFI file.
    pub efi: Sha256Digest,
    /// Authenticode hash of the EFI file.
    pub authenticode: Sha256Digest,
    /// SHA-256 of the firmware file.
    pub firmware: Sha256Digest,
    /// SHA-256 of each component of the EFI file, by name.
    pub components: BTreeMap<String, Sha256Digest>,
    /// The value of every PCR that the manifest itself has a value for.
    pub pcrs: BTreeMap<PcrIndex, Sha256Digest>,
    /// Number of the release.
    pub release: Option<u32>,
    /// First second in which they are in force. Unit: seconds since 1970.
    pub valid_from: Option<u64>,
    /// Last second. Unit: seconds since 1970.
    pub valid_until: Option<u64>,
}

/// SHA-256 in IANA's registry of named hashes, which `eatmc.digest` uses.
const SHA_256: i64 = 1;

/// Keys of the measurements.
const PCRS: &str = "pcrs";
const IMAGE: &str = "image";
const EFI: &str = "efi";
const AUTHENTICODE: &str = "authenticode";
const FIRMWARE: &str = "firmware";
const RELEASE: &str = "release";
const COMPONENT: &str = "component:";

impl ReferenceValues {
    /// The values of `manifest`.
    #[must_use]
    pub fn of(manifest: &ReferenceManifest) -> Self {
        let value = |(pcr, expectation): (PcrIndex, &Expectation)| match expectation {
            Expectation::Exact { value, .. } | Expectation::Recorded { value, .. } => {
                Some((pcr, *value))
            }
            Expectation::Deployment { .. } | Expectation::Waived { .. } => None,
        };
        let components = manifest.components.iter();
        Self {
            platform: manifest.platform.name.clone(),
            image: manifest.image.sha256,
            efi: manifest.efi.sha256,
            authenticode: manifest.efi.authenticode,
            firmware: manifest.platform.firmware_sha256,
            components: components.map(|part| (part.name.clone(), part.sha256)).collect(),
            pcrs: manifest.pcrs.iter().filter_map(value).collect(),
            release: manifest.release.as_ref().map(|release| release.number.0),
            valid_from: manifest.valid_from,
            valid_until: manifest.valid_until,
        }
    }

    /// The CoRIM, deterministic CBOR, under the name `id`.
    ///
    /// # Errors
    ///
    /// [`CorimError::Build`]; [`CorimError::Date`] for a time beyond the calendar.
    pub fn to_corim(&self, id: &str) -> Result<Vec<u8>, CorimError> {
        let environment = EnvironmentMap::for_class(VENDOR, self.platform.as_str());
        let triple = ReferenceTriple::new(environment, self.measurements());
        let comid = ComidBuilder::new(TagIdChoice::Text(id.to_owned()))
            .add_reference_triple(triple)
            .build()
            .map_err(CorimError::Build)?;
        let builder = CorimBuilder::new(CorimId::Text(id.to_owned()));
        let builder = builder.add_comid_tag(comid).map_err(CorimError::Build)?;
        self.dated(builder)?.build_bytes().map_err(CorimError::Build)
    }

    fn dated(&self, builder: CorimBuilder) -> Result<CorimBuilder, CorimError> {
        let date = |found: u64| i64::try_from(found).map_err(|_| CorimError::Date { found });
        let Some(until) = self.valid_until else { return Ok(builder) };
        let from = self.valid_from.map(date).transpose()?;
        builder.set_validity(from, date(until)?).map_err(CorimError::Build)
    }

    fn measurements(&self) -> Vec<MeasurementMap> {
        let files = [
            (IMAGE, self.image),
            (EFI, self.efi),
            (AUTHENTICODE, self.authenticode),
            (FIRMWARE, self.firmware),
        ];
        let files = files.map(|(key, value)| measurement(key.to_owned(), digests(value)));
        let components = self.components.iter();
        let components = components
            .map(|(name, value)| measurement(format!("{COMPONENT}{name}"), digests(*value)));
        let registers = self.pcrs.iter().map(|(pcr, value)| {
            (IntegrityRegisterId::Uint(u64::from(pcr.number())), vec![digest(*value)])
        });
        let mut registered = MeasurementValuesMap::new();
        registered.integrity_registers = Some(IntegrityRegisters(registers.collect()));
        let release = self.release.map(|number| {
            let mut values = MeasurementValuesMap::new();
            values.svn = Some(SvnChoice::ExactValue(u64::from(number)));
            measurement(RELEASE.to_owned(), values)
        });
        let pcrs = measurement(PCRS.to_owned(), registered);
        [pcrs].into_iter().chain(files).chain(components).chain(release).collect()
    }
}

fn measurement(key: String, mval: MeasurementValuesMap) -> MeasurementMap {
    MeasurementMap { mkey: Some(MeasuredElement::Text(key)), mval, authorized_by: None }
}

fn digests(value: Sha256Digest) -> MeasurementValuesMap {
    let mut values = MeasurementValuesMap::new();
    values.digests = Some(vec![digest(value)]);
    values
}

fn digest(value: Sha256Digest) -> Digest {
    Digest::new(SHA_256, value.0.to_vec())
}
