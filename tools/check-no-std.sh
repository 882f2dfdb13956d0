#!/usr/bin/env bash
# Proves that the crate `dwsep` and all it depends on build without the standard library.
#
#   tools/check-no-std.sh                        --no-default-features
#   tools/check-no-std.sh --features portable    and more arguments of `cargo check`
#
# `#![no_std]` in our own source is no proof: a dependency, or a feature of one, may bring std back
# in, and on a target that has std nobody notices. So this checks against a sysroot in which there
# is no std, only core, alloc and what those two need. A crate that wants std fails with
# E0463, "can't find crate for `std`". No additional target is installed.
#
# --target is given although it names the host, because RUSTFLAGS then apply to the crates that end
# up in the library and not to build scripts and procedural macros, which do run on the host's std.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

rustc=${RUSTC:-rustc}
target=$("$rustc" -vV | sed -n 's/^host: //p')
libs=$("$rustc" --print target-libdir)
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/no-std

# Links, made anew each time, so that they always belong to the compiler in use.
mkdir -p "$CARGO_TARGET_DIR"
sysroot=$(cd "$CARGO_TARGET_DIR" && pwd)/sysroot
rm -rf "$sysroot"
mkdir -p "$sysroot/lib/rustlib/$target/lib"
for crate in core alloc compiler_builtins rustc_std_workspace_core; do
    # Newer compilers keep the metadata beside the library, in an .rmeta file.
    for lib in "$libs/lib$crate"-*.rlib "$libs/lib$crate"-*.rmeta; do
        if [ -e "$lib" ]; then ln -s "$lib" "$sysroot/lib/rustlib/$target/lib/"; fi
    done
done

# --sysroot goes through the encoded form, whose separator is not a space, as a path may hold one.
unset RUSTFLAGS
export CARGO_ENCODED_RUSTFLAGS=--sysroot=$sysroot

# The check must be able to fail: with this sysroot, a crate that uses std must not compile.
if echo 'pub use std::vec::Vec;' | "$rustc" --sysroot="$sysroot" --target="$target" \
    --crate-type=lib --crate-name=probe --emit=metadata -o "$CARGO_TARGET_DIR/probe.rmeta" - \
    >"$CARGO_TARGET_DIR/probe.log" 2>&1; then
    echo "check-no-std: the sysroot without std still has std, so this check proves nothing" >&2
    exit 1
fi
if ! grep -q E0463 "$CARGO_TARGET_DIR/probe.log"; then
    echo "check-no-std: the sysroot without std fails in an unexpected way:" >&2
    cat "$CARGO_TARGET_DIR/probe.log" >&2
    exit 1
fi

# A crate that wants std is found before any code is generated, which the tests do anyway.
cargo check --locked --package dwsep --lib --no-default-features --target "$target" "$@"
echo "check-no-std: dwsep builds without std${*:+ ($*)}"
