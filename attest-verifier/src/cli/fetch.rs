//! `fetch`: evidence into files, unjudged.

use attest_verifier::core::quote;
use attest_verifier::{Answer, AnyKeyConnection, export};

use crate::{Ending, Fetch, answer};

pub(crate) async fn run(fetch: &Fetch) -> anyhow::Result<Ending> {
    let challenge = async {
        let mut connection = AnyKeyConnection::open(&fetch.address, None).await?;
        connection.challenge().await
    };
    let Answer { evidence, session } = match challenge.await {
        Ok(answer) => answer,
        Err(error) => return Ok(Ending::without_evidence(&error)),
    };
    export(&fetch.out, &evidence, &quote::expected_answer(&evidence, session.as_ref()))?;
    let folder = fetch.out.display();
    answer(&format!(
        "evidence written to {folder}; it is not verified: use `attest-verifier verify`"
    ))?;
    Ok(Ending::Accepted)
}
