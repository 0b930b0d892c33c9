//! The package from outside: its certificates before tools and libraries that others wrote, its
//! credentials before a software TPM, its program on the command line.

#![forbid(unsafe_code)]

#[cfg(test)]
mod admission;
#[cfg(test)]
mod ceremony;
#[cfg(test)]
mod certificates;
#[cfg(test)]
mod command_line;
#[cfg(test)]
mod credential;
#[cfg(test)]
mod denylists;
#[cfg(test)]
mod ek;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod fleet;
#[cfg(test)]
mod journeys;
#[cfg(test)]
mod key_file;
#[cfg(test)]
mod lint;
#[cfg(test)]
mod offer;
#[cfg(test)]
mod others;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod release;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod revocations;
#[cfg(test)]
mod time_tokens;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod tpm;
