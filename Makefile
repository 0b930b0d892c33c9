# Every target is one line. `make help` lists them.
.PHONY: help deps image reproduce sources demo test attacks teeth bench clean
.DEFAULT_GOAL := help
DATA ?= tests/data/sceaux_weeks_15min_wh.csv
HOME_DAYS ?= 7
# An unpacked archive of `make sources`, to build from that alone.
override SOURCES := $(abspath $(SOURCES))
export SOURCES
CARGO = cargo $(if $(SOURCES),--config $(SOURCES)/cargo/config.toml)

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile

deps: ## list and install what is needed, and build the static TPM software stack
	image/deps.sh

image: deps ## build the boot image and its reference manifest into target/image
	$(CARGO) run --quiet --package image --bin tre-image -- build

reproduce: deps ## build everything twice, without caches, in two surroundings, and compare
	$(CARGO) run --quiet --package image --bin tre-image -- reproduce

sources: deps ## write every input of the image but the compilers to target/sources.tar
	$(CARGO) run --quiet --package image --bin tre-image -- sources

demo: image attacks ## boot the appliance, prove it, and run real households through all three flows
	cargo run --quiet --package tre-tests --bin demo -- --readings $(DATA) --home-days $(HOME_DAYS) $(if $(SLOTS_PER_DAY),--slots-per-day $(SLOTS_PER_DAY))

test: deps ## everything that CI runs
	tests/scripts/test.sh

attacks: deps ## play every attack: on attestation, and on the flows against their bounds
	tests/scripts/attacks.sh

teeth: deps ## take each check out of a copy and see its attack succeed
	cargo build --quiet --workspace --bins
	target/debug/teeth

bench: deps ## ratios against named baselines in the same run
	tests/scripts/bench.sh

clean: ## remove what was built here; cached kernel and TPM stack stay
	cargo clean
