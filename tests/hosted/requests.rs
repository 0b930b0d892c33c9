//! Requests that are wrong before their body is read as a message, one test each.

use core::time::Duration;

use anyhow::{Result, ensure};
use attest_verifier::Method;
use tre_wire::bounds::BODY_BYTES;
use tre_wire::problem::ProblemType;
use tre_wire::role::Role;

use crate::stage::{self, Stage, bare, request};

/// Refused as registrar.
async fn refused(request: &[u8], kind: ProblemType) -> Result<()> {
    stage::shared().await?.refuses(Some(Role::Registrar), request, kind).await?;
    Ok(())
}

/// A request that would be carried out but for `line` and the `fields` after it.
async fn good(line: &str, fields: &str) -> Result<Vec<u8>> {
    let body = serde_json::to_string(&stage::shared().await?.record("new")?)?;
    let length = body.len();
    let head = format!("{line} HTTP/1.1\r\nhost: tre\r\n{fields}content-length: {length}\r\n");
    Ok(format!("{head}\r\n{body}").into_bytes())
}

const LINE: &str = "PUT /v1/connections/point-new";
const TYPED: &str = "content-type: application/json\r\n";

#[tokio::test]
async fn an_unknown_path_is_not_found() -> Result<()> {
    refused(&good("PUT /v1/connexions/point-new", TYPED).await?, ProblemType::NotFound).await
}

#[tokio::test]
async fn another_version_is_not_found() -> Result<()> {
    refused(&good("PUT /v2/connections/point-new", TYPED).await?, ProblemType::NotFound).await
}

#[tokio::test]
async fn a_path_that_climbs_is_not_found() -> Result<()> {
    let line = "PUT /v1/groups/../connections/point-new";
    refused(&good(line, TYPED).await?, ProblemType::NotFound).await
}

#[tokio::test]
async fn another_method_is_not_allowed() -> Result<()> {
    refused(&good("DELETE /v1/connections/point-0", TYPED).await?, ProblemType::BadRequest).await?;
    refused(&bare("DELETE /v1/connections/point-0"), ProblemType::MethodNotAllowed).await?;
    refused(&good("POST /v1/connections", TYPED).await?, ProblemType::MethodNotAllowed).await
}

#[tokio::test]
async fn percent_encoding_in_the_path_is_refused() -> Result<()> {
    let line = "PUT /v1/connections/point%2Dnew";
    refused(&good(line, TYPED).await?, ProblemType::BadRequest).await
}

#[tokio::test]
async fn percent_encoding_in_the_query_is_refused() -> Result<()> {
    refused(&bare("GET /v1/connections?after=point%2D1"), ProblemType::BadRequest).await
}

#[tokio::test]
async fn an_identifier_too_long_for_a_path_is_refused() -> Result<()> {
    let line = format!("PUT /v1/connections/{}", "p".repeat(49));
    refused(&good(&line, TYPED).await?, ProblemType::BadRequest).await
}

#[tokio::test]
async fn a_parameter_that_no_call_takes_is_refused() -> Result<()> {
    refused(&bare("GET /v1/connections?before=point-1"), ProblemType::BadRequest).await?;
    refused(&good(&format!("{LINE}?force=1"), TYPED).await?, ProblemType::BadRequest).await
}

#[tokio::test]
async fn a_body_without_a_type_is_refused() -> Result<()> {
    refused(&good(LINE, "").await?, ProblemType::UnsupportedMedia).await
}

#[tokio::test]
async fn a_body_of_another_type_is_refused() -> Result<()> {
    let fields = "content-type: application/x-www-form-urlencoded\r\n";
    refused(&good(LINE, fields).await?, ProblemType::UnsupportedMedia).await
}

#[tokio::test]
async fn a_body_where_none_belongs_is_refused() -> Result<()> {
    refused(&request("GET /v1/connections", b"{}"), ProblemType::BadRequest).await
}

#[tokio::test]
async fn a_body_announced_too_large_is_refused_before_it_comes() -> Result<()> {
    let length = BODY_BYTES.saturating_add(1);
    let head = format!("{LINE} HTTP/1.1\r\nhost: tre\r\n{TYPED}content-length: {length}\r\n\r\n");
    refused(head.as_bytes(), ProblemType::TooLarge).await
}

