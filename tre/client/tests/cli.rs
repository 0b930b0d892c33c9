//! The command line: what is wrong with a command or a file is said in one sentence, before
//! anybody is connected to.

#![forbid(unsafe_code)]

#[cfg(test)]
mod cli {
    use std::io::ErrorKind;
    use std::net::TcpListener;
    use std::path::{Path, PathBuf};
    use std::process::{Command, Output};

    use rcgen::{CertificateParams, KeyPair, SanType};
    use tempfile::TempDir;

    /// A folder with files to name, and a port at which nobody must ever call.
    struct Desk {
        folder: TempDir,
        silence: TcpListener,
    }

    impl Desk {
        fn new() -> Self {
            let silence = TcpListener::bind("127.0.0.1:0").expect("a free port");
            silence.set_nonblocking(true).expect("a socket");
            Self { folder: tempfile::tempdir().expect("a folder"), silence }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn file(&self, name: &str, content: &str) -> PathBuf {
            let path = self.path(name);
            std::fs::write(&path, content).expect("writable");
            path
        }

        /// A key with a certificate for `uri`.
        fn identity(&self, uri: &str) -> PathBuf {
            let key = KeyPair::generate().expect("a key");
            let mut params = CertificateParams::default();
            params.subject_alt_names = vec![SanType::URI(uri.try_into().expect("ASCII"))];
            let certificate = params.self_signed(&key).expect("a certificate");
            self.file("own.pem", &format!("{}{}", key.serialize_pem(), certificate.pem()))
        }

        /// Runs a command with the options that all have; asserts that nobody was called.
        fn run(&self, command: &[&str], identity: &Path) -> Output {
            let address = self.silence.local_addr().expect("bound").to_string();
            let output = Command::new(env!("CARGO_BIN_EXE_tre-client"))
                .args(command)
                .args(["--tre", &address, "--tre-id", "tre-1"])
                .arg("--deployment")
                .arg(self.path("deployment.json"))
                .arg("--manifest")
                .arg(self.path("manifest.json"))
                .arg("--release-key")
                .arg(self.path("release.pem"))
                .arg("--identity")
                .arg(identity)
                .output()
                .expect("the program runs");
            let called = self.silence.accept().map_err(|error| error.kind());
            assert_eq!(called.map(|_| ()), Err(ErrorKind::WouldBlock), "somebody was called");
            output
        }

        fn replay(&self, readings: &Path, column: &str, more: &[&str]) -> Output {
            let readings = readings.to_str().expect("plain");
            let command = ["meter", "replay", "--readings", readings, "--column", column];
            self.run(&[&command, more].concat(), &self.path("own.pem"))
        }
    }

    const READINGS: &str = "slot,h000,h001\n0,272,0\n1,13,5\n";

    /// The exit code, and what was said on standard error.
    fn said(output: &Output) -> (Option<i32>, String) {
        let text = String::from_utf8(output.stderr.clone()).expect("text");
        (output.status.code(), text)
    }

    /// Asserts that a command fails, for this reason alone.
    fn unusable(output: &Output, reason: &str) {
        assert_eq!(said(output), (Some(1), format!("tre-client: {reason}\n")));
        assert!(output.stdout.is_empty());
    }

    #[test]
    fn a_missing_file_of_readings_is_named() {
        let desk = Desk::new();
        let path = desk.path("none.csv");
        let reason = format!(
            "expected a file that can be read at {}: No such file or directory (os error 2)",
            path.display()
        );
        unusable(&desk.replay(&path, "h000", &[]), &reason);
    }

    #[test]
    fn a_column_that_is_not_there_is_named_with_those_that_are() {
        let desk = Desk::new();
        let path = desk.file("readings.csv", READINGS);
        let reason = format!("{}: expected a column \"h002\", found h000, h001", path.display());
        unusable(&desk.replay(&path, "h002", &[]), &reason);
    }

    #[test]
    fn a_cell_that_is_no_whole_number_is_named() {
        let desk = Desk::new();
        let path = desk.file("readings.csv", "slot,h000,h001\n0,272,0.5\n");
        let reason = format!(
            "{}: line 2, column h001: expected whole watt-hours from 0 to 10^9, found \"0.5\"",
            path.display()
        );
        unusable(&desk.replay(&path, "h000", &[]), &reason);
    }

    #[test]
    fn rows_beyond_the_last_are_refused() {
        let desk = Desk::new();
        let path = desk.file("readings.csv", READINGS);
        let output = desk.replay(&path, "h000", &["--from-row", "1", "--rows", "2"]);
        unusable(&output, "expected rows 1 to 3 in the readings, found 2 rows");
    }

    #[test]
    fn a_share_without_a_price_is_refused() {
        let desk = Desk::new();
        let path = desk.file("readings.csv", READINGS);
        let output = desk.replay(&path, "h000", &["--bid", "share=25"]);
        unusable(&output, "expected --bid-price MICRO with --bid share=PERCENT");
    }

    #[test]
    fn a_missing_identity_is_named() {
        let desk = Desk::new();
        let path = desk.file("readings.csv", READINGS);
        let (code, text) = said(&desk.replay(&path, "h000", &[]));
        assert_eq!(code, Some(1));
        assert!(text.contains("own.pem: No such file or directory"), "{text}");
    }

