//! The filters: which system calls the kernel carries out for this process.
//!
//! Both come from one table, `syscalls.tsv` beside the crate's `src/`, made into Rust by the build
//! script: each call with its arguments and its reason. The first filter allows every row for
//! this kind of process; the second lies over it and allows those that serving needs.

use std::collections::{BTreeMap, BTreeSet};

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};

/// Which kind of process is filtered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// PID 1 of the image.
    Appliance,
    /// A normal process.
    #[cfg(feature = "hosted")]
    Hosted,
}

/// Whose row it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Whose {
    /// Everybody's.
    All,
    /// PID 1's.
    Appliance,
    /// A normal process's.
    #[cfg(feature = "hosted")]
    Hosted,
}

/// A call that is allowed.
#[derive(Debug)]
struct Row {
    call: i64,
    whose: Whose,
    /// Whether it is still allowed while serving.
    serving: bool,
    /// It is not carried out; the caller is told this error.
    answered: Option<u64>,
    /// All hold; none allows any arguments.
    conditions: &'static [Condition],
}

/// The bits `mask` of argument `argument` are `value`.
#[derive(Debug)]
struct Condition {
    argument: u8,
    mask: u64,
    value: u64,
}

/// All that is compared of an argument.
const ALL_BITS: u64 = 0xffff_ffff;

include!(concat!(env!("OUT_DIR"), "/syscalls.rs"));

/// A filter, and how many calls it allows.
pub(super) struct Filter {
    pub(super) program: BpfProgram,
    pub(super) calls: usize,
}

impl Place {
    /// The filter of the start.
    pub(super) fn start(self) -> Result<Filter, BackendError> {
        allow_only(self.rows())
    }

    /// The filter of serving.
    pub(super) fn serve(self) -> Result<Filter, BackendError> {
        allow_only(self.rows().filter(|row| row.serving))
    }

    /// What is answered with an error, and the error, instead of ending the process. It goes under
    /// the others: the kernel follows the strictest.
    pub(super) fn answered(self) -> Result<Vec<BpfProgram>, BackendError> {
        let answered = self.rows().filter_map(|row| Some((row.call, row.answered?)));
        let program = |(call, error): (i64, u64)| {
            let error = SeccompAction::Errno(u32::try_from(error).unwrap_or(u32::MAX));
            let rules = BTreeMap::from([(call, Vec::new())]);
            SeccompFilter::new(rules, SeccompAction::Allow, error, ARCHITECTURE)?.try_into()
        };
        answered.map(program).collect()
    }

    fn rows(self) -> impl Iterator<Item = &'static Row> {
        ROWS.iter().filter(move |row| match (row.whose, self) {
            (Whose::All, _) | (Whose::Appliance, Self::Appliance) => true,
            #[cfg(feature = "hosted")]
            (Whose::Hosted, Self::Hosted) => true,
            #[cfg(feature = "hosted")]
            (Whose::Appliance, Self::Hosted) | (Whose::Hosted, Self::Appliance) => false,
        })
    }
}

const ARCHITECTURE: TargetArch = TargetArch::x86_64;

/// Any other call, or one with other arguments, ends the process.
fn allow_only(rows: impl Iterator<Item = &'static Row>) -> Result<Filter, BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    let mut any_arguments = BTreeSet::new();
    for row in rows {
        let ways = rules.entry(row.call).or_default();
        if row.conditions.is_empty() {
            any_arguments.insert(row.call);
            continue;
        }
        let conditions = row.conditions.iter().map(Condition::compiled);
        ways.push(SeccompRule::new(conditions.collect::<Result<_, _>>()?)?);
    }
    // To the library, a call without rules is one with any arguments.
    for call in any_arguments {
        rules.insert(call, Vec::new());
    }
    let calls = rules.len();
    let (otherwise, listed) = (SeccompAction::KillProcess, SeccompAction::Allow);
    let program = SeccompFilter::new(rules, otherwise, listed, ARCHITECTURE)?.try_into()?;
    Ok(Filter { program, calls })
}

impl Condition {
    fn compiled(&self) -> Result<SeccompCondition, BackendError> {
        let masked = SeccompCmpOp::MaskedEq(self.mask);
        SeccompCondition::new(self.argument, SeccompCmpArgLen::Dword, masked, self.value)
    }
}
