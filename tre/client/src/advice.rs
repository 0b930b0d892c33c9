//! What the noise costs: how far off a noisy sum is, by group size, clip and epsilon, from
//! readings of one's own.
//!
//! `[TRE14 III-C]` expects the noise to be below other errors "in all practical implementations".
//! At the size of a street it is not: this table says from how many homes on it is.

use serde::Serialize;
use tre_wire::units::{Epsilon, WattHours};

use crate::file::readings::WideReadings;

/// What to tabulate.
#[derive(Clone, Debug)]
pub struct Choices {
    /// Deltas.
    pub clips: Vec<WattHours>,
    /// Epsilons of one sum.
    pub epsilons: Vec<Epsilon>,
    /// Group sizes.
    pub members: Vec<u32>,
}

/// The table.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Advice {
    /// Homes in the file.
    pub homes: usize,
    /// Readings of all homes together.
    pub readings: u64,
    /// Mean reading.
    pub mean_milli_wh: u64,
    /// One part for each clip.
    pub clips: Vec<Clip>,
}

/// What one clip does.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Clip {
    /// Delta.
    pub clip_wh: WattHours,
    /// Share of the readings above it. Unit: millionths.
    pub clipped_millionths: u64,
    /// Share of the energy that sums lose by it. Unit: millionths.
    pub lost_millionths: u64,
    /// One row for each epsilon.
    pub rows: Vec<Row>,
}

/// The error at one clip and epsilon.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Row {
    /// Epsilon of one sum.
    pub epsilon_millionths: Epsilon,
    /// Lambda: the mean absolute error.
    pub mean_error_milli_wh: u64,
    /// The same as a share of the true sum, by group size.
    pub errors: Vec<GroupError>,
    /// Fewest members whose error is at most a twentieth.
    pub members_for_a_twentieth: u64,
}

/// The error of one group size.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct GroupError {
    /// Members.
    pub members: u32,
    /// Mean absolute error as a share of the true sum. Unit: thousandths, rounded half up.
    pub error_permille: u64,
}

/// Works out the table. Errors compare with the mean true sum of a group of that size.
#[must_use]
pub fn advise(readings: &WideReadings, choices: &Choices) -> Advice {
    let all = || readings.iter().flat_map(|(_, home)| home.iter().map(|energy| energy.get()));
    let energies = Energies {
        total: all().fold(0, u64::saturating_add),
        count: u64::try_from(all().count()).unwrap_or(u64::MAX),
    };
    let clip = |clip_wh: &WattHours| {
        let most = clip_wh.get();
        let above = all().filter(|&energy| energy > most);
        let (count, lost) = above.fold((0_u64, 0_u64), |(count, lost), energy| {
            (count.saturating_add(1), lost.saturating_add(energy.saturating_sub(most)))
        });
        Clip {
            clip_wh: *clip_wh,
            clipped_millionths: share(count, 1_000_000, energies.count),
            lost_millionths: share(lost, 1_000_000, energies.total),
            rows: choices
                .epsilons
                .iter()
                .map(|epsilon| energies.row(most, *epsilon, &choices.members))
                .collect(),
        }
    };
    Advice {
        homes: readings.names().len(),
        readings: energies.count,
        mean_milli_wh: share(energies.total, 1_000, energies.count),
        clips: choices.clips.iter().map(clip).collect(),
    }
}

/// All energy of the file, and in how many readings. Unit: Wh.
#[derive(Clone, Copy, Debug)]
struct Energies {
    total: u64,
    count: u64,
}

impl Energies {
    fn row(self, clip_wh: u64, epsilon: Epsilon, members: &[u32]) -> Row {
        // lambda / (members x mean) = clip 10^6 count / (epsilon members total).
        let over = |scale: u64, by: u64| {
            let noise = u128::from(clip_wh).saturating_mul(1_000_000).saturating_mul(scale.into());
            let noise = noise.saturating_mul(self.count.into());
            let truth = u128::from(epsilon.get()).saturating_mul(self.total.into());
            (noise, truth.saturating_mul(by.into()))
        };
        let error = |&members: &u32| {
            let (noise, truth) = over(1_000, members.into());
            GroupError { members, error_permille: rounded(noise, truth) }
        };
        let (noise, truth) = over(20, 1);
        let least = noise.checked_add(truth.saturating_sub(1)).and_then(|it| it.checked_div(truth));
        Row {
            epsilon_millionths: epsilon,
            mean_error_milli_wh: share(clip_wh, 1_000_000_000, epsilon.get()),
            errors: members.iter().map(error).collect(),
            members_for_a_twentieth: narrow(least.unwrap_or(u128::MAX)),
        }
    }
}

fn share(part: u64, scale: u64, whole: u64) -> u64 {
    rounded(u128::from(part).saturating_mul(scale.into()), whole.into())
}

/// The quotient, rounded half up; past 64 bits, or of nothing, the greatest number.
fn rounded(part: u128, whole: u128) -> u64 {
    let twice = part.saturating_mul(2).saturating_add(whole);
    narrow(twice.checked_div(whole.saturating_mul(2)).unwrap_or(u128::MAX))
}

fn narrow(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str, clip: u64, epsilon: u64) -> Advice {
        let readings = WideReadings::parse(text.as_bytes()).expect("a table");
        let choices = Choices {
            clips: vec![WattHours::new(clip).expect("in range")],
            epsilons: vec![Epsilon::new(epsilon).expect("in range")],
            members: vec![10, 50, 100, 500, 1_000, 5_000],
        };
        advise(&readings, &choices)
    }

    #[test]
    fn the_errors_of_homes_that_use_213_5_wh_are_the_known_ones() {
        let advice = table("slot,a,b\n0,213,214\n", 5_000, 1_000_000);
        let row = &advice.clips[0].rows[0];
        let errors: Vec<u64> = row.errors.iter().map(|error| error.error_permille).collect();
        assert_eq!(errors, [2_342, 468, 234, 47, 23, 5]);
        assert_eq!(row.members_for_a_twentieth, 469);
        assert_eq!(row.mean_error_milli_wh, 5_000_000);
        assert_eq!((advice.homes, advice.readings, advice.mean_milli_wh), (2, 2, 213_500));
        let advice = table("slot,a,b\n0,213,214\n", 2_000, 20_833);
        assert_eq!(advice.clips[0].rows[0].errors[1].error_permille, 8_993);
    }

    #[test]
    fn what_the_clip_takes_is_counted() {
        let advice = table("slot,a\n0,100\n1,300\n2,0\n3,600\n", 250, 1_000_000);
        let clip = &advice.clips[0];
        assert_eq!((clip.clipped_millionths, clip.lost_millionths), (500_000, 400_000));
    }

    #[test]
    fn homes_that_use_nothing_have_no_error_to_speak_of() {
        let advice = table("slot,a\n0,0\n", 250, 1_000_000);
        let row = &advice.clips[0].rows[0];
        assert_eq!(
            (row.errors[0].error_permille, row.members_for_a_twentieth),
            (u64::MAX, u64::MAX)
        );
    }
}
