//! `tre-client dno advise`

use core::str::FromStr;
use std::path::PathBuf;

use clap::Args;
use tre_client::advice::{Advice, Choices, Row, advise};
use tre_client::file::{self, readings::WideReadings};
use tre_client::wire::units::{Epsilon, WattHours};

use crate::options::Output;
use crate::output;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Wide CSV of readings: a first column, then one column a home, whole Wh a slot.
    #[arg(long, value_name = "FILE.csv")]
    readings: PathBuf,
    /// Delta: most that one home counts in a sum, in Wh. May be repeated.
    #[arg(long, value_name = "WH", default_values = ["1000", "2000", "5000"])]
    clip: Vec<Whole>,
    /// Epsilon of one sum: a whole number or a fraction such as 1/16. May be repeated.
    #[arg(long, value_name = "EPSILON", default_values = ["1", "1/10", "1/16", "1/48"])]
    epsilon: Vec<Fraction>,
    /// Members of a group. May be repeated.
    #[arg(long, value_name = "NUMBER", default_values = ["15", "50", "100", "500", "1000", "4096"])]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    members: Vec<u32>,
    #[command(flatten)]
    output: Output,
}

/// Energy on the command line.
#[derive(Clone, Copy, Debug)]
struct Whole(WattHours);

/// Epsilon on the command line.
#[derive(Clone, Copy, Debug)]
struct Fraction(Epsilon);

/// A text that is neither.
#[derive(Clone, Copy, Debug, thiserror::Error)]
enum NotANumber {
    #[error("expected whole watt-hours from 1 to 10^9")]
    Energy,
    #[error("expected a number such as 1 or 1/16, from 1/1000000 to 100")]
    Epsilon,
}

impl FromStr for Whole {
    type Err = NotANumber;

    fn from_str(text: &str) -> Result<Self, NotANumber> {
        let energy = text.parse().ok().filter(|energy| *energy > 0);
        let energy = energy.and_then(|energy| WattHours::new(energy).ok());
        energy.map(Self).ok_or(NotANumber::Energy)
    }
}

impl FromStr for Fraction {
    type Err = NotANumber;

    fn from_str(text: &str) -> Result<Self, NotANumber> {
        let (over, under) = text.split_once('/').unwrap_or((text, "1"));
        let millionths = || {
            let over = over.parse::<u64>().ok()?.checked_mul(1_000_000)?;
            Epsilon::new(over.checked_div(under.parse::<u64>().ok()?)?).ok()
        };
        millionths().map(Self).ok_or(NotANumber::Epsilon)
    }
}

pub(crate) fn run(options: Options) -> anyhow::Result<()> {
    let readings = file::read(&options.readings, WideReadings::parse)?;
    let choices = Choices {
        clips: options.clip.iter().map(|clip| clip.0).collect(),
        epsilons: options.epsilon.iter().map(|epsilon| epsilon.0).collect(),
        members: options.members,
    };
    let advice = advise(&readings, &choices);
    if options.output.json { output::json(&advice) } else { print(&advice) }
}

fn print(advice: &Advice) -> anyhow::Result<()> {
    let Advice { homes, readings, mean_milli_wh, clips } = advice;
    output::line(&format!(
        "{readings} readings of {homes} homes, {} Wh on average",
        point(*mean_milli_wh, 3)
    ))?;
    for clip in clips {
        let (clipped, lost) = (clip.clipped_millionths, clip.lost_millionths);
        output::line(&format!(
            "\nclip {} Wh: {} % of the readings are above it, and sums lose {} % of the energy",
            clip.clip_wh.get(),
            point(clipped, 4),
            point(lost, 4)
        ))?;
        let header = ["epsilon", "mean error, Wh", "members", "mean error, %", "members for 5 %"];
        output::table(header, clip.rows.iter().flat_map(rows))?;
    }
    Ok(())
}

/// One line for each group size.
fn rows(row: &Row) -> impl Iterator<Item = [String; 5]> {
    row.errors.iter().map(|error| {
        [
            point(row.epsilon_millionths.get(), 6),
            point(row.mean_error_milli_wh, 3),
            error.members.to_string(),
            point(error.error_permille, 1),
            row.members_for_a_twentieth.to_string(),
        ]
    })
}

/// A whole number of parts with its point `places` from the right.
fn point(parts: u64, places: usize) -> String {
    let digits = format!("{parts:0>width$}", width = places.saturating_add(1));
    let (whole, rest) = digits.split_at(digits.len().saturating_sub(places));
    format!("{whole}.{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_stands_where_it_belongs() {
        assert_eq!((point(5, 3), point(2_342, 1)), ("0.005".into(), "234.2".into()));
    }

    #[test]
    fn epsilon_is_a_whole_number_or_a_fraction() {
        let parse = |text: &str| text.parse::<Fraction>().ok().map(|it| it.0.get());
        assert_eq!(
            (parse("1"), parse("1/16"), parse("1/48")),
            (Some(1_000_000), Some(62_500), Some(20_833))
        );
        for bad in ["", "0", "1/0", "0.1", "-1", "101", "1/x"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
