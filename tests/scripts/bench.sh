#!/bin/sh
# Builds everything optimised, then compares with the baselines in one run.
set -eu
cd "$(dirname "$0")/../.."
cargo run --quiet --package image --bin tre-image -- build
cargo build --quiet --release --package tred --package tre-tests --package tre-oracles --bins
target/release/grid-bench
cargo bench --quiet --package pki --bench fleet
exec target/release/bench
