//! One request, bounded and whole, and one answer.

use core::str::FromStr;

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER,
};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tre_wire::problem::{MEDIA_TYPE, Problem, ProblemType};
use tre_wire::revocation::PUT_BYTES;
use tre_wire::role::Role;
use tre_wire::{bounds as wire_bounds, json};

use crate::bounds;
use crate::rooms::{Room, Rooms};

/// Media type of every body that is not a problem.
const JSON: &str = "application/json";

/// Where the one call stands whose body may be longer than a message.
pub(crate) const REVOCATIONS: &str = "/v1/revocations";

/// A request that has arrived whole.
#[derive(Debug)]
pub(crate) struct Call {
    /// What is done.
    pub(crate) method: Method,
    /// To what: the path, percent-encoding refused.
    pub(crate) path: String,
    /// Parameters, `key=value` joined by `&`; empty if there are none.
    pub(crate) query: String,
    /// The body, unread.
    pub(crate) body: Bytes,
    /// The memory it takes.
    _room: Option<Room>,
}

/// The body of an answer: JSON.
pub(crate) type Answer = Vec<u8>;

/// Takes a whole request in, within its bounds.
///
/// The body of a refused one is read and thrown away, as far as any role's body may go: a client
/// that writes all before it reads learns why.
///
/// # Errors
///
/// A problem for one that is too large, too slow, cut, of another media type, or one too many.
pub(crate) async fn receive(
    request: Request<Incoming>,
    role: Option<Role>,
    rooms: &Rooms,
) -> Result<Call, Problem> {
    let (head, body) = request.into_parts();
    let is_long =
        matches!(role, Some(Role::Operator | Role::Registrar)) && head.uri.path() == REVOCATIONS;
    let most = if is_long { PUT_BYTES } else { body_bytes(role) };
    let place = match acceptable(&head, most) {
        Ok(_) if is_long => rooms.take_long().map(Some),
        Ok(claimed) => rooms.take(role, claimed).await,
        Err(refusal) => Err(refusal),
    };
    let room = match place {
        Ok(room) => room,
        Err(refusal) => {
            throw_away(body).await;
            return Err(refusal);
        }
    };
    let body = collect(body, most).await?;
    let path = head.uri.path().to_owned();
    let query = head.uri.query().unwrap_or_default().to_owned();
    if !has_body(&head.method) && !body.is_empty() {
        return Err(problem(ProblemType::BadRequest, "expected no body with this method"));
    }
    Ok(Call { method: head.method, path, query, body, _room: room })
}

/// What a request's head says about it: how long its body is.
fn acceptable(head: &Parts, most: usize) -> Result<usize, Problem> {
    let query = head.uri.query().unwrap_or_default();
    if head.uri.path().contains('%') || query.contains('%') {
        return Err(problem(ProblemType::BadRequest, "expected a path without percent-encoding"));
    }
    let has_body = has_body(&head.method);
    let media_type = head.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    if has_body && media_type != Some(JSON.as_bytes()) {
        return Err(problem(
            ProblemType::UnsupportedMedia,
            "expected content-type application/json",
        ));
    }
    let claimed = head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let claimed = claimed.and_then(|value| value.parse::<usize>().ok());
    // A body in many tiny chunks costs more to hold than it weighs.
    if has_body && claimed.is_none() {
        return Err(problem(ProblemType::BadRequest, "expected a content-length"));
    }
    let claimed = claimed.unwrap_or_default();
    if claimed > most {
        return Err(too_large(most));
    }
    Ok(claimed)
}

fn has_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT)
}

/// Reads a body without keeping it.
async fn throw_away(body: Incoming) {
    let mut body = Limited::new(body, bounds::THROWN_AWAY_BYTES);
    let all = async { while body.frame().await.is_some_and(|frame| frame.is_ok()) {} };
    // The refusal stands, whether all of it came or not.
    tokio::time::timeout(bounds::BODY, all).await.ok();
}

async fn collect(body: Incoming, most: usize) -> Result<Bytes, Problem> {
    let whole = Limited::new(body, most).collect();
    match tokio::time::timeout(bounds::BODY, whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(most)),
        Ok(Err(_)) => Err(problem(ProblemType::BadRequest, "expected the whole body")),
        Err(_) => Err(problem(ProblemType::Timeout, "expected the whole body within 10 seconds")),
    }
}

