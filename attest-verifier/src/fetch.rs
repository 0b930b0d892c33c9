//! Lists that a server gives away: fetched by plain HTTP, kept until their own end.
//!
//! A list is signed, numbered and dated, so who brings it need not be believed, and no TLS is
//! needed. A server can only withhold the newest one: that ends with the life of the last good one,
//! which is kept in a folder and serves as long as nothing better is to be had.

use core::str::FromStr;
use std::io;
use std::path::{Path, PathBuf};

use hyper::{Method, Uri};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::bounds;
use crate::error::RequestError;
use crate::http::HttpConnection;
use crate::signed_file::SignedFile;

/// Where a list lies, with its signature beside it under the same name and `.sig`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ListPlace {
    /// A file.
    File(PathBuf),
    /// A server.
    Server(ListUrl),
}

/// `http://HOST[:PORT]/PATH` of a list; its signature is at the same with `.sig` behind it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ListUrl {
    authority: String,
    path: String,
}

/// Why a text is no place of a list.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// Another kind of address.
    #[error(
        "expected a file or http://HOST:PORT/PATH, found another scheme: a list is signed, and \
         needs no TLS"
    )]
    Scheme,
    /// Not an address of one file on one server.
    #[error("expected http://HOST:PORT/PATH without user, query or fragment")]
    Url,
}

/// Why a list was not fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The server cannot be reached.
    #[error("{url}: cannot be reached: {source}")]
    Unreachable {
        /// The list.
        url: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// It speaks no HTTP/1.1, or ended at once.
    #[error("{url}: no HTTP/1.1: {source}")]
    Http {
        /// The list.
        url: String,
        /// What the HTTP library says.
        source: hyper::Error,
    },
    /// No whole answer, or one that is too long.
    #[error("{url}: {source}")]
    Answer {
        /// The list.
        url: String,
        /// Why not.
        source: RequestError,
    },
    /// Another answer than the file.
    #[error("{url}: expected status 200, found status {found}; redirections are not followed")]
    Status {
        /// The list, or its signature.
        url: String,
        /// The status found.
        found: u16,
    },
    /// List and signature did not come in time.
    #[error("{url}: no list with its signature within {} s", .bound.as_secs())]
    Late {
        /// The list.
        url: String,
        /// How long was waited.
        bound: core::time::Duration,
    },
}

impl FromStr for ListPlace {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        match text.split_once("://") {
            None => Ok(Self::File(PathBuf::from(text))),
            Some(("http", _)) => Ok(Self::Server(text.parse()?)),
            Some(_) => Err(PlaceError::Scheme),
        }
    }
}

impl FromStr for ListUrl {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let uri: Uri = text.parse().map_err(|_| PlaceError::Url)?;
        let (Some("http"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(PlaceError::Scheme);
        };
        let is_plain = uri.query().is_none() && !text.contains('#');
        let host = authority.host();
        let is_named = !host.is_empty() && !authority.as_str().contains('@');
        if !is_plain || !is_named || uri.path().len() < 2 || uri.path().ends_with('/') {
            return Err(PlaceError::Url);
        }
        let port = authority.port_u16().unwrap_or(80);
        Ok(Self { authority: format!("{host}:{port}"), path: uri.path().to_owned() })
    }
}

impl core::fmt::Display for ListUrl {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "http://{}{}", self.authority, self.path)
    }
}

impl ListUrl {
    /// As a path, for messages that name where a list came from.
    pub(crate) fn as_origin(&self) -> PathBuf {
        Path::new(&self.to_string()).to_path_buf()
    }

    /// Fetches list and signature, of which nothing is believed.
    pub(crate) async fn download(&self) -> Result<SignedFile, FetchError> {
        let bound = bounds::FETCH;
        let late = |_| FetchError::Late { url: self.to_string(), bound };
        timeout(bound, self.exchange()).await.map_err(late)?
    }

    async fn exchange(&self) -> Result<SignedFile, FetchError> {
        let file = self.get(&self.path, bounds::LIST_BYTES).await?;
        let signature = format!("{}.sig", self.path);
        let signature = self.get(&signature, attest_verifier_core::release::SIGNATURE_BYTES);
        Ok(SignedFile { file, signature: signature.await? })
    }

    /// One connection a file: a server may close after each.
    async fn get(&self, path: &str, most: usize) -> Result<Vec<u8>, FetchError> {
        let url = || format!("http://{}{path}", self.authority);
        let stream = TcpStream::connect(&self.authority)
            .await
            .map_err(|source| FetchError::Unreachable { url: url(), source })?;
        let mut connection = HttpConnection::start(stream, &self.authority)
            .await
            .map_err(|source| FetchError::Http { url: url(), source })?;
        let response = connection
            .request_at_most(Method::GET, path, None, most)
            .await
            .map_err(|source| FetchError::Answer { url: url(), source })?;
        match response.status {
            200 => Ok(response.body),
            found => Err(FetchError::Status { url: url(), found }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_file_or_one_file_of_a_server() {
        let file = "lists/revocations.json".parse();
        assert_eq!(file, Ok(ListPlace::File(PathBuf::from("lists/revocations.json"))));
        let shown = |text: &str| text.parse::<ListUrl>().map(|url| url.to_string());
        for (text, meant) in [
            ("http://grid.example/lists/r.json", "http://grid.example:80/lists/r.json"),
            ("http://[::1]:8080/r", "http://[::1]:8080/r"),
        ] {
            assert_eq!(shown(text), Ok(meant.to_owned()));
        }
        for text in
            ["http://", "http://h", "http://h/", "http://h/a?b", "http://h/a#b", "http://u@h/a"]
        {
            assert_eq!(text.parse::<ListPlace>(), Err(PlaceError::Url), "{text}");
        }
        for text in ["https://h/a", "ftp://h/a", "file:///a"] {
            assert_eq!(text.parse::<ListPlace>(), Err(PlaceError::Scheme), "{text}");
        }
    }
}
