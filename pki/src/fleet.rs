//! Certificates for a fleet: many requests in one file, issued in parts.
//!
//! Each part is made aside, on disk, then entered in the register, then given its name. The entry
//! is the moment at which the part is issued: stopped at any point and run again, every request
//! has been answered exactly once. A request that is wrong refuses the whole file beforehand.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::thread;

use measured_boot::digest::sha256;
use rcgen::SubjectPublicKeyInfo;
use rsa::rand_core::CryptoRngCore;
use tre_wire::hex::{Hex32, HexBytes};
use tre_wire::id::TrustDomain;
use tre_wire::role::Identity;
use tre_wire::units::UnixMillis;

use crate::authority::{Authority, CertifyError, Profile, Serial};
use crate::issue::MOST_DAYS;
use crate::pem;
use crate::register::{Batch, Entry, Page, Register, RegisterError};
use crate::request::{CheckedRequest, PEM_LABEL, RequestError};
use crate::validity::Validity;

/// Most requests in one part.
pub const MOST_BATCH: u32 = 4_096;

/// Most requests in one file.
pub const MOST_REQUESTS: usize = 262_144;

/// Longest file of requests. Unit: bytes. A request of ours has under 700 in PEM.
pub const REQUESTS_BYTES: u64 = 256 * 1024 * 1024;

/// Why a fleet, or the rest of it, gets no certificates.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// Not requests in PEM.
    #[error("expected PEM blocks CERTIFICATE REQUEST, found something else")]
    Pem,
    /// None, or more than one run takes.
    #[error("expected 1 to {MOST_REQUESTS} requests, found {found}; cut the file into several")]
    Count {
        /// Requests found.
        found: usize,
    },
    /// Parts of no size, or too large ones.
    #[error("expected 1 to {MOST_BATCH} requests a part, found {found}")]
    Batch {
        /// Asked for.
        found: u32,
    },
    /// The certificates are to live too long.
    #[error("expected a life of at most {MOST_DAYS} days, found {found}")]
    Days {
        /// Days asked for.
        found: u32,
    },
    /// A request is wrong.
    #[error("request {position}: {source}; nothing was issued from this file")]
    Request {
        /// Its place in the file, from 1.
        position: usize,
        /// What is wrong.
        source: RequestError,
    },
    /// Two requests for one identity.
    #[error("request {position}: expected each identity once, found {identity} again")]
    Repeated {
        /// Place of the second, from 1.
        position: usize,
        /// The identity.
        identity: Box<Identity>,
    },
    /// Two requests with one key: who revokes one identity would cut the other off, too.
    #[error("request {position}: expected a key of its own for {identity}, found another's")]
    RepeatedKey {
        /// Place of the second, from 1.
        position: usize,
        /// The identity of the second.
        identity: Box<Identity>,
    },
    /// The register refuses.
    #[error(transparent)]
    Register(RegisterError),
    /// A certificate could not be made.
    #[error(transparent)]
    Certify(CertifyError),
    /// Another run is writing to the folder.
    #[error("expected to be alone in {path}, found another run at work", path = path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// A folder that stands in the way.
    #[error(
        "expected no {path}, found one that is not of this file of requests; choose another \
         folder", path = path.display()
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
    },
    /// A part that was issued and is nowhere to be found.
    #[error(
        "expected the issued certificates in {path}, found nothing; give the folder of the first \
         run, or revoke them", path = path.display()
    )]
    Lost {
        /// Where the part was made.
        path: PathBuf,
    },
    /// A file or folder cannot be written.
    #[error("cannot write {path}: {source}", path = path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A thread of this program ended by itself.
    #[error("a worker ended unexpectedly; nothing of the part it was at was issued")]
    Worker,
}

/// Who issues to a fleet, and where to.
#[derive(Debug)]
pub struct Fleet<'a> {
    /// Certifies.
    pub authority: &'a Authority,
    /// The domain that the identities are of.
    pub trust_domain: &'a TrustDomain,
    /// Where the certificates go: one folder a part, one file an identity.
    pub out: &'a Path,
    /// Life of the certificates.
    pub validity: Validity,
    /// The present.
    pub now: UnixMillis,
    /// Requests in one part.
    pub batch: u32,
}

