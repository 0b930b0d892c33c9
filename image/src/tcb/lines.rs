//! Lines of the source files behind linked objects, counted once for a version and committed.
//!
//! A build has the libraries as archives, not as sources. So what a source file counts stands in
//! a table that `image/tcb/count-c.sh` makes from the sources; which of them count is known only
//! from each build's link.

use std::collections::BTreeMap;

/// The committed table: library, version, source file without suffix, lines; a tab between them.
const TABLE: &str = include_str!("../../tcb/c-lines.tsv");

/// Lines by source file, by library and version.
#[derive(Debug)]
pub(super) struct CLines(BTreeMap<(String, String), BTreeMap<String, u32>>);

impl CLines {
    /// The committed table.
    pub(super) fn committed() -> Self {
        Self::parse(TABLE)
    }

    /// Reads a table. A line that is none is a mistake of ours; it leaves its file uncounted, and
    /// the report then refuses the object.
    fn parse(table: &str) -> Self {
        let mut lines: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for row in table.lines() {
            let mut fields = row.split('\t').map(str::to_owned);
            if let (Some(library), Some(version), Some(file), Some(Ok(count))) =
                (fields.next(), fields.next(), fields.next(), fields.next().map(|n| n.parse()))
            {
                lines.entry((library, version)).or_default().insert(file, count);
            }
        }
        Self(lines)
    }

    /// The files of a library; `None` if it is not counted in this version.
    pub(super) fn of(&self, library: &str, version: &str) -> Option<&BTreeMap<String, u32>> {
        self.0.get(&(library.into(), version.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::checkout::Checkout;
    use crate::lock::Lock;

    #[test]
    fn every_row_of_the_table_is_read() {
        let CLines(lines) = CLines::committed();
        let read: usize = lines.values().map(BTreeMap::len).sum();
        assert_eq!(read, TABLE.lines().count());
        assert_eq!(CLines::parse("mbedtls\t2.28\taes\tmany\nmbedtls\t2.28\n").0, BTreeMap::new());
    }

    /// Whoever moves a library counts it again.
    #[test]
    fn the_table_is_of_the_locked_versions() {
        let checkout = Checkout::own();
        let lock = Lock::read(&checkout).expect("committed");
        let crates = fs::read_to_string(checkout.root().join("Cargo.lock")).expect("committed");
        let (_, ring) = crates.split_once("name = \"ring\"\nversion = \"").expect("linked");
        let (ring, _) = ring.split_once('"').expect("a version");
        let locked = |package: &str| lock.packages.get(package).expect("locked").version.clone();
        let versions = [
            ("mbedtls", locked("libmbedtls-dev")),
            ("ring", ring.to_owned()),
            ("tpm2-tss", locked("tpm2-tss")),
        ];
        let table = CLines::committed();
        for (library, version) in versions {
            let counted = table.of(library, &version);
            assert!(counted.is_some(), "{library} {version}: 'image/tcb/count-c.sh' counts it");
        }
    }
}
