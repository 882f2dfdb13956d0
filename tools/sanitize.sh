#!/usr/bin/env bash
# Runs tests under a sanitizer of the compiler, and fails if it reports something.
#
#   tools/sanitize.sh address      every test binary of the workspace, under AddressSanitizer
#   tools/sanitize.sh thread       what runs on several threads, under ThreadSanitizer
#
# Fewer random problems than elsewhere, no documentation's examples and no debug information: this looks for accesses, and the other
# runs for results. CARGO_PROFILE_DEV_DEBUG=line-tables-only gives a report lines.
#
# SANITIZE_CHECKS=1: with debug assertions and checks of overflow in the kernels, which all other runs are built without, as they take the
# compiler several times as long.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [ $# -ne 1 ] || { [ "$1" != address ] && [ "$1" != thread ]; }; then
    echo "usage: tools/sanitize.sh address|thread" >&2
    exit 2
fi
. tools/_sanitizer.sh "$1"
cases=8
if [ "$1" = thread ]; then cases=4; fi
export PROPTEST_CASES=${PROPTEST_CASES:-24} DWSEP_TEST_CASES=${DWSEP_TEST_CASES:-$cases}

checks=()
if [ "${SANITIZE_CHECKS:-0}" = 1 ]; then
    for check in debug-assertions=true overflow-checks=true codegen-units=16; do
        checks+=(--config "profile.dev.package.dwsep.$check")
    done
fi
tests() {
    say "cargo test $*"
    cargo test --locked --target "$target" --no-fail-fast "${checks[@]}" "$@"
}

case $1 in
    address)
        # Tests ask for more memory than there is, and for an error.
        export ASAN_OPTIONS=allocator_may_return_null=1
        # Programs that are compiled without a sanitizer cannot link a library with one: ::plain is for the other runs. So is what
        # counts lines on stderr where memory ends, of which the sanitizer writes one.
        tests --workspace --tests -- --skip ::plain --skip a_batch_beyond_memory
        ;;
    thread)
        # The standard library that comes with the compiler is compiled without it, so that what its channels, locks and joins put in
        # order is reported as racing: up to 13 reports of six tests that race nowhere. Compiled with it there is none.
        rustup component add rust-src --toolchain "${RUSTUP_TOOLCHAIN:-$(rustup show active-toolchain | cut -d' ' -f1)}"
        # Hardly optimised: it is compiled for these tests alone, and they are few.
        for package in '"*"' dwsep; do checks+=(--config "profile.dev.package.$package.opt-level=1"); done
        # Rows that are computed one after the other, of which the others have the bits, have no threads.
        tests -Zbuild-std --package dwsep --all-features --test threads -- --skip split --skip fused
        ;;
esac
