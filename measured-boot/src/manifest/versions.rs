//! Names with versions; a name that stands twice is refused.

use alloc::{collections::BTreeMap, string::String};
use core::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, Visitor},
};

use crate::limits::MAX_VERSIONS;

/// Version by name.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Versions(pub BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Versions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(VersionsVisitor)
    }
}

struct VersionsVisitor;

impl<'de> Visitor<'de> for VersionsVisitor {
    type Value = Versions;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map from name to version")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Versions, A::Error> {
        let mut versions = BTreeMap::new();
        while let Some((name, version)) = map.next_entry::<String, String>()? {
            if versions.len() == MAX_VERSIONS {
                let message = format_args!("expected at most {MAX_VERSIONS} versions, found more");
                return Err(de::Error::custom(message));
            }
            if versions.insert(name, version).is_some() {
                return Err(de::Error::custom("expected each name once, found one again"));
            }
        }
        Ok(Versions(versions))
    }
}
