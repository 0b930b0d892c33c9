//! `tre-client operator`

use clap::{Args, Subcommand};
use tre_client::operator::Operator;
use tre_client::wire::message::operator::AlertDay;
use tre_client::wire::role::Role;

use crate::options::{Output, Peer};
use crate::{output, revocations};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// How the box came up, and its time. (A box that is new or locked is refused, saying so.)
    Health(Options),
    /// Counters since start.
    Metrics(Options),
    /// Readings above their connection's capacity, by day.
    Alerts(Options),
    /// Put a revocation list into force: its keys are cut off at their next request.
    PutRevocations(revocations::Options),
}

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    peer: Peer,
    #[command(flatten)]
    output: Output,
}

pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Health(options) => health(options).await,
        Command::Metrics(options) => metrics(options).await,
        Command::Alerts(options) => alerts(options).await,
        Command::PutRevocations(options) => revocations::run(options, Role::Operator).await,
    }
}

async fn connect(peer: &Peer) -> anyhow::Result<Operator> {
    Ok(Operator(peer.link(Role::Operator).await?))
}

fn row(name: &str, value: impl ToString) -> [String; 2] {
    [name.to_owned(), value.to_string()]
}

async fn health(Options { peer, output }: Options) -> anyhow::Result<()> {
    let health = connect(&peer).await?.health().await?;
    if output.json {
        return output::json(&health);
    }
    output::table(
        ["TRE", &health.tre_id],
        [
            row("state", health.state.as_str()),
            row("durable", health.durable),
            row("version", health.version),
            row("time, ms since 1970", health.time.get()),
            row("slot", health.slot.get()),
            row("revocation list in force", health.revocations),
        ],
    )
}

async fn metrics(Options { peer, output }: Options) -> anyhow::Result<()> {
    let metrics = connect(&peer).await?.metrics().await?;
    if output.json {
        return output::json(&metrics);
    }
    output::table(
        ["counter", "since start"],
        [
            row("connections accepted", metrics.connections),
            row("connections refused, full", metrics.connections_refused),
            row("handshakes failed", metrics.handshakes_failed),
            row("connections broken", metrics.connections_broken),
            row("requests answered", metrics.requests),
            row("of these with a problem", metrics.problems),
            row("quotes made", metrics.quotes),
        ],
    )
}

async fn alerts(Options { peer, output }: Options) -> anyhow::Result<()> {
    let alerts = connect(&peer).await?.alerts().await?;
    if output.json {
        return output::json(&alerts);
    }
    let day = |day: AlertDay| [day.from_slot.get().to_string(), day.over_capacity.to_string()];
    output::table(["day from slot", "readings above capacity"], alerts.days.into_iter().map(day))
}
