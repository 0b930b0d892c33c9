//! Files that prove later, to others, what a TRE signed. Nothing is kept that does not.

use tre_wire::message::Certificates;
use tre_wire::message::kept::{Content, Format, Kept};

use crate::documents::{Anchors, KeptError, check_kept};
use crate::link::{Link, LinkError};

/// Why nothing is kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeepError {
    /// The TRE does not show the chain of its document key.
    #[error(transparent)]
    Link(LinkError),
    /// What came would prove nothing.
    #[error("{0}; keep nothing of it, and tell the regulator")]
    Worthless(#[source] KeptError),
}

impl Link {
    /// Makes files of what this TRE has signed, each checked as `attest-verifier document` will.
    ///
    /// # Errors
    ///
    /// [`KeepError`], for the first that is not signed.
    pub async fn keep(&mut self, contents: Vec<Content>) -> Result<Vec<Kept>, KeepError> {
        let Certificates { document_chain } =
            self.get("/v1/certificates").await.map_err(KeepError::Link)?;
        let (tre, now) = (self.target().tre_id.clone(), self.now());
        let anchors = Anchors::from(self.target().trust.reference());
        let keep = |content| {
            let (tre, document_chain) = (tre.clone(), document_chain.clone());
            let kept = Kept { format: Format::default(), tre, document_chain, content };
            check_kept(&kept, anchors, now).map(|()| kept).map_err(KeepError::Worthless)
        };
        contents.into_iter().map(keep).collect()
    }
}
