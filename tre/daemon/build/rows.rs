//! Reads `syscalls.tsv`; the file itself says what its fields mean.
//!
//! One reader for the build script, which makes the filters' table, and for the tests, which hold
//! the table against what `tred` does.

use core::fmt;

/// One row of the table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Row {
    /// Name of the system call.
    pub(crate) call: String,
    /// Whether it is needed at the start.
    pub(crate) start: Need,
    /// Whether it is needed while serving.
    pub(crate) serve: Need,
    /// Which processes make it.
    pub(crate) place: Place,
    /// With which arguments, or how it is answered instead.
    pub(crate) arguments: Arguments,
    /// Why.
    pub(crate) reason: String,
}

/// Whether a phase needs a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Need {
    /// Never.
    No,
    /// In every run, if it is used at all that the phase is for.
    Yes,
    /// Sometimes, and not at will.
    Sometimes,
}

/// Which processes make a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// Every `tred`.
    All,
    /// PID 1 of the image.
    Appliance,
    /// A normal process.
    Hosted,
    /// A normal process built with debug assertions.
    Debug,
}

/// With which arguments a call is made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Arguments {
    /// These hold, if any: none allows all arguments.
    Conditions(Vec<Condition>),
    /// It is not carried out: the caller is told this error's name.
    Answered(String),
}

/// The bits `mask` of argument `argument` are `value`. No mask: all bits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Condition {
    /// Which argument, from 0.
    pub(crate) argument: u8,
    /// Names of the bits compared.
    pub(crate) mask: Option<Value>,
    /// Names of the bits set.
    pub(crate) value: Value,
}

/// Numbers and names of constants, joined by "or".
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Value(pub(crate) Vec<String>);

/// Why the table is none.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct BadRow {
    /// Line of the file, from 1.
    pub(crate) line: usize,
    /// What was expected there.
    pub(crate) expected: &'static str,
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "syscalls.tsv, line {}: expected {}", self.line, self.expected)
    }
}

impl core::error::Error for BadRow {}

/// The first line that is no comment.
const HEADING: &str = "call\tphases\twhere\targuments\treason";

/// The rows of `text`, in its order.
///
/// # Errors
///
/// [`BadRow`] for the first line that is not as the file says, or not after the one before.
pub(crate) fn read(text: &str) -> Result<Vec<Row>, BadRow> {
    let mut rows: Vec<Row> = Vec::new();
    let mut begun = false;
    let mut before = "";
    for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.starts_with('#')) {
        let bad = |expected| BadRow { line, expected };
        if !begun {
            begun = text == HEADING;
            if !begun {
                return Err(bad("the fields' names"));
            }
            continue;
        }
        if text <= before {
            return Err(bad("rows in order, none twice"));
        }
        before = text;
        rows.push(row(text).map_err(bad)?);
    }
    Ok(rows)
}

fn row(text: &str) -> Result<Row, &'static str> {
    let fields: Vec<&str> = text.split('\t').collect();
    let [call, phases, place, arguments, reason] = fields.as_slice() else {
        return Err("five fields, a tab between them");
    };
    if reason.is_empty() || !is_name(call) {
        return Err("a call and a reason");
    }
    let (start, serve) = needs(phases)?;
    let place = match *place {
        "all" => Place::All,
        "appliance" => Place::Appliance,
        "hosted" => Place::Hosted,
        "debug" => Place::Debug,
        _ => return Err("all, appliance, hosted or debug"),
    };
    let arguments = match (*arguments, arguments.strip_prefix("answered:")) {
        ("-", _) => Arguments::Conditions(Vec::new()),
        (_, Some(error)) if is_name(error) => Arguments::Answered(error.to_owned()),
        (conditions, _) => {
            let conditions = conditions.split(' ').map(condition).collect::<Option<_>>();
            Arguments::Conditions(conditions.ok_or("-, answered:E, argN=V or argN&M=V")?)
        }
    };
    let (call, reason) = ((*call).to_owned(), (*reason).to_owned());
    Ok(Row { call, start, serve, place, arguments, reason })
}

fn needs(phases: &str) -> Result<(Need, Need), &'static str> {
    let (mut start, mut serve) = (Need::No, Need::No);
    for phase in phases.split(',') {
        match phase {
            "start" if serve == Need::No => start = Need::Yes,
            "start~" if serve == Need::No => start = Need::Sometimes,
            "serve" => serve = Need::Yes,
            "serve~" => serve = Need::Sometimes,
            _ => return Err("start, serve or both, perhaps with ~"),
        }
    }
    Ok((start, serve))
}

fn condition(text: &str) -> Option<Condition> {
    let (number, rest) = text.strip_prefix("arg")?.split_at_checked(1)?;
    let argument = number.parse().ok().filter(|number| *number < 6)?;
    let (mask, value) = match (rest.strip_prefix('='), rest.strip_prefix('&')) {
        (Some(equal), _) => (None, equal),
        (None, Some(masked)) => {
            let (mask, equal) = masked.split_once('=')?;
            (Some(value(mask)?), equal)
        }
        (None, None) => return None,
    };
    Some(Condition { argument, mask, value: self::value(value)? })
}

fn value(text: &str) -> Option<Value> {
    let names: Vec<String> = text.split('|').map(str::to_owned).collect();
    names.iter().all(|name| is_name(name)).then_some(Value(names))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
