#!/usr/bin/env bash
# Installs what tools/test-aarch64.sh needs on a Debian or Ubuntu machine with an x86-64 CPU:
#
#   rustc-web               a recent Rust compiler, /usr/bin/rustc and /usr/bin/rustdoc
#   libstd-rust-web-dev     its standard library for aarch64
#   gcc-aarch64-linux-gnu   the linker, and the C runtime it links (libc6-dev-arm64-cross)
#   qemu-user               runs the test binaries
#
# About 180 MB. Running it again does nothing until apt has upgraded the compiler; it then fetches
# the library that matches. It is not needed where `rustup target add aarch64-unknown-linux-gnu`
# works: install only the linker and qemu there, and see the head of tools/test-aarch64.sh.
set -euo pipefail

target=aarch64-unknown-linux-gnu
rustlib=/usr/lib/rustlib
stamp=$rustlib/$target/.package-version

say() { echo "setup-aarch64: $*" >&2; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

apt() {
    as_root env DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes apt-get -qq \
        -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@"
}

compiler_version() {
    dpkg-query --show --showformat='${Version}' rustc-web 2>/dev/null || true
}

# The compiler reads only a standard library that was built by exactly the same version.
std_is_current() {
    [ -n "$(compiler_version)" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$(compiler_version)" ]
}

tools_are_there() {
    [ -x /usr/bin/rustc ] && [ -x /usr/bin/rustdoc ] &&
        command -v aarch64-linux-gnu-gcc >/dev/null &&
        command -v qemu-aarch64 >/dev/null &&
        [ -e /usr/aarch64-linux-gnu/lib/libc.so.6 ]
}

if tools_are_there && std_is_current; then
    say "$(/usr/bin/rustc --version), std for $target and qemu-user are installed"
    exit 0
fi

if ! command -v apt-get >/dev/null; then
    say "this script knows only apt; install an aarch64 Rust std, a cross gcc and qemu-user by hand"
    exit 1
fi

# The library is built from the same source for each architecture, so the one for aarch64 is in
# Debian's arm64 package. Only its package index is needed: nothing is installed as arm64.
if ! dpkg --print-foreign-architectures | grep -qx arm64; then
    as_root dpkg --add-architecture arm64
fi
apt update

if ! tools_are_there; then
    say "installing the compiler, the linker and qemu-user"
    # --no-remove: rustc-web conflicts with other packaged compilers; fail, do not replace those.
    apt install --yes --no-install-recommends --no-remove \
        rustc-web gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user >/dev/null
fi

if ! std_is_current; then
    version=$(compiler_version)
    say "installing std $version for $target"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    # apt downloads as an unprivileged user, who must be able to write here.
    chmod 777 "$work"
    (cd "$work" && apt download "libstd-rust-web-dev:arm64=$version" >/dev/null)
    # Unpacked, not installed: as a dependency it would draw in the whole arm64 compiler.
    dpkg-deb --extract "$work"/libstd-rust-web-dev_*_arm64.deb "$work/unpacked"
    as_root rm -rf "${rustlib:?}/$target"
    as_root cp -r --no-preserve=ownership "$work/unpacked$rustlib/$target" "$rustlib/"
    echo "$version" | as_root tee "$stamp" >/dev/null
fi

if ! tools_are_there || ! std_is_current; then
    say "the packages are installed but something is still missing"
    exit 1
fi
say "$(/usr/bin/rustc --version), std for $target and qemu-user are installed"
