//! `CEREMONY.md`, command by command: what a regulator reads is what is run here.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::fixture::{manifest, text, tool};

/// The text, as it is published.
const CEREMONY: &str = include_str!("../../CEREMONY.md");

/// The fenced blocks of commands that start with `fence`, in order.
fn blocks(fence: &str) -> Vec<&'static str> {
    let open = format!("```{fence}\n");
    let mut blocks = Vec::new();
    let mut rest = CEREMONY;
    while let Some((_, behind)) = rest.split_once(open.as_str()) {
        let (block, after) = behind.split_once("```").expect("a closed block");
        blocks.push(block);
        rest = after;
    }
    blocks
}

/// Runs a block as a shell does, in `folder`, with the program by its name.
fn sh(folder: &Path, block: &str) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_tre-pki")).parent().expect("a folder");
    let path = std::env::var("PATH").expect("a path");
    Command::new("setsid")
        .args(["--wait", "sh", "-euc", block])
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", text(program)))
        .env("BOX", "127.0.0.1:1")
        .env_remove("TRE_PKI_PASSPHRASE_FILE")
        .output()
        .expect("a shell")
}

#[test]
fn the_ceremony_runs_as_it_is_written() {
    let room = tempfile::tempdir().expect("a folder");
    let folder = room.path();
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/production.json");
    fs::copy(policy, folder.join("production.json")).expect("copied");
    fs::write(folder.join("manifest.json"), manifest(|_| {})).expect("written");
    let blocks = blocks("sh");
    assert_eq!(blocks.len(), 9, "a block more or less: is it run here?");
    let mut said = String::new();
    for block in blocks {
        let output = sh(folder, block);
        let refused = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{block}\n{refused}");
        said.push_str(&String::from_utf8_lossy(&output.stdout));
    }
    assert!(said.contains("revocation list 1 with 0 keys"), "{said}");
    assert!(said.contains("denylist 1 with 1 entries"), "{said}");
    assert!(said.contains("revocation list 2 with 1 keys, 1 of them new"), "{said}");
    // The operator's certificate alone is left; the meter's two are of one revoked key.
    let (_, last) = said.rsplit_once("domain grid.example").expect("what there is");
    assert!(last.contains("1 roles with a certificate in force"), "{last}");
    assert!(!folder.join("all").exists());
    each_desk_holds_its_own_key_alone(folder);
    the_box_is_asked_last(folder);
}

fn each_desk_holds_its_own_key_alone(folder: &Path) {
    let keys = ["root", "tre-authority", "grid-authority", "release", "status"];
    for desk in keys {
        for key in keys {
            let file = folder.join(format!("desk-{desk}/{key}.key.pem"));
            assert_eq!(file.exists(), key == desk, "{}", file.display());
        }
        let (file, pass) = (format!("desk-{desk}/{desk}.key.pem"), format!("{desk}.pass"));
        let (file, pass) = (folder.join(file), folder.join(pass));
        let pass = format!("file:{}", text(&pass));
        tool("openssl", &["pkey", "-noout", "-in", text(&file), "-passin", &pass]);
    }
}

/// All that `enrol` needs is there, from several desks, and taken; only the box is not.
fn the_box_is_asked_last(folder: &Path) {
    let roots = folder.join("ek-roots");
    fs::create_dir(&roots).expect("a folder");
    fs::copy(folder.join("desk-root/root.pem"), roots.join("any.pem")).expect("copied");
    for fence in ["sh enrol", "sh time"] {
        let [block] = blocks(fence)[..] else { panic!("expected one block {fence}") };
        let output = sh(folder, block);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("connection refused at 127.0.0.1:1"), "{said}");
    }
}
