//! What a record on the disk must be before anybody unseals anything for it.

use super::*;

/// A record of format 1, as the first release wrote it.
const FORMAT_1: &[u8] =
    br#"{"format":1,"tre_id":"tre-1","chains":{"attestation_key_chain":["300a"],
    "tls_chain":["300b"],"document_chain":["300c"]},"sealed_secret":"00","encrypted_keys":"01"}"#;

#[test]
fn a_record_of_the_first_format_is_refused_by_its_number() {
    let refused = Enrolled::from_bytes(FORMAT_1).map(|_| ());
    assert!(matches!(refused, Err(EnrolledError::Format(1))), "{refused:?}");
}

#[test]
fn a_record_of_a_later_format_is_refused_by_its_number() {
    let refused = Enrolled::from_bytes(br#"{"format":3,"something":"new"}"#).map(|_| ());
    assert!(matches!(refused, Err(EnrolledError::Format(3))), "{refused:?}");
}

#[test]
fn secrets_come_back_as_they_were_written() {
    let keys = Keys::generate().expect("random source");
    let secrets = Secrets { owner: Secret32::new([7; 32]), keys };
    let again = Secrets::from_bytes(&secrets.to_bytes().expect("short")).expect("readable");
    assert_eq!(again.owner.expose(), &[7; 32]);
    assert_eq!(again.keys.tls.spki(), secrets.keys.tls.spki());
    for length in 0..Secret32::LENGTH {
        let cut = Secrets::from_bytes(&[7; 64][..length]).err();
        assert_eq!(cut, Some(KeyError::Framing), "{length}");
    }
}
