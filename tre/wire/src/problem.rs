//! Refusals as a peer sees them: `application/problem+json` with a stable type. `[RFC 9457]`

use alloc::string::String;

use serde::{Deserialize, Serialize};

/// Media type of [`Problem`].
pub const MEDIA_TYPE: &str = "application/problem+json";

/// A refusal.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Problem {
    /// What kind of refusal it is; programs decide by this alone.
    #[serde(rename = "type")]
    pub kind: ProblemType,
    /// HTTP status code, repeated from the status line.
    pub status: u16,
    /// What was expected and found, for people.
    pub detail: String,
}

impl Problem {
    /// A problem of `kind` with the status that belongs to it.
    #[must_use]
    pub const fn new(kind: ProblemType, detail: String) -> Self {
        Self { kind, status: kind.status(), detail }
    }
}

macro_rules! problem_types {
    ($($(#[$doc:meta])* $name:ident = $slug:literal, $status:literal;)*) => {
        /// Every kind of refusal, as `urn:tre:problem:<name>`.
        #[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
        pub enum ProblemType {
            $($(#[$doc])* #[serde(rename = $slug)] $name,)*
        }

        impl ProblemType {
            /// Every kind, in the order of this file.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The URN that stands in `type`.
            #[must_use]
            pub const fn urn(self) -> &'static str {
                match self { $(Self::$name => $slug,)* }
            }

            /// The HTTP status that goes with it.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }
        }
    };
}

problem_types! {
    /// The body is not JSON, or not the message that this call takes.
    Malformed = "urn:tre:problem:malformed", 400;
    /// The request line or a header is not acceptable HTTP/1.1.
    BadRequest = "urn:tre:problem:bad-request", 400;
    /// The call needs a client certificate and none was shown.
    Unauthenticated = "urn:tre:problem:unauthenticated", 401;
    /// The certificate's role may not make this call.
    WrongRole = "urn:tre:problem:wrong-role", 403;
    /// The certificate's key is on the revocation list in force.
    Revoked = "urn:tre:problem:revoked", 403;
    /// The peer's identity holds no such object, or none exists.
    NotFound = "urn:tre:problem:not-found", 404;
    /// The path exists, with another method.
    MethodNotAllowed = "urn:tre:problem:method-not-allowed", 405;
    /// The request did not arrive whole in time.
    Timeout = "urn:tre:problem:timeout", 408;
    /// What is asked contradicts what was fixed before.
    Conflict = "urn:tre:problem:conflict", 409;
    /// More bytes than any request has.
    TooLarge = "urn:tre:problem:too-large", 413;
    /// The body is not `application/json`.
    UnsupportedMedia = "urn:tre:problem:unsupported-media", 415;
    /// A file is not signed by the key that must sign it.
    BadSignature = "urn:tre:problem:bad-signature", 422;
    /// A number lies outside the bound that the policy or a record sets.
    OutOfBounds = "urn:tre:problem:out-of-bounds", 422;
    /// Too late: the slot, deadline or period has passed.
    TooLate = "urn:tre:problem:too-late", 422;
    /// Too early: the slot, deadline or period has not come.
    TooEarly = "urn:tre:problem:too-early", 422;
    /// The group would reveal a household: too few members, or one too large.
    PrivacyRule = "urn:tre:problem:privacy-rule", 422;
    /// A bound of this TRE is reached: nothing more of this kind fits.
    Full = "urn:tre:problem:full", 503;
    /// Too many ask for the same at once: the same works a little later, see `Retry-After`.
    Busy = "urn:tre:problem:busy", 503;
    /// The start state does not serve this call (not enrolled, or locked).
    NotServing = "urn:tre:problem:not-serving", 503;
    /// The TRE does not know what time it is: put a time token.
    NoTime = "urn:tre:problem:no-time", 503;
    /// An invariant of the TRE itself failed; the request was not carried out.
    Internal = "urn:tre:problem:internal", 500;
}
