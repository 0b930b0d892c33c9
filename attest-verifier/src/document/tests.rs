//! Real certificates and a real signature; one fault at a time.

use attest_verifier_core::wire::message::meter::ReceiptStatus;
use attest_verifier_core::wire::units::{Slot, WattHours};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    SanType, SigningKey as _,
};

use super::*;

mod revoked;

const DEPLOYMENT: &str = include_str!("../../../tests/vectors/v1/messages/deployment.json");

/// 2026-03-08, within the validity that rcgen gives by itself: 1975 to 4096.
const NOW: u64 = 1_772_996_400_000;

/// What a certificate is to be for.
const DOCUMENTS: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 3, 36];

/// An authority, a deployment that trusts it, and a document key that it certified.
struct World {
    deployment: Deployment,
    chain: Vec<HexBytes>,
    key: KeyPair,
}

/// An authority that a deployment may list.
struct Authority {
    certificate: HexBytes,
    issuer: Issuer<'static, KeyPair>,
}

fn authority() -> Authority {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let anchor = params.self_signed(&key).expect("a certificate");
    Authority { certificate: HexBytes(anchor.der().to_vec()), issuer: Issuer::new(params, key) }
}

fn world(usage: &[u64], name: &str) -> World {
    let Authority { certificate, issuer } = authority();
    let mut world = certified(&issuer, usage, name);
    world.deployment.tre_authorities = vec![certificate];
    world
}

/// A document key that `issuer` certified, and a deployment that trusts somebody else.
fn certified(issuer: &Issuer<'_, KeyPair>, usage: &[u64], name: &str) -> World {
    let key = KeyPair::generate().expect("a key");
    let mut leaf = CertificateParams::default();
    leaf.subject_alt_names = vec![SanType::URI(name.try_into().expect("ASCII"))];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::Other(usage.to_vec())];
    let leaf = leaf.signed_by(&key, issuer).expect("a certificate");
    let deployment = serde_json::from_str(DEPLOYMENT).expect("a deployment");
    World { deployment, chain: vec![HexBytes(leaf.der().to_vec())], key }
}

const TRE: &str = "spiffe://grid.example/tre/tre-1";

fn good_world() -> World {
    world(DOCUMENTS, TRE)
}

fn tre() -> Identity {
    TRE.parse().expect("an identity")
}

fn meter() -> Identity {
    "spiffe://grid.example/meter/meter-17".parse().expect("an identity")
}

fn check(world: &World) -> Result<DocumentKey, DocumentKeyError> {
    let now = UnixMillis::new(NOW).expect("in range");
    let anchors = Anchors { deployment: &world.deployment, revocations: None };
    DocumentKey::check(&world.chain, anchors, &tre(), now)
}

fn reading(slot: u64) -> Reading {
    Reading {
        slot: Slot::new(slot).expect("in range"),
        import_wh: WattHours::new(272).expect("in range"),
        export_wh: WattHours::default(),
        seq: slot,
    }
}

fn receipt(reading: Reading, status: ReceiptStatus) -> Receipt {
    let Reading { slot, import_wh, export_wh, seq } = reading;
    Receipt { slot, import_wh, export_wh, seq, status }
}

/// Receipts for `sent`, signed as a TRE does for `meter`.
fn answer(world: &World, sent: &[Reading], meter: &Identity) -> Receipts {
    let receipts: Vec<Receipt> =
        sent.iter().map(|reading| receipt(*reading, ReceiptStatus::Accepted)).collect();
    let bytes = document::receipts("tre-1", meter.id.as_str(), &receipts);
    let signature = HexBytes(world.key.sign(&bytes).expect("a signature"));
    Receipts { receipts, signature }
}

#[test]
fn receipts_signed_by_the_certified_key_are_good() {
    let world = good_world();
    let key = check(&world).expect("a document key");
    let sent = [reading(1), reading(2)];
    assert_eq!(key.check_receipts(&meter(), &sent, &answer(&world, &sent, &meter())), Ok(()));
}

#[test]
fn a_changed_status_breaks_the_signature() {
    let world = good_world();
    let key = check(&world).expect("a document key");
    let sent = [reading(1)];
    let mut answer = answer(&world, &sent, &meter());
    answer.receipts[0].status = ReceiptStatus::Closed;
    assert_eq!(key.check_receipts(&meter(), &sent, &answer), Err(ReceiptError::Signature));
}

#[test]
fn another_meters_receipts_are_refused() {
    let world = good_world();
    let key = check(&world).expect("a document key");
    let sent = [reading(1)];
    let other = "spiffe://grid.example/meter/meter-18".parse().expect("an identity");
    let answer = answer(&world, &sent, &other);
    assert_eq!(key.check_receipts(&meter(), &sent, &answer), Err(ReceiptError::Signature));
}

