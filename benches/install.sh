# Sourced by benches/arm/run and benches/x86/run: what they need is installed through apt.

say() { echo "${here##*/}: $*" >&2; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

need() { # COMMAND PACKAGE
    if command -v "$1" >/dev/null; then return; fi
    say "installing $2"
    if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 \
        install --yes --no-install-recommends --no-remove "$2" >/dev/null; then
        say "$1 is missing; install the package $2"
        exit 1
    fi
}

# The newest llvm-mca there is, or can be had: models of cores get better.
find_mca() {
    local version
    if ! command -v llvm-mca-22 >/dev/null; then as_root apt-get -qq -o DPkg::Lock::Timeout=300 update >&2; fi
    for version in 22 21 20 19 18 17 16 15; do
        if command -v "llvm-mca-$version"; then return; fi
        if apt-cache show "llvm-$version" >/dev/null 2>&1; then
            need "llvm-mca-$version" "llvm-$version"
            echo "llvm-mca-$version"
            return
        fi
    done
    need llvm-mca llvm
    echo llvm-mca
}
