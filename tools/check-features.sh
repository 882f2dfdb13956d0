#!/usr/bin/env bash
# `cargo check` of the crate `dwsep`, and of the C library, under every combination of features that makes sense, warnings as errors: an import that only one
# feature uses, or an item that none does, shows here.
#
# `rayon`, `huge-pages` and `testing` bring `std`, and `testing` brings `qs8`: they are combined with nothing else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export RUSTFLAGS="-D warnings"
# With other flags than the rest is built with, so not in its folder: each would build all anew for the other.
folder=${CARGO_TARGET_DIR:-target}/features

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

mapfile -t combinations < <(
    {
        subsets portable qs8
        subsets portable qs8 rayon huge-pages | sed 's/^/std,/'
        subsets portable rayon huge-pages | sed 's/^/testing,/'
    } | sed 's/^/dwsep /'
    subsets portable | sed 's/^/dwsep-capi /'
)

# Every second one, from the first or the second on, in a folder of its own: cargo takes one at a time in each, on one core.
check() {
    local i features
    for ((i = $1; i < ${#combinations[@]}; i += 2)); do
        read -r package features <<<"${combinations[i]}"
        if ! CARGO_TARGET_DIR=$folder/$1 cargo check --locked --quiet --package "$package" --lib --no-default-features --features "$features"; then
            echo "check-features: $package does not build with --no-default-features --features \"$features\"" >&2
            return 1
        fi
    done
}

check 0 &
check 1
wait $!
echo "check-features: ${#combinations[@]} combinations build"