#[test]
fn another_keys_receipts_are_refused() {
    let key = check(&good_world()).expect("a document key");
    let sent = [reading(1)];
    let answer = answer(&good_world(), &sent, &meter());
    assert_eq!(key.check_receipts(&meter(), &sent, &answer), Err(ReceiptError::Signature));
}

#[test]
fn a_receipt_for_another_reading_is_refused_by_its_position() {
    let world = good_world();
    let key = check(&world).expect("a document key");
    let answer = answer(&world, &[reading(1), reading(3)], &meter());
    let found = receipt(reading(3), ReceiptStatus::Accepted);
    let refused = ReceiptError::Other { position: 1, expected: reading(2), found };
    let sent = [reading(1), reading(2)];
    assert_eq!(key.check_receipts(&meter(), &sent, &answer), Err(refused));
}

#[test]
fn a_receipt_too_few_is_refused() {
    let world = good_world();
    let key = check(&world).expect("a document key");
    let answer = answer(&world, &[reading(1)], &meter());
    let refused = ReceiptError::Count { expected: 2, found: 1 };
    let sent = [reading(1), reading(2)];
    assert_eq!(key.check_receipts(&meter(), &sent, &answer), Err(refused));
}

#[test]
fn a_key_of_another_authority_is_refused() {
    let mut world = good_world();
    world.deployment = good_world().deployment;
    let Err(DocumentKeyError::Untrusted(_)) = check(&world) else {
        panic!("expected an untrusted key, found {:?}", check(&world));
    };
}

#[test]
fn a_certificate_for_another_use_is_refused() {
    // serverAuth: the TLS key signs no documents.
    let world = world(&[1, 3, 6, 1, 5, 5, 7, 3, 1], "spiffe://grid.example/tre/tre-1");
    let Err(DocumentKeyError::Untrusted(webpki::Error::RequiredEkuNotFoundContext(_))) =
        check(&world)
    else {
        panic!("expected another use to be refused, found {:?}", check(&world));
    };
}

#[test]
fn another_tres_key_is_refused_with_both_names() {
    let world = world(DOCUMENTS, "spiffe://grid.example/tre/tre-2");
    let found = vec![String::from("spiffe://grid.example/tre/tre-2")];
    let refused = DocumentKeyError::Identity { expected: tre(), found };
    assert_eq!(check(&world), Err(refused));
}

#[test]
fn no_certificate_is_refused() {
    let world = World { chain: Vec::new(), ..good_world() };
    assert_eq!(check(&world), Err(DocumentKeyError::Missing));
}

/// An authority below the one that is listed certified it.
#[test]
fn a_key_below_an_authority_that_the_deployment_does_not_list_is_refused() {
    let mut below = CertificateParams::default();
    below.distinguished_name.push(DnType::CommonName, "below");
    below.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    below.extended_key_usages = vec![ExtendedKeyUsagePurpose::Other(DOCUMENTS.to_vec())];
    let (listed, key) = (authority(), KeyPair::generate().expect("a key"));
    let between = below.signed_by(&key, &listed.issuer).expect("a certificate");
    let mut world = certified(&Issuer::new(below, key), DOCUMENTS, TRE);
    world.chain.push(HexBytes(between.der().to_vec()));
    world.deployment.tre_authorities = vec![listed.certificate];
    let refused = DocumentKeyError::Untrusted(webpki::Error::PathLenConstraintViolated);
    assert_eq!(check(&world), Err(refused));
}

/// `content`, kept with the chain of `world`.
fn kept(world: &World, content: Content) -> Kept {
    let tre = "tre-1".parse().expect("an identifier");
    let document_chain = world.chain.clone();
    Kept {
        format: attest_verifier_core::wire::message::kept::Format::default(),
        tre,
        document_chain,
        content,
    }
}

fn sign(world: &World, bytes: &[u8]) -> HexBytes {
    HexBytes(world.key.sign(bytes).expect("a signature"))
}

/// The golden message of that name, signed by `world`'s document key.
fn golden<T: serde::de::DeserializeOwned>(golden: &str) -> T {
    serde_json::from_str(golden).expect("a golden file")
}

macro_rules! golden {
    ($name:literal) => {
        golden(include_str!(concat!("../../../tests/vectors/v1/messages/", $name, ".json")))
    };
}

