//! One request and its whole answer, over one kept-alive HTTP/1.1 connection.

use attest_verifier_core::wire::problem::{self, Problem};
use attest_verifier_core::wire::{bounds as wire_bounds, json};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, Parts, SendRequest};
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::bounds;
use crate::error::RequestError;

/// An answer, whole.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Response {
    /// HTTP status code.
    pub status: u16,
    /// Media type, empty if none was said.
    pub media_type: String,
    /// The body, unread.
    pub body: Vec<u8>,
}

/// A connection that carries requests, one at a time.
#[derive(Debug)]
pub(crate) struct HttpConnection<S = TlsStream<TcpStream>> {
    host: String,
    sender: SendRequest<Full<Bytes>>,
    driver: AbortOnDrop<Result<Parts<TokioIo<S>>, hyper::Error>>,
}

/// A task that ends with whoever waits for it.
#[derive(Debug)]
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> HttpConnection<S> {
    /// Starts HTTP/1.1 over `stream`.
    pub(crate) async fn start(stream: S, host: &str) -> Result<Self, hyper::Error> {
        let (sender, connection) = http1::Builder::new()
            .max_headers(bounds::HEADERS)
            .max_buf_size(bounds::HEADER_BYTES)
            .handshake(TokioIo::new(stream))
            .await?;
        // Whoever waits for an answer is told why there is none.
        let driver = AbortOnDrop(tokio::spawn(connection.without_shutdown()));
        Ok(Self { host: host.to_owned(), sender, driver })
    }

    /// Gives the stream back, between two requests.
    pub(crate) async fn into_stream(self) -> Result<S, RequestError> {
        let Self { host, sender, mut driver } = self;
        drop(sender);
        let bound = bounds::REQUEST;
        let late = |_| RequestError::Timeout { path: host.clone(), bound };
        let driven = timeout(bound, &mut driver.0).await.map_err(late)?;
        let closed = |source| RequestError::Closed { path: host.clone(), source };
        let Ok(parts) = driven else { return Err(RequestError::Abandoned) };
        let Parts { io, read_buf, .. } = parts.map_err(closed)?;
        match read_buf.len() {
            0 => Ok(io.into_inner()),
            found => Err(RequestError::Unasked { found }),
        }
    }

    /// Sends one request and takes its whole answer in, whatever its status.
    pub(crate) async fn request(
        &mut self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Response, RequestError> {
        self.request_at_most(method, path, body, wire_bounds::BODY_BYTES).await
    }

    /// The same for an answer of at most `most` bytes.
    pub(crate) async fn request_at_most(
        &mut self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        most: usize,
    ) -> Result<Response, RequestError> {
        let bound = bounds::REQUEST;
        let late = |_| RequestError::Timeout { path: path.to_owned(), bound };
        timeout(bound, self.exchange(method, path, body, most)).await.map_err(late)?
    }

    async fn exchange(
        &mut self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        most: usize,
    ) -> Result<Response, RequestError> {
        let closed = |source| RequestError::Closed { path: path.to_owned(), source };
        let mut request = Request::builder().method(method).uri(path).header(HOST, &self.host);
        request = request.header(ACCEPT, JSON);
        if body.is_some() {
            request = request.header(CONTENT_TYPE, JSON);
        }
        let request = request
            .body(Full::new(Bytes::from(body.unwrap_or_default())))
            .map_err(|_| RequestError::Unsendable { path: path.to_owned() })?;
        self.sender.ready().await.map_err(closed)?;
        let (head, body) = self.sender.send_request(request).await.map_err(closed)?.into_parts();
        let media_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        Ok(Response {
            status: head.status.as_u16(),
            media_type: media_type.unwrap_or_default().to_owned(),
            body: collect(body, path, most).await?,
        })
    }

    /// The same with messages: encodes `request` if there is one, decodes a good answer or the
    /// TRE's problem.
    pub(crate) async fn call<Req: Serialize + Sync, Resp: DeserializeOwned>(
        &mut self,
        method: Method,
        path: &str,
        request: Option<&Req>,
    ) -> Result<Resp, RequestError> {
        let unsendable = |_| RequestError::Unsendable { path: path.to_owned() };
        let body = request.map(json::encode).transpose().map_err(unsendable)?;
        let answer = self.request(method, path, body).await?;
        answer.decode(path)
    }
}

impl Response {
    /// The message of a good answer.
    ///
    /// # Errors
    ///
    /// [`RequestError::Problem`] with what the TRE says; [`RequestError::Status`] if it says
    /// nothing; [`RequestError::Body`] for another message.
    pub fn decode<T: DeserializeOwned>(&self, path: &str) -> Result<T, RequestError> {
        let unreadable = |source| RequestError::Body { path: path.to_owned(), source };
        if (200..300).contains(&self.status) {
            return json::decode(&self.body).map_err(unreadable);
        }
        if self.media_type != problem::MEDIA_TYPE {
            return Err(RequestError::Status { path: path.to_owned(), status: self.status });
        }
        let problem: Problem = json::decode(&self.body).map_err(unreadable)?;
        Err(RequestError::Problem { path: path.to_owned(), problem })
    }
}

async fn collect(body: Incoming, path: &str, most: usize) -> Result<Vec<u8>, RequestError> {
    match Limited::new(body, most).collect().await {
        Ok(whole) => Ok(whole.to_bytes().to_vec()),
        Err(error) => Err(match error.downcast::<hyper::Error>() {
            Ok(source) => RequestError::Closed { path: path.to_owned(), source: *source },
            Err(_too_long) => RequestError::TooLong { path: path.to_owned(), most },
        }),
    }
}

/// Media type of every message.
const JSON: &str = "application/json";

#[cfg(test)]
mod tests {
    use super::*;

    /// The clock of this test stands still until nothing else is left to do.
    #[tokio::test(start_paused = true)]
    async fn an_answer_that_never_comes_is_not_waited_for_beyond_the_bound() {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let mut connection = HttpConnection::start(ours, "tre:8443").await.unwrap();
        let error = connection.request(Method::GET, "/v1/health", None).await.unwrap_err();
        let RequestError::Timeout { path, bound } = error else { panic!("{error}") };
        assert_eq!((path.as_str(), bound), ("/v1/health", bounds::REQUEST));
        drop(theirs);
    }
}
