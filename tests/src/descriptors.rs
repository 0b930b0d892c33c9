//! File descriptors for a crowd: each connection takes one.

use anyhow::{Context as _, Result};
use rustix::process::{Resource, getrlimit, setrlimit};

/// What a process has open besides its connections.
const OTHERS: u64 = 256;

/// What `tred` says of its own limit: its connections, and what it has open besides.
pub const LIMIT_OF_TRED: &str = "no core dump, no debugger, at most 8384 descriptors";

/// Lets this process have `connections` open at once, and whatever it starts, too.
///
/// # Errors
///
/// When the system allows fewer.
pub fn allow(connections: usize) -> Result<()> {
    let wanted = u64::try_from(connections)?.saturating_add(OTHERS);
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    limit.current = Some(wanted);
    // Only who administers the system may go beyond the maximum.
    limit.maximum = limit.maximum.map(|most| most.max(wanted));
    setrlimit(Resource::Nofile, limit).with_context(|| {
        format!("expected {wanted} file descriptors: raise the limit, or ask for fewer connections")
    })
}
