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
#![doc = include_str!("../examples/health.rs")]
//! ```

#![forbid(unsafe_code)]

mod bounds;
mod connection;
pub mod corim;
mod dial;
pub mod document;
mod error;
mod examine;
mod explain;
mod export;
mod fat;
mod fetch;
mod file;
mod http;
mod identity;
mod image;
mod keep;
mod lists;
mod memory;
mod proxy;
mod replay;
mod signed_file;
mod sources;
mod stream;
mod tls;
mod token;
mod trust;
pub mod watch;

pub use attest_verifier_core as core;
pub use bounds::RELOAD;
pub use connection::{Answer, AnyKeyConnection, AttestedConnection};
pub use error::{AttestError, ConnectError, RequestError, what_to_do};
pub use examine::{Examination, StoredExamination, examine, examine_stored};
pub use explain::{Explanation, Finding, explain};
pub use export::{
    ExportError, ImportError, export, load_evidence, read_corim, read_log, read_manifest_file,
};
pub use fat::{FatError, boot_file};
pub use fetch::{FetchError, ListPlace, ListUrl, PlaceError};
pub use file::{FileError, read as read_file};
pub use http::Response;
pub use hyper::Method;
pub use identity::{ClientIdentity, IdentityError, Origin};
pub use image::{DecompressError, ImageError, ImageFinding, compare_image};
pub use keep::KeepError;
pub use lists::{
    DenyListFiles, ListKind, ListRefusal, RevocationFiles, SeenError, load_status_key,
};
pub use memory::{Damage, Memory, MemoryError};
pub use proxy::{Proxy, ProxyError, Told, Upstream};
pub use replay::{Mismatch, ReplayError, Replayed, ReplayedBank, replay};
pub use signed_file::{SignedFile, signature_path};
pub use sources::{Keys, Lists, Loaded, ReferenceFiles, Sources};
pub use stream::AttestedStream;
pub use tls::ElsewhereError;
pub use token::{TokenError, TokenKey};
pub use trust::{Trust, TrustError, load_release_key};
