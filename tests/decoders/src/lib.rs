//! Every decoder that bytes of a stranger reach, each behind one function.
//!
//! A function takes any bytes, says whether they were decoded, and panics if a promise is broken:
//! no input may make a decoder panic, and what it accepts must be written back as it was. The fuzz
//! targets of `tests/fuzz` call these functions and nothing else; a test here plays the committed
//! corpora through them.

#![forbid(unsafe_code)]

mod answers;
mod files;
mod messages;
mod recorded;
mod structures;
mod verifier;

pub use answers::{answer, list};
pub use files::{
    certification_request, corim, endorsement_key, fat_image, kernel, replay, watch_entry,
};
pub use messages::{deployment, manifest, request, signature_file};
pub use recorded::Recorded;
pub use structures::{credential, event_log, executable, public_area, quote, signature};
pub use verifier::{certificate, evidence};

/// One function, by the name of its fuzz target and corpus.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Name of the fuzz target.
    pub name: &'static str,
    /// Decodes; true if the bytes were accepted.
    pub decode: fn(&[u8]) -> bool,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "answer", decode: answer },
    Target { name: "certificate", decode: certificate },
    Target { name: "certification_request", decode: certification_request },
    Target { name: "corim", decode: corim },
    Target { name: "credential", decode: credential },
    Target { name: "deployment", decode: deployment },
    Target { name: "endorsement_key", decode: endorsement_key },
    Target { name: "event_log", decode: event_log },
    Target { name: "evidence", decode: evidence },
    Target { name: "executable", decode: executable },
    Target { name: "fat_image", decode: fat_image },
    Target { name: "kernel", decode: kernel },
    Target { name: "list", decode: list },
    Target { name: "manifest", decode: manifest },
    Target { name: "public_area", decode: public_area },
    Target { name: "quote", decode: quote },
    Target { name: "replay", decode: replay },
    Target { name: "request", decode: request },
    Target { name: "signature", decode: signature },
    Target { name: "signature_file", decode: signature_file },
    Target { name: "watch_entry", decode: watch_entry },
];
