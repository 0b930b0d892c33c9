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
step 'boot image'
cargo run --quiet --package image --bin tre-image -- build
step 'programs'
cargo build --quiet --workspace --bins
step 'tests'
cargo test --quiet --workspace
step 'the committed image'
cargo run --quiet --package image --bin tre-image -- lock --check
# The kernel is compiled again only if this very build of it has not been repeated before.
step 'the same image, built again'
cargo run --quiet --package image --bin tre-image -- reproduce --existing --kernel unproven --lock follow
step 'teeth'
cargo run --quiet --package tre-tests --bin teeth
step 'done'
