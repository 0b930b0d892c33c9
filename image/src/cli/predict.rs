//! `tre-image predict`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use clap::Args;
use image::checkout::Checkout;
use image::configuration::Configuration;
use image::file::FileError;
use image::variables;
use measured_boot::digest::Sha256Digest;
use measured_boot::manifest::Expectation;
use measured_boot::predict::DeploymentDigests;
use tre_wire::deployment::{self, Deployment};

use super::{Machinery, say};

#[derive(Args, Debug)]
pub(super) struct Predict {
    /// The EFI file [default: target/image/tre.efi]
    #[arg(long, value_name = "FILE")]
    efi: Option<PathBuf>,
    /// The variable store of a machine with secure boot [default: secure boot off]
    #[arg(long, value_name = "FILE")]
    variables: Option<PathBuf>,
    /// The deployment: without it, PCR 11 stays open
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    deployment: Option<PathBuf>,
    /// Print every event behind the values, too
    #[arg(long, conflicts_with = "json")]
    events: bool,
    /// Print the expectations as JSON, with events and reasons
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    machinery: Machinery,
}

impl Predict {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let checkout = Checkout::own();
        let path = self.efi.unwrap_or_else(|| checkout.image().join("tre.efi"));
        let efi = fs::read(&path).map_err(FileError::at("reading EFI file", &path))?;
        let variables = self.variables.as_deref().map(variables::read).transpose()?;
        let configuration = Configuration::new(self.machinery.hardware(), variables);
        let (_, expectations) = configuration.predicted(&checkout, &efi).with_context(|| {
            format!("{}: expected an EFI file, as target/image/tre.efi is one", path.display())
        })?;
        if self.json {
            say(format_args!("{}", serde_json::to_string_pretty(&expectations)?))?;
            return Ok(());
        }
        let digests = match &self.deployment {
            None => None,
            Some(path) => {
                let file = fs::read(path).map_err(FileError::at("reading deployment", path))?;
                Deployment::from_json(&file)
                    .map_err(|error| anyhow!("{} is no deployment: {error}", path.display()))?;
                let deployment = Sha256Digest(deployment::measurement(&file));
                Some(DeploymentDigests { deployment, started: Sha256Digest(deployment::started()) })
            }
        };
        for (pcr, expectation) in expectations.iter() {
            let pcr = pcr.number();
            if let (Expectation::Deployment { .. }, Some(digests)) = (expectation, &digests) {
                say(format_args!("{pcr:2} {} while secrets are unsealed", digests.at_unseal()))?;
            }
            let value = value(expectation, digests.as_ref());
            say(format_args!("{pcr:2} {value} {}", expectation.reason()))?;
            for event in expectation.events().iter().filter(|_| self.events) {
                say(format_args!("     {} {}", event.digest, event.description))?;
            }
        }
        Ok(())
    }
}

/// What one PCR must hold, in words if it is no single value.
fn value(expectation: &Expectation, digests: Option<&DeploymentDigests>) -> String {
    match (expectation, digests) {
        (Expectation::Deployment { .. }, Some(digests)) => digests.serving().to_string(),
        (Expectation::Deployment { .. }, None) => "depends on the deployment".into(),
        (Expectation::Waived { .. }, _) => "not judged".into(),
        (Expectation::Exact { value, .. } | Expectation::Recorded { value, .. }, _) => {
            value.to_string()
        }
    }
}
