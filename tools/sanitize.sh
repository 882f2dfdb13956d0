#!/usr/bin/env bash
# Runs tests under a sanitizer of the compiler, and fails if it reports something.
#
#   tools/sanitize.sh address      every test binary of the workspace, under AddressSanitizer
#   tools/sanitize.sh thread       what runs on several threads, under ThreadSanitizer
#
# Installs a nightly compiler through rustup. Where none can be had, the installed stable compiler does: RUSTC_BOOTSTRAP lets it take
# the option, and it brings the runtimes.
#
# Fewer random problems than elsewhere, no documentation's examples and no debug information: this looks for accesses, and the other
# runs for results. CARGO_PROFILE_DEV_DEBUG=line-tables-only gives a report lines. The kernels' own checks (debug assertions, overflow),
# which the other runs are built without, are in.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { echo "sanitize: $*" >&2; }

if [ $# -ne 1 ] || { [ "$1" != address ] && [ "$1" != thread ]; }; then
    echo "usage: tools/sanitize.sh address|thread" >&2
    exit 2
fi

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
export PROPTEST_CASES=${PROPTEST_CASES:-24}
export RUSTFLAGS="-Zsanitizer=$1"
if [ "$1" = address ]; then
    # Its checks as calls: as branches, one for each load of kernels that are one long block without them, they take the compiler minutes.
    RUSTFLAGS+=" -Cllvm-args=-asan-instrumentation-with-call-threshold=0"
fi

tests() {
    say "cargo test $*"
    cargo test --locked --target "$target" --no-fail-fast \
        --config 'profile.dev.package.dwsep.debug-assertions=true' \
        --config 'profile.dev.package.dwsep.overflow-checks=true' \
        --config 'profile.dev.package.dwsep.codegen-units=16' "$@"
}

case $1 in
    address)
        status=0
        tests --workspace --exclude dwsep-capi --tests || status=$?
        tests --package dwsep-capi --lib --test abi --test header --test no_alloc || status=$?
        # Programs that are compiled without a sanitizer cannot link a library with one: ::plain is for the other runs.
        tests --package dwsep-capi --test programs -- --skip ::plain || status=$?
        exit "$status"
        ;;
    thread)
        # The standard library that comes with the compiler is compiled without it, so that what its channels, locks and joins put in
        # order is reported as racing: up to 13 reports of six tests that race nowhere. Compiled with it there is none.
        rustup component add rust-src --toolchain "${RUSTUP_TOOLCHAIN:-$(rustup show active-toolchain | cut -d' ' -f1)}"
        tests -Zbuild-std --package mobilenet --test threads --test determinism
        ;;
esac
