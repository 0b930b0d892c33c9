//! The committed privacy policies govern a TRE, and say what the design says.

use tre_wire::json;
use tre_wire::policy::Policy;

fn committed(name: &str) -> Policy {
    let path = format!("{}/policies/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(path).expect("committed");
    let policy: Policy = json::decode(&bytes).expect("a policy");
    policy.check().expect("a policy that can govern");
    policy
}

#[test]
fn production_follows_the_design() {
    let policy = committed("production");
    assert_eq!(policy.name, "production");
    assert_eq!(policy.slot_ms, 30 * 60 * 1_000);
    assert_eq!(policy.monitoring.minimum_group, 15);
    assert_eq!(policy.monitoring.dominance_millionths.get(), 150_000);
    let rules = &policy.monitoring;
    // 48 half hours at a sixteenth, and one half each for the totals of a day and of a week.
    assert_eq!(rules.window_slots * policy.slot_ms, 24 * 60 * 60 * 1_000);
    assert_eq!(rules.slot.epsilon_millionths.get(), 1_000_000 / 16);
    assert_eq!(rules.slot.window_millionths.get(), rules.window_slots * 1_000_000 / 16);
    assert_eq!(rules.window_epsilon(), 4_000_000);
    let day_ms = 24 * 60 * 60 * 1_000;
    assert_eq!(policy.lateness_slots * policy.slot_ms, 7 * day_ms);
    assert!(policy.billing.minimum_period_slots * policy.slot_ms >= 28 * day_ms);
}

#[test]
fn demo_is_short_and_otherwise_as_strict() {
    let (demo, production) = (committed("demo"), committed("production"));
    assert_eq!(demo.name, "demo");
    assert_eq!((demo.slot_ms, demo.grace_ms), (2_000, 4_000));
    assert_eq!(demo.monitoring.clip_wh.get(), 1_000);
    let rules = &demo.monitoring;
    assert_eq!(rules.slot.epsilon_millionths.get(), 1_000_000);
    // Every slot of the demo's day once, and nothing beside it.
    assert_eq!((rules.window_slots, rules.slot.window_millionths.get()), (96, 96_000_000));
    assert_eq!(demo.monitoring.day, production.monitoring.day);
    assert_eq!(demo.monitoring.minimum_group, production.monitoring.minimum_group);
    assert_eq!(demo.monitoring.dominance_millionths, production.monitoring.dominance_millionths);
    assert_eq!(demo.billing.minimum_period_slots, 96);
    assert_eq!(demo.billing.minor_unit_nano, production.billing.minor_unit_nano);
}

#[test]
fn londons_dearest_band_can_be_asked_for_in_a_bid() {
    for name in ["demo", "production"] {
        let most = committed(name).demand_response.price_most.get();
        assert!(most >= 672_000, "{name}: 67.20 pence a kilowatt-hour");
    }
}
