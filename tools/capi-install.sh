#!/usr/bin/env bash
# Installs the C library as its users do (`cargo cinstall`) into a folder, and proves what has been installed: pkg-config finds it, the C
# example compiles and runs against the shared and the static library, the shared one has a name with a version, exports what the
# header declares, and has no instruction beyond SSE outside of what is gated. Prints sizes, for docs/c-api.md.
#
#   tools/capi-install.sh            into a temporary folder, which goes away
#   tools/capi-install.sh PREFIX     into PREFIX
#
# Installs cargo-c where it is missing, which takes several minutes: it contains Cargo. Needs a C compiler, binutils and pkg-config.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=0.10.24+cargo-0.98.0

say() { echo "capi-install: $*" >&2; }
size() { stat -c %s "$1"; }

for tool in cc nm objdump strip pkg-config; do
    if ! command -v "$tool" >/dev/null; then
        say "$tool is missing: install a C compiler, binutils and pkg-config"
        exit 1
    fi
done
if ! cargo cinstall --version >/dev/null 2>&1; then
    say "installing cargo-c $version"
    cargo install --locked --quiet cargo-c --version "$version"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=${1:-$work/usr}
say "$(cargo cinstall --version), into $prefix"
cargo cinstall --locked --package dwsep-capi --release --prefix "$prefix" --libdir lib

export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
read -ra cflags <<<"$(pkg-config --cflags dwsep)"
read -ra libs <<<"$(pkg-config --libs dwsep)"
read -ra system <<<"$(pkg-config --static --libs-only-l dwsep | sed 's/-ldwsep//')"
static=$(pkg-config --variable=libdir dwsep)/libdwsep.a
shared=$prefix/lib/libdwsep.so
warnings=(-std=c11 -Wall -Wextra -Werror -pedantic -O2)

# The shared library.
cc "${warnings[@]}" kernels/capi/examples/separable.c "${cflags[@]}" "${libs[@]}" -lpthread -o "$work/shared"
LD_LIBRARY_PATH=$prefix/lib "$work/shared" 2
if ! objdump -p "$work/shared" | grep -qE 'NEEDED +libdwsep\.so\.[0-9]'; then
    say "the program does not ask for a version of the library"
    exit 1
fi
nm -D --defined-only "$shared" | awk '{ print $3 }' | sort >"$work/exported"
sed -nE '/^[ *\/]/d; s/^.*[ *](dwsep_[a-z0-9_]+)\(.*$/\1/p' "$prefix/include/dwsep.h" | sort >"$work/declared"
diff "$work/declared" "$work/exported"
tools/check-gating.py --no-emulation "$shared"

# The static one; what is not used is left out.
cc "${warnings[@]}" kernels/capi/examples/separable.c "${cflags[@]}" "$static" "${system[@]}" -Wl,--gc-sections -o "$work/static"
"$work/static" 2
c++ -std=c++17 -O2 kernels/capi/examples/raii.cpp "${cflags[@]}" "$static" "${system[@]}" -Wl,--gc-sections -o "$work/integers"
"$work/integers" >/dev/null
for program in static integers; do strip -o "$work/$program.stripped" "$work/$program"; done

# A program that packs floats alone has no kernel of integers: neither their names, which the tables hold, nor their functions.
has_integers() { grep -aqE 'pw_q[su]8_|dw3x3_q[su]8_' "$1.stripped" || nm "$1" | grep -E '_q8' >/dev/null; }
if has_integers "$work/static"; then
    say "a program of floats alone contains kernels of integers"
    exit 1
fi
if ! has_integers "$work/integers"; then
    say "no kernel of integers is recognised, so that this check proves nothing"
    exit 1
fi

# Sizes without symbols.
strip --strip-unneeded -o "$work/library" "$(readlink -f "$shared")"
echo "shared library, stripped:                          $(size "$work/library") bytes, $(wc -l <"$work/exported") functions"
echo "examples/separable.c with the static one (floats): $(size "$work/static.stripped") bytes"
echo "examples/raii.cpp with it (floats and integers):   $(size "$work/integers.stripped") bytes"
