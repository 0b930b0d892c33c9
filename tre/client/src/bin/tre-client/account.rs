//! `tre-client meter account`: all that the TRE holds on a household.

use tre_client::wire::message::meter::Account;

use crate::meter::{PlainOptions, connect};
use crate::output;

pub(crate) async fn run(options: PlainOptions) -> anyhow::Result<()> {
    let account = connect(&options.peer).await?.account().await?;
    if options.output.json {
        return output::json(&account);
    }
    output::table(["what the TRE holds", ""], rows(&account))
}

/// One row a thing; what there is none of has none.
fn rows(account: &Account) -> Vec<[String; 2]> {
    let record = &account.record;
    let until = record.to_slot.map_or_else(|| "on".to_owned(), |to| format!("to {}", to.get()));
    let mut rows = vec![
        row("account", record.account.to_string()),
        row("connection in slots", format!("{} {until}", record.from_slot.get())),
        row("tariff", format!("{} of {}", record.tariff, record.supplier)),
        row("capacity, W", record.capacity_w.get().to_string()),
        row("not billed since slot", account.period_from.get().to_string()),
        row("running bill, nano-currency", account.running_nano.clone()),
        row("bills kept", account.bills.to_string()),
        row("readings above capacity", account.over_capacity.to_string()),
        row("readings held", account.readings.len().to_string()),
        row("slots that still take a reading", account.missing.len().to_string()),
    ];
    for group in &account.groups {
        let since =
            format!("{} of {} since slot {}", group.group, group.dno, group.from_slot.get());
        rows.push(row("in the sums of", since));
    }
    for share in &account.budget {
        let name = format!("epsilon left to {:?} sums, millionths", share.span).to_lowercase();
        let (left, window) = (share.left_millionths.get(), share.window_millionths.get());
        rows.push([name, format!("{left} of {window}")]);
    }
    for event in &account.events {
        let bid = event.bid.map_or_else(String::new, |bid| {
            format!(", {} Wh at {}", bid.quantity_wh.get(), bid.price.get())
        });
        let (outcome, delivery) = (event.outcome.as_str(), event.delivery);
        let how = format!("{outcome}{bid}, delivery {}", format!("{delivery:?}").to_lowercase());
        rows.push([format!("event {}", event.event), how]);
    }
    rows.push(row("time of the TRE, ms since 1970", account.time.get().to_string()));
    rows
}

fn row(name: &str, value: String) -> [String; 2] {
    [name.to_owned(), value]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_held_has_a_row() {
        let golden = include_bytes!("../../../../../tests/vectors/v1/messages/account.json");
        let account = tre_client::wire::json::decode(golden).expect("an account");
        let rows = rows(&account).into_iter().map(|[name, value]| format!("{name}: {value}"));
        let rows: Vec<String> = rows.collect();
        for expected in [
            "account: account-17",
            "connection in slots: 1970000 to 1972688",
            "in the sums of: street-3 of dno-1 since slot 1970000",
            "epsilon left to slot sums, millionths: 2937500 of 3000000",
            "event evening-peak: pending, 500 Wh at 120000, delivery none",
            "readings held: 1",
            "slots that still take a reading: 1",
        ] {
            assert!(rows.iter().any(|row| row == expected), "{expected} in {rows:?}");
        }
    }
}
