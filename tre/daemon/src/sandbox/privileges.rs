//! Gives up what the process could do because of who it is.
//!
//! PID 1 starts with every capability. Once its devices are open it is nobody, with one left: to
//! power off, for a box that cannot start must not start again and again. That one goes when it
//! serves. From then on its end is the kernel's: without PID 1 it panics, restarts the machine,
//! and everything is measured anew.

use rustix::fs::{Gid, Uid};
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Resource, Rlimit};
use rustix::process::{set_dumpable_behavior, setrlimit};
use rustix::thread::{CapabilitiesSecureBits, CapabilitySet, CapabilitySets};
use rustix::thread::{
    clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
    set_capabilities_secure_bits, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};
use thiserror::Error;

use super::{Place, stands};
use crate::bounds;

/// What could not be given up.
#[derive(Clone, Copy, Debug, Error)]
#[error("{step}: {cause}")]
pub(crate) struct PrivilegeError {
    /// What was being done.
    step: &'static str,
    /// The kernel's answer.
    cause: Errno,
}

/// Nobody: owns no file and no other process.
const NOBODY: u32 = 65_534;

/// Being root, keeping capabilities over a change of user and inheriting them: off, and locked.
const SECURE_BITS: CapabilitiesSecureBits = CapabilitiesSecureBits::NO_ROOT
    .union(CapabilitiesSecureBits::NO_ROOT_LOCKED)
    .union(CapabilitiesSecureBits::NO_SETUID_FIXUP)
    .union(CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED)
    .union(CapabilitiesSecureBits::KEEP_CAPS_LOCKED)
    .union(CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE)
    .union(CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED);

/// Gives up everything but the capability to power off.
pub(super) fn give_up(place: Place) -> Result<(), PrivilegeError> {
    limit(Resource::Core, 0, "limiting core dumps")?;
    limit(Resource::Nofile, bounds::DESCRIPTORS, "limiting descriptors")?;
    clear_ambient_capability_set().map_err(failed("emptying the ambient set"))?;
    match empty_and_lock() {
        Ok(()) => stands("empty bounding set, locked secure bits"),
        // A normal process of a normal user has nothing to empty, and may not lock.
        #[cfg(feature = "hosted")]
        Err(PrivilegeError { cause: Errno::PERM, .. }) if place == Place::Hosted => {
            let reason = "only root can have them";
            super::stands_not("empty bounding set, locked secure bits", reason);
        }
        Err(error) => return Err(error),
    }
    match place {
        Place::Appliance => {
            be_nobody()?;
            keep(CapabilitySet::SYS_BOOT)?;
            stands(&format!("user {NOBODY}, no capability but to power off"));
        }
        #[cfg(feature = "hosted")]
        Place::Hosted => {
            keep(CapabilitySet::empty())?;
            stands("no capability");
        }
    }
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(failed("refusing dumps"))?;
    stands(&format!("no core dump, no debugger, at most {} descriptors", bounds::DESCRIPTORS));
    Ok(())
}

/// Gives up the last capability of the calling thread: each has its own.
pub(super) fn give_up_last() -> Result<(), PrivilegeError> {
    keep(CapabilitySet::empty())
}

/// No thread and no process starts any more.
pub(super) fn start_no_thread() -> Result<(), PrivilegeError> {
    limit(Resource::Nproc, 0, "limiting threads")
}

/// Nothing that happens later brings a capability back.
fn empty_and_lock() -> Result<(), PrivilegeError> {
    for number in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        match remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // The kernel knows no more.
            Err(Errno::INVAL) => break,
            Err(cause) => return Err(failed("emptying the bounding set")(cause)),
        }
    }
    set_capabilities_secure_bits(SECURE_BITS).map_err(failed("locking the secure bits"))
}

/// While there is one thread: user and groups are each thread's own.
fn be_nobody() -> Result<(), PrivilegeError> {
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    set_thread_groups(&[]).map_err(failed("leaving root's groups"))?;
    set_thread_res_gid(group, group, group).map_err(failed("leaving root's group"))?;
    set_thread_res_uid(user, user, user).map_err(failed("being root no longer"))
}

fn keep(kept: CapabilitySet) -> Result<(), PrivilegeError> {
    let inheritable = CapabilitySet::empty();
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable };
    set_capabilities(None, sets).map_err(failed("giving up capabilities"))
}

fn limit(resource: Resource, most: u64, step: &'static str) -> Result<(), PrivilegeError> {
    let limit = Rlimit { current: Some(most), maximum: Some(most) };
    setrlimit(resource, limit).map_err(failed(step))
}

fn failed(step: &'static str) -> impl FnOnce(Errno) -> PrivilegeError {
    move |cause| PrivilegeError { step, cause }
}
