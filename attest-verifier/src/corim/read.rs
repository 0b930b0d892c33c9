//! A CoRIM of ours back into values: everything in it is known, or it is refused.

use std::collections::BTreeMap;

use attest_verifier_core::measured_boot::digest::Sha256Digest;
use attest_verifier_core::measured_boot::pcr::PcrIndex;
use corim::cbor::DecodeLimits;
use corim::error::{BuilderError, ValidationError};
use corim::types::common::{MeasuredElement, ValidityMap};
use corim::types::corim::CorimId;
use corim::types::measurement::{
    Digest, IntegrityRegisterId, MeasurementMap, MeasurementValuesMap, SvnChoice,
};
use corim::types::triples::ReferenceTriple;
use corim::validate::decode_and_validate_structure_with_limits;

use super::{
    AUTHENTICODE, COMPONENT, EFI, FIRMWARE, IMAGE, PCRS, RELEASE, ReferenceValues, SHA_256, VENDOR,
};
use crate::bounds;

/// Why values and CoRIM do not become each other.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CorimError {
    /// The CoRIM library does not write these values.
    #[error("cannot write the CoRIM: {0}")]
    Build(#[source] BuilderError),
    /// A time that no CoRIM states.
    #[error("expected a second that a CoRIM can state, found {found}")]
    Date {
        /// The second found, since 1970.
        found: u64,
    },
    /// Not CBOR, or no unsigned CoRIM.
    #[error("expected an unsigned CoRIM: {0}")]
    Decode(#[source] ValidationError),
    /// Our values, and something beside them, or in another encoding.
    #[error("expected what `corim export` writes of these values alone, found more")]
    More,
    /// Not one CoMID with one reference-values triple and nothing else.
    #[error("expected one CoMID with one reference-values triple, found another structure")]
    Structure,
    /// About machines of somebody else's.
    #[error("expected an environment of vendor {VENDOR:?} with a model, found another")]
    Environment,
    /// A date before 1970.
    #[error("expected a date after 1970, found second {found}")]
    Before1970 {
        /// The second found.
        found: i64,
    },
    /// A measurement without a name.
    #[error("expected every measurement under a text key, found one without")]
    Key,
    /// A measurement that our CoRIMs do not have.
    #[error("expected a measurement that `corim export` writes, found {key:?}")]
    Unknown {
        /// Its key.
        key: String,
    },
    /// A measurement twice.
    #[error("expected measurement {key:?} once, found it again")]
    Repeated {
        /// Its key.
        key: String,
    },
    /// A measurement is missing.
    #[error("expected measurement {key:?}, found none")]
    Missing {
        /// Its key.
        key: &'static str,
    },
    /// A measurement with other values than its kind has, or more.
    #[error("measurement {key:?}: expected {expected} alone, found another value")]
    Value {
        /// Its key.
        key: String,
        /// What it should have.
        expected: &'static str,
    },
}

impl ReferenceValues {
    /// The values in a CoRIM that [`Self::to_corim`] wrote. Dates are read, not judged.
    ///
    /// # Errors
    ///
    /// [`CorimError`].
    pub fn from_corim(bytes: &[u8]) -> Result<Self, CorimError> {
        let mut limits = DecodeLimits::default();
        limits.max_input_bytes = bounds::CORIM_BYTES;
        let decoded = decode_and_validate_structure_with_limits(bytes, &limits)
            .map_err(CorimError::Decode)?;
        let ([comid], 1) = (decoded.comids.as_slice(), decoded.corim.tags.len()) else {
            return Err(CorimError::Structure);
        };
        let triples = comid.triples.reference_triples.as_deref();
        let Some([ReferenceTriple(environment, measurements)]) = triples else {
            return Err(CorimError::Structure);
        };
        let CorimId::Text(id) = &decoded.corim.id else { return Err(CorimError::Structure) };
        let class = environment.class.as_ref().filter(|_| environment.instance.is_none());
        let class = class.filter(|class| class.vendor.as_deref() == Some(VENDOR));
        let platform = class.and_then(|class| class.model.clone());
        let platform = platform.ok_or(CorimError::Environment)?;
        let (valid_from, valid_until) = dates(decoded.corim.rim_validity.as_ref())?;
        let values = Measurements::collect(measurements)?;
        let values = values.into_values(platform, valid_from, valid_until)?;
        // Other triples, tags, entities, profiles: whatever else it says is not of ours.
        match values.to_corim(id)? == bytes {
            true => Ok(values),
            false => Err(CorimError::More),
        }
    }
}

/// Measurements by their keys, each to be taken once.
struct Measurements(BTreeMap<String, MeasurementValuesMap>);

impl Measurements {
    fn collect(list: &[MeasurementMap]) -> Result<Self, CorimError> {
        let mut all = BTreeMap::new();
        for MeasurementMap { mkey, mval, authorized_by } in list {
            let (Some(MeasuredElement::Text(key)), None) = (mkey, authorized_by) else {
                return Err(CorimError::Key);
            };
            if all.insert(key.clone(), mval.clone()).is_some() {
                return Err(CorimError::Repeated { key: key.clone() });
            }
        }
        Ok(Self(all))
    }

    fn into_values(
        mut self,
        platform: String,
        valid_from: Option<u64>,
        valid_until: Option<u64>,
    ) -> Result<ReferenceValues, CorimError> {
        let pcrs = registers(self.take(PCRS)?)?;
        let mut file = |key: &'static str| one_digest(key, self.take(key)?);
        let (image, efi) = (file(IMAGE)?, file(EFI)?);
        let (authenticode, firmware) = (file(AUTHENTICODE)?, file(FIRMWARE)?);
        let release = self.0.remove(RELEASE).map(number).transpose()?;
        let mut components = BTreeMap::new();
        for (key, values) in self.0 {
            let Some(name) = key.strip_prefix(COMPONENT) else {
                return Err(CorimError::Unknown { key });
            };
            components.insert(name.to_owned(), one_digest(&key, values)?);
        }
        Ok(ReferenceValues {
            platform,
            image,
            efi,
            authenticode,
            firmware,
            components,
            pcrs,
            release,
            valid_from,
            valid_until,
        })
    }

    fn take(&mut self, key: &'static str) -> Result<MeasurementValuesMap, CorimError> {
        self.0.remove(key).ok_or(CorimError::Missing { key })
    }
}

fn dates(validity: Option<&ValidityMap>) -> Result<(Option<u64>, Option<u64>), CorimError> {
    let second = |found: i64| u64::try_from(found).map_err(|_| CorimError::Before1970 { found });
    let Some(ValidityMap { not_before, not_after }) = validity else { return Ok((None, None)) };
    let from = not_before.map(|from| second(from.epoch_secs())).transpose()?;
    Ok((from, Some(second(not_after.epoch_secs())?)))
}

fn registers(values: MeasurementValuesMap) -> Result<BTreeMap<PcrIndex, Sha256Digest>, CorimError> {
    let wrong =
        || CorimError::Value { key: PCRS.to_owned(), expected: "SHA-256 registers 0 to 23" };
    let mut rest = values;
    let registers = rest.integrity_registers.take().ok_or_else(wrong)?;
    if rest != MeasurementValuesMap::new() {
        return Err(wrong());
    }
    let mut pcrs = BTreeMap::new();
    for (id, digests) in &registers.0 {
        let IntegrityRegisterId::Uint(number) = id else { return Err(wrong()) };
        let pcr = u8::try_from(*number).ok().and_then(PcrIndex::new).ok_or_else(wrong)?;
        pcrs.insert(pcr, sha256_alone(digests).ok_or_else(wrong)?);
    }
    Ok(pcrs)
}

fn one_digest(key: &str, values: MeasurementValuesMap) -> Result<Sha256Digest, CorimError> {
    let wrong = || CorimError::Value { key: key.to_owned(), expected: "one SHA-256 digest" };
    let mut rest = values;
    let digests = rest.digests.take().ok_or_else(wrong)?;
    if rest != MeasurementValuesMap::new() {
        return Err(wrong());
    }
    sha256_alone(&digests).ok_or_else(wrong)
}

fn number(values: MeasurementValuesMap) -> Result<u32, CorimError> {
    let wrong = || CorimError::Value { key: RELEASE.to_owned(), expected: "one release number" };
    let mut rest = values;
    let svn = rest.svn.take();
    match svn {
        Some(SvnChoice::ExactValue(number)) if rest == MeasurementValuesMap::new() => {
            u32::try_from(number).map_err(|_| wrong())
        }
        _ => Err(wrong()),
    }
}

/// The digest of a list that has just this one.
fn sha256_alone(digests: &[Digest]) -> Option<Sha256Digest> {
    let [digest] = digests else { return None };
    if digest.alg().as_int() != Some(SHA_256) {
        return None;
    }
    digest.value().try_into().ok().map(Sha256Digest)
}
