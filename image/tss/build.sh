#!/bin/sh
# Builds tpm2-tss as static archives without dlopen, in two variants, and points target/tss at them.
#
#   appliance  reaches the TPM through the kernel's device, and through nothing else
#   hosted     reaches a software TPM too: for development, tests and benchmarks
#
# Both are patched: the head of each `*.patch` says why.
#
# Debian ships no static tpm2-tss, so the archives come from the pinned upstream tarball of its
# source package (file `pin`), fetched with an apt configuration of this script's own: the system's
# apt sources are read for the address of the mirror and never changed.
#
# With `SOURCES=DIR`, tarball, headers and archives come from that archive of all inputs, and
# nothing is fetched. `build.sh fetch` only sees to it that the tarball is there.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../cache.sh"
. "$here/pin"
target=$here/../../target/tss
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
tarball=$cache/sources/tpm2-tss-$sha256.tar.gz
variants="hosted appliance"

need gcc build-essential
need make build-essential
need autoreconf autoconf
need libtoolize libtool
need pkg-config pkg-config
need patch patch
system=
if [ -n "${SOURCES:-}" ]; then
    # Headers and archives come from there alone: -B goes before the compiler's own folders.
    system="--sysroot=$SOURCES/debian -B$SOURCES/debian/usr/lib/x86_64-linux-gnu/"
    tarball=$SOURCES/tpm2-tss-$version.tar.gz
    checked "$sha256" "$tarball" || stop "$tarball is not tpm2-tss $version with SHA-256 $sha256"
fi
# The compiler knows where this architecture's archives lie.
# shellcheck disable=SC2086 # a list of options
mbed=$(gcc $system -print-file-name=libmbedcrypto.a)
[ -f "$mbed" ] || stop "libmbedcrypto.a is missing: run 'make deps' (Debian package libmbedtls-dev)"

