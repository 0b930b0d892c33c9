//! Commands in the documentation are commands that the programs know.

use std::process::Command;

use tre_tests::place;

/// The programs a reader is told to run.
const PROGRAMS: [&str; 4] = ["tre-image", "tre-pki", "tre-client", "attest-verifier"];

/// Fewer would mean that they are not found, rather than that they are gone.
const COMMANDS: usize = 30;

/// The lines of code in every Markdown file that git knows, with what continues them.
fn commands() -> Vec<(String, String)> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*.md"])
        .current_dir(place::root())
        .output()
        .expect("git ls-files");
    let files = String::from_utf8(output.stdout).expect("UTF-8");
    let mut commands = Vec::new();
    for file in files.lines().filter(|file| place::root().join(file).is_file()) {
        let text = std::fs::read_to_string(place::root().join(file)).expect("a readable file");
        let whole = text.replace("\\\n", " ");
        let runs = |line: &&str| PROGRAMS.iter().any(|name| line.starts_with(&format!("{name} ")));
        let found = whole.lines().map(str::trim).filter(runs);
        commands.extend(found.map(|line| (file.to_owned(), line.to_owned())));
    }
    commands
}

/// The words of a command, up to its remark, what it is piped into, or an ampersand.
fn words(command: &str) -> Vec<&str> {
    let end = ["#", "&", "|", ">", ";"];
    let mut words = Vec::new();
    // Every second piece stands in quotation marks, and is one word.
    for (number, piece) in command.split('"').enumerate() {
        if number % 2 == 1 {
            words.push(piece);
            continue;
        }
        for word in piece.split_whitespace().filter(|word| *word != "...") {
            if end.iter().any(|end| word.starts_with(end)) {
                return words;
            }
            words.push(word);
        }
    }
    words
}

/// With `--help` at its end a command does nothing; before that every word of it must be known.
#[test]
fn every_documented_command_is_one_that_its_program_knows() {
    let commands = commands();
    assert!(commands.len() >= COMMANDS, "expected {COMMANDS} commands, found {}", commands.len());
    for (file, command) in commands {
        let words = words(&command);
        let (program, arguments) = words.split_first().expect("a program");
        let output = Command::new(place::program(program).expect("built"))
            .args(arguments)
            .arg("--help")
            .output()
            .expect("the program runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{file}: {command}\n{said}");
        assert!(!output.stdout.is_empty(), "{file}: {command}: expected its help");
    }
}