/// One of each kind, as its holder keeps it.
fn all_kinds(world: &World) -> Vec<Kept> {
    let receipts = answer(world, &[reading(7)], &meter());
    let mut prices: Signed<MeterPrices> = golden!("meter-prices");
    prices.signature = sign(world, &document::prices("tre-1", &prices.document));
    let dno: PeerId = "dno-1".parse().expect("an identifier");
    let mut sums: Signed<Aggregates> = golden!("aggregates");
    let rows = &sums.document.aggregates;
    sums.signature = sign(world, &document::aggregates("tre-1", &dno, rows));
    let (dsm, event): (PeerId, EventId) =
        ("dsm-1".parse().expect("an identifier"), "e1".parse().expect("an identifier"));
    let mut bids: Signed<PseudoBids> = golden!("pseudo-bids");
    let rows = &bids.document.pseudo_bids;
    bids.signature = sign(world, &document::pseudo_bids("tre-1", &dsm, &event, rows));
    let bills: attest_verifier_core::wire::message::supplier::Bills = golden!("bills");
    let mut bill = bills.bills.into_iter().next().expect("a bill");
    bill.signature = sign(world, &document::bill("tre-1", &bill.document));
    let contents = [
        Content::Receipts { meter: meter().id, receipts },
        Content::Prices(prices),
        Content::Aggregates { dno, sums },
        Content::PseudoBids { dsm, event, bids },
        Content::Bill(bill),
    ];
    contents.into_iter().map(|content| kept(world, content)).collect()
}

fn judged(kept: &Kept, deployment: &Deployment) -> Result<(), KeptError> {
    let anchors = Anchors { deployment, revocations: None };
    check_kept(kept, anchors, UnixMillis::new(NOW).expect("in range"))
}

#[test]
fn every_kind_of_kept_document_convinces_who_knows_the_deployment() {
    let world = good_world();
    let kinds = all_kinds(&world);
    assert_eq!(kinds.len(), 5);
    for kept in kinds {
        assert_eq!(judged(&kept, &world.deployment), Ok(()), "{:?}", kept.content);
    }
}

#[test]
fn a_kept_document_with_any_leaf_changed_convinces_nobody() {
    let world = good_world();
    let mut changed = 0;
    for kept in all_kinds(&world) {
        let tree = serde_json::to_value(&kept.content).expect("JSON");
        let mut places = Vec::new();
        leaves(&tree, String::new(), &mut places);
        for place in places.iter().filter(|place| !place.ends_with("/signature")) {
            let mut other = tree.clone();
            let leaf = other.pointer_mut(place).expect("a leaf");
            *leaf = match leaf.clone() {
                serde_json::Value::Number(number) => (number.as_i64().expect("small") ^ 1).into(),
                serde_json::Value::String(text) => match text.as_str() {
                    "slots" => "mean".into(),
                    "accepted" => "replaced".into(),
                    "slot" | "week" => "day".into(),
                    "day" => "slot".into(),
                    "budget_spent" | "too_few_members" => "dominance".into(),
                    text if text.len() == 64 => text.replace(|digit| digit != '0', "0").into(),
                    text => std::format!("{text}x").into(),
                },
                // A sum that was withheld, or the reason of one that was not.
                serde_json::Value::Null => continue,
                other @ (serde_json::Value::Bool(_)
                | serde_json::Value::Array(_)
                | serde_json::Value::Object(_)) => panic!("no other kind of leaf: {other}"),
            };
            let Ok(content) = serde_json::from_value(other) else {
                panic!("{place} in {tree} is not a message any more")
            };
            let refused = judged(&self::kept(&world, content), &world.deployment);
            assert_eq!(refused, Err(KeptError::Signature(NotSigned)), "{place}");
            changed += 1;
        }
    }
    assert!(changed > 30, "expected many leaves, found {changed}");
}

fn leaves(tree: &serde_json::Value, place: String, into: &mut Vec<String>) {
    match tree {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                leaves(value, std::format!("{place}/{name}"), into);
            }
        }
        serde_json::Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                leaves(value, std::format!("{place}/{index}"), into);
            }
        }
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => into.push(place),
    }
}

#[test]
fn a_kept_document_of_a_key_that_nobody_we_trust_certified_convinces_nobody() {
    let (world, other) = (good_world(), good_world());
    for kept in all_kinds(&other) {
        let refused = judged(&kept, &world.deployment);
        let unknown = DocumentKeyError::Untrusted(webpki::Error::UnknownIssuer);
        assert!(
            matches!(refused, Err(KeptError::Key(DocumentKeyError::Untrusted(_)))),
            "expected something like {unknown}, found {refused:?}"
        );
    }
}

#[test]
fn a_kept_document_said_to_be_of_another_tre_convinces_nobody() {
    let world = good_world();
    for mut kept in all_kinds(&world) {
        kept.tre = "tre-2".parse().expect("an identifier");
        let refused = judged(&kept, &world.deployment);
        assert!(
            matches!(refused, Err(KeptError::Key(DocumentKeyError::Identity { .. }))),
            "{refused:?}"
        );
    }
}
