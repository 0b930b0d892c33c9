//! `tred`, the Trustworthy Remote Entity daemon.
//!
//! In the appliance it is PID 1 and the only program ([`appliance`]). With feature `hosted` it is
//! also a normal process on a software TPM. Either way [`serve::run`] is all that happens between
//! power-on and the first request: measure, read, unseal, seal off, listen.

#![forbid(unsafe_code)]

mod appliance;
mod bounds;
mod calls;
mod clock;
mod enrolled;
mod front;
#[cfg(feature = "hosted")]
mod hosted;
mod http;
mod keys;
mod log;
mod mark;
mod metrics;
mod owner;
mod peer;
mod places;
mod quotes;
mod random;
mod record;
mod revocations;
mod rooms;
mod routes;
mod sandbox;
mod serve;
mod server;
mod shared;
mod standing;
mod status;
mod status_key;
mod time_nonces;
mod time_tokens;
mod timekeeping;
mod tls;
mod tpm;
mod witness;

fn main() -> std::process::ExitCode {
    #[cfg(feature = "hosted")]
    if std::process::id() != 1 {
        return hosted::main();
    }
    appliance::main()
}
