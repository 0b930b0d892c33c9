//! The serial console's log, read while it grows.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// A log, and how far it was read.
#[derive(Debug)]
pub(super) struct Console {
    path: PathBuf,
    text: String,
    read: u64,
}

impl Console {
    /// A log of which nothing was read.
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path, text: String::new(), read: 0 }
    }

    /// Where it lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// All that was read so far.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What came since the last call. Carriage returns go; what is not UTF-8 is replaced.
    pub(super) fn news(&mut self) -> io::Result<&str> {
        let mut bytes = Vec::new();
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.read))?;
        let count = file.read_to_end(&mut bytes)?;
        self.read = self.read.saturating_add(u64::try_from(count).unwrap_or_default());
        let known = self.text.len();
        self.text.push_str(&String::from_utf8_lossy(&bytes).replace('\r', ""));
        Ok(self.text.get(known..).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn each_line_is_news_once() {
        let mut file = tempfile::NamedTempFile::new().expect("temporary file");
        let mut console = Console::new(file.path().into());
        file.write_all(b"one\r\n").expect("writes");
        assert_eq!(console.news().expect("reads"), "one\n");
        assert_eq!(console.news().expect("reads"), "");
        file.write_all(b"two").expect("writes");
        assert_eq!(console.news().expect("reads"), "two");
        assert_eq!(console.text(), "one\ntwo");
    }
}
