#!/bin/sh
# Format, lints, the boot image, every test (unit, property, hosted and in QEMU), and whether the
# image is the committed one and comes out the same when it is built again elsewhere.
set -eu
cd "$(dirname "$0")/../.."
started=$(date +%s)
step() { echo "==> $1 ($(($(date +%s) - started)) s)"; }

step 'format'
cargo fmt --all --check
step 'lints'
cargo clippy --quiet --workspace --all-targets -- -D warnings
step 'programs'
# All at once: what is built for one package alone is built with other features, and anew.
cargo build --quiet --workspace --bins
step 'boot image'
target/debug/tre-image build
step 'tests'
# What tests that pass have to say comes on the error stream: above all, what they left out.
said=target/test-said
cargo test --quiet --workspace --no-fail-fast 2>"$said" || { cat "$said" >&2; exit 1; }
cat "$said" >&2
step 'the committed image'
compared=$(target/debug/tre-image lock --check)
echo "$compared" | tee -a "$said"
# The kernel is compiled again only if this very build of it has not been repeated before.
step 'the same image, built again'
again=$(target/debug/tre-image reproduce --existing --kernel unproven --lock follow)
echo "$again" | tee -a "$said"
step 'teeth'
target/debug/teeth
step "done, tests skipped: $(grep -c 'skipped 1: ' "$said" || true)"
grep 'skipped 1: ' "$said" || true