#[tokio::test]
async fn a_body_in_chunks_is_refused_when_it_has_grown_too_large() -> Result<()> {
    let mut request = format!(
        "{LINE} HTTP/1.1\r\nhost: tre\r\n{TYPED}transfer-encoding: chunked\r\n\r\n"
    )
    .into_bytes();
    let most = BODY_BYTES;
    request.extend_from_slice(format!("{most:x}\r\n{}\r\n", " ".repeat(most)).as_bytes());
    request.extend_from_slice(b"1\r\n \r\n");
    refused(&request, ProblemType::TooLarge).await
}

/// The TRE answers while the client still speaks: who never listens may miss the answer.
#[tokio::test]
async fn a_body_far_too_large_is_refused_or_cut() -> Result<()> {
    let stage = stage::shared().await?;
    let before = stage.state().await?;
    let mut connection = stage.open(Role::Registrar).await?;
    let body = vec![b' '; BODY_BYTES.saturating_mul(16)];
    let path = "/v1/connections/point-new";
    if let Ok(answer) = connection.request(Method::PUT, path, Some(body)).await {
        ensure!(answer.status == 413, "expected 413, found {}", answer.status);
    }
    ensure!(stage.state().await? == before, "the refused request changed the state");
    Ok(())
}

/// What is no HTTP/1.1 has no call to answer: at most a bare status, then the end.
async fn cut(stage: &Stage, request: &[u8]) -> Result<()> {
    let before = stage.state().await?;
    let mut raw = stage.raw(Some(Role::Registrar)).await?;
    raw.send(request).await?;
    let ended = raw.ended(Duration::from_secs(20)).await?;
    let heard = String::from_utf8_lossy(&ended.heard);
    let bare = heard.starts_with("HTTP/1.1 4") && heard.ends_with("\r\n\r\n");
    ensure!(heard.is_empty() || bare, "expected a bare refusal or nothing, found {heard}");
    ensure!(stage.state().await? == before, "the refused request changed the state");
    Ok(())
}

#[tokio::test]
async fn a_request_line_that_is_none_is_cut() -> Result<()> {
    cut(stage::shared().await?, b"\x00\x01\x02\x03\r\n\r\n").await
}

#[tokio::test]
async fn a_header_that_is_none_is_cut() -> Result<()> {
    let fields = format!("{TYPED}this is no field\r\n");
    cut(stage::shared().await?, &good(LINE, &fields).await?).await
}

#[tokio::test]
async fn two_lengths_of_one_body_are_cut() -> Result<()> {
    let fields = format!("{TYPED}content-length: 3\r\n");
    cut(stage::shared().await?, &good(LINE, &fields).await?).await
}

#[tokio::test]
async fn a_length_that_is_no_number_is_cut() -> Result<()> {
    let head = format!("{LINE} HTTP/1.1\r\nhost: tre\r\n{TYPED}content-length: -1\r\n\r\n{{}}");
    cut(stage::shared().await?, head.as_bytes()).await
}

#[tokio::test]
async fn a_chunk_that_is_none_is_refused() -> Result<()> {
    let head = format!("{LINE} HTTP/1.1\r\nhost: tre\r\n{TYPED}transfer-encoding: chunked\r\n\r\n");
    let request = [head.as_bytes(), b"zz\r\n"].concat();
    refused(&request, ProblemType::BadRequest).await
}

#[tokio::test]
async fn a_header_beyond_the_bound_is_cut() -> Result<()> {
    let fields = format!("{TYPED}x-long: {}\r\n", "x".repeat(9 * 1024));
    cut(stage::shared().await?, &good(LINE, &fields).await?).await
}

#[tokio::test]
async fn more_fields_than_the_bound_are_cut() -> Result<()> {
    let many: String = (0..40).map(|number| format!("x-{number}: 1\r\n")).collect();
    cut(stage::shared().await?, &good(LINE, &format!("{TYPED}{many}")).await?).await
}

#[tokio::test]
async fn another_protocol_is_cut() -> Result<()> {
    cut(stage::shared().await?, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await
}
