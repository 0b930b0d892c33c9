//! From files to trust: nothing is believed that the release key did not sign.

use std::fs;
use std::path::PathBuf;

use attest_verifier::core::measured_boot::manifest::Purpose;
use attest_verifier::core::reference::ReferenceError;
use attest_verifier::core::release::{ReleaseError, SignatureError};
use attest_verifier::{FileError, Trust, TrustError, signature_path};
use rcgen::KeyPair;
use tempfile::TempDir;

use crate::scene::Scene;
use crate::server::reference_files;

/// The files of a production scene in a folder.
struct Desk {
    folder: TempDir,
    manifests: usize,
}

fn desk(others: usize) -> Desk {
    let mut scene = Scene::honest();
    scene.manifest.purpose = Purpose::Production;
    for index in 0..others {
        let mut other = scene.manifest.clone();
        other.platform.memory_mib = u32::try_from(index).unwrap();
        scene.others.push(other);
    }
    desk_of(&scene)
}

fn desk_of(scene: &Scene) -> Desk {
    let folder = tempfile::tempdir().unwrap();
    reference_files(scene, folder.path());
    Desk { folder, manifests: scene.released().len() }
}

impl Desk {
    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn manifest(&self, index: usize) -> PathBuf {
        self.at(&format!("manifest-{index}.json"))
    }

    fn load(&self) -> Result<Trust, TrustError> {
        let manifests: Vec<PathBuf> =
            (0..self.manifests).map(|index| self.manifest(index)).collect();
        Trust::load(&self.at("deployment.json"), &manifests, &self.at("release.pem"))
    }

    fn refusal(&self) -> TrustError {
        self.load().unwrap_err()
    }
}

#[test]
fn a_signed_set_is_loaded() {
    let desk = desk(2);
    let trust = desk.load().unwrap();
    let memory: Vec<u32> =
        trust.reference().manifests().map(|one| one.manifest().platform.memory_mib).collect();
    assert_eq!(memory, [256, 0, 1]);
}

#[test]
fn an_unsigned_manifest_is_refused_by_its_name() {
    let desk = desk(1);
    fs::remove_file(signature_path(&desk.manifest(1))).unwrap();
    let error = desk.refusal();
    assert!(matches!(&error, TrustError::Unsigned { .. }), "{error}");
    assert!(error.to_string().contains("manifest-1.json"), "{error}");
    assert!(error.to_string().contains("tre-pki sign-manifest"), "{error}");
}

#[test]
fn one_altered_manifest_spoils_the_set() {
    let desk = desk(1);
    let mut file = fs::read(desk.manifest(1)).unwrap();
    let last = file.len() - 1;
    file[last] = b' ';
    fs::write(desk.manifest(1), file).unwrap();
    let error = desk.refusal();
    let TrustError::Release { manifest, source } = &error else { panic!("{error}") };
    assert_eq!(*manifest, desk.manifest(1));
    assert!(matches!(source, ReleaseError::Signature(SignatureError::OtherFile { .. })), "{error}");
}

#[test]
fn the_signature_of_the_other_manifest_is_refused() {
    let desk = desk(2);
    fs::copy(signature_path(&desk.manifest(1)), signature_path(&desk.manifest(2))).unwrap();
    let error = desk.refusal();
    let TrustError::Release { source, .. } = &error else { panic!("{error}") };
    assert!(matches!(source, ReleaseError::Signature(SignatureError::OtherFile { .. })), "{error}");
}

#[test]
fn another_release_key_is_refused() {
    let desk = desk(0);
    fs::write(desk.at("release.pem"), KeyPair::generate().unwrap().public_key_pem()).unwrap();
    let error = desk.refusal();
    let TrustError::Release { source, .. } = &error else { panic!("{error}") };
    assert!(matches!(source, ReleaseError::Signature(SignatureError::OtherKey { .. })), "{error}");
    fs::write(desk.at("release.pem"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    assert!(matches!(desk.refusal(), TrustError::ReleaseKey { .. }));
}

#[test]
fn a_demo_manifest_is_refused_however_well_signed() {
    let error = desk_of(&Scene::honest()).refusal();
    let TrustError::Reference { source, .. } = &error else { panic!("{error}") };
    assert!(matches!(source, ReferenceError::Purpose { .. }), "{error}");
    assert!(error.to_string().ends_with("for Production, found one for Demo"), "{error}");
}

#[test]
fn a_missing_manifest_is_refused_by_its_name() {
    let desk = desk(0);
    fs::remove_file(desk.manifest(0)).unwrap();
    let error = desk.refusal();
    assert!(matches!(&error, TrustError::File(FileError::Read { .. })), "{error}");
    assert!(error.to_string().contains("manifest-0.json: "), "{error}");
}