    #[test]
    fn a_file_that_is_no_identity_is_named() {
        let desk = Desk::new();
        let identity = desk.file("own.pem", "no key\n");
        let (code, text) = said(&desk.run(&["meter", "account"], &identity));
        assert_eq!(code, Some(1));
        assert!(text.contains("own.pem: expected a PKCS #8 private key"), "{text}");
    }

    #[test]
    fn a_certificate_for_another_role_is_refused() {
        let desk = Desk::new();
        let identity = desk.identity("spiffe://grid.example/dno/d1");
        let reason = "expected a certificate for the role meter, found one for \
                      spiffe://grid.example/dno/d1";
        unusable(&desk.run(&["meter", "account"], &identity), reason);
    }

    #[test]
    fn a_missing_deployment_is_named() {
        let desk = Desk::new();
        let identity = desk.identity("spiffe://grid.example/meter/m1");
        let key = KeyPair::generate().expect("a key").public_key_pem();
        desk.file("release.pem", &key);
        let (code, text) = said(&desk.run(&["meter", "account"], &identity));
        assert_eq!(code, Some(1));
        assert!(text.contains("deployment.json: No such file or directory"), "{text}");
    }

    /// Nobody is asked for anything on the word of a file that nobody signed.
    #[test]
    fn an_unsigned_manifest_is_named_and_nobody_is_called() {
        let desk = Desk::new();
        let identity = desk.identity("spiffe://grid.example/meter/m1");
        desk.file("deployment.json", "{}");
        desk.file("manifest.json", "{}");
        let key = KeyPair::generate().expect("a key").public_key_pem();
        desk.file("release.pem", &key);
        let (code, text) = said(&desk.run(&["meter", "account"], &identity));
        assert_eq!(code, Some(1));
        assert!(text.contains("expected the signature of "), "{text}");
        desk.file("manifest.json.sig", "{}");
        let (code, text) = said(&desk.run(&["meter", "account"], &identity));
        assert_eq!(code, Some(1));
        assert!(text.contains("signature file is not readable"), "{text}");
    }

    #[test]
    fn a_missing_list_of_members_is_named() {
        let desk = Desk::new();
        let path = desk.path("members.txt");
        let members = path.to_str().expect("plain");
        let command = ["dno", "put-group", "feeder-1", "--members", members];
        let reason = format!(
            "expected a file that can be read at {}: No such file or directory (os error 2)",
            path.display()
        );
        unusable(&desk.run(&command, &desk.path("own.pem")), &reason);
    }

    #[test]
    fn readings_are_no_table_of_connections() {
        let desk = Desk::new();
        let path = desk.file("readings.csv", READINGS);
        let command = ["registrar", "load", path.to_str().expect("plain")];
        let reason = format!(
            "{}: line 1: expected the header \
             \"point,account,meter,supplier,tariff,capacity_w,from_slot,to_slot\", \
             found \"slot,h000,h001\"",
            path.display()
        );
        unusable(&desk.run(&command, &desk.path("own.pem")), &reason);
    }

    #[test]
    fn every_bad_argument_is_refused_with_exit_code_2() {
        let desk = Desk::new();
        for (command, expected) in [
            (vec!["meter", "prices", "--from-slot", "soon"], "`now` or `next`"),
            (vec!["dno", "put-group", "Feeder 1", "--members", "x"], "invalid value 'Feeder 1'"),
            (vec!["dsm", "decide", "peak"], "--wanted-wh <WH>"),
            (vec!["dsm", "decide", "peak", "--accept", "00ff"], "expected 32 bytes, found 2"),
            (vec!["dsm", "decide", "peak", "--wanted-wh", "1.5"], "expected whole watt-hours"),
            (vec!["dsm", "decide", "peak", "--reject-all", "--wanted-wh", "1"], "cannot be used"),
            (vec!["king", "crown"], "unrecognized subcommand 'king'"),
        ] {
            let (code, text) = said(&desk.run(&command, &desk.path("own.pem")));
            assert_eq!(code, Some(2), "{command:?}: {text}");
            assert!(text.contains(expected), "{command:?}: {text}");
        }
    }

    #[test]
    fn a_missing_option_is_named() {
        let output = Command::new(env!("CARGO_BIN_EXE_tre-client"))
            .args(["operator", "metrics", "--tre-id", "tre-1"])
            .output()
            .expect("the program runs");
        let (code, text) = said(&output);
        assert_eq!(code, Some(2));
        for option in [
            "--tre <HOST:PORT>",
            "--deployment <FILE>",
            "--manifest <FILE>",
            "--release-key <FILE.pem>",
            "--identity <FILE.pem>",
        ] {
            assert!(text.contains(option), "{text}");
        }
    }

    #[test]
    fn help_is_no_failure() {
        for command in [vec!["--help"], vec!["meter", "replay", "--help"], vec!["--version"]] {
            let output = Command::new(env!("CARGO_BIN_EXE_tre-client"))
                .args(&command)
                .output()
                .expect("the program runs");
            assert_eq!(output.status.code(), Some(0), "{command:?}");
            assert!(!output.stdout.is_empty(), "{command:?}");
        }
    }
}
