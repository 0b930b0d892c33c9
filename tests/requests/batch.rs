//! Many verifiers at once, on a TPM as slow as a discrete one.

use core::time::Duration;

use attest_verifier::AnyKeyConnection;
use attest_verifier::core::verdict;
use tokio::task::JoinSet;
use tre_tests::domain::now;
use tre_tests::enrolled::Enrolled;

/// Verifiers at once. Each asks twice.
const VERIFIERS: u64 = 64;

/// How long a quote takes.
const QUOTE: Duration = Duration::from_millis(300);

#[tokio::test]
async fn verifiers_at_once_share_quotes_and_each_is_answered_for_itself() {
    let enrolled = Enrolled::make().await.expect("an enrolled TRE");
    let Enrolled { domain, machine, reference, hosted, tre_id } = enrolled;
    let trust = reference.trust().expect("trust");
    drop(hosted);

    let hosted = machine.start_slow(QUOTE).expect("a slow TRE");
    domain.set_time(&hosted.address().to_string(), &tre_id).await.expect("the time");
    let tre = trust.reference().identity_of_tre(tre_id);
    let mut tasks = JoinSet::new();
    for _ in 0..VERIFIERS {
        let (address, trust, tre) = (hosted.address().to_string(), trust.clone(), tre.clone());
        tasks.spawn(async move {
            let mut connection =
                AnyKeyConnection::open(&address, None).await.expect("a connection");
            let mut shared = 0_u64;
            for _ in 0..2 {
                let answer = connection.challenge().await.expect("an answer");
                shared = shared.saturating_add(u64::from(answer.evidence.path.count > 1));
                let time = now().expect("the time");
                verdict::attest(&answer.evidence, answer.session, &tre, trust.reference(), time)
                    .expect("a verdict");
            }
            shared
        });
    }
    let shared: u64 = tasks.join_all().await.into_iter().sum();
    let counted = hosted.end().expect("counts").expect("a slow TPM");
    let quotes = counted["00000158"]["answered"].as_u64().expect("a count");
    // A quote for each would be 128. The crowd may need some to arrive.
    assert!(shared > VERIFIERS, "{shared} answers of {} shared a quote", 2 * VERIFIERS);
    assert!(quotes < VERIFIERS / 2, "{quotes} quotes for {} answers", 2 * VERIFIERS);
}
