//! Bodies that are not the message that the call takes: refused as malformed, one test each.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tre_wire::problem::ProblemType;
use tre_wire::role::Role;

use crate::stage::{self, Stage};

const LINE: &str = "PUT /v1/connections/point-new";

/// A record that would be taken: only what a test changes makes it bad.
fn good(stage: &Stage) -> Result<Value> {
    Ok(serde_json::to_value(stage.record("new")?)?)
}

/// Refused, with `words` in the detail.
async fn malformed(body: &[u8], words: &str) -> Result<()> {
    let stage = stage::shared().await?;
    let kind = ProblemType::Malformed;
    let detail = stage.refuses_body(Role::Registrar, LINE, body, kind).await?;
    ensure!(detail.contains(words), "expected {words:?} in {detail:?}");
    Ok(())
}

/// Refused when the good record's field `name` is `value`.
async fn malformed_with(name: &str, value: Value, words: &str) -> Result<()> {
    let mut body = good(stage::shared().await?)?;
    body.as_object_mut().map(|fields| fields.insert(name.to_owned(), value));
    malformed(&serde_json::to_vec(&body)?, words).await
}

macro_rules! refused_values {
    ($($test:ident: $field:literal = $value:expr, $words:literal;)*) => {$(
        #[tokio::test]
        async fn $test() -> Result<()> {
            malformed_with($field, json!($value), $words).await
        }
    )*};
}

refused_values! {
    an_unknown_field_is_refused: "colour" = "blue", "unknown field `colour`";
    a_power_of_zero_is_refused: "capacity_w" = 0, "1 to 1000000000";
    a_power_beyond_the_bound_is_refused: "capacity_w" = 1_000_000_001, "1 to 1000000000";
    a_negative_slot_is_refused: "from_slot" = -1, "0 to ";
    a_slot_past_exact_json_integers_is_refused: "from_slot" = 9_007_199_254_740_992_u64, "0 to ";
    a_fraction_is_refused: "from_slot" = 1.5, "invalid type";
    a_text_for_a_number_is_refused: "capacity_w" = "12000", "invalid type";
    a_number_for_a_text_is_refused: "meter" = 7, "invalid type";
    an_identifier_too_long_is_refused: "meter" = "m".repeat(49), "48";
    an_empty_identifier_is_refused: "account" = "", "";
    an_identifier_with_a_slash_is_refused: "tariff" = "a/b", "";
}

#[tokio::test]
async fn half_a_message_is_refused() -> Result<()> {
    malformed(br#"{"account":"#, "EOF").await
}

#[tokio::test]
async fn an_empty_body_is_refused() -> Result<()> {
    malformed(b"", "EOF").await
}

#[tokio::test]
async fn bytes_that_are_no_text_are_refused() -> Result<()> {
    malformed(b"{\"account\":\"\xff\xfe\"}", "").await
}

#[tokio::test]
async fn a_list_for_an_object_is_refused() -> Result<()> {
    malformed(b"[[]]", "invalid").await
}

#[tokio::test]
async fn a_missing_field_is_refused() -> Result<()> {
    let mut body = good(stage::shared().await?)?;
    body.as_object_mut().map(|fields| fields.remove("meter"));
    malformed(&serde_json::to_vec(&body)?, "missing field `meter`").await
}

#[tokio::test]
async fn a_field_said_twice_is_refused() -> Result<()> {
    let body = serde_json::to_string(&good(stage::shared().await?)?)?;
    let body = body.replacen('{', r#"{"meter":"meter-first","#, 1);
    malformed(body.as_bytes(), "duplicate field `meter`").await
}

#[tokio::test]
async fn two_messages_in_one_body_are_refused() -> Result<()> {
    let body = serde_json::to_string(&good(stage::shared().await?)?)?;
    malformed(format!("{body}{body}").as_bytes(), "trailing").await
}

#[tokio::test]
async fn nesting_beyond_the_bound_is_refused() -> Result<()> {
    let body = format!("{}{}", "[".repeat(17), "]".repeat(17));
    malformed(body.as_bytes(), "16 levels of nesting").await
}

#[tokio::test]
async fn nesting_that_would_fill_a_stack_is_refused() -> Result<()> {
    malformed("[".repeat(200_000).as_bytes(), "16 levels of nesting").await
}

#[tokio::test]
async fn one_bad_price_refuses_the_whole_publication() -> Result<()> {
    let stage = stage::shared().await?;
    let from_slot = stage.slot()?.plus(40);
    let body = json!({
        "tariff": "dynamic", "from_slot": from_slot, "prices": [1, 1_000_000_000_001_i64]
    });
    let kind = ProblemType::Malformed;
    stage.refuses_message(Role::Supplier, "POST /v1/prices", &body, kind).await?;
    Ok(())
}

#[tokio::test]
async fn a_nonce_that_is_no_nonce_is_refused() -> Result<()> {
    let stage = stage::shared().await?;
    let request = stage::request("POST /v1/attestation", br#"{"nonce":"00"}"#);
    stage.refuses(None, &request, ProblemType::Malformed).await?;
    Ok(())
}
