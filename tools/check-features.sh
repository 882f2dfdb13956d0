#!/usr/bin/env bash
# `cargo check` of the crate `dwsep` under every combination of features that makes sense, warnings as errors: an import that only one
# feature uses, or an item that none does, shows here.
#
# `rayon`, `huge-pages` and `testing` bring `std`, and `testing` brings `qs8`: they are combined with nothing else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export RUSTFLAGS="-D warnings"
# With other flags than the rest is built with, so not in its folder: each would build all anew for the other.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/features

# Every subset of the words, one a line, with commas.
subsets() {
    if [ $# -eq 0 ]; then
        echo
    else
        local rest
        while read -r rest; do
            printf '%s\n%s,%s\n' "$rest" "$1" "$rest"
        done < <(subsets "${@:2}")
    fi
}

count=0
while read -r features; do
    if ! cargo check --locked --quiet --package dwsep --lib --no-default-features --features "$features"; then
        echo "check-features: dwsep does not build with --no-default-features --features \"$features\"" >&2
        exit 1
    fi
    count=$((count + 1))
done < <(
    subsets portable qs8
    subsets portable qs8 rayon huge-pages | sed 's/^/std,/'
    subsets portable rayon huge-pages | sed 's/^/testing,/'
)
echo "check-features: $count combinations build"
