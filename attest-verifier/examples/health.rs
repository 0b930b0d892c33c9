//! Asks a TRE how it is, as a meter: `health HOST:PORT`, beside the files that it names.

#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use attest_verifier::core::wire::message::Health;
use attest_verifier::core::wire::units::UnixMillis;
use attest_verifier::{AttestedStream, ClientIdentity, Trust};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "a program reads the time; the library does not")]
async fn main() -> Result<(), Box<dyn core::error::Error>> {
    let address = std::env::args().nth(1).ok_or("expected HOST:PORT")?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis();
    let now = UnixMillis::new(now.try_into()?)?;
    // What the TRE must be: the deployment file and a reference manifest, as they lie; beside it
    // lies manifest.json.sig, made with the release key.
    let manifests = [PathBuf::from("manifest.json")];
    let release_key = Path::new("release.pem");
    let trust = Trust::load(Path::new("deployment.json"), &manifests, release_key)?;
    // Who we are. It is shown to nobody but the TRE that has proven itself.
    let meter = ClientIdentity::load(Path::new("meter-1.pem"))?;
    let tre_id = "tre-1".parse()?;

    // Whoever else answers at this address gets a nonce and nothing more.
    let mut tre = AttestedStream::connect(&address, &tre_id, &trust, Some(&meter), now).await?;

    // It is a stream of bytes like any other...
    tre.write_all(b"GET /v1/health HTTP/1.1\r\nhost: tre-1\r\n\r\n").await?;
    tre.flush().await?;
    let mut status = [0; 12];
    tre.read_exact(&mut status).await?;
    assert_eq!(&status, b"HTTP/1.1 200");

    // ...and carries typed requests, on a connection that has nothing left to read.
    let tre = AttestedStream::connect(&address, &tre_id, &trust, Some(&meter), now).await?;
    let mut tre = tre.into_http().await?;
    let health: Health = tre.get("/v1/health").await?;
    assert_eq!(health.tre_id, tre_id.as_str());

    // A connection that is kept is attested again from time to time.
    let mut tre = tre.attest_again(&trust, now).await?;
    let _health: Health = tre.get("/v1/health").await?;
    Ok(())
}
