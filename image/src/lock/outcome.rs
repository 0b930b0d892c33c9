//! What a build came to, beside what the lock file says it should.

use core::fmt;
use std::collections::BTreeMap;

use measured_boot::digest::Sha256Digest;
use measured_boot::manifest::{Expectation, PcrExpectations};

use super::{Lock, Moved, RENEW};
use crate::project::{CRATES, EXECUTABLE, MANIFEST_MAKER};

/// The product whose hash is the image's.
pub(super) const IMAGE: &str = crate::reference::BOOT_DISK;

/// The product that describes the others.
const MANIFEST: &str = crate::assemble::MANIFEST;

/// Something with a name that is not as expected.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Difference<T> {
    /// What differs.
    pub name: String,
    /// What should be there; `None` if it is too much.
    pub expected: Option<T>,
    /// What is there; `None` if it is missing.
    pub found: Option<T>,
}

/// A build beside the lock file.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Outcome {
    /// Inputs that are not as locked.
    pub moved: Vec<Moved>,
    /// Groups of the project's own files that are not as locked.
    pub changed: Vec<String>,
    /// Products that are not as committed.
    pub products: Vec<Difference<Sha256Digest>>,
    /// PCRs that are not as committed.
    pub pcrs: Vec<Difference<Sha256Digest>>,
}

/// Why an image that is not the committed one is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NotCommitted {
    /// The same inputs made something else.
    #[error("the committed image is not reproduced: every input is as locked, and these differ:{}",
            lines(.0))]
    NotReproduced(Vec<Difference<Sha256Digest>>),
    /// The project's own files were changed, and the mode is strict.
    #[error(
        "LOCK=strict: the image is not the committed one, because {} changed; inputs are \
             equal:{}\nwrite the lock file anew with '{RENEW}'",
        groups(changed),
        lines(products)
    )]
    Changed {
        /// Groups of files that changed.
        changed: Vec<String>,
        /// What is not as committed.
        products: Vec<Difference<Sha256Digest>>,
    },
}

impl Outcome {
    /// The values of `expectations` that are the same for every deployment.
    #[must_use]
    pub fn pcrs(expectations: &PcrExpectations) -> BTreeMap<u8, Sha256Digest> {
        let value = |expectation: &Expectation| match expectation {
            Expectation::Exact { value, .. } | Expectation::Recorded { value, .. } => Some(*value),
            Expectation::Deployment { .. } | Expectation::Waived { .. } => None,
        };
        let pcrs = expectations.iter();
        pcrs.filter_map(|(pcr, expected)| Some((pcr.number(), value(expected)?))).collect()
    }

    /// Compares what was made with what is committed; products that were not made are left out.
    #[must_use]
    pub fn of(lock: &Lock, moved: Vec<Moved>, made: &Lock) -> Self {
        let mut products = differences(&lock.products, &made.products);
        products.retain(|product| product.found.is_some());
        let numbered = |pcrs: &BTreeMap<u8, Sha256Digest>| {
            pcrs.iter().map(|(pcr, value)| (format!("PCR {pcr:02}"), *value)).collect()
        };
        let changed = differences(&lock.project, &made.project);
        let mut pcrs = differences(&numbered(&lock.pcrs), &numbered(&made.pcrs));
        pcrs.retain(|_| !made.pcrs.is_empty());
        Self {
            moved,
            changed: changed.into_iter().map(|group| group.name).collect(),
            products,
            pcrs,
        }
    }

    /// Whether everything made is the committed one, made of what it was made of then.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.moved.is_empty() && self.products.is_empty()
    }

    /// Whether everything is as committed, or has a reason not to be.
    ///
    /// # Errors
    ///
    /// [`NotCommitted::NotReproduced`].
    pub fn explained(&self) -> Result<(), NotCommitted> {
        if !self.moved.is_empty() {
            return Ok(());
        }
        // What makes manifests has no say in the image.
        let image_maker = |group: &String| group != MANIFEST_MAKER;
        let mut unexplained = self.products.clone();
        if self.changed.iter().any(image_maker) {
            unexplained.clear();
        } else if !self.changed.is_empty() {
            unexplained.retain(|product| product.name != MANIFEST);
        }
        match unexplained.is_empty() {
            true => Ok(()),
            false => Err(NotCommitted::NotReproduced(unexplained)),
        }
    }

    /// Whether the image is the committed one, whatever else moved or changed.
    #[must_use]
    pub fn is_image_committed(&self) -> bool {
        self.products.iter().all(|product| product.name != IMAGE)
    }

    /// Whether everything is as committed.
    ///
    /// # Errors
    ///
    /// [`NotCommitted`].
    pub fn committed(&self) -> Result<(), NotCommitted> {
        self.explained()?;
        match self.products.is_empty() {
            true => Ok(()),
            false => {
                let (changed, products) = (self.changed.clone(), self.products.clone());
                Err(NotCommitted::Changed { changed, products })
            }
        }
    }
}

/// For people: what moved, what it did to the image, and what that does to the PCRs.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for input in &self.moved {
            writeln!(f, "not as locked: {input}")?;
        }
        if self.products.is_empty() {
            return writeln!(f, "the image is the committed one");
        }
        let image = self.products.iter().any(|product| product.name == IMAGE);
        let what = if image { "image" } else { "build" };
        let why = match self.moved.is_empty() {
            true => format!("because {} changed (inputs equal)", groups(&self.changed)),
            false => "since inputs moved".into(),
        };
        writeln!(f, "the {what} differs from the committed one, {why}:")?;
        for product in &self.products {
            writeln!(f, "{product}")?;
        }
        for pcr in &self.pcrs {
            writeln!(f, "expected {pcr}")?;
        }
        Ok(())
    }
}

impl<T: fmt::Display> fmt::Display for Difference<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |side: &Option<T>| match side {
            Some(value) => value.to_string(),
            None => "nothing".into(),
        };
        write!(f, "{}: {} -> {}", self.name, side(&self.expected), side(&self.found))
    }
}

/// Each entry that is not the same in both, by name.
pub(super) fn differences<T: Clone + PartialEq>(
    expected: &BTreeMap<String, T>,
    found: &BTreeMap<String, T>,
) -> Vec<Difference<T>> {
    let more = found.keys().filter(|name| !expected.contains_key(*name));
    let names = expected.keys().chain(more);
    names
        .filter(|name| expected.get(*name) != found.get(*name))
        .map(|name| Difference {
            name: name.clone(),
            expected: expected.get(name).cloned(),
            found: found.get(name).cloned(),
        })
        .collect()
}

fn groups(changed: &[String]) -> String {
    let group = |name: &String| match name.as_str() {
        CRATES => CRATES.to_owned(),
        EXECUTABLE => "tred's sources".into(),
        name => format!("the sources of {name}"),
    };
    changed.iter().map(group).collect::<Vec<_>>().join(", ")
}

fn lines<T: fmt::Display>(differences: &[Difference<T>]) -> String {
    differences.iter().map(|difference| format!("\n  {difference}")).collect()
}