key=$({
    cat "$here/build.sh" "$here/pin" "$here"/*.patch
    gcc --version | head -n 1
    ld --version | head -n 1
    sha256sum <"$mbed"
    versions autoconf autoconf-archive automake binutils gcc-12 libltdl-dev libtool m4 make patch perl
    if [ -n "${SOURCES:-}" ]; then
        sha256sum <"$SOURCES/index.json"
    else
        versions libc6-dev libmbedtls-dev linux-libc-dev
    fi
} | key_of)

# Where the variant's finished archives lie.
prefix_of() {
    echo "$cache/tss/$1-$key"
}

# Fetches the source package's upstream tarball; apt verifies the mirror's signature, the pinned
# hash does the rest.
fetch() {
    need apt-get apt
    [ -f "$keyring" ] || stop "$keyring is missing: install Debian package debian-archive-keyring"
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-none}")
    mirror=$(apt-get indextargets --format '$(SUITE)|$(RELEASE)|$(COMPONENT)|$(REPO_URI)' \
        'Identifier: Packages' |
        awk -F '|' -v c="$codename" '($1 == c || $2 == c) && $3 == "main" { print $4; exit }')
    [ -n "$mirror" ] || stop "no apt source for Debian '$codename' main: add Debian's mirror"
    say "fetching tpm2-tss $version, Debian $suite"
    apt=$scratch_dir/apt
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    cat >"$apt/own.sources" <<END
Types: deb-src
URIs: $mirror
Suites: $suite
Components: main
Signed-By: $keyring
END
    own="-o Dir::Etc::SourceList=$apt/own.sources -o Dir::Etc::SourceParts=-
        -o Dir::State::Lists=$apt/lists -o Dir::Cache=$apt/cache -o APT::Sandbox::User=root"
    (
        cd "$apt"
        # shellcheck disable=SC2086 # a list of options
        apt-get $own -qq update && apt-get $own -qq source --download-only --tar-only tpm2-tss
    ) >"$apt/log" 2>&1 || { cat "$apt/log" >&2; stop "apt could not fetch tpm2-tss: see above"; }
    found=$(find "$apt" -maxdepth 1 -name 'tpm2-tss_*.orig.tar.gz')
    checked "$sha256" "$found" || stop "expected tpm2-tss $version with SHA-256 $sha256, \
found $(basename "$found") with $(sha256sum <"$found" | cut -d ' ' -f 1)"
    mkdir -p "$cache/sources"
    mv "$found" "$tarball"
}

# Unpacks the tarball, patches it and generates its configure script.
unpack() {
    source=$scratch_dir/source
    mkdir "$source" "$scratch_dir/bin"
    tar -xzf "$tarball" -C "$source" --strip-components 1
    # Exactly this source: a patch that fits only nearly is refused.
    for patch in "$here"/*.patch; do
        patch -d "$source" -p 1 --fuzz 0 --silent <"$patch" ||
            stop "tpm2-tss $version: $(basename "$patch") does not apply"
    done
    # The bootstrap script asks git for the version; a tarball has no history to ask.
    printf '#!/bin/sh\necho %s\n' "$version" >"$scratch_dir/bin/git"
    chmod +x "$scratch_dir/bin/git"
    (cd "$source" && PATH="$scratch_dir/bin:$PATH" ./bootstrap) >"$scratch_dir/log" 2>&1 ||
        { tail -n 30 "$scratch_dir/log" >&2; stop "tpm2-tss: bootstrap failed"; }
}

# build_variant NAME OPTION...: configures, compiles and puts the variant in place.
build_variant() {
    say "building tpm2-tss $version, $1"
    name=$1
    shift
    work=$scratch_dir/$name
    mkdir "$work"
    (
        cd "$work"
        # --prefix is a constant, and the map hides the scratch path: no archive knows where it
        # was built.
        "$source/configure" --prefix=/tss --disable-shared --enable-static --enable-nodl \
            --with-crypto=mbed --disable-fapi --disable-policy --disable-doxygen-doc \
            --disable-tcti-cmd --disable-tcti-mssim --disable-tcti-pcap --disable-tcti-libtpms \
            --disable-tcti-spi-helper --disable-tcti-spi-ltt2go --disable-tcti-spidev \
            --disable-tcti-spi-ftdi --disable-tcti-i2c-helper --disable-tcti-i2c-ftdi "$@" \
            AR_FLAGS=crD RANLIB='ranlib -D' \
            ${system:+CC="gcc $system"} \
            CFLAGS="-Os -g0 -ffunction-sections -fdata-sections \
                -ffile-prefix-map=$scratch_dir=/tss"
        make -j "$(nproc)"
        make install DESTDIR="$work/out"
    ) >"$work/log" 2>&1 || { tail -n 30 "$work/log" >&2; stop "tpm2-tss: $name does not build"; }
    finish "$work/out/tss"
    mkdir -p "$cache/tss"
    mv "$work/out/tss" "$(prefix_of "$name")"
}

# finish DIR: makes the installed archives fit for static linking, wherever DIR is moved.
finish() {
    rm -rf "$1/share" "$1/etc" "$1"/lib/*.la
    cp "$mbed" "$1/lib/"
    connectors=
    for archive in "$1"/lib/libtss2-tcti-*.a; do
        # Every TCTI archive defines this symbol for dlopen, which is not used.
        objcopy -D --localize-symbol=Tss2_Tcti_Info "$archive"
        connectors="$connectors -l$(basename "$archive" .a | cut -c 4-)"
    done
    # The loader refers to the TCTIs by name; its description has to say so.
    echo "Libs.private:$connectors" >>"$1/lib/pkgconfig/tss2-tctildr.pc"
    # shellcheck disable=SC2016 # pkg-config's variable, not the shell's
    sed -i 's|^prefix=.*|prefix=${pcfiledir}/../..|' "$1"/lib/pkgconfig/*.pc
    if nm -u "$1"/lib/libtss2-*.a 2>/dev/null | grep -qw dlopen; then
        stop "tpm2-tss: an archive calls dlopen"
    fi
}

if [ "${1:-}" = fetch ]; then
    checked "$sha256" "$tarball" || { scratch; fetch; }
    exit 0
fi

missing() {
    for variant in $variants; do
        [ -d "$(prefix_of "$variant")" ] || echo "$variant"
    done
}

if [ -n "$(missing)" ]; then
    lock tss
    scratch
    checked "$sha256" "$tarball" || fetch
    unpack
    for variant in $(missing); do
        case $variant in
        hosted) build_variant hosted --enable-tcti-swtpm ;;
        # Nobody reads its log: `tred` reports the code of what failed.
        appliance) build_variant appliance --disable-tcti-swtpm --with-maxloglevel=none ;;
        esac
    done
fi

mkdir -p "$target"
# Cargo does not see that archives behind a link are others now: what links them is built anew.
if [ -L "$target/hosted" ] && [ "$(readlink "$target/hosted")" != "$(prefix_of hosted)" ]; then
    (cd "$here/../.." && cargo clean --quiet --package tss-esapi-sys)
fi
for variant in $variants; do
    ln -sfn "$(prefix_of "$variant")" "$target/$variant"
done
