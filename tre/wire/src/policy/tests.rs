//! What a policy may say, and what older ones could not.

use super::*;
use crate::json;

fn golden() -> serde_json::Value {
    let golden = include_bytes!("../../../../tests/vectors/v1/messages/policy.json");
    serde_json::from_slice(golden).expect("JSON")
}

fn checked(policy: &serde_json::Value) -> Result<(), PolicyError> {
    let bytes = serde_json::to_vec(policy).expect("JSON");
    json::decode::<Policy>(&bytes).expect("a policy").check()
}

#[test]
fn policies_of_older_formats_are_refused_by_their_number() {
    for (number, older) in [
        (1, &include_bytes!("../../../../tests/vectors/v1/older/policy-format-1.json")[..]),
        (2, &include_bytes!("../../../../tests/vectors/v1/older/policy-format-2.json")[..]),
        (3, &include_bytes!("../../../../tests/vectors/v1/older/policy-format-3.json")[..]),
    ] {
        let refused = json::decode::<Policy>(older).expect_err("an older format").detail();
        let expected = alloc::format!("expected policy format 4, found {number}");
        assert!(refused.starts_with(&expected), "{refused}");
    }
}

#[test]
fn a_price_guard_that_guards_nothing_is_refused() {
    let range = |field, least, most, found| Err(PolicyError::Range { field, least, most, found });
    for (field, value, expected) in [
        ("levels_most", 0, range("levels_most", 1, 64, 0)),
        ("levels_most", 65, range("levels_most", 1, 64, 65)),
        ("min_slots_per_level", 0, range("min_slots_per_level", 1, 2_688, 0)),
        // More than the shortest period has: no period could ever end.
        ("min_slots_per_level", 2_689, range("min_slots_per_level", 1, 2_688, 2_689)),
        ("minimum_tariff", 0, range("minimum_tariff", 1, 1_000_000, 0)),
    ] {
        let mut policy = golden();
        policy["billing"][field] = value.into();
        assert_eq!(checked(&policy), expected, "{field}");
    }
    let mut policy = golden();
    policy["billing"]["price_floor"] = 1_000_001.into();
    let [floor, ceiling] =
        [1_000_001, 1_000_000].map(|price| PricePerKwh::new(price).expect("in range"));
    assert_eq!(checked(&policy), Err(PolicyError::PriceRange { floor, ceiling }));
}

#[test]
fn the_digest_of_a_policy_changes_with_every_number_in_it() {
    let digest = |policy: &serde_json::Value| {
        let bytes = serde_json::to_vec(policy).expect("JSON");
        json::decode::<Policy>(&bytes).expect("a policy").digest()
    };
    let (golden, mut seen) = (golden(), alloc::collections::BTreeSet::new());
    seen.insert(digest(&golden));
    let mut places = 0;
    let mut change = |path: &str, value: serde_json::Value| {
        let mut policy = golden.clone();
        *policy.pointer_mut(path).expect("a field") = value;
        assert!(seen.insert(digest(&policy)), "{path} is not in the digest");
        places += 1;
    };
    change("/name", "another".into());
    change("/billing/over_capacity", "left_out".into());
    for section in ["", "/monitoring", "/monitoring/slot", "/monitoring/day", "/monitoring/week"]
        .into_iter()
        .chain(["/billing", "/demand_response"])
    {
        let fields = golden.pointer(section).and_then(|it| it.as_object()).expect("a section");
        for (field, value) in fields {
            if let Some(number) = value.as_i64().filter(|_| field != "format") {
                change(&alloc::format!("{section}/{field}"), (number + 1).into());
            }
        }
    }
    assert_eq!(places, 29);
}

#[test]
fn an_absurd_epsilon_is_refused_with_its_range() {
    for (kind, field) in [
        ("slot", "slot.epsilon_millionths"),
        ("day", "day.epsilon_millionths"),
        ("week", "week.epsilon_millionths"),
    ] {
        for found in [999, 10_000_001] {
            let mut policy = golden();
            policy["monitoring"][kind]["epsilon_millionths"] = found.into();
            let (least, most) = (1_000, 10_000_000);
            let refused = PolicyError::Range { field, least, most, found };
            assert_eq!(checked(&policy), Err(refused));
        }
    }
}

#[test]
fn a_window_holds_at_least_one_release() {
    for kind in ["slot", "day", "week"] {
        let mut policy = golden();
        policy["monitoring"][kind]["epsilon_millionths"] = 500_000.into();
        policy["monitoring"][kind]["window_millionths"] = 500_000.into();
        assert_eq!(checked(&policy), Ok(()));
        policy["monitoring"][kind]["window_millionths"] = 499_999.into();
        let [least, found] = [500_000, 499_999].map(|it| Epsilon::new(it).expect("in range"));
        assert_eq!(checked(&policy), Err(PolicyError::Window { kind, least, found }));
    }
}

#[test]
fn the_noise_of_a_total_is_that_of_a_window_at_its_own_epsilon() {
    let bytes = serde_json::to_vec(&golden()).expect("JSON");
    let rules = json::decode::<Policy>(&bytes).expect("a policy").monitoring;
    // Delta 1,000 Wh, w 96; epsilon 1 for a slot, 1/2 for totals.
    assert_eq!(rules.lambda(Span::Slot).get(), 1_000_000);
    assert_eq!(rules.lambda(Span::Day).get(), 2 * 96 * 1_000_000);
    assert_eq!(rules.lambda(Span::Week).get(), 2 * 96 * 1_000_000);
    assert_eq!(rules.window_epsilon(), 96_000_000 + 500_000 + 500_000);
}
