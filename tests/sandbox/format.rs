//! A table that is not as it says it is makes no filter.

use crate::rows::{BadRow, Need, Place, read};

/// A whole table with these rows, the first of them on line 2.
fn check(rows: &str) -> Result<usize, BadRow> {
    read(&format!("call\tphases\twhere\targuments\treason\n{rows}")).map(|rows| rows.len())
}

#[test]
fn a_row_has_five_fields_in_one_order() {
    assert_eq!(check("read\tstart\tall\t-\tTPM\nwrite\tserve~\thosted\targ1=0\tTPM"), Ok(2));
    let rows = [
        ("read\tstart\tall\t-", "five fields, a tab between them"),
        ("read\tstart\tall\t-\t", "a call and a reason"),
        ("re ad\tstart\tall\t-\tTPM", "a call and a reason"),
        ("read\tserve,start\tall\t-\tTPM", "start, serve or both, perhaps with ~"),
        ("read\t\tall\t-\tTPM", "start, serve or both, perhaps with ~"),
        ("read\tstart\tboth\t-\tTPM", "all, appliance, hosted or debug"),
        ("read\tstart\tall\targ6=0\tTPM", "-, answered:E, argN=V or argN&M=V"),
        ("read\tstart\tall\targ1&M\tTPM", "-, answered:E, argN=V or argN&M=V"),
        ("read\tstart\tall\t\tTPM", "-, answered:E, argN=V or argN&M=V"),
    ];
    for (row, expected) in rows {
        assert_eq!(check(row), Err(BadRow { line: 2, expected }), "{row}");
    }
}

#[test]
fn rows_are_in_order_and_none_stands_twice() {
    let expected = "rows in order, none twice";
    let refused = Err(BadRow { line: 3, expected });
    assert_eq!(check("write\tstart\tall\t-\tTPM\nread\tstart\tall\t-\tTPM"), refused);
    assert_eq!(check("read\tstart\tall\t-\tTPM\nread\tstart\tall\t-\tTPM"), refused);
}

#[test]
fn a_table_begins_with_the_names_of_its_fields() {
    let expected = "the fields' names";
    assert_eq!(read("# a comment\nread\tstart\tall\t-\tTPM"), Err(BadRow { line: 2, expected }));
}

/// What no test can provoke is an exception that a reader should know by heart.
#[test]
fn few_rows_are_needed_but_not_at_will() {
    let table = crate::ground::table().expect("the table");
    let sometimes = |need| need == Need::Sometimes;
    let found: Vec<&str> = table
        .iter()
        .filter(|row| sometimes(row.start) || sometimes(row.serve))
        .map(|row| row.call.as_str())
        .collect();
    assert_eq!(
        found,
        ["brk", "clock_gettime", "madvise", "mprotect", "mremap", "munmap", "sched_yield"],
    );
    // The image's own rows are all seen in it.
    let appliance = table.iter().filter(|row| row.place == Place::Appliance);
    assert!(appliance.into_iter().all(|row| !sometimes(row.start) && !sometimes(row.serve)));
}
