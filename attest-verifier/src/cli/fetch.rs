//! `fetch`: evidence into files, unjudged.

use attest_verifier::core::quote;
use attest_verifier::{Answer, AnyKeyConnection, export};

use crate::{Ending, Fetch};

pub(crate) async fn run(fetch: &Fetch) -> anyhow::Result<Ending> {
    let answer = async {
        let mut connection = AnyKeyConnection::open(&fetch.address, None).await?;
        connection.challenge().await
    };
    let Answer { evidence, session } = match answer.await {
        Ok(answer) => answer,
        Err(error) => return Ok(Ending::without_evidence(&error)),
    };
    export(&fetch.out, &evidence, &quote::expected_answer(&evidence, &session))?;
    println!(
        "evidence written to {}; it is not verified: use `attest-verifier verify`",
        fetch.out.display()
    );
    Ok(Ending::Accepted)
}
