//! The three ways through the stages: what is known of where evidence comes from.

use measured_boot::digest::Sha256Digest;
use tre_wire::role::Identity;

use crate::channel::View;

/// Evidence from a connection that leads to the TRE asked for.
#[derive(Debug)]
pub struct Live<'a, S> {
    pub(super) identity: &'a Identity,
    pub(super) session: S,
    pub(super) server_key: Sha256Digest,
}

/// Evidence from a connection to a box that nobody has certified.
#[derive(Debug)]
pub struct Enrolling<S> {
    pub(super) session: S,
}

/// Evidence from files: nobody knows for whom it was made.
#[derive(Debug)]
pub struct Unbound<'a> {
    pub(super) identity: &'a Identity,
}

impl<S: AsRef<View>> AsRef<View> for Live<'_, S> {
    fn as_ref(&self) -> &View {
        self.session.as_ref()
    }
}

impl<S: AsRef<View>> AsRef<View> for Enrolling<S> {
    fn as_ref(&self) -> &View {
        self.session.as_ref()
    }
}
