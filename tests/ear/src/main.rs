//! Reads an attestation result as a relying party would that has never heard of this project.
//!
//! The token, its signature and its life are `jsonwebtoken`'s to check, the claims those of the
//! crate `ear`, which takes no claim that it does not know and writes down what it has understood.
//!
//! Exit code 0: read; the claims stand on the output. 1: refused. 2: wrong usage.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fs;
use std::process::ExitCode;

use ear::Ear;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [token, key] = arguments.as_slice() else {
        eprintln!("expected TOKEN PUBLIC_KEY.pem");
        return ExitCode::from(2);
    };
    match read(token, key) {
        Ok(claims) => {
            println!("{claims}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("tre-ear: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Verifies the token in one file with the public key in the other.
fn read(token: &str, key: &str) -> Result<String, Box<dyn Error>> {
    let key = DecodingKey::from_ec_pem(&fs::read(key)?)?;
    let token = fs::read_to_string(token)?;
    let read = jsonwebtoken::decode::<Ear>(token.trim(), &key, &Validation::new(Algorithm::ES256))?;
    read.claims.validate()?;
    Ok(serde_json::to_string(&read.claims)?)
}
