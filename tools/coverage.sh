#!/usr/bin/env bash
# Which lines of kernels/ the tests reach, by llvm-cov.
#
#   tools/coverage.sh                 a table of the files
#   tools/coverage.sh --lines         and the lines that are not reached
#   tools/coverage.sh --fail 95       fails below that many percent of the lines
#
# All tests as they choose by themselves, then those that ask for a tier, limited to each lesser one; the runs are merged. Only the
# workspace is instrumented, through a wrapper of the compiler, so that the dependencies are those of target/debug, built once.
# Installs llvm-tools through rustup if they are missing: their version must be the compiler's.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

lines=no least=0
while [ $# -gt 0 ]; do
    case $1 in
        --lines) lines=yes ;;
        --fail) least=$2 && shift ;;
        *) echo "usage: tools/coverage.sh [--lines] [--fail PERCENT]" >&2 && exit 2 ;;
    esac
    shift
done

target=${CARGO_TARGET_DIR:-target}
tools=$(rustc --print target-libdir)/../bin
if [ ! -x "$tools/llvm-cov" ]; then rustup component add llvm-tools; fi

folder=$(mkdir -p "$target/coverage" && cd "$target/coverage" && pwd)
rm -rf "$folder/profiles"
printf '#!/bin/sh\nexec "$@" -Cinstrument-coverage\n' >"$folder/rustc"
chmod +x "$folder/rustc"
export RUSTC_WORKSPACE_WRAPPER=$folder/rustc
# A few files that all processes merge into.
export LLVM_PROFILE_FILE=$folder/profiles/%4m.profraw
# Counting is slow in loops over vectors, and more random problems reach no more lines.
export PROPTEST_CASES=${PROPTEST_CASES:-24} DWSEP_TEST_CASES=${DWSEP_TEST_CASES:-16}

tests=(cargo test --locked --quiet)
programs=()
while read -r program; do
    # The first is no option.
    if [ ${#programs[@]} -gt 0 ]; then programs+=(--object); fi
    programs+=("$program")
done < <(
    "${tests[@]}" --workspace --tests --no-run --message-format=json |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | sort -u
)
"${tests[@]}" --workspace --tests
for isa in scalar portable avx2_fma; do
    DWSEP_ISA=$isa "${tests[@]}" --package mobilenet --package dwsep --lib --test dispatch --test ops --test mobilenet
done

"$tools/llvm-profdata" merge --sparse --output "$folder/all.profdata" "$folder"/profiles/*.profraw
cov() { "$tools/llvm-cov" "$@" --instr-profile "$folder/all.profdata" --ignore-filename-regex '/tests/' "${programs[@]}" kernels; }
cov report --show-region-summary=false --show-branch-summary=false
if [ $lines = yes ]; then cov show --show-line-counts-or-regions --format=text | grep -E '^ +[0-9]+\| +0\||^/|^[a-z].*\.rs:$'; fi
cov export --summary-only | python3 -c '
import json, sys
found = json.load(sys.stdin)["data"][0]["totals"]["lines"]["percent"]
print(f"coverage: {found:.2f} % of the lines of kernels/")
sys.exit(found < float(sys.argv[1]))' "$least"
