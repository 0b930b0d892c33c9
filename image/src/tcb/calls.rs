//! The system calls that the appliance's `tred` may make, from the table its filter is made of.

use measured_boot::manifest::tcb::SystemCall;

/// Where the table lies in the checkout.
pub(super) const TABLE: &str = "tre/daemon/syscalls.tsv";

/// The table's first line that is no comment.
const HEADER: [&str; 5] = ["call", "phases", "where", "arguments", "reason"];

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
    let mut rows = table.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let header = rows.next().unwrap_or_default();
    if header.split('\t').ne(HEADER) {
        return Err(CallsError::Header { found: header.into() });
    }
    rows.filter_map(|row| call(row).transpose()).collect()
}

fn call(row: &str) -> Result<Option<SystemCall>, CallsError> {
    let [name, phases, place, condition, reason] = *row.split('\t').collect::<Vec<_>>() else {
        return Err(CallsError::Row { found: row.into() });
    };
    // Other rows are for a normal process, or for a build with debug assertions.
    if place != "all" && place != "appliance" {
        return Ok(None);
    }
    Ok(Some(SystemCall {
        name: name.into(),
        // A `~` tells that no test makes `tred` need it there at will.
        phases: phases.split(',').map(|phase| phase.trim_end_matches('~').into()).collect(),
        condition: (condition != "-").then(|| condition.into()),
        reason: reason.into(),
    }))
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
    fn another_kind_of_table_is_refused() {
        let other = TABLE.replace("where\t", "");
        let found = system_calls(&other).expect_err("refused");
        assert!(matches!(found, CallsError::Header { .. }), "{found}");
        let short = TABLE.replace("\tmemory", "");
        let found = system_calls(&short).expect_err("refused");
        assert!(matches!(found, CallsError::Row { .. }), "{found}");
    }
}
