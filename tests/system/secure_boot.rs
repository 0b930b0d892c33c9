//! Firmware that looks before it starts anything: the reference image boots, by hash or by
//! signature, with every PCR as predicted from files; anything else does not even start. What
//! the key in db has signed does start: then TPM and verifier are what is left, and they refuse it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use attest_verifier::Trust;
use image::checkout::Checkout;
use image::configuration::Configuration;
use image::fat;
use image::machine::{Firmware, Hardware, Machine};
use image::variables::certificate::Certificate;
use image::variables::{self, Allowed, Keys};
use measured_boot::digest::Sha256Digest;
use measured_boot::manifest::ReferenceManifest;
use measured_boot::pe::EfiFile;
use tre_tests::appliance::Appliance;
use tre_tests::domain::TestDomain;
use tre_tests::trust::Reference;
use tre_tests::{place, tools};
use tre_wire::id::PeerId;
use tre_wire::message::StartState;

use crate::boot::{named_as_changed, tampered_image};
use crate::sight::{accepted, examined, health, locked};

/// The firmware's last word when nothing may start.
const NOTHING_STARTS: &str = "BdsDxe: No bootable option";

/// A certificate with its key, as secure boot wants it: RSA, made for this test.
fn certificate(folder: &Path, name: &str) -> Result<PathBuf> {
    let (key, path) = (folder.join(format!("{name}.key")), folder.join(format!("{name}.crt")));
    let (key, out) = (key.display().to_string(), path.display().to_string());
    let subject = format!("/CN=Test of secure boot, {name}");
    let kind = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha256", "-days", "2"];
    let files = ["-subj", &subject, "-keyout", &key, "-out", &out];
    tools::run("openssl", &[&kind[..], &files].concat())?;
    Ok(path)
}

/// A box whose firmware starts what is `allowed` alone.
struct Guarded {
    domain: TestDomain,
    appliance: Appliance,
    variables: PathBuf,
    hardware: Hardware,
}

impl Guarded {
    fn make(domain: TestDomain, cpus: u32, allowed: Allowed) -> Result<Self> {
        let variables = domain.folder().join("variables.fd");
        let keys = Keys {
            platform_key: Certificate::load(&certificate(domain.folder(), "platform-key")?)?,
            key_exchange_keys: vec![Certificate::load(&certificate(domain.folder(), "desk")?)?],
            allowed: vec![allowed],
        };
        variables::create(&variables, &keys)?;
        let hardware = Hardware { cpus, firmware: Firmware::SecureBoot, ..Hardware::USUAL };
        let appliance = Appliance::make(&domain, "box")?;
        let appliance = appliance.with_firmware(hardware, variables.clone());
        Ok(Self { domain, appliance, variables, hardware })
    }

    /// The manifest of the built image for this box.
    fn reference(&self, efi: &Path, image: &Path) -> Result<Reference> {
        let base: ReferenceManifest =
            serde_json::from_slice(&fs::read(place::built("manifest.json")?)?)?;
        let state = variables::read(&self.variables)?;
        let (efi, disk) = (fs::read(efi)?, fs::read(image)?);
        let manifest = Configuration::new(self.hardware, Some(state)).manifest(
            &Checkout::own(),
            base,
            &efi,
            ("tre.img", &disk),
        )?;
        let path = self.domain.folder().join("manifest-secure-boot.json");
        fs::write(&path, serde_json::to_vec(&manifest)?)?;
        Reference::of_manifest(&self.domain, &path)
    }

    /// Boots, enrols, verifies: accepted means that every PCR is as the manifest predicts.
    async fn is_attested(&self, reference: &Reference, image: &Path) -> Result<()> {
        let (tre_id, trust): (PeerId, Trust) = ("tre-1".parse()?, reference.trust()?);
        let machine = self.appliance.start(image)?;
        assert_eq!(health(&machine).await?.state, StartState::New);
        let address = machine.address().to_string();
        reference.enrol(&self.domain, &address, &machine.ek_roots(), &tre_id).await?;
        let examination = examined(&machine, &tre_id, &trust).await?;
        accepted(&examination)?;
        machine.stop()?;
        Ok(())
    }

