//! The document's figures and refusals, on a report small enough to add up by hand.

use measured_boot::manifest::tcb::UnsafeCode;

use super::*;

fn package(name: &str, origin: Origin, code_lines: u32, blocks: u32) -> RustPackage {
    let unsafe_code = UnsafeCode { blocks, functions: 1, implementations: 0 };
    RustPackage { name: name.into(), version: "1.0.0".into(), origin, code_lines, unsafe_code }
}

#[test]
fn sums_keep_origins_apart() {
    let packages = [
        package("tred", Origin::Own, 1000, 0),
        package("ring", Origin::ThirdParty, 20, 5),
        package("serde", Origin::ThirdParty, 3, 0),
    ];
    assert_eq!(sums(&packages, Origin::Own), (1, 1000, 1));
    assert_eq!(sums(&packages, Origin::ThirdParty), (2, 23, 7));
}

#[test]
fn a_crate_without_a_reason_is_refused() {
    let packages =
        [package("tred", Origin::Own, 1000, 0), package("extra", Origin::ThirdParty, 1, 0)];
    let found = rust(&packages, "extra\tneeded\ntred\tthe daemon\n").expect("reasons");
    assert!(found.contains("| extra | 1.0.0 | others | 1 | 1 | needed |\n"), "{found}");
    for reasons in ["tred\tthe daemon\n", "tred\tthe daemon\nextra\n", "tred\tx\nextra\t\n"] {
        let error = rust(&packages, reasons).expect_err("refused");
        assert!(matches!(&error, DocumentError::NoReason { name } if name == "extra"), "{error}");
    }
}

#[test]
fn numbers_are_grouped_by_thousands() {
    let found = [0, 7, 999, 1000, 12_345, 123_456, 1_234_567].map(grouped);
    assert_eq!(found, ["0", "7", "999", "1,000", "12,345", "123,456", "1,234,567"]);
}

#[test]
fn a_call_that_can_be_made_in_two_ways_is_one_call() {
    let call = |name: &str, condition: &str| SystemCall {
        name: name.into(),
        phases: vec!["start".into()],
        condition: Some(condition.into()),
        reason: "any".into(),
    };
    let calls = [call("prctl", "arg0=A"), call("prctl", "arg0=B|C"), call("mmap", "arg2=0")];
    assert_eq!(distinct(&calls), 2);
    assert!(system_calls(&calls).contains("| prctl | start | `arg0=B\\|C` | any |"));
}

#[test]
fn a_manifest_without_a_report_has_no_document() {
    let old = include_str!("../../../../tests/vectors/manifest/format-1.json");
    let manifest = serde_json::from_str(old).expect("a manifest");
    let error = document(&Checkout::own(), &manifest).expect_err("refused");
    assert!(matches!(error, DocumentError::NoReport), "{error}");
}

fn released() -> ReferenceManifest {
    let text = include_str!("../../../../tests/vectors/manifest/format-2.json");
    let mut manifest: ReferenceManifest = serde_json::from_str(text).expect("a manifest");
    manifest.packages.0.insert(kernel::PACKAGE.into(), "6.12".into());
    manifest
}

/// The kernel has a row of its own and is not in the sum of what is in `tred`.
#[test]
fn lines_of_the_kernel_stand_apart_or_are_called_not_counted() {
    let row = |name: &str, code_lines| NativeLibrary {
        name: name.into(),
        version: "1".into(),
        objects: 1234,
        linked_bytes: 1,
        code_lines,
    };
    let found = [row("ring", Some(7)), row(kernel::NAME, Some(600_000))];
    assert_eq!(lines_of_c(&found), 7);
    assert_eq!(lines_of_kernel(&found), "600,000 lines, in 1,234 objects");
    assert!(!native(&found).contains(kernel::NAME), "{}", native(&found));
    let other = [row("ring", Some(7)), row(kernel::NAME, None)];
    for uncounted in [&other[..], &other[..1]] {
        assert_eq!(lines_of_kernel(uncounted), "not counted for this version and configuration");
    }
    assert_eq!(bytes_without_lines(&other), 0);
}

/// So a committed document that was made before the change is found stale.
#[test]
fn any_changed_figure_changes_the_document() {
    let text =
        |manifest: &ReferenceManifest| document(&Checkout::own(), manifest).expect("a document");
    let before = text(&released());
    let changes: [fn(&mut ReferenceManifest, &mut Release); 9] = [
        |_, release| release.number.0 += 1,
        |_, release| release.tcb.rust[0].code_lines += 1,
        |_, release| release.tcb.rust[0].unsafe_code.blocks += 1,
        |_, release| release.tcb.native[0].objects += 1,
        |_, release| release.tcb.kernel.built_in += 1,
        |_, release| release.tcb.system_calls[0].reason.push('!'),
        |_, release| release.tcb.ports[0] += 1,
        |manifest, _| manifest.components[0].len += 1,
        |manifest, _| manifest.efi.len += 1,
    ];
    for (position, change) in changes.iter().enumerate() {
        let mut manifest = released();
        let mut release = manifest.release.take().expect("a report");
        change(&mut manifest, &mut release);
        manifest.release = Some(release);
        assert_ne!(text(&manifest), before, "change {position}");
    }
}

/// Every name in the template has its figures.
#[test]
fn nothing_of_the_template_is_left_over() {
    let found = document(&Checkout::own(), &released()).expect("a document");
    assert!(!found.contains('@'), "{found}");
    assert!(found.contains("Release 7.\n"), "{found}");
    assert!(found.contains("| Rust of ours | 1 crates, 3 lines, 3 unsafe |\n"), "{found}");
}
