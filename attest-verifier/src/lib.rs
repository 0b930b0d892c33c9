//! Verifies a Trustworthy Remote Entity, and speaks to it only once it is proven.
//!
//! [`AttestedConnection::connect`] is the way to a TRE: it exists only after the box has shown, on
//! that connection, a fresh quote over exactly the reference measurements. [`examine`] tells
//! people check by check what a box shows. Time is the caller's; the nonce is made, kept and
//! consumed here.

#![forbid(unsafe_code)]

mod bounds;
mod connection;
mod error;
mod examine;
mod export;
mod fat;
mod file;
mod http;
mod identity;
mod image;
mod tls;
mod trust;

pub use attest_verifier_core as core;
pub use connection::{Answer, AnyKeyConnection, AttestedConnection};
pub use error::{AttestError, ConnectError, RequestError};
pub use examine::{Examination, examine};
pub use export::{ExportError, export};
pub use fat::FatError;
pub use file::FileError;
pub use http::Response;
pub use hyper::Method;
pub use identity::{ClientIdentity, IdentityError, Origin};
pub use image::{DecompressError, ImageError, ImageFinding, compare_image};
pub use tls::ElsewhereError;
pub use trust::{Trust, TrustError};
