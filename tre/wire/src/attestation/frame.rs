//! Evidence for many: encoded once, but for what one quote and one request add.

use alloc::vec::Vec;

use serde::Serialize;

use super::{Evidence, Path};
use crate::hex::HexBytes;
use crate::json::{self, JsonError};
use crate::units::UnixMillis;

/// The fields of [`Evidence`] that belong to one quote or one request.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Fresh<'a> {
    /// [`Evidence::state_epoch`].
    pub state_epoch: u64,
    /// [`Evidence::time`].
    pub time: UnixMillis,
    /// [`Evidence::attest`].
    pub attest: &'a HexBytes,
    /// [`Evidence::signature`].
    pub signature: &'a HexBytes,
    /// [`Evidence::path`].
    pub path: &'a Path,
}

impl<'a> From<&'a Evidence> for Fresh<'a> {
    fn from(evidence: &'a Evidence) -> Self {
        let Evidence { state_epoch, time, attest, signature, path, .. } = evidence;
        Self { state_epoch: *state_epoch, time: *time, attest, signature, path }
    }
}

/// Evidence, encoded but for its [`Fresh`] fields.
///
/// # Discussion
///
/// Log, certificates and PCRs are most of an answer and the same in all of them. A TRE that
/// answers thousands of verifiers with one quote copies them instead of encoding them each time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EvidenceFrame {
    /// An object without its closing brace.
    open: Vec<u8>,
}

impl EvidenceFrame {
    /// Encodes everything in `evidence` but its [`Fresh`] fields.
    ///
    /// # Errors
    ///
    /// [`JsonError::Malformed`], which evidence never causes.
    pub fn of(evidence: &Evidence) -> Result<Self, JsonError> {
        let value = |from: serde_json::Result<_>| from.map_err(JsonError::Malformed);
        let fresh = value(serde_json::to_value(Fresh::from(evidence)))?;
        let mut rest = value(serde_json::to_value(evidence))?;
        if let (Some(rest), Some(fresh)) = (rest.as_object_mut(), fresh.as_object()) {
            rest.retain(|field, _| !fresh.contains_key(field));
        }
        let mut open = json::encode(&rest)?;
        open.pop();
        Ok(Self { open })
    }

    /// The whole evidence, JSON.
    ///
    /// # Errors
    ///
    /// [`JsonError::Malformed`], which evidence never causes.
    pub fn fill(&self, fresh: &Fresh<'_>) -> Result<Vec<u8>, JsonError> {
        let fresh = json::encode(fresh)?;
        let length = self.open.len().saturating_add(fresh.len());
        let mut whole = Vec::with_capacity(length);
        whole.extend_from_slice(&self.open);
        whole.push(b',');
        whole.extend(fresh.into_iter().skip(1));
        Ok(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex::Hex32;

    const GOLDEN: &[u8] = include_bytes!("../../../../tests/vectors/v1/messages/evidence.json");

    #[test]
    fn a_frame_filled_again_is_the_evidence() {
        let evidence: Evidence = json::decode(GOLDEN).unwrap();
        let frame = EvidenceFrame::of(&evidence).unwrap();
        let filled = frame.fill(&Fresh::from(&evidence)).unwrap();
        assert_eq!(filled.len(), json::encode(&evidence).unwrap().len());
        assert_eq!(json::decode::<Evidence>(&filled).unwrap(), evidence);
    }

    #[test]
    fn a_frame_keeps_nothing_of_the_request_that_it_was_made_for() {
        let first: Evidence = json::decode(GOLDEN).unwrap();
        let second = Evidence {
            state_epoch: 8,
            time: first.time.plus(5),
            attest: HexBytes(alloc::vec![1, 2, 3]),
            signature: HexBytes(alloc::vec![4]),
            path: Path { index: 1, count: 2, siblings: alloc::vec![Hex32([5; 32])] },
            ..first.clone()
        };
        let frame = EvidenceFrame::of(&first).unwrap();
        assert_eq!(frame, EvidenceFrame::of(&second).unwrap());
        let filled = frame.fill(&Fresh::from(&second)).unwrap();
        assert_eq!(json::decode::<Evidence>(&filled).unwrap(), second);
    }
}
