//! What is somebody else's answers like what is not there: one status, one length, the same bytes.

use anyhow::Result;
use attest_verifier::{AnyKeyConnection, ClientIdentity, Method, Response};
use tre_tests::domain::{SLOT_MS, now};
use tre_wire::bounds;
use tre_wire::role::Role;

use crate::fixture::{Box, start};

/// A call about something of peer `one`'s, and the same call about nothing, both by peer `two`.
struct Pair {
    who: Role,
    method: Method,
    /// With `{}` for the name that is asked for; the body likewise.
    path: &'static str,
    body: Option<String>,
    /// Of both answers.
    status: u16,
}

/// The names in a pair: of `one`'s, and of nothing. They are of one length.
const NAMES: [&str; 2] = ["theirs", "nobody"];

/// Every call that names something which belongs to one peer alone.
fn pairs() -> Vec<Pair> {
    let pair = |who, method, path, body: Option<&str>, status| {
        let body = body.map(str::to_owned);
        Pair { who, method, path, body, status }
    };
    let (dsm, supplier) = (Role::Dsm, Role::Supplier);
    let none_accepted = Some(r#"{"accepted":[]}"#);
    let one_accepted = format!(r#"{{"accepted":["{}"]}}"#, "11".repeat(32));
    let bid = |bid: &str| {
        let bid = format!(r#"{{"event":"{{}}","bid":{bid}}}"#);
        // The name is four characters longer than the place for it.
        format!("{bid:<width$}", width = bounds::BID_BYTES.saturating_sub(4))
    };
    let an_offer = bid(r#"{"quantity_wh":500,"price":250000}"#);
    let members: Vec<String> = (0..MEMBERS).map(|number| format!("\"p{number}\"")).collect();
    let group = format!(r#"{{"members":[{}]}}"#, members.join(","));
    let prices = r#"{"tariff":"{}","from_slot":9000000000,"prices":[10]}"#;
    let end = r#"{"tariff":"{}","end_slot":9000000000}"#;
    vec![
        pair(dsm, Method::GET, "/v1/events/{}/bids", None, 404),
        pair(dsm, Method::GET, "/v1/events/{}/outcome", None, 404),
        pair(dsm, Method::DELETE, "/v1/events/{}", None, 404),
        pair(dsm, Method::POST, "/v1/events/{}/decision", none_accepted, 404),
        pair(dsm, Method::POST, "/v1/events/{}/decision", Some(&one_accepted), 404),
        pair(supplier, Method::POST, "/v1/prices", Some(prices), 404),
        pair(supplier, Method::POST, "/v1/billing-periods", Some(end), 404),
        // A meter without a connection learns of no event by its bid.
        pair(Role::Meter, Method::POST, "/v1/bids", Some(&bid("null")), 404),
        pair(Role::Meter, Method::POST, "/v1/bids", Some(&an_offer), 404),
        // Names of groups are each operator's own: both are taken.
        pair(Role::Dno, Method::PUT, "/v1/groups/{}", Some(&group), 200),
    ]
}

/// As many as the policy's smallest group.
const MEMBERS: u64 = 15;

async fn ask(tre: &Box, id: &str, pair: &Pair, name: &str) -> Result<Response> {
    let identity = ClientIdentity::load(&tre.credential(pair.who, id))?;
    let mut connection = AnyKeyConnection::open(&tre.address, Some(&identity)).await?;
    let body = pair.body.as_ref().map(|body| body.replacen("{}", name, 1).into_bytes());
    Ok(connection.request(pair.method.clone(), &pair.path.replace("{}", name), body).await?)
}

/// Peer `one` gets a tariff, an event and a group.
async fn furnish(tre: &Box) -> Result<()> {
    for number in 0..MEMBERS {
        let record = format!(
            r#"{{"account":"a{number}","meter":"m{number}","supplier":"one","tariff":"theirs",
            "capacity_w":9000,"from_slot":9000000000,"to_slot":null}}"#
        );
        let path = format!("/v1/connections/p{number}");
        let answer = tre.ask(Some(Role::Registrar), Method::PUT, &path, Some(&record)).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    }
    // Within one window, 96 slots, and far enough that it is open to the end.
    let deadline = now()?.plus(90 * SLOT_MS).get();
    let from = deadline.div_ceil(SLOT_MS).saturating_add(1);
    let event = format!(
        r#"{{"event":"theirs","terms":{{"direction":"reduce","from_slot":{from},
        "to_slot":{},"deadline":{deadline}}}}}"#,
        from.saturating_add(1)
    );
    let answer = tre.ask(Some(Role::Dsm), Method::POST, "/v1/events", Some(&event)).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let group = pairs().pop().and_then(|pair| pair.body);
    let answer = tre.ask(Some(Role::Dno), Method::PUT, "/v1/groups/theirs", group.as_deref()).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    Ok(())
}

/// What peer `one` sees of its own.
async fn own(tre: &Box) -> Vec<Response> {
    let mut seen = Vec::new();
    for (role, path) in [
        (Role::Dsm, "/v1/events/theirs/outcome"),
        (Role::Dno, "/v1/groups"),
        (Role::Supplier, "/v1/bills"),
    ] {
        let answer = tre.ask(Some(role), Method::GET, path, None).await;
        assert_eq!(answer.status, 200, "{path}");
        seen.push(answer);
    }
    seen
}

#[tokio::test]
async fn what_is_anothers_and_what_is_not_there_answer_alike() -> Result<()> {
    let tre = start();
    furnish(&tre).await?;
    let before: Vec<Vec<u8>> = own(&tre).await.into_iter().map(|answer| answer.body).collect();
    for pair in pairs() {
        let [theirs, nobody] = NAMES;
        let theirs = ask(&tre, "two", &pair, theirs).await?;
        let nobody = ask(&tre, "two", &pair, nobody).await?;
        let at = format!("{} {} {}", pair.who, pair.method, pair.path);
        let seen = |answer: &Response| {
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            (answer.status, answer.media_type.clone(), answer.body.len(), body)
        };
        assert_eq!(seen(&theirs), seen(&nobody), "{at}");
        assert_eq!(theirs.status, pair.status, "{at}: {}", seen(&theirs).3);
        // The pair tells two things apart only if its owner is answered otherwise.
        if pair.method == Method::GET {
            let owner = ask(&tre, "one", &pair, NAMES[0]).await?;
            assert_ne!(seen(&owner), seen(&theirs), "{at}");
        }
    }
    let after: Vec<Vec<u8>> = own(&tre).await.into_iter().map(|answer| answer.body).collect();
    assert_eq!(before, after);
    Ok(())
}