    /// The firmware starts `image`; the TPM keeps the keys, the verifier names what was changed.
    async fn starts_but_locked(&self, reference: &Reference, image: &Path) -> Result<()> {
        let (tre_id, trust): (PeerId, Trust) = ("tre-1".parse()?, reference.trust()?);
        let machine = self.appliance.start(image)?;
        locked(&machine).await?;
        named_as_changed(&examined(&machine, &tre_id, &trust).await?, image, &trust)?;
        machine.stop()?;
        Ok(())
    }

    /// The firmware refuses `image`, and then its own shell: nothing is left to start.
    async fn refuses(&self, image: &Path) -> Result<()> {
        let machine = Machine::start_until(&self.appliance.config(image), NOTHING_STARTS)?;
        let serial = machine.serial()?;
        let refused = |option: &str, why: &str| {
            let failed = |line: &str| line.contains("BdsDxe: failed to") && line.contains(option);
            serial.lines().any(|line| failed(line) && line.ends_with(why))
        };
        ensure!(refused("Pci(0x3,0x0)", "Access Denied"), "the boot disk started:\n{serial}");
        ensure!(refused("EFI Internal Shell", "Security Violation"), "a shell runs:\n{serial}");
        ensure!(!serial.contains("tred:"), "the appliance runs:\n{serial}");
        ensure!(health(&machine).await.is_err(), "something answers");
        machine.stop()?;
        Ok(())
    }
}

/// Signs an EFI file with the key that lies beside the certificate.
fn sign(certificate: &Path, efi: &Path, signed: &Path) -> Result<()> {
    let files = [&certificate.with_extension("key"), certificate, signed, efi];
    let [key, cert, output, input] = &files.map(|path| path.display().to_string());
    tools::run("sbsign", &["--key", key, "--cert", cert, "--output", output, input])?;
    Ok(())
}

fn authenticode(efi: &Path) -> Result<Sha256Digest> {
    Ok(EfiFile::parse(&fs::read(efi)?)?.authenticode())
}

/// The boot disk with one bit of the kernel inverted.
fn flipped(image: &Path, folder: &Path) -> Result<PathBuf> {
    let mut bytes = fs::read(image)?;
    let middle = bytes.len() / 2;
    let byte = bytes.get_mut(middle).context("a boot disk of some length")?;
    *byte ^= 1;
    let path = folder.join("flipped.img");
    fs::write(&path, bytes)?;
    Ok(path)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_in_db_boots_as_predicted_and_one_flipped_bit_does_not_start() -> Result<()> {
    let (efi, image) = (place::built("tre.efi")?, place::built("tre.img")?);
    let domain = TestDomain::make("demo", |_| {})?;
    let guarded = Guarded::make(domain, 1, Allowed::Hash(authenticode(&efi)?))?;
    let reference = guarded.reference(&efi, &image)?;
    guarded.is_attested(&reference, &image).await?;
    guarded.refuses(&flipped(&image, guarded.domain.folder())?).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_image_boots_as_predicted_and_no_other_gets_its_keys() -> Result<()> {
    let (efi, image) = (place::built("tre.efi")?, place::built("tre.img")?);
    let domain = TestDomain::make("demo", |_| {})?;
    let folder = domain.folder().to_path_buf();
    let signer = certificate(&folder, "signer")?;
    let (signed, disk) = (folder.join("signed.efi"), folder.join("signed.img"));
    sign(&signer, &efi, &signed)?;
    // A signature is no part of what PCR 4 speaks of.
    assert_eq!(authenticode(&signed)?, authenticode(&efi)?);
    fat::write(&signed, &disk)?;

    // Two processors: PCR 0 depends on their number.
    let guarded = Guarded::make(domain, 2, Allowed::Certificate(Certificate::load(&signer)?))?;
    let reference = guarded.reference(&signed, &disk)?;
    guarded.is_attested(&reference, &disk).await?;
    guarded.refuses(&image).await?;

    // Whoever holds the key in db changes the image and signs it: for the firmware all is well.
    let changed = tampered_image(&folder)?;
    let (signed, disk) = (folder.join("changed.efi"), folder.join("changed.img"));
    sign(&signer, &changed.efi, &signed)?;
    fat::write(&signed, &disk)?;
    guarded.starts_but_locked(&reference, &disk).await
}
