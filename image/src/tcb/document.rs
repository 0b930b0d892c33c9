//! The TCB report for people: `docs/TCB.md`, made from a manifest, the reviewed list of crates and
//! the committed comparison. The same three give the same text.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use measured_boot::manifest::tcb::{NativeLibrary, Origin, RustPackage, SystemCall, TcbReport};
use measured_boot::manifest::{ReferenceManifest, Release};

use super::calls::{self, CallsError, Unseen};
use super::comparison::{self, Comparison, KernelSizes};
use super::kernel;
use crate::checkout::Checkout;
use crate::file::FileError;

/// Where the document is committed, in the checkout.
pub const DOCUMENT: &str = "docs/TCB.md";

/// The reviewed list: a crate linked into `tred`, a tab, why it is there.
const REASONS: &str = "tests/house/tred-crates.txt";

/// The text around the figures, with a name between two `@` for each.
const TEMPLATE: &str = include_str!("../../tcb/TCB.md.in");

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// A manifest of format 1 counts nothing.
    #[error("expected a manifest with a TCB report, found one of format 1: run 'tre-image build'")]
    NoReport,
    /// The list of crates or the comparison cannot be read.
    #[error("TCB document: {0}")]
    File(#[source] FileError),
    /// The table of system calls cannot be read.
    #[error(transparent)]
    Calls(CallsError),
    /// A crate that nobody gave a reason for.
    #[error("{REASONS}: expected a line '{name}', a tab and a reason, found none")]
    NoReason {
        /// The crate.
        name: String,
    },
}

/// The document for an image.
///
/// # Errors
///
/// [`DocumentError`].
pub fn document(
    checkout: &Checkout,
    manifest: &ReferenceManifest,
) -> Result<String, DocumentError> {
    let Release { number, tcb } = manifest.release.as_ref().ok_or(DocumentError::NoReport)?;
    let read = |file: &str| {
        let path = checkout.root().join(file);
        fs::read_to_string(&path).map_err(FileError::at("reading", &path))
    };
    let reasons = read(REASONS).map_err(DocumentError::File)?;
    let compared = read(comparison::FILE).map_err(DocumentError::File)?;
    let compared = Comparison::parse(&compared);
    let calls = read(calls::TABLE).map_err(DocumentError::File)?;
    let unseen = calls::unseen(&calls).map_err(DocumentError::Calls)?;
    let figures = format!("Release {number}.\n\n{}", figures(manifest, tcb));
    let sizes = KernelSizes { file: manifest.efi.len };
    Ok(TEMPLATE
        .replace("@figures@", figures.trim_end())
        .replace("@kernel_version@", version(manifest, kernel::PACKAGE))
        .replace("@comparison@", compared.tables(tcb, sizes).trim_end())
        .replace("@rust@", rust(&tcb.rust, &reasons)?.trim_end())
        .replace("@native@", native(&tcb.native).trim_end())
        .replace("@system_calls@", system_calls(&tcb.system_calls).trim_end())
        .replace("@unseen@", unseen_calls(&unseen).trim_end())
        .replace("@ports@", ports(&tcb.ports).trim_end()))
}

fn version<'a>(manifest: &'a ReferenceManifest, package: &str) -> &'a str {
    manifest.packages.0.get(package).map_or("of unknown version", String::as_str)
}

/// Length of a component of the EFI file. Unit: byte.
fn size(manifest: &ReferenceManifest, component: &str) -> u64 {
    let found = manifest.components.iter().find(|found| found.name == component);
    found.map_or(0, |component| component.len)
}

/// Sums over packages of one origin: how many, their lines, their uses of `unsafe`.
pub(super) fn sums(packages: &[RustPackage], origin: Origin) -> (usize, u64, u64) {
    packages.iter().filter(|package| package.origin == origin).fold((0, 0, 0), |sum, package| {
        let lines = u64::from(package.code_lines);
        let (packages, all, uses): (usize, u64, u64) = sum;
        (
            packages.saturating_add(1),
            all.saturating_add(lines),
            uses.saturating_add(uses_of(package)),
        )
    })
}

fn uses_of(package: &RustPackage) -> u64 {
    let found = package.unsafe_code;
    [found.blocks, found.functions, found.implementations]
        .into_iter()
        .fold(0, |sum: u64, count| sum.saturating_add(count.into()))
}

/// How many different calls there are in a table that has one row for each way to make one.
pub(super) fn distinct<'a>(calls: impl IntoIterator<Item = &'a SystemCall>) -> usize {
    calls.into_iter().map(|call| call.name.as_str()).collect::<BTreeSet<_>>().len()
}

/// The libraries that are linked into `tred`: all but the kernel.
fn in_tred(libraries: &[NativeLibrary]) -> impl Iterator<Item = &NativeLibrary> {
    libraries.iter().filter(|library| library.name != kernel::NAME)
}

/// Lines of C in `tred` that are counted.
pub(super) fn lines_of_c(libraries: &[NativeLibrary]) -> u64 {
    let counted = in_tred(libraries).filter_map(|library| library.code_lines);
    counted.fold(0, |sum: u64, lines| sum.saturating_add(lines.into()))
}

/// Lines of the kernel, in words.
pub(super) fn lines_of_kernel(libraries: &[NativeLibrary]) -> String {
    let kernel = libraries.iter().find(|library| library.name == kernel::NAME);
    match kernel.and_then(|kernel| Some((kernel.objects, kernel.code_lines?))) {
        Some((objects, lines)) => {
            format!("{} lines, in {} objects", grouped(lines.into()), grouped(objects.into()))
        }
        None => "not counted for this version and configuration".into(),
    }
}

