//! The endorsement key: that a manufacturer whom the operator trusts put it into a TPM.
//!
//! [`EkRoots`] are the certificates that the operator listed; [`CertifiedEk::check`] finds the
//! certificate of the given key among those the box showed, and holds it against the profile and
//! the roots.

mod admission;
mod certificate;
mod key;
mod profile;
mod roots;

pub use admission::{Admission, Deviation, NoDeviation};
pub use certificate::{CertifiedEk, EkError};
pub use key::{EkKeyError, EkPublic};
pub use profile::{ProfileError, TpmModel};
pub use roots::{EkRoots, RootsError};
