#!/bin/sh
# Plays every attack: on attestation, against running TREs; on the three flows, against their bounds.
set -eu
cd "$(dirname "$0")/../.."
cargo build --quiet --release --package tred --package tre-tests --package tre-attacks --bins
# The TPM's refusals are results here; its software stack would print each as an error.
export TSS2_LOG=all+none
failed=0
target/release/attestation-attacks --out target/attacks/attestation.json || failed=1
# Who watches the wire sees a TRE at work: this table stands in the next.
cargo build --quiet --package tred
cargo test --quiet --package tre-tests --test traffic || failed=1
target/release/attacks --also target/attacks/traffic.json --out target/attacks/attacks.json || failed=1
exit "$failed"
