//! Verifies a Trustworthy Remote Entity, and speaks to it only once it is proven.
//!
//! [`AttestedStream::connect`] is the way to a TRE: it exists only after the box has shown, on
//! that connection, a fresh quote over exactly the reference measurements. With an identity it
//! connects twice: the first connection is attested without it; on the second the attested key is
//! enforced inside the certificate verifier, before our certificate goes out, and it is attested
//! again. [`examine`] tells people check by check what a box shows. Time is the caller's; the nonce
//! is made, kept and consumed here.
//!
//! ```no_run
//! use std::path::{Path, PathBuf};
//!
//! use attest_verifier::core::wire::message::Health;
//! use attest_verifier::core::wire::units::UnixMillis;
//! use attest_verifier::{AttestedStream, ClientIdentity, Trust};
//! use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
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
//! let address = "127.0.0.1:8443";
//! let mut tre = AttestedStream::connect(address, &tre_id, &trust, Some(&meter), now).await?;
//! assert_eq!(tre.attested().identity().id, tre_id);
//!
//! // It is a stream of bytes like any other...
//! tre.write_all(b"GET /v1/health HTTP/1.1\r\nhost: tre-1\r\n\r\n").await?;
//! tre.flush().await?;
//! let mut status = [0; 12];
//! tre.read_exact(&mut status).await?;
//! assert_eq!(&status, b"HTTP/1.1 200");
//!
//! // ...and carries typed requests, on a connection that has nothing left to read.
//! let tre = AttestedStream::connect(address, &tre_id, &trust, Some(&meter), now).await?;
//! let mut tre = tre.into_http().await?;
//! let health: Health = tre.get("/v1/health").await?;
//! assert_eq!(health.tre_id, tre_id.as_str());
//!
//! // A connection that is kept is attested again from time to time.
//! let mut tre = tre.attest_again(&trust, now).await?;
//! let _health: Health = tre.get("/v1/health").await?;
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod bounds;
mod connection;
pub mod corim;
mod denylists;
mod dial;
mod error;
mod examine;
mod explain;
mod export;
mod fat;
mod file;
mod http;
mod identity;
mod image;
mod memory;
mod proxy;
mod replay;
mod revocations;
mod stream;
mod tls;
mod token;
mod trust;
pub mod watch;

pub use attest_verifier_core as core;
pub use connection::{Answer, AnyKeyConnection, AttestedConnection};
pub use denylists::DenyListFiles;
pub use error::{AttestError, ConnectError, RequestError};
pub use examine::{Examination, StoredExamination, examine, examine_stored};
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
pub use memory::{Damage, Memory, MemoryError};
pub use proxy::{Proxy, ProxyError, Told, Upstream};
pub use replay::{Mismatch, ReplayError, Replayed, ReplayedBank, replay};
pub use revocations::{RevocationFiles, SeenError};
pub use stream::AttestedStream;
pub use tls::ElsewhereError;
pub use token::{TokenError, TokenKey};
pub use trust::{Trust, TrustError, load_release_key, signature_path};