/// Bytes of libraries whose lines are not counted.
fn bytes_without_lines(libraries: &[NativeLibrary]) -> u64 {
    let others = in_tred(libraries).filter(|library| library.code_lines.is_none());
    others.fold(0, |sum: u64, library| sum.saturating_add(library.linked_bytes))
}

fn figures(manifest: &ReferenceManifest, tcb: &TcbReport) -> String {
    let (own, own_lines, own_unsafe) = sums(&tcb.rust, Origin::Own);
    let (others, others_lines, others_unsafe) = sums(&tcb.rust, Origin::ThirdParty);
    let all = &tcb.system_calls;
    let serving = all.iter().filter(|call| call.phases.iter().any(|phase| phase == "serve"));
    let (calls, serving) = (distinct(all), distinct(serving));
    let kernel = &tcb.kernel;
    let rows = [
        (
            "Rust of ours",
            format!("{own} crates, {} lines, {own_unsafe} unsafe", grouped(own_lines)),
        ),
        (
            "Rust of others",
            format!(
                "{others} crates, {} lines, {} unsafe",
                grouped(others_lines),
                grouped(others_unsafe)
            ),
        ),
        ("C and assembly in `tred`", format!("{} lines", grouped(lines_of_c(&tcb.native)))),
        ("C and assembly in the kernel", lines_of_kernel(&tcb.native)),
        ("C library in `tred`, not counted in lines", bytes(bytes_without_lines(&tcb.native))),
        (
            "kernel options",
            format!(
                "{} on, {} beyond the smallest kernel",
                kernel.built_in, kernel.beyond_smallest
            ),
        ),
        ("kernel modules", kernel.modules.to_string()),
        ("system calls", format!("{calls}, while serving {serving}")),
        ("ports", tcb.ports.len().to_string()),
        ("`tred`", bytes(size(manifest, "/init"))),
        ("kernel, unpacked", bytes(size(manifest, "kernel"))),
        ("EFI file with both", bytes(manifest.efi.len)),
        ("boot disk", bytes(manifest.image.len)),
    ];
    let mut table = "| figure | this image |\n|---|---|\n".to_owned();
    for (name, value) in rows {
        line(&mut table, &[name, &value]);
    }
    table
}

fn rust(packages: &[RustPackage], reasons: &str) -> Result<String, DocumentError> {
    let reasons: BTreeMap<&str, &str> =
        reasons.lines().filter_map(|line| line.split_once('\t')).collect();
    let mut table = "| crate | version | of | lines | unsafe | why it is in |\n\
                     |---|---|---|---:|---:|---|\n"
        .to_owned();
    for package in packages {
        let reason = reasons.get(package.name.as_str()).filter(|reason| !reason.is_empty());
        let reason =
            reason.ok_or_else(|| DocumentError::NoReason { name: package.name.clone() })?;
        let origin = match package.origin {
            Origin::Own => "ours",
            Origin::ThirdParty => "others",
        };
        let (lines, uses) = (grouped(package.code_lines.into()), grouped(uses_of(package)));
        line(&mut table, &[&package.name, &package.version, origin, &lines, &uses, reason]);
    }
    Ok(table)
}

fn native(libraries: &[NativeLibrary]) -> String {
    let mut table = "| library | version | objects linked | bytes kept | lines |\n\
                     |---|---|---:|---:|---:|\n"
        .to_owned();
    for library in in_tred(libraries) {
        let lines = library.code_lines.map_or("not counted".into(), |lines| grouped(lines.into()));
        let (objects, kept) = (library.objects.to_string(), grouped(library.linked_bytes));
        line(&mut table, &[&library.name, &library.version, &objects, &kept, &lines]);
    }
    table
}

fn system_calls(calls: &[SystemCall]) -> String {
    let mut table = "| call | when | only with | why |\n|---|---|---|---|\n".to_owned();
    for call in calls {
        let condition = call.condition.as_deref().map_or_else(String::new, code);
        line(&mut table, &[&call.name, &call.phases.join(", "), &condition, &call.reason]);
    }
    table
}

fn unseen_calls(calls: &[Unseen<'_>]) -> String {
    let mut table = "| call | when | why |\n|---|---|---|\n".to_owned();
    for call in calls {
        line(&mut table, &[call.name, &call.phases.join(", "), call.reason]);
    }
    table
}

fn ports(ports: &[u16]) -> String {
    let port = |port: &u16| format!("- TCP {port}: TLS 1.3, everything that anybody can ask\n");
    ports.iter().map(port).collect()
}

/// A value as it stands, in a table's cell.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}

/// One row of a table.
pub(super) fn line(table: &mut String, cells: &[&str]) {
    table.push_str(&format!("| {} |\n", cells.join(" | ")));
}

fn bytes(count: u64) -> String {
    format!("{} bytes", grouped(count))
}

/// A number with a comma at every thousand.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let (head, tail) = digits.split_at_checked(first).unwrap_or((&digits, ""));
    let head = (!head.is_empty()).then(|| head.to_owned());
    let groups = tail.as_bytes().chunks(3).map(|group| String::from_utf8_lossy(group).into_owned());
    head.into_iter().chain(groups).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests;
