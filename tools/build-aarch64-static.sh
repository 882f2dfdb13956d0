#!/usr/bin/env bash
# Builds the program for 64-bit Arm boards on an x86-64 machine, as one static file to copy: it needs
# no library on the board, whatever Linux is there.
#
#   tools/build-aarch64-static.sh              prints where the file is
#   scp "$(tools/build-aarch64-static.sh)" board:    and then, on the board: ./mobilenet bench --layers
#
# The compiler and the linker are those of tools/setup-aarch64.sh. To use another compiler, whose
# aarch64 standard library you have installed, name it: RUSTC=rustc tools/build-aarch64-static.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=aarch64-unknown-linux-gnu
export RUSTC=${RUSTC:-/usr/bin/rustc}
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS="-C target-feature=+crt-static"
# Symbols stay for profilers; what debuggers want is more than all the rest.
export CARGO_PROFILE_RELEASE_STRIP=debuginfo
# As in tools/test-aarch64.sh, but with other flags: sharing its directory would rebuild both in turn.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/aarch64-static
# Flags from outside would replace those above.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS

for tool in "$RUSTC" aarch64-linux-gnu-gcc aarch64-linux-gnu-readelf; do
    if ! command -v "$tool" >/dev/null; then
        echo "build-aarch64-static: $tool is missing; run tools/setup-aarch64.sh" >&2
        exit 1
    fi
done

cargo build --locked --release --package mobilenet --bin mobilenet --target "$target" "$@" >&2
program=$CARGO_TARGET_DIR/$target/release/mobilenet
# A program that asks for a loader would fail only on the board.
if aarch64-linux-gnu-readelf --program-headers "$program" | grep -q INTERP; then
    echo "build-aarch64-static: $program is not static" >&2
    exit 1
fi
echo "$program"
