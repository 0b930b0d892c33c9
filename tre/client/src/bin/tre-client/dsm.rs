//! `tre-client dsm`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use tre_client::dsm::Dsm;
use tre_client::merit;
use tre_client::wire::hex::Hex32;
use tre_client::wire::id::EventId;
use tre_client::wire::message::dsm::{self, EventTerms, PseudoBid, PseudoBids};
use tre_client::wire::message::kept::Content;
use tre_client::wire::role::Role;
use tre_client::wire::units::{Slot, UnixMillis, WattHours};

use crate::keep::keep;
use crate::options::{Output, Peer, SlotChoice};
use crate::output;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Open an event: meters may bid until its deadline.
    OpenEvent(OpenOptions),
    /// Take an event back that is not decided: every bid loses.
    CancelEvent(CancelOptions),
    /// The pseudo-bids of an event, after its deadline.
    Bids(BidsOptions),
    /// Decide which pseudo-bids win, once.
    Decide(DecideOptions),
    /// Where an event stands.
    Outcome(EventOptions),
}

#[derive(Debug, Args)]
pub(crate) struct OpenOptions {
    #[command(flatten)]
    peer: Peer,
    /// The event; a name can be used once.
    #[arg(value_name = "EVENT")]
    event: EventId,
    /// Less or more consumption.
    #[arg(long, value_enum)]
    direction: Direction,
    /// First slot of the event: a number or `next`.
    #[arg(long, value_name = "SLOT")]
    from_slot: SlotChoice,
    /// How many slots it spans.
    #[arg(long, value_name = "N", default_value_t = 1)]
    slots: u64,
    /// Until when bids are taken, in ms since 1970, at most one window of the policy ahead; by default
    /// one slot before the event begins, or as late as there may be.
    #[arg(long, value_name = "MS", value_parser = time)]
    deadline_ms: Option<UnixMillis>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Direction {
    Reduce,
    Increase,
}

#[derive(Debug, Args)]
pub(crate) struct CancelOptions {
    #[command(flatten)]
    peer: Peer,
    /// The event.
    #[arg(value_name = "EVENT")]
    event: EventId,
}

#[derive(Debug, Args)]
pub(crate) struct BidsOptions {
    #[command(flatten)]
    event: EventOptions,
    /// Also write the set into this folder, as the TRE signed it.
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct EventOptions {
    #[command(flatten)]
    peer: Peer,
    /// The event.
    #[arg(value_name = "EVENT")]
    event: EventId,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct DecideOptions {
    #[command(flatten)]
    peer: Peer,
    /// The event.
    #[arg(value_name = "EVENT")]
    event: EventId,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    output: Output,
}

/// Which pseudo-bids win.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Choice {
    /// The cheapest first, up to this energy and never beyond it. Unit: Wh.
    #[arg(long, value_name = "WH", value_parser = energy)]
    wanted_wh: Option<WattHours>,
    /// These, by their ids.
    #[arg(long, value_name = "ID", num_args = 1..)]
    accept: Vec<Hex32>,
    /// None.
    #[arg(long)]
    reject_all: bool,
}

fn time(text: &str) -> Result<UnixMillis, String> {
    let number = text.parse().map_err(|_| String::from("expected whole milliseconds"))?;
    UnixMillis::new(number).map_err(|error| error.to_string())
}

fn energy(text: &str) -> Result<WattHours, String> {
    let number = text.parse().map_err(|_| String::from("expected whole watt-hours"))?;
    WattHours::new(number).map_err(|error| error.to_string())
}

pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::OpenEvent(options) => open(options).await,
        Command::CancelEvent(CancelOptions { peer, event }) => {
            connect(&peer).await?.cancel_event(&event).await?;
            output::line(&format!("{event} is cancelled"))
        }
        Command::Bids(options) => bids(options).await,
        Command::Decide(options) => decide(options).await,
        Command::Outcome(EventOptions { peer, event, output }) => {
            let outcome = connect(&peer).await?.outcome(&event).await?;
            if output.json {
                return output::json(&outcome);
            }
            let state = format!("{:?}", outcome.state).to_lowercase();
            let row = [state, outcome.pseudo_bids.to_string(), outcome.accepted.to_string()];
            output::table(["state", "pseudo-bids", "accepted"], [row])
        }
    }
}

async fn connect(peer: &Peer) -> anyhow::Result<Dsm> {
    Ok(Dsm(peer.link(Role::Dsm).await?))
}

async fn open(options: OpenOptions) -> anyhow::Result<()> {
    let mut dsm = connect(&options.peer).await?;
    let from_slot = options.from_slot.resolve(&mut dsm.0).await?;
    let deadline = match options.deadline_ms {
        Some(deadline) => deadline,
        None => {
            let slot_before = Slot::new(from_slot.get().saturating_sub(1)).unwrap_or_default();
            let running = dsm.0.health().await?.slot;
            let policy = dsm.0.target().policy();
            policy.start_of(slot_before.min(running.plus(policy.monitoring.window_slots)))
        }
    };
    let direction = match options.direction {
        Direction::Reduce => dsm::Direction::Reduce,
        Direction::Increase => dsm::Direction::Increase,
    };
    let to_slot = from_slot.plus(options.slots);
    let terms = EventTerms { direction, from_slot, to_slot, deadline };
    dsm.open_event(&options.event, terms).await?;
    let (event, from, to) = (options.event, from_slot.get(), to_slot.get());
    output::line(&format!("event {event}: slots {from} to {to}, bids until {deadline}"))
}

async fn bids(options: BidsOptions) -> anyhow::Result<()> {
    let EventOptions { peer, event, output } = options.event;
    let mut dsm = connect(&peer).await?;
    let bids = dsm.signed_bids(&event).await?;
    if let Some(folder) = &options.keep {
        let (name, dsm_id) = (format!("bids-{event}"), dsm.0.own().identity().id.clone());
        let content = Content::PseudoBids { dsm: dsm_id, event, bids: bids.clone() };
        keep(&mut dsm.0, folder, vec![(name, content)]).await?;
    }
    print_bids(bids.document.pseudo_bids, output)
}

async fn decide(options: DecideOptions) -> anyhow::Result<()> {
    let mut dsm = connect(&options.peer).await?;
    let pseudo_bids = dsm.bids(&options.event).await?;
    let accepted = match (options.choice.wanted_wh, options.choice.accept) {
        (Some(wanted), _) => merit::select(&pseudo_bids, wanted).accepted,
        (None, ids) => ids,
    };
    let (count, all) = (accepted.len(), pseudo_bids.len());
    let decision = dsm::Decision { accepted: accepted.clone() };
    dsm.decide(&options.event, accepted).await?;
    if options.output.json {
        return output::json(&decision);
    }
    output::line(&format!("event {}: accepted {count} of {all} pseudo-bids", options.event))
}

fn print_bids(pseudo_bids: Vec<PseudoBid>, output: Output) -> anyhow::Result<()> {
    if output.json {
        return output::json(&PseudoBids { pseudo_bids });
    }
    let row = |offer: PseudoBid| {
        let (quantity, price) = (offer.bid.quantity_wh.get(), offer.bid.price.get());
        [offer.id.to_string(), quantity.to_string(), price.to_string()]
    };
    let header = ["single-use id", "quantity, Wh", "price, micro-currency/kWh"];
    output::table(header, pseudo_bids.into_iter().map(row))
}
