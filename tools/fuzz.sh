#!/usr/bin/env bash
# Runs a fuzz target under AddressSanitizer for a while, from a copy of its committed corpus, and fails if it finds something.
#
#   tools/fuzz.sh tflite 60
#   tools/fuzz.sh depthwise 60
#
# The targets are in fuzz/Cargo.toml.
#
# Installs what is missing: cargo-fuzz, and a nightly compiler through rustup. Where no nightly can be had, the installed stable
# compiler does: RUSTC_BOOTSTRAP lets it take the option for the sanitizer, whose runtime it brings.
#
# What is found lies in fuzz/artifacts/TARGET afterwards. To see it again:
#
#   cargo +nightly fuzz run TARGET fuzz/artifacts/TARGET/crash-...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [ $# -ne 2 ]; then
    echo "usage: tools/fuzz.sh TARGET SECONDS" >&2
    exit 2
fi
target=$1
seconds=$2
version=0.13.2

say() { echo "fuzz: $*" >&2; }

if ! cargo fuzz --version 2>/dev/null | grep -qx "cargo-fuzz $version"; then
    say "installing cargo-fuzz $version"
    cargo install --locked --quiet cargo-fuzz --version "$version"
fi

if rustc +nightly --version >/dev/null 2>&1 ||
    rustup toolchain install nightly --profile minimal --no-self-update >/dev/null 2>&1; then
    export RUSTUP_TOOLCHAIN=nightly
else
    say "there is no nightly compiler; using $(rustc --version)"
    export RUSTC_BOOTSTRAP=1
fi

# Not the committed corpus: the fuzzer adds to the folder that it works in.
corpus=$(mktemp -d)
trap 'rm -rf "$corpus"' EXIT
cp -r "fuzz/corpus/$target/." "$corpus"
if [ "$target" = tflite ]; then
    # Whole networks, made by TensorFlow. Larger ones would leave time for few others.
    find tests/golden/tflite -name '*.tflite' -size -12k -exec cp {} "$corpus" ';'
fi

# Inputs have up to 64 KB. How much memory a reader may take for each byte is in the targets; no request may be beyond 16 MB.
say "$target for $seconds s from $(find "$corpus" -type f | wc -l) files, $(rustc --version)"
CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/fuzz cargo fuzz run --release "$target" "$corpus" -- \
    -max_total_time="$seconds" -max_len=65536 -timeout=10 -malloc_limit_mb=16 -rss_limit_mb=2048 \
    -print_final_stats=1 -verbosity=1
say "$target found nothing in $seconds s"
