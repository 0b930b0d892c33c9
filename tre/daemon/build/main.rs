//! Makes the table of allowed system calls from `syscalls.tsv`, so that `tred` parses no text.

#![forbid(unsafe_code)]

use core::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

mod rows;

use rows::{Arguments, Condition, Need, Place, Row, Value};

#[expect(clippy::print_stdout, reason = "so a build script speaks to cargo")]
fn main() -> Result<(), Box<dyn core::error::Error>> {
    println!("cargo::rerun-if-changed=syscalls.tsv");
    println!("cargo::rerun-if-changed=build");
    let rows = rows::read(&fs::read_to_string("syscalls.tsv")?)?;
    let out = env::var_os("OUT_DIR").ok_or("cargo names a folder for what is made")?;
    fs::write(PathBuf::from(out).join("syscalls.rs"), table(&rows)?)?;
    Ok(())
}

/// The C library's constants have several integer types, and are small and positive.
const CASTS: &str = "#[expect(clippy::as_conversions, clippy::unnecessary_cast, reason = \
                     \"constants of several types, all small and positive\")]\n";

/// Rust source of the rows, in types of `src/sandbox/filter.rs`.
fn table(rows: &[Row]) -> Result<String, core::fmt::Error> {
    let mut text = String::from(CASTS);
    text.push_str("const ROWS: &[Row] = &[\n");
    for row in rows {
        let (condition, whose) = match row.place {
            Place::All => ("", "All"),
            Place::Appliance => ("", "Appliance"),
            Place::Hosted => ("#[cfg(feature = \"hosted\")] ", "Hosted"),
            Place::Debug => ("#[cfg(debug_assertions)] ", "All"),
        };
        let serving = row.serve != Need::No;
        let (answered, conditions) = match &row.arguments {
            Arguments::Conditions(conditions) => ("None".to_owned(), conditions.as_slice()),
            Arguments::Answered(error) => (format!("Some({})", constant(error)), [].as_slice()),
        };
        let conditions: Vec<String> = conditions.iter().map(rule).collect();
        writeln!(text, "    // Start {:?}, serve {:?}: {}.", row.start, row.serve, row.reason)?;
        writeln!(
            text,
            "    {condition}Row {{ call: libc::SYS_{}, whose: Whose::{whose}, serving: {serving}, \
             answered: {answered}, conditions: &[{}] }},",
            row.call,
            conditions.join(", "),
        )?;
    }
    text.push_str("];\n");
    Ok(text)
}

fn rule(condition: &Condition) -> String {
    let Condition { argument, mask, value } = condition;
    let mask = mask.as_ref().map_or_else(|| "ALL_BITS".to_owned(), bits);
    format!("Condition {{ argument: {argument}, mask: {mask}, value: {} }}", bits(value))
}

fn bits(value: &Value) -> String {
    let Value(names) = value;
    let names: Vec<String> = names.iter().map(|name| constant(name)).collect();
    names.join(" | ")
}

fn constant(name: &str) -> String {
    if name.bytes().all(|byte| byte.is_ascii_digit()) {
        return name.to_owned();
    }
    format!("libc::{name} as u64")
}
