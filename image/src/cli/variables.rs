//! `tre-image variables`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{ArgGroup, Args};
use image::file::FileError;
use image::variables::certificate::Certificate;
use image::variables::{self, Allowed, Keys};
use measured_boot::digest::{Sha256Digest, sha256};
use measured_boot::pe::EfiFile;

use super::say;

#[derive(Args, Debug)]
#[command(group(ArgGroup::new("allowed").required(true).multiple(true)))]
pub(super) struct Variables {
    /// Certificate of the key that may replace all others (PK), PEM or DER, RSA
    #[arg(long, value_name = "FILE")]
    platform_key: PathBuf,
    /// Certificate of a key that may change what is allowed (KEK); may be repeated
    #[arg(long, value_name = "FILE", required = true)]
    key_exchange_key: Vec<PathBuf>,
    /// An EFI file that may start, known by its hash; may be repeated
    #[arg(long, value_name = "FILE", group = "allowed")]
    image_hash: Vec<PathBuf>,
    /// Certificate of a key whose signature lets an EFI file start; may be repeated
    #[arg(long, value_name = "FILE", group = "allowed")]
    certificate: Vec<PathBuf>,
    /// The variable store to make; an existing file is never overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Variables {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let hashes = self.image_hash.iter().map(|path| hash(path).map(Allowed::Hash));
        let certificates = self.certificate.iter();
        let certificates =
            certificates.map(|path| Ok(Allowed::Certificate(Certificate::load(path)?)));
        let keys = Keys {
            platform_key: Certificate::load(&self.platform_key)?,
            key_exchange_keys: self
                .key_exchange_key
                .iter()
                .map(|path| Certificate::load(path))
                .collect::<Result<_, _>>()?,
            allowed: hashes.chain(certificates).collect::<anyhow::Result<_>>()?,
        };
        variables::create(&self.out, &keys)?;
        for (name, certificate) in [("PK", core::slice::from_ref(&keys.platform_key))]
            .into_iter()
            .chain([("KEK", keys.key_exchange_keys.as_slice())])
            .flat_map(|(name, all)| all.iter().map(move |one| (name, one)))
        {
            say(format_args!("{name} certificate sha256 {}", sha256(certificate.der())))?;
        }
        for one in &keys.allowed {
            match one {
                Allowed::Hash(hash) => say(format_args!("db image sha256 {hash}"))?,
                Allowed::Certificate(certificate) => {
                    say(format_args!("db certificate sha256 {}", sha256(certificate.der())))?;
                }
            }
        }
        let store = fs::read(&self.out).map_err(FileError::at("reading", &self.out))?;
        say(format_args!("{} sha256 {}", self.out.display(), sha256(&store)))?;
        Ok(())
    }
}

/// The Authenticode hash of an EFI file.
fn hash(path: &Path) -> anyhow::Result<Sha256Digest> {
    let efi = fs::read(path).map_err(FileError::at("reading EFI file", path))?;
    let file = EfiFile::parse(&efi);
    Ok(file.with_context(|| path.display().to_string())?.authenticode())
}
