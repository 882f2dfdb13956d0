#!/usr/bin/env bash
# Runs fuzz targets under AddressSanitizer, each for a while from a copy of its committed corpus. Fails if one finds something or does not run.
#
#   tools/fuzz.sh 60                   all of them
#   tools/fuzz.sh 600 tflite image     these
#
# All targets are built at once, from what tools/sanitize.sh has compiled if it has run; then as many run at a time as there are CPUs, or
# FUZZ_JOBS. FUZZ_SEED=1, say, gives the same inputs again, as far as the time lasts; without it they are others each time. The targets are
# the files of fuzz/fuzz_targets, in the form of cargo-fuzz, which is not needed.
#
# What is found lies in fuzz/artifacts/TARGET afterwards. To see it again:
#
#   cargo +nightly fuzz run --features targets TARGET fuzz/artifacts/TARGET/crash-...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [ $# -eq 0 ] || ! [[ $1 =~ ^[0-9]+$ ]]; then
    echo "usage: tools/fuzz.sh SECONDS [TARGET ...]" >&2
    exit 2
fi
seconds=$1
shift
jobs=${FUZZ_JOBS:-$(nproc)}

. tools/_sanitizer.sh address

mapfile -t targets < <(basename --suffix .rs fuzz/fuzz_targets/*.rs)
known=" ${targets[*]} "
if [ $# -gt 0 ]; then targets=("$@"); fi
for fuzzed in "${targets[@]}"; do
    if [[ $known != *" $fuzzed "* ]]; then
        say "no target is called $fuzzed; the targets are:$known"
        exit 2
    fi
done

built=$SECONDS
# With a test, so that dependencies have the features that tests of the workspace give them, and are what tools/sanitize.sh has compiled.
cargo build --locked --target "$target" --workspace --bins --test dispatch --features mobilenet-fuzz/targets
say "built in $((SECONDS - built)) s by $(rustc --version)"
programs=$CARGO_TARGET_DIR/$target/debug

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Runs a target, whose output goes to a file, and leaves its exit status in another.
run() { # TARGET
    local fuzzed=$1 corpus=$scratch/$1.corpus status=0
    # Not the committed corpus: the fuzzer adds to the folder that it works in.
    mkdir -p "fuzz/artifacts/$fuzzed"
    cp -r "fuzz/corpus/$fuzzed" "$corpus"
    if [ "$fuzzed" = tflite ]; then
        # Whole networks, made by TensorFlow. Larger ones would leave time for few others.
        find tests/golden/tflite -name '*.tflite' -size -12k -exec cp {} "$corpus" ';'
    fi
    # Inputs have up to 64 KB. How much memory a reader may take for each byte is in the targets; no request may be beyond 16 MB, but for
    # what decoders of photographs read ahead (image.rs).
    local request=16
    if [ "$fuzzed" = image ]; then request=257; fi
    "$programs/$fuzzed" "$corpus" -artifact_prefix="fuzz/artifacts/$fuzzed/" \
        -seed="${FUZZ_SEED:-0}" -max_total_time="$seconds" -max_len=65536 -timeout=25 -malloc_limit_mb="$request" -rss_limit_mb=2048 \
        -print_final_stats=1 >"$scratch/$fuzzed.log" 2>&1 || status=$?
    echo "$status" >"$scratch/$fuzzed.status"
}

say "${#targets[@]} targets for $seconds s each, $jobs at a time"
for fuzzed in "${targets[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n || true; done
    run "$fuzzed" &
done
wait

found=0
for fuzzed in "${targets[@]}"; do
    log=$scratch/$fuzzed.log
    status=$(cat "$scratch/$fuzzed.status" 2>/dev/null || echo "none")
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    peak=$(sed -n 's/^stat::peak_rss_mb: *//p' "$log")
    edges=$(grep -o ' cov: [0-9]*' "$log" | tail -1 | grep -o '[0-9]*' || true)
    files=$(find "fuzz/corpus/$fuzzed" -type f | wc -l)
    # A fuzzer that has not even run what is committed has shown nothing.
    if [ "$status" = 0 ] && [ "${runs:-0}" -ge "$files" ]; then
        printf 'fuzz: %-12s %9d executions, %6d edges, %4d MB: nothing found\n' "$fuzzed" "$runs" "${edges:-0}" "${peak:-0}"
    else
        found=1
        printf 'fuzz: %-12s FAILED, exit status %s, %s executions; the end of its output:\n' "$fuzzed" "$status" "${runs:-no}"
        tail -n 60 "$log" | sed 's/^/    /'
        # At the end, for where no more of the output is kept than that, and nothing of the machine: what it was, and the input.
        grep -A 2 -E 'panicked at|ERROR: |runtime error' "$log" | cut -c 1-1000 | sed 's/^/    /' || true
        sed -n 's/.*Test unit written to //p' "$log" | while IFS= read -r input; do
            echo "fuzz: to see it again: cargo +nightly fuzz run --features targets $fuzzed $input"
            if [ "$(wc -c <"$input")" -le 16384 ]; then
                echo "fuzz: and elsewhere, after base64 -d | gunzip:"
                gzip -9 <"$input" | base64
            fi
        done
    fi
done
exit $found
