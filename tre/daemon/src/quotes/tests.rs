//! Who gets a place, and what comes of it on a real TPM in software.

use measured_boot::tpm::Quote;
use tempfile::TempDir;
use tre_tpm::swtpm::{Manufacturer, Swtpm};

use super::*;

/// A request whose nonce ends in `number`.
fn asked(number: u32, asker: Asker) -> Asked {
    let mut nonce = [0; 32];
    nonce[28..].copy_from_slice(&number.to_be_bytes());
    Asked {
        nonce,
        exporter: [0x22; 32],
        server_key: [0x33; 32],
        client_key: [0; 32],
        tre_id: "tre-1".into(),
        state_epoch: 0,
        time: UnixMillis::new(u64::from(number)).unwrap(),
        asker,
    }
}

type Entered = Result<(oneshot::Receiver<Share>, Call), RoomFull>;

fn enter(room: &Room, number: usize, asker: Asker) -> Entered {
    room.enter(asked(u32::try_from(number).unwrap(), asker))
}

#[test]
fn only_the_first_who_waits_calls_the_tpm() {
    let room = Room::default();
    let mut calls = Vec::new();
    let shares: Vec<_> = (0..3)
        .map(|number| {
            let (share, call) = enter(&room, number, Asker::Certified).unwrap();
            calls.push(call);
            share
        })
        .collect();
    assert_eq!(calls, [Call::Due, Call::Made, Call::Made]);
    assert_eq!(room.empty().len(), shares.len());
    assert_eq!(enter(&room, 3, Asker::Certified).unwrap().1, Call::Due);
    room.not_called();
    assert_eq!(enter(&room, 4, Asker::Certified).unwrap().1, Call::Due);
}

#[test]
fn a_crowd_without_certificates_leaves_places_for_peers_with_one() {
    let room = Room::default();
    let most = bounds::ANONYMOUS_ATTESTATIONS;
    let _crowd: Vec<_> =
        (0..most).map(|number| enter(&room, number, Asker::Anonymous).unwrap()).collect();
    assert_eq!(enter(&room, most, Asker::Anonymous).unwrap_err(), RoomFull { most });
    assert_eq!(enter(&room, most, Asker::Certified).unwrap().1, Call::Made);
}

#[test]
fn one_request_more_than_a_quote_takes_is_refused_until_somebody_goes() {
    let room = Room::default();
    let most = bounds::ATTESTATIONS;
    let mut waiting: Vec<_> =
        (0..most).map(|number| enter(&room, number, Asker::Certified).unwrap()).collect();
    assert_eq!(enter(&room, most, Asker::Certified).unwrap_err(), RoomFull { most });
    drop(waiting.pop());
    let last = enter(&room, most, Asker::Certified).unwrap();
    assert_eq!(room.empty().len(), most);
    drop((waiting, last));
}

#[test]
fn each_of_a_batch_gets_the_one_quote_and_a_path_of_its_own() {
    let folder = TempDir::new().unwrap();
    let manufacturer = Manufacturer::open(&folder.path().join("manufacturer")).unwrap();
    let state = folder.path().join("tpm");
    manufacturer.make(&state).unwrap();
    let swtpm = Swtpm::start(&state).unwrap();
    let mut tpm = swtpm.connect().unwrap();

    let room = Room::default();
    let mut shares: Vec<_> = (0..5).map(|number| enter(&room, number, Asker::Anonymous)).collect();
    // Who goes before the quote is no leaf of it.
    drop(shares.remove(3));
    room.serve(&mut tpm);
    let numbers = [0, 1, 2, 4];
    for (number, entered) in numbers.into_iter().zip(shares) {
        let share = entered.unwrap().0.try_recv().unwrap();
        assert_eq!(share.path.count, 4);
        let own = asked(number, Asker::Anonymous);
        let root = share.path.root(own.leaf().hash()).unwrap();
        let quote = share.quote.as_ref().as_ref().unwrap();
        assert_eq!(Quote::parse(quote.attest.as_slice()).unwrap().extra_data, root);
    }
    assert_eq!(room.quotes(), 1);

    // Nobody waits: no quote is made over nothing.
    drop(enter(&room, 9, Asker::Certified));
    room.serve(&mut tpm);
    assert_eq!(room.quotes(), 1);
}
