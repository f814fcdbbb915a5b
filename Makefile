# The two commands of the README, and what they are made of.

.PHONY: run test demo bench setup setup-tests check

run: setup
	scripts/build-panel
	cargo build --release --quiet --bin centralita
	./target/release/centralita serve --data run --demo-if-empty

demo: setup
	cargo build --release --quiet --bin centralita
	./target/release/centralita demo

test: setup-tests
	scripts/test

bench: setup-tests
	cargo xtask bench

setup:
	scripts/setup

setup-tests: setup
	scripts/setup-tests
