#!/usr/bin/env bash
# Runs fuzz targets under AddressSanitizer, each for a while from a copy of its committed corpus. Fails if one finds something or does not run.
#
#   tools/fuzz.sh 60                   all of them
#   tools/fuzz.sh 600 tflite image     these
#
# All targets are built at once; then as many run at a time as there are CPUs, or FUZZ_JOBS. The targets are in fuzz/Cargo.toml.
#
# Installs what is missing: cargo-fuzz, and a nightly compiler through rustup. Where no nightly can be had, the installed stable
# compiler does: RUSTC_BOOTSTRAP lets it take the option for the sanitizer, whose runtime it brings.
#
# What is found lies in fuzz/artifacts/TARGET afterwards. To see it again:
#
#   cargo +nightly fuzz run TARGET fuzz/artifacts/TARGET/crash-...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [ $# -eq 0 ] || ! [[ $1 =~ ^[0-9]+$ ]]; then
    echo "usage: tools/fuzz.sh SECONDS [TARGET ...]" >&2
    exit 2
fi
seconds=$1
shift
jobs=${FUZZ_JOBS:-$(nproc)}
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

mapfile -t targets < <(cargo fuzz list)
known=" ${targets[*]} "
if [ $# -gt 0 ]; then targets=("$@"); fi
for target in "${targets[@]}"; do
    if [[ $known != *" $target "* ]]; then
        say "no target is called $target; the targets are:$known"
        exit 2
    fi
done

# The sanitizer's checks as calls: its branches, one for each load of kernels that are one long block without them, take the compiler three
# times as long as all the rest.
export RUSTFLAGS="-Cllvm-args=-asan-instrumentation-with-call-threshold=0"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/fuzz
built=$SECONDS
cargo fuzz build --release
say "built in $((SECONDS - built)) s by $(rustc --version)"
programs=$CARGO_TARGET_DIR/$(rustc -vV | sed -n 's/^host: //p')/release

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Runs a target, whose output goes to a file, and leaves its exit status in another.
run() { # TARGET
    local target=$1 corpus=$scratch/$1.corpus status=0
    # Not the committed corpus: the fuzzer adds to the folder that it works in.
    mkdir -p "fuzz/artifacts/$target"
    cp -r "fuzz/corpus/$target" "$corpus"
    if [ "$target" = tflite ]; then
        # Whole networks, made by TensorFlow. Larger ones would leave time for few others.
        find tests/golden/tflite -name '*.tflite' -size -12k -exec cp {} "$corpus" ';'
    fi
    # Inputs have up to 64 KB. How much memory a reader may take for each byte is in the targets; no request may be beyond 16 MB, but for
    # what decoders of photographs read ahead (image.rs).
    local request=16
    if [ "$target" = image ]; then request=257; fi
    "$programs/$target" "$corpus" -artifact_prefix="fuzz/artifacts/$target/" \
        -max_total_time="$seconds" -max_len=65536 -timeout=25 -malloc_limit_mb="$request" -rss_limit_mb=2048 \
        -print_final_stats=1 >"$scratch/$target.log" 2>&1 || status=$?
    echo "$status" >"$scratch/$target.status"
}

say "${#targets[@]} targets for $seconds s each, $jobs at a time"
for target in "${targets[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n || true; done
    run "$target" &
done
wait

found=0
for target in "${targets[@]}"; do
    log=$scratch/$target.log
    status=$(cat "$scratch/$target.status" 2>/dev/null || echo "none")
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    peak=$(sed -n 's/^stat::peak_rss_mb: *//p' "$log")
    edges=$(grep -o ' cov: [0-9]*' "$log" | tail -1 | grep -o '[0-9]*' || true)
    files=$(find "fuzz/corpus/$target" -type f | wc -l)
    # A fuzzer that has not even run what is committed has shown nothing.
    if [ "$status" = 0 ] && [ "${runs:-0}" -ge "$files" ]; then
        printf 'fuzz: %-12s %9d executions, %6d edges, %4d MB: nothing found\n' "$target" "$runs" "${edges:-0}" "${peak:-0}"
    else
        found=1
        printf 'fuzz: %-12s FAILED, exit status %s, %s executions; the end of its output:\n' "$target" "$status" "${runs:-no}"
        tail -n 60 "$log" | sed 's/^/    /'
    fi
done
exit $found
