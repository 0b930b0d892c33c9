//! One enrolled TRE for all tests of a group; it ends with the process.

use std::path::PathBuf;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, OnceLock};
use std::thread;

use anyhow::Result;
use attest_verifier::{AnyKeyConnection, ClientIdentity, Method};
use tre_tests::domain::TestDomain;
use tre_tests::enrolled::Enrolled;
use tre_tests::trust::Reference;
use tre_wire::problem::{MEDIA_TYPE, Problem, ProblemType};
use tre_wire::role::Role;

/// An enrolled TRE, and whoever talks to it.
#[derive(Debug)]
pub(crate) struct Box {
    pub(crate) domain: TestDomain,
    pub(crate) address: String,
    /// Process id of `tred`.
    pub(crate) id: u32,
    pub(crate) reference: Reference,
}

/// The TRE that all tests share which leave it as it is.
pub(crate) fn shared() -> &'static Box {
    static SHARED: OnceLock<Arc<Box>> = OnceLock::new();
    SHARED.get_or_init(|| Arc::new(start()))
}

/// Starts a TRE on a thread of its own, which holds it until the process ends.
pub(crate) fn start() -> Box {
    let (ready, wait) = sync_channel(1);
    thread::spawn(move || {
        let (found, running) = make().expect("an enrolled TRE");
        ready.send(found).expect("a waiting test");
        // `running` lives as long as this thread, and the thread as long as the process.
        let _running = running;
        loop {
            thread::park();
        }
    });
    wait.recv().expect("a started TRE")
}

fn make() -> Result<(Box, tre_tests::hosted::Hosted)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let Enrolled { domain, reference, hosted, .. } = runtime.block_on(Enrolled::make())?;
    let (address, id) = (hosted.address().to_string(), hosted.id());
    Ok((Box { domain, address, id, reference }, hosted))
}

impl Box {
    /// The credential file of one peer.
    pub(crate) fn credential(&self, role: Role, id: &str) -> PathBuf {
        self.domain.credential(role, id).expect("a credential")
    }

    /// Sends one request as `role`, or as nobody.
    pub(crate) async fn ask(
        &self,
        role: Option<Role>,
        method: Method,
        path: &str,
        body: Option<&str>,
    ) -> attest_verifier::Response {
        let credential = role.map(|role| self.credential(role, "one"));
        let identity = credential.map(|path| ClientIdentity::load(&path).expect("readable"));
        let connection = AnyKeyConnection::open(&self.address, identity.as_ref()).await;
        let body = body.map(|body| body.as_bytes().to_vec());
        connection.expect("a connection").request(method, path, body).await.expect("an answer")
    }

    /// The registrar's whole view: what a refused request must leave alone.
    pub(crate) async fn state(&self) -> Vec<u8> {
        let path = "/v1/connections";
        let answer = self.ask(Some(Role::Registrar), Method::GET, path, None).await;
        assert_eq!(answer.status, 200);
        answer.body
    }

    /// Sends one request and expects it refused with `kind`, and nothing changed.
    pub(crate) async fn refuses(
        &self,
        role: Option<Role>,
        method: Method,
        path: &str,
        body: Option<&str>,
        kind: ProblemType,
    ) {
        let before = self.state().await;
        let answer = self.ask(role, method, path, body).await;
        let problem: Problem = serde_json::from_slice(&answer.body).expect("a problem");
        assert_eq!((problem.kind, answer.status), (kind, kind.status()), "{}", problem.detail);
        assert_eq!(answer.media_type, MEDIA_TYPE);
        assert_eq!(self.state().await, before);
    }
}