/// Longest body by who sends it: what many can open connections for is small.
const fn body_bytes(role: Option<Role>) -> usize {
    match role {
        None => bounds::ANONYMOUS_BODY_BYTES,
        Some(Role::Meter) => bounds::METER_BODY_BYTES,
        Some(
            Role::Dno | Role::Supplier | Role::Dsm | Role::Registrar | Role::Operator | Role::Tre,
        ) => wire_bounds::BODY_BYTES,
    }
}

fn too_large(most: usize) -> Problem {
    let detail = format!("expected a body of at most {most} bytes");
    Problem::new(ProblemType::TooLarge, detail)
}

/// A problem with a fixed text.
pub(crate) fn problem(kind: ProblemType, detail: &str) -> Problem {
    Problem::new(kind, detail.to_owned())
}

impl Call {
    /// Decodes the body.
    ///
    /// # Errors
    ///
    /// [`ProblemType::Malformed`] with the field and position.
    pub(crate) fn message<T: DeserializeOwned + Serialize>(&self) -> Result<T, Problem> {
        self.message_at_most(wire_bounds::BODY_BYTES)
    }

    /// Decodes a body that may be longer than others.
    ///
    /// # Errors
    ///
    /// As [`Self::message`].
    pub(crate) fn message_at_most<T: DeserializeOwned + Serialize>(
        &self,
        most: usize,
    ) -> Result<T, Problem> {
        json::decode_request_at_most(&self.body, most)
            .map_err(|error| Problem::new(ProblemType::Malformed, error.detail()))
    }

    /// Refuses a body of any other length.
    ///
    /// # Errors
    ///
    /// [`ProblemType::BadRequest`].
    pub(crate) fn exactly(&self, length: usize) -> Result<(), Problem> {
        let found = self.body.len();
        if found == length {
            return Ok(());
        }
        let detail =
            format!("expected a body of {length} bytes, with spaces at its end, found {found}");
        Err(Problem::new(ProblemType::BadRequest, detail))
    }

    /// The one parameter that this call takes, or nothing.
    ///
    /// # Errors
    ///
    /// [`ProblemType::BadRequest`] for any other parameter, or a value that is not one.
    pub(crate) fn parameter<T: FromStr>(&self, key: &str) -> Result<Option<T>, Problem> {
        let [value] = self.parameters([key])?;
        parsed(key, value)
    }

    /// The parameters that this call takes, each once or not at all, in this order.
    ///
    /// # Errors
    ///
    /// [`ProblemType::BadRequest`] for anything else.
    pub(crate) fn parameters<const N: usize>(
        &self,
        keys: [&str; N],
    ) -> Result<[Option<&str>; N], Problem> {
        let mut rest = (!self.query.is_empty()).then_some(self.query.as_str());
        let found = keys.map(|key| {
            let (first, others) = match rest?.split_once('&') {
                Some((first, others)) => (first, Some(others)),
                None => (rest?, None),
            };
            let value = first.strip_prefix(key)?.strip_prefix('=')?;
            rest = others;
            Some(value)
        });
        match rest {
            None => Ok(found),
            Some(_) => {
                let detail = format!("expected no parameters but {}", keys.join(", then "));
                Err(Problem::new(ProblemType::BadRequest, detail))
            }
        }
    }

    /// Refuses any parameter.
    ///
    /// # Errors
    ///
    /// [`ProblemType::BadRequest`].
    pub(crate) fn no_parameter(&self) -> Result<(), Problem> {
        if self.query.is_empty() {
            return Ok(());
        }
        Err(problem(ProblemType::BadRequest, "expected no parameter"))
    }
}

/// The value of the parameter `key`, if it is there.
///
/// # Errors
///
/// [`ProblemType::BadRequest`] for one that is no such value.
pub(crate) fn parsed<T: FromStr>(key: &str, value: Option<&str>) -> Result<Option<T>, Problem> {
    let Some(value) = value else { return Ok(None) };
    value.parse().map(Some).map_err(|_: T::Err| {
        Problem::new(ProblemType::BadRequest, format!("expected a value for the parameter {key}"))
    })
}

/// Encodes an answer.
///
/// # Errors
///
/// [`ProblemType::Internal`], which no type of the interface causes.
pub(crate) fn answer<T: Serialize>(message: &T) -> Result<Answer, Problem> {
    json::encode(message).map_err(|error| Problem::new(ProblemType::Internal, error.detail()))
}

