//! What goes out under the document key.

use tre_wire::hex::HexBytes;
use tre_wire::message::Signed;
use tre_wire::problem::{Problem, ProblemType};

use crate::http::problem;
use crate::shared::Shared;
use crate::standing::Standing;

/// Signs what `bytes` makes of the TRE's name.
pub(super) fn sign(
    shared: &Shared,
    bytes: impl FnOnce(&str) -> Vec<u8>,
) -> Result<HexBytes, Problem> {
    let Standing::Serving(enrolled, keys) = &*shared.standing.borrow() else {
        return Err(problem(ProblemType::Internal, "a box that serves has a document key"));
    };
    let signature = keys.document.sign(&bytes(enrolled.tre_id.as_str()));
    let failed =
        |error: crate::keys::KeyError| Problem::new(ProblemType::Internal, error.to_string());
    signature.map(HexBytes).map_err(failed)
}

/// The same, beside the document that was signed.
pub(super) fn signed<T>(
    shared: &Shared,
    document: T,
    bytes: impl FnOnce(&str, &T) -> Vec<u8>,
) -> Result<Signed<T>, Problem> {
    let signature = sign(shared, |tre_id| bytes(tre_id, &document))?;
    Ok(Signed { document, signature })
}
