//! Verifies a Trustworthy Remote Entity, and speaks to it only once it is proven.
//!
//! [`AttestedConnection::connect`] is the way to a TRE: it exists only after the box has shown, on
//! that connection, a fresh quote over exactly the reference measurements. [`examine`] tells
//! people check by check what a box shows. Time is the caller's; the nonce is made, kept and
//! consumed here.
//!
//! ```no_run
//! use std::path::{Path, PathBuf};
//!
//! use attest_verifier::core::wire::message::Health;
//! use attest_verifier::core::wire::units::UnixMillis;
//! use attest_verifier::{AttestedConnection, ClientIdentity, Trust};
//!
//! # async fn example(now: UnixMillis) -> Result<(), Box<dyn core::error::Error>> {
//! // What the TRE must be: the deployment file and a reference manifest, as they lie; beside it
//! // lies manifest.json.sig, made with the release key.
//! let manifests = [PathBuf::from("manifest.json")];
//! let release_key = Path::new("release.pem");
//! let trust = Trust::load(Path::new("deployment.json"), &manifests, release_key)?;
//! // Who we are. It is shown to nobody but the TRE that has proven itself.
//! let meter = ClientIdentity::load(Path::new("meter-1.pem"))?;
//! let tre_id = "tre-1".parse()?;
//!
//! // Whoever else answers at this address gets a nonce and nothing more.
//! let mut tre =
//!     AttestedConnection::connect("127.0.0.1:8443", &tre_id, &trust, Some(&meter), now).await?;
//! let health: Health = tre.get("/v1/health").await?;
//! assert_eq!(health.tre_id, tre.attested().identity().id.as_str());
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod bounds;
mod connection;
pub mod corim;
mod error;
mod examine;
mod explain;
mod export;
mod fat;
mod file;
mod http;
mod identity;
mod image;
mod replay;
mod tls;
mod trust;

pub use attest_verifier_core as core;
pub use connection::{Answer, AnyKeyConnection, AttestedConnection};
pub use error::{AttestError, ConnectError, RequestError};
pub use examine::{Examination, examine};
pub use explain::{Explanation, Finding, explain};
pub use export::{
    ExportError, ImportError, export, load_evidence, read_corim, read_log, read_manifest_file,
};
pub use fat::FatError;
pub use file::FileError;
pub use http::Response;
pub use hyper::Method;
pub use identity::{ClientIdentity, IdentityError, Origin};
pub use image::{DecompressError, ImageError, ImageFinding, compare_image};
pub use replay::{Mismatch, ReplayError, Replayed, ReplayedBank, replay};
pub use tls::ElsewhereError;
pub use trust::{Trust, TrustError, load_release_key, signature_path};