/// How far a run is. Unit of both: requests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Progress {
    /// Answered, also by earlier runs.
    pub done: usize,
    /// In the file.
    pub all: usize,
}

impl Fleet<'_> {
    /// Issues to every request in `file` (PEM) that has not been answered, and tells after each
    /// part how far it is.
    ///
    /// # Errors
    ///
    /// [`FleetError`]; the parts that were told stay issued.
    pub fn issue(
        &self,
        file: &[u8],
        register: &mut Register,
        random: &mut dyn CryptoRngCore,
        mut tell: impl FnMut(Progress),
    ) -> Result<Progress, FleetError> {
        if self.batch == 0 || self.batch > MOST_BATCH {
            return Err(FleetError::Batch { found: self.batch });
        }
        if self.validity.days() > MOST_DAYS {
            return Err(FleetError::Days { found: self.validity.days() });
        }
        let requests = self.read(file)?;
        let requests_sha256 = Hex32(sha256(file).0);
        let _lock = self.lock()?;
        let mut progress = Progress { done: 0, all: requests.len() };
        let size = usize::try_from(self.batch).unwrap_or(1);
        let parts = (1_u32..).map(|number| Batch { requests_sha256, number });
        let parts: Vec<_> = parts.zip(requests.chunks(size)).collect();
        // What is taken already is found before anything more is issued.
        let open = parts.iter().filter(|(batch, _)| !register.has(batch));
        for request in open.flat_map(|(_, part)| *part) {
            register
                .check_free(request.identity(), self.now)
                .and_then(|()| register.check_key(request.identity(), key_of(request)))
                .map_err(FleetError::Register)?;
        }
        for (batch, part) in parts {
            self.part(batch, part, register, random)?;
            progress.done = progress.done.saturating_add(part.len());
            tell(progress);
        }
        Ok(progress)
    }

    /// Reads and checks every request.
    fn read(&self, file: &[u8]) -> Result<Vec<CheckedRequest>, FleetError> {
        let blocks = ::pem::parse_many(file).map_err(|_| FleetError::Pem)?;
        let found = blocks.len();
        if found == 0 || found > MOST_REQUESTS {
            return Err(FleetError::Count { found });
        }
        let numbered: Vec<_> = (1_usize..).zip(&blocks).collect();
        let requests = in_parallel(&numbered, |(position, block)| {
            if block.tag() != PEM_LABEL {
                return Err(FleetError::Pem);
            }
            CheckedRequest::from_der(block.contents(), self.trust_domain)
                .map_err(|source| FleetError::Request { position: *position, source })
        })?;
        let (mut seen, mut keys) = (BTreeSet::new(), BTreeSet::new());
        for (position, request) in (1_usize..).zip(&requests) {
            let identity = || Box::new(request.identity().clone());
            if !seen.insert(request.identity()) {
                return Err(FleetError::Repeated { position, identity: identity() });
            }
            if !keys.insert(key_of(request)) {
                return Err(FleetError::RepeatedKey { position, identity: identity() });
            }
        }
        Ok(requests)
    }

    /// One run at a time writes to the folder; the lock goes with the process.
    fn lock(&self) -> Result<File, FleetError> {
        let failed = |source| FleetError::Write { path: self.out.to_path_buf(), source };
        fs::create_dir_all(self.out).map_err(failed)?;
        let folder = File::open(self.out).map_err(failed)?;
        match folder.try_lock() {
            Ok(()) => Ok(folder),
            Err(fs::TryLockError::WouldBlock) => {
                Err(FleetError::Busy { path: self.out.to_path_buf() })
            }
            Err(fs::TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// Issues one part, or finishes what a stopped run began.
    fn part(
        &self,
        batch: Batch,
        requests: &[CheckedRequest],
        register: &mut Register,
        random: &mut dyn CryptoRngCore,
    ) -> Result<(), FleetError> {
        let path = self.out.join(format!("{:06}", batch.number));
        let draft = self.out.join(format!(".draft-{:06}", batch.number));
        let there = |path: &Path| path.symlink_metadata().is_ok();
        match (register.has(&batch), there(&path), there(&draft)) {
            (true, true, _) => return Ok(()),
            (true, false, true) => {}
            (true, false, false) => return Err(FleetError::Lost { path }),
            (false, true, _) => return Err(FleetError::Foreign { path }),
            (false, false, stale) => {
                if stale {
                    fs::remove_dir_all(&draft).map_err(|source| failed(&draft, source))?;
                }
                let issued = self.make(requests, &draft, random)?;
                let (issued_at, batch) = (self.now, Some(batch));
                let page = Page { format: 1, issued_at, batch, issued };
                register.write(page).map_err(FleetError::Register)?;
            }
        }
        fs::rename(&draft, &path).map_err(|source| failed(&path, source))?;
        File::open(self.out)
            .and_then(|folder| folder.sync_all())
            .map_err(|source| failed(self.out, source))
    }

    /// Makes the certificates of one part in the new folder `draft`, on disk when it returns.
    fn make(
        &self,
        requests: &[CheckedRequest],
        draft: &Path,
        random: &mut dyn CryptoRngCore,
    ) -> Result<Vec<Entry>, FleetError> {
        fs::create_dir(draft).map_err(|source| failed(draft, source))?;
        let mut numbered = Vec::with_capacity(requests.len());
        for request in requests {
            numbered.push((Serial::draw(random).map_err(FleetError::Certify)?, request));
        }
        let authority = pem::certificate(self.authority.certificate());
        let entries = in_parallel(&numbered, |(serial, request)| {
            let spki = request.spki();
            let identity = request.identity();
            let leaf = SubjectPublicKeyInfo::from_der(&spki)
                .map_err(CertifyError::Make)
                .and_then(|key| {
                    let profile = Profile::RoleClient;
                    self.authority.certify_as(profile, identity, &key, self.validity, serial)
                })
                .map_err(FleetError::Certify)?;
            // The alphabet of ids has no separator and no leading dot.
            let path = draft.join(format!("{}-{}.pem", identity.role, identity.id));
            let text = [pem::certificate(&leaf), authority.clone()].concat();
            File::create_new(&path)
                .and_then(|mut file| file.write_all(text.as_bytes()))
                .map_err(|source| failed(&path, source))?;
            Ok(Entry {
                identity: identity.clone(),
                spki_sha256: key_of(request),
                serial: HexBytes(serial.as_bytes().to_vec()),
                until: self.validity.ends(),
            })
        })?;
        // One call for all files of the part: thousands of single ones would take most of the time.
        File::open(draft)
            .and_then(|folder| Ok(rustix::fs::syncfs(folder.as_fd())?))
            .map_err(|source| failed(draft, source))?;
        Ok(entries)
    }
}

/// SHA-256 of the key that is asked for.
fn key_of(request: &CheckedRequest) -> Hex32 {
    Hex32(sha256(&request.spki()).0)
}

fn failed(path: &Path, source: std::io::Error) -> FleetError {
    FleetError::Write { path: path.to_path_buf(), source }
}

/// `work` on every item, on every core, the results in the order of the items.
fn in_parallel<I: Sync, O: Send>(
    items: &[I],
    work: impl Fn(&I) -> Result<O, FleetError> + Sync,
) -> Result<Vec<O>, FleetError> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let share = items.len().div_ceil(cores).max(1);
    thread::scope(|scope| {
        let work = &work;
        let workers: Vec<_> = items
            .chunks(share)
            .map(|some| scope.spawn(move || some.iter().map(work).collect::<Result<Vec<_>, _>>()))
            .collect();
        let mut done = Vec::with_capacity(items.len());
        for worker in workers {
            done.extend(worker.join().map_err(|_| FleetError::Worker)??);
        }
        Ok(done)
    })
}
