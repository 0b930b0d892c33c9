//! `tre-client dno`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use tre_client::dno::Dno;
use tre_client::file::{self, members};
use tre_client::wire::id::GroupId;
use tre_client::wire::message::dno::{Aggregate, Aggregates, GroupSummary, Groups, Span, Withheld};
use tre_client::wire::message::kept::Content;
use tre_client::wire::role::Role;

use crate::advise;
use crate::keep::keep;
use crate::options::{Output, Peer, SlotChoice};
use crate::output;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Define a group: the whole membership from the next slot on.
    PutGroup(PutOptions),
    /// Our groups.
    Groups(GroupOptions),
    /// The noisy sums of our groups.
    Aggregates(AggregateOptions),
    /// How far off noisy sums are, by group size, clip and epsilon, from readings in a file. Asks
    /// no TRE.
    Advise(advise::Options),
}

#[derive(Debug, Args)]
pub(crate) struct PutOptions {
    #[command(flatten)]
    peer: Peer,
    /// The group.
    #[arg(value_name = "ID")]
    group: GroupId,
    /// Its members: one connection point a line.
    #[arg(long, value_name = "FILE")]
    members: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct GroupOptions {
    #[command(flatten)]
    peer: Peer,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct AggregateOptions {
    #[command(flatten)]
    peer: Peer,
    /// First slot: a number, `now` or `next`.
    #[arg(long, value_name = "SLOT", default_value = "0")]
    from: SlotChoice,
    /// Also write the answers into this folder, as the TRE signed them.
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::PutGroup(PutOptions { peer, group, members }) => {
            let members = file::read(&members, members::parse)?;
            let count = members.len();
            connect(&peer).await?.put_group(&group, members).await?;
            output::line(&format!("group {group}: {count} members from the next slot on"))
        }
        Command::Groups(GroupOptions { peer, output }) => {
            print_groups(connect(&peer).await?.groups().await?, output)
        }
        Command::Aggregates(options) => aggregates(options).await,
        Command::Advise(options) => advise::run(options),
    }
}

async fn connect(peer: &Peer) -> anyhow::Result<Dno> {
    Ok(Dno(peer.link(Role::Dno).await?))
}

async fn aggregates(options: AggregateOptions) -> anyhow::Result<()> {
    let mut dno = connect(&options.peer).await?;
    let from = options.from.resolve(&mut dno.0).await?;
    let all = dno.all_signed(from).await?;
    if let Some(folder) = &options.keep {
        let own = dno.0.own().identity().id.clone();
        let mut contents = Vec::new();
        for sums in all.iter().cloned() {
            // Two answers may begin with one slot, but not with one group of it.
            let Some(first) = sums.document.aggregates.first() else { continue };
            let name = format!("aggregates-{}-{}", first.slot.get(), first.group);
            contents.push((name, Content::Aggregates { dno: own.clone(), sums }));
        }
        keep(&mut dno.0, folder, contents).await?;
    }
    let rows = all.into_iter().flat_map(|answer| answer.document.aggregates).collect();
    print_aggregates(rows, options.output)
}

fn print_groups(groups: Vec<GroupSummary>, output: Output) -> anyhow::Result<()> {
    if output.json {
        return output::json(&Groups { groups });
    }
    let row = |group: GroupSummary| {
        let from = group.from_slot.get().to_string();
        [group.group.to_string(), group.members.to_string(), from]
    };
    output::table(["group", "members", "from slot"], groups.into_iter().map(row))
}

fn print_aggregates(aggregates: Vec<Aggregate>, output: Output) -> anyhow::Result<()> {
    if output.json {
        return output::json(&Aggregates { aggregates });
    }
    let header = [
        "slot",
        "group",
        "span",
        "members",
        "released, Wh",
        "mean error, mWh",
        "standard deviation, mWh",
        "epsilon left, millionths",
    ];
    output::table(header, aggregates.iter().map(row))
}

fn row(aggregate: &Aggregate) -> [String; 8] {
    let released = match (aggregate.released_wh, aggregate.withheld) {
        (Some(released), _) => released.get().to_string(),
        (None, Some(Withheld::TooFewMembers)) => String::from("withheld: too few members"),
        (None, Some(Withheld::Dominance)) => String::from("withheld: one member dominates"),
        (None, Some(Withheld::NotMetered)) => String::from("withheld: not metered"),
        (None, Some(Withheld::BudgetSpent)) => String::from("withheld: budget spent"),
        (None, None) => String::from("withheld"),
    };
    [
        aggregate.slot.get().to_string(),
        aggregate.group.to_string(),
        span(aggregate),
        aggregate.members.to_string(),
        released,
        aggregate.mean_error_milli_wh.get().to_string(),
        aggregate.standard_deviation_milli_wh.get().to_string(),
        aggregate.epsilon_left_millionths.get().to_string(),
    ]
}

/// The span, and of a total how many slots it sums.
fn span(aggregate: &Aggregate) -> String {
    match aggregate.span {
        Span::Slot => String::from("slot"),
        Span::Day => format!("day of {} slots", aggregate.slots),
        Span::Week => format!("week of {} slots", aggregate.slots),
    }
}
