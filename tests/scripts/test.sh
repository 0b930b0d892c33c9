#!/bin/sh
# Format, lints, the boot image, then every test: unit, property, hosted and in QEMU.
set -eu
cd "$(dirname "$0")/../.."
started=$(date +%s)
step() { echo "==> $1 ($(($(date +%s) - started)) s)"; }

step 'format'
cargo fmt --all --check
step 'lints'
cargo clippy --quiet --workspace --all-targets -- -D warnings
step 'boot image'
cargo run --quiet --package image --bin tre-image -- build
step 'programs'
cargo build --quiet --workspace --bins
step 'tests'
cargo test --quiet --workspace
step 'teeth'
cargo run --quiet --package tre-tests --bin teeth
step 'done'
