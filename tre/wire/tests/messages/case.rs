//! What a golden file holds, leaf by leaf, and ways to change it.

use core::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tre_wire::json;

/// One message and its golden file.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    /// Name of the golden file, without `.json`.
    pub(crate) name: &'static str,
    /// Content of the golden file.
    pub(crate) golden: &'static str,
    /// Decodes, encodes, decodes again, compares the two values, and gives the encoding.
    pub(crate) recode: fn(&[u8]) -> Result<Vec<u8>, String>,
    /// Longest body. Unit: bytes.
    pub(crate) longest: usize,
    /// What a field that the message does not have does to it.
    pub(crate) unknown: Unknown,
    /// Every leaf, by its place: `/readings/*/slot`, where `*` stands for any index.
    pub(crate) leaves: &'static [(&'static str, Leaf)],
}

/// What a field that the message does not have does to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Unknown {
    /// Requests, files and signed objects.
    Refused,
    /// Other answers: a newer TRE may say more.
    Ignored,
}

/// What may stand at a leaf.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Leaf {
    /// An integer from the first to the second.
    Integer(i128, i128),
    /// The same, or `null`.
    MaybeInteger(i128, i128),
    /// An identifier of at most so many characters.
    Id(usize),
    /// One of these words.
    Word(&'static [&'static str]),
    /// The same, or `null`.
    MaybeWord(&'static [&'static str]),
    /// 32 bytes in hexadecimal.
    Hex32,
    /// Any bytes in hexadecimal.
    Hex,
    /// Any text.
    Text,
    /// A truth value.
    Flag,
    /// `null`: the golden file shows the message without an object.
    Absent,
}

/// [`Case::recode`] for the message `T`.
pub(crate) fn recode<T>(body: &[u8]) -> Result<Vec<u8>, String>
where
    T: DeserializeOwned + Serialize + PartialEq + Debug,
{
    let message: T = json::decode(body).map_err(|error| error.to_string())?;
    let bytes = json::encode(&message).expect("every message encodes");
    let again: T = json::decode(&bytes).expect("what was encoded decodes");
    assert_eq!(again, message, "encoded as {}", String::from_utf8_lossy(&bytes));
    Ok(bytes)
}

impl Case {
    /// The golden file as a tree.
    pub(crate) fn tree(&self) -> Value {
        serde_json::from_str(self.golden).expect("a golden file is JSON")
    }

    /// What stands at `place`, which may hold indices.
    pub(crate) fn leaf_at(&self, place: &str) -> Leaf {
        let pattern = pattern_of(place);
        let found = self.leaves.iter().find(|(described, _)| *described == pattern);
        found.map(|(_, leaf)| *leaf).unwrap_or_else(|| panic!("{}: {pattern} missing", self.name))
    }

    /// Decodes the golden file with the text `raw` in the place of the node at `place`.
    pub(crate) fn with(&self, place: &str, raw: &str) -> Result<Vec<u8>, String> {
        (self.recode)(replaced(self.tree(), place, raw).as_bytes())
    }

    /// The places of all leaves, with indices.
    pub(crate) fn leaf_places(&self) -> Vec<String> {
        let tree = self.tree();
        let all = places(&tree).into_iter();
        all.filter(|place| !is_container(tree.pointer(place))).collect()
    }

    /// The places of all objects and arrays, with indices, the whole message among them.
    pub(crate) fn container_places(&self) -> Vec<String> {
        let tree = self.tree();
        let all = places(&tree).into_iter();
        all.filter(|place| is_container(tree.pointer(place))).collect()
    }

    /// The places of all objects, each with the name of one of its fields.
    pub(crate) fn fields(&self) -> Vec<(String, String)> {
        let tree = self.tree();
        let mut fields = Vec::new();
        for place in places(&tree) {
            if let Some(Value::Object(object)) = tree.pointer(&place) {
                fields.extend(object.keys().map(|key| (place.clone(), key.clone())));
            }
        }
        fields
    }
}

/// Whether `node` is an object or an array.
fn is_container(node: Option<&Value>) -> bool {
    matches!(node, Some(Value::Object(_) | Value::Array(_)))
}

/// The JSON pointers of `tree` and of every node under it.
fn places(tree: &Value) -> Vec<String> {
    let mut all = Vec::new();
    let mut waiting = vec![String::new()];
    while let Some(place) = waiting.pop() {
        match tree.pointer(&place) {
            Some(Value::Object(object)) => {
                waiting.extend(object.keys().map(|key| format!("{place}/{key}")));
            }
            Some(Value::Array(array)) => {
                waiting.extend((0..array.len()).map(|index| format!("{place}/{index}")));
            }
            _ => {}
        }
        all.push(place);
    }
    all
}

/// `place` with `*` for every index.
pub(crate) fn pattern_of(place: &str) -> String {
    let step = |step: &str| match step.parse::<usize>() {
        Ok(_) => String::from("*"),
        Err(_) => String::from(step),
    };
    place.split('/').map(step).collect::<Vec<_>>().join("/")
}

/// The text of `tree` with `raw`, which need not be JSON, in the place of a node.
pub(crate) fn replaced(mut tree: Value, place: &str, raw: &str) -> String {
    const MARK: &str = "\u{1f}mark";
    let node = tree.pointer_mut(place).expect("the place exists");
    *node = Value::from(MARK);
    let mark = Value::from(MARK).to_string();
    tree.to_string().replacen(&mark, raw, 1)
}
