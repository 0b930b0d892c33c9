//! `show`: what there is in a domain's folder.

use core::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use pki::domain::Domain;
use pki::survey::{Kept, Survey};
use time::OffsetDateTime;
use tre_wire::id::TrustDomain;
use tre_wire::units::UnixMillis;

use super::answer;

/// What `show` takes.
#[derive(Args, Debug)]
pub(crate) struct Show {
    /// The domain's folder, or a keeper's part of it.
    #[arg(long)]
    domain: PathBuf,
    /// Refuses a folder of another domain than this.
    #[arg(long)]
    trust_domain: Option<TrustDomain>,
    /// Answers in JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn show(show: &Show, now: UnixMillis) -> anyhow::Result<()> {
    let Show { domain, trust_domain, json } = show;
    let domain = Domain::open(domain)?;
    let survey = Survey::of(&domain, trust_domain.as_ref(), now)?;
    answer(*json, &survey, summary(&survey)?.trim_end())
}

fn summary(survey: &Survey) -> anyhow::Result<String> {
    let mut text = format!("domain {}\n", survey.trust_domain);
    for key in &survey.keys {
        let kept = match key.private_key {
            Kept::Elsewhere => "private key not here",
            Kept::Encrypted => "private key here, encrypted",
            Kept::Clear => "private key here, IN CLEAR",
        };
        let until = key.until.map(|until| format!("; certificate until {}", day(until)));
        writeln!(text, "  {:<15} {kept}{}", key.name.stem(), until.unwrap_or_default())?;
    }
    match &survey.revocations {
        None => writeln!(text, "no revocation list")?,
        Some(list) => writeln!(
            text,
            "revocation list {} with {} keys, good until {}",
            list.sequence,
            list.keys,
            day(list.until)
        )?,
    }
    writeln!(text, "{} TREs enrolled", survey.tres.len())?;
    for tre in &survey.tres {
        writeln!(text, "  {:<15} certificates until {}", tre.id, day(tre.until))?;
    }
    let next = survey.next_end.map(|end| format!("; the first ends on {}", day(end)));
    writeln!(
        text,
        "{} roles with a certificate in force{}",
        survey.roles_in_force,
        next.unwrap_or_default()
    )?;
    Ok(text)
}

/// The day of a moment, in UTC; the number where it lies beyond the calendar.
fn day(moment: UnixMillis) -> String {
    let seconds = i64::try_from(moment.get() / 1_000).ok();
    let date = seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    let Some(date) = date else { return format!("{moment} ms") };
    let (year, month, day) = date.to_calendar_date();
    format!("{year:04}-{:02}-{day:02}", u8::from(month))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_its_day() {
        let at = |ms| day(UnixMillis::new(ms).expect("in range"));
        assert_eq!(at(0), "1970-01-01");
        assert_eq!(at(1_800_000_000_000), "2027-01-15");
    }
}
