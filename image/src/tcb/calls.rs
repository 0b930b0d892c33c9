//! The system calls that the appliance's `tred` may make, from the table its filter is made of.

use measured_boot::manifest::tcb::SystemCall;

/// Where the table lies in the checkout.
pub(super) const TABLE: &str = "tre/daemon/syscalls.tsv";

/// The table's first line that is no comment.
const HEADER: [&str; 5] = ["call", "phases", "where", "arguments", "reason"];

/// Behind a phase: no test makes `tred` need the call there at will.
const UNSEEN: char = '~';

/// Why the table cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallsError {
    /// Other columns than those known here.
    #[error("TCB report: {TABLE}: expected columns {HEADER:?}, found '{found}'")]
    Header {
        /// The line found.
        found: String,
    },
    /// A row with more or fewer columns.
    #[error("TCB report: {TABLE}: expected five fields with a tab between them, found '{found}'")]
    Row {
        /// The row.
        found: String,
    },
}

/// The rows of `table` that are in the image.
pub(super) fn system_calls(table: &str) -> Result<Vec<SystemCall>, CallsError> {
    let call = |[name, phases, _, condition, reason]: [&str; 5]| SystemCall {
        name: name.into(),
        phases: phases.split(',').map(|phase| phase.trim_end_matches(UNSEEN).into()).collect(),
        condition: (condition != "-").then(|| condition.into()),
        reason: reason.into(),
    };
    Ok(rows(table)?.into_iter().map(call).collect())
}

/// A call that is allowed in a phase although no test sees it made there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Unseen<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// The phases.
    pub(super) phases: Vec<&'a str>,
    /// What it is needed for.
    pub(super) reason: &'a str,
}

/// The rows of `table` that are in the image with a phase in which no test sees them.
pub(super) fn unseen(table: &str) -> Result<Vec<Unseen<'_>>, CallsError> {
    let mut found = Vec::new();
    for [name, phases, _, _, reason] in rows(table)? {
        let phases: Vec<&str> =
            phases.split(',').filter_map(|phase| phase.strip_suffix(UNSEEN)).collect();
        if !phases.is_empty() {
            found.push(Unseen { name, phases, reason });
        }
    }
    Ok(found)
}

/// The rows of `table` that are in the image.
fn rows(table: &str) -> Result<Vec<[&str; 5]>, CallsError> {
    let mut lines = table.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let header = lines.next().unwrap_or_default();
    if header.split('\t').ne(HEADER) {
        return Err(CallsError::Header { found: header.into() });
    }
    let mut rows = Vec::new();
    for line in lines {
        let fields = line.split('\t').collect::<Vec<_>>();
        let fields = <[&str; 5]>::try_from(fields);
        rows.push(fields.map_err(|_| CallsError::Row { found: line.into() })?);
    }
    // Other rows are for a normal process, or for a build with debug assertions.
    let in_image = |[_, _, place, ..]: &[&str; 5]| matches!(*place, "all" | "appliance");
    Ok(rows.into_iter().filter(in_image).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "# comment\n#\ncall\tphases\twhere\targuments\treason\n\
        brk\tstart~,serve\tall\t-\tmemory\n\
        connect\tserve\thosted\t-\tthe software TPM\n\
        fcntl\tserve\tdebug\targ1=F_GETFD\tchecks\n\
        mount\tstart\tappliance\targ3=MS_NODEV\tfiles\n";

    #[test]
    fn only_rows_of_the_image_are_reported() {
        let found = system_calls(TABLE).expect("a table");
        let call =
            |name: &str, phases: &[&str], condition: Option<&str>, reason: &str| SystemCall {
                name: name.into(),
                phases: phases.iter().map(|&phase| phase.into()).collect(),
                condition: condition.map(Into::into),
                reason: reason.into(),
            };
        let expected = [
            call("brk", &["start", "serve"], None, "memory"),
            call("mount", &["start"], Some("arg3=MS_NODEV"), "files"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_call_that_no_test_sees_is_listed_with_its_phase_and_reason() {
        let found = unseen(TABLE).expect("a table");
        assert_eq!(found, [Unseen { name: "brk", phases: vec!["start"], reason: "memory" }]);
    }

    #[test]
    fn another_kind_of_table_is_refused() {
        let other = TABLE.replace("where\t", "");
        let found = system_calls(&other).expect_err("refused");
        assert!(matches!(found, CallsError::Header { .. }), "{found}");
        let short = TABLE.replace("\tmemory", "");
        let found = system_calls(&short).expect_err("refused");
        assert!(matches!(found, CallsError::Row { .. }), "{found}");
    }
}