/// Whether an answer's length may say what it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Length {
    /// As long as it is.
    Its,
    /// That of every other answer to the same call, refusals too: [`bounds::EVEN_ANSWER_BYTES`].
    Even,
}

/// The answer as HTTP.
pub(crate) fn respond(result: Result<Answer, Problem>, length: Length) -> Response<Full<Bytes>> {
    let is = |kind| result.as_ref().is_err_and(|problem| problem.kind == kind);
    let (later, last) = (is(ProblemType::Busy), is(ProblemType::Revoked));
    let (status, media_type, mut body) = match result {
        Ok(body) => (StatusCode::OK, JSON, body),
        Err(problem) => {
            let status = StatusCode::from_u16(problem.status);
            let body = json::encode(&problem).unwrap_or_default();
            (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), MEDIA_TYPE, body)
        }
    };
    if length == Length::Even {
        // What differs in the head is made up for in the body.
        let head = status.canonical_reason().map_or(0, str::len).saturating_add(media_type.len());
        json::pad(&mut body, bounds::EVEN_ANSWER_BYTES.saturating_sub(head));
    }
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if last {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if later {
        headers.insert(RETRY_AFTER, HeaderValue::from(bounds::RETRY_AFTER.as_secs()));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_busy_answer_says_when_to_come_again() {
        for kind in ProblemType::ALL {
            let answer = respond(Err(problem(*kind, "why")), Length::Its);
            let found = answer.headers().get(RETRY_AFTER).map(HeaderValue::as_bytes);
            let expected = (*kind == ProblemType::Busy).then_some(b"2".as_slice());
            assert_eq!(found, expected, "{kind:?}");
            assert_eq!(answer.status().as_u16(), kind.status());
        }
    }

    #[test]
    fn a_body_of_another_length_is_refused() {
        for (length, expected) in [(255, false), (256, true), (257, false)] {
            let body = Bytes::from(vec![b' '; length]);
            let (path, query) = (String::from("/v1/bids"), String::new());
            let found = Call { method: Method::POST, path, query, body, _room: None }.exactly(256);
            let found = found.map_err(|problem| problem.kind);
            let wanted = if expected { Ok(()) } else { Err(ProblemType::BadRequest) };
            assert_eq!(found, wanted, "{length} bytes: found {found:?}");
        }
    }

    #[test]
    fn parameters_are_read_in_their_order_each_once() {
        let asked = |query: &str| {
            let (path, query) = (String::from("/v1/aggregates"), String::from(query));
            let call = Call { method: Method::GET, path, query, body: Bytes::new(), _room: None };
            let found = call.parameters(["from", "after"]);
            found.map(|found| found.map(|it| it.map(str::to_owned))).map_err(|error| error.kind)
        };
        let both = |from: Option<&str>, after: Option<&str>| {
            Ok([from.map(str::to_owned), after.map(str::to_owned)])
        };
        assert_eq!(asked(""), both(None, None));
        assert_eq!(asked("from=7"), both(Some("7"), None));
        assert_eq!(asked("after=g"), both(None, Some("g")));
        assert_eq!(asked("from=7&after=g"), both(Some("7"), Some("g")));
        for other in ["&", "from", "from=7&", "after=g&from=7", "from=7&from=8", "fromm=7", "to=1"]
        {
            assert_eq!(asked(other), Err(ProblemType::BadRequest), "{other}");
        }
    }

    /// How long an answer is on the wire, but for what is the same in all.
    fn whole(answer: &Response<Full<Bytes>>) -> u64 {
        use hyper::body::Body as _;
        let reason = answer.status().canonical_reason().expect("a reason").len();
        let media_type = answer.headers().get(CONTENT_TYPE).expect("a media type").len();
        let body = answer.body().size_hint().exact().expect("a length");
        [reason, media_type]
            .into_iter()
            .filter_map(|it| u64::try_from(it).ok())
            .fold(body, u64::saturating_add)
    }

    #[test]
    fn an_even_answer_has_one_length_whatever_it_says() {
        let length = crate::routes::length("/v1/bids");
        let done = whole(&respond(Ok(b"{}".to_vec()), length));
        for kind in ProblemType::ALL.iter().filter(|kind| **kind != ProblemType::Busy) {
            for detail in ["", "expected at most 9000000000 Wh over the event, found 9000000001"] {
                let refused = respond(Err(problem(*kind, detail)), length);
                assert_eq!(whole(&refused), done, "a refusal of a bid shows by its length");
            }
        }
    }
}
