# For tools/sanitize.sh and tools/fuzz.sh: a compiler with sanitizers and its flags. To be sourced, with `address` or `thread`.
#
# Sets RUSTFLAGS, CARGO_TARGET_DIR and `target`, with which cargo has to be called. A nightly compiler is installed through rustup. Where
# none can be had, the installed stable compiler does: RUSTC_BOOTSTRAP lets it take the option, and it brings the runtimes.

say() { echo "$(basename "$0" .sh): $*" >&2; }

if rustc +nightly --version >/dev/null 2>&1 ||
    rustup toolchain install nightly --profile minimal --no-self-update >/dev/null 2>&1; then
    export RUSTUP_TOOLCHAIN=nightly
else
    say "there is no nightly compiler; using $(rustc --version)"
    export RUSTC_BOOTSTRAP=1
fi

# Named although it is the host: build scripts and procedural macros are then built without the sanitizer.
target=$(rustc -vV | sed -n 's/^host: //p')
# In a folder of its own, as the flags are others than those of the rest.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/sanitize-$1
export CARGO_PROFILE_DEV_DEBUG=${CARGO_PROFILE_DEV_DEBUG:-0}
export RUSTFLAGS="-Zsanitizer=$1"
if [ "$1" = thread ]; then
    # It looks at who takes which part when, which is the same for every kernel.
    RUSTFLAGS+=" --cfg dwsep_generic"
else
    # Its checks as calls: as branches, one for each load of kernels that are one long block without them, they take the compiler minutes.
    RUSTFLAGS+=" -Cllvm-args=-asan-instrumentation-with-call-threshold=0"
    # What cargo-fuzz passes, so that libFuzzer sees which edges and comparisons an input reaches. Tests need none of it: they share the
    # build, as compiling the kernels once more takes longer than all tests do.
    RUSTFLAGS+=" --cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
    RUSTFLAGS+=" -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
    RUSTFLAGS+=" -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-simplifycfg-branch-fold-threshold=0"
fi
