#!/usr/bin/env bash
# Runs `cargo test` for 64-bit Arm on an x86-64 machine: cross-compiled, executed by qemu-user.
#
#   tools/test-aarch64.sh                              every test of the workspace
#   tools/test-aarch64.sh -p dwsep -- neon             any arguments of `cargo test`
#   QEMU_CPU=cortex-a53 tools/test-aarch64.sh          on a given CPU (default: max)
#
# QEMU_CPU decides which instructions exist, and so tests the dispatch: cortex-a53, -a57 and -a72
# have plain NEON; cortex-a76 and neoverse-n1 add dotprod and fp16; max adds i8mm, bf16 and more.
# An instruction the CPU lacks ends the test with SIGILL. Timings under qemu mean nothing.
#
# The compiler is the one from tools/setup-aarch64.sh. To use another, whose aarch64 standard
# library you have installed, name it: RUSTC=rustc RUSTDOC=rustdoc tools/test-aarch64.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=aarch64-unknown-linux-gnu
sysroot=/usr/aarch64-linux-gnu

export RUSTC=${RUSTC:-/usr/bin/rustc}
export RUSTDOC=${RUSTDOC:-/usr/bin/rustdoc}
export QEMU_CPU=${QEMU_CPU:-max}
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L $sysroot"
# Another compiler than the host's: sharing a directory would make each rebuild after the other.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/aarch64

for tool in "$RUSTC" "$RUSTDOC" aarch64-linux-gnu-gcc qemu-aarch64; do
    if ! command -v "$tool" >/dev/null; then
        echo "test-aarch64: $tool is missing; run tools/setup-aarch64.sh" >&2
        exit 1
    fi
done

if [ $# -eq 0 ]; then
    set -- --workspace
fi
exec cargo test --locked --target "$target" "$@"
