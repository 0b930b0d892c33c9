#!/bin/sh
# Plays every attack: on attestation and on the time, against running TREs; on the three flows,
# against their bounds.
set -eu
cd "$(dirname "$0")/../.."
cargo build --quiet --release --package tred --package tre-tests --package tre-attacks --bins
# The TPM's refusals are results here; its software stack would print each as an error.
export TSS2_LOG=all+none
failed=0
target/release/attestation-attacks --out target/attacks/attestation.json || failed=1
# Who watches the wire sees a TRE at work: this table stands in the next.
cargo build --quiet --workspace --bins
cargo test --quiet --workspace --test traffic || failed=1
# So does that of a host that moves its TRE's clocks.
target/release/clock-attacks --out target/attacks/clock.json || failed=1
# How often each is right once its check is gone: the column beside its bound.
target/debug/teeth --scores target/attacks/without.json || failed=1
target/release/attacks --also target/attacks/traffic.json --also target/attacks/clock.json \
    --without target/attacks/without.json \
    --out target/attacks/attacks.json || failed=1
exit "$failed"
