#!/usr/bin/env bash
# Builds examples/bare, and with it dwsep, for machines that have no standard library at all.
#
#   tools/check-bare.sh
#
# tools/check-no-std.sh takes it away from a machine that has one; here it never was, nor an operating system, nor (on a Cortex-M) a
# pointer of 64 bits. The targets come through rustup.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# What only other targets do not use shows as a warning here.
export RUSTFLAGS="-D warnings" CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/bare
for target in thumbv7em-none-eabihf x86_64-unknown-none; do
    rustup --quiet target add "$target"
    cargo check --locked --quiet --manifest-path examples/bare/Cargo.toml --target "$target"
    echo "check-bare: dwsep builds for $target"
done
