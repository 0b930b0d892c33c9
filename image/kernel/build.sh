#!/bin/sh
# Compiles the appliance's kernel with an empty /init, once per set of inputs, and prints the
# folder it lies in. `link.sh` puts a real /init into a copy of it.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../cache.sh"
. "$here/common.sh"
package=linux-source-6.12
# With `SOURCES=DIR`, the tarball comes from that archive of all inputs.
tarball=${SOURCES:+$SOURCES/debian}/usr/src/$package.tar.xz

[ -f "$tarball" ] || stop "$tarball is missing: run 'make deps' (Debian package $package)"
need gcc build-essential
need make build-essential
need bc bc
need bison bison
need flex flex
need zstd zstd
need xz xz-utils

key=$({
    cat "$here/build.sh" "$here/common.sh" "$here/check.sh" "$here/initramfs.list"
    cat "$here/tre.config" "$here/implied.config"
    # Reading the whole tarball takes half a second and leaves no doubt.
    sha256sum <"$tarball"
    gcc --version | head -n 1
    ld --version | head -n 1
    zstd --version
    versions bc binutils bison cpp-12 flex gcc-12 libelf-dev m4 make perl xz-utils zstd
} | key_of)
kernel=$cache/kernel/$key

# Unpacks what an x86 kernel without graphics, sound and the like is built from: a third of it.
unpack() {
    say "unpacking $tarball"
    # The patterns are tar's.
    tar -xJf "$tarball" -C "$1" --strip-components 1 --anchored --wildcards \
        --exclude="$package/arch/[!x]*.[chS]" --exclude="$package/arch/*.dts*" \
        --exclude="$package/Documentation/*/*" --exclude="$package/drivers/gpu/*.[ch]" \
        --exclude="$package/drivers/media/*.[ch]" --exclude="$package/drivers/net/ethernet/*.[ch]" \
        --exclude="$package/drivers/net/wireless/*.[ch]" --exclude="$package/sound/*.[ch]" \
        --exclude="$package/tools/testing/*" --exclude="$package/tools/perf/*"
}

# The files of the sources that `make tinyconfig` sets options from.
tiny="kernel/configs/tiny-base.config kernel/configs/tiny.config arch/x86/configs/tiny.config"

# configure OUT: the tiny configuration, and in it what `tre.config` asks for; everything else that
# can be off is off. Refuses a result that is not the reviewed one.
configure() {
    # shellcheck disable=SC2086 # a list of files
    kernel_make "$1" tinyconfig &&
        cp "$1/.config" "$1/config.tiny" &&
        (cd "$1/.." && cat $tiny "$here/tre.config") >"$1/config.asked" &&
        kernel_make "$1" KCONFIG_ALLCONFIG=config.asked allnoconfig &&
        "$here/check.sh" "$1/config.tiny" "$here/tre.config" "$here/implied.config" \
            "$1/.config" "$1/.."
}

# compile OUT: everything but a real /init. Each step only if the one before succeeded: the caller
# asks for the outcome, and a shell that is asked does not stop by itself.
compile() {
    cp "$here/initramfs.list" "$1/initramfs.list" &&
        : >"$1/tred" &&
        configure "$1" &&
        kernel_make "$1" bzImage
}

if [ ! -d "$kernel" ]; then
    lock kernel
fi
if [ ! -d "$kernel" ]; then
    scratch
    unpack "$scratch_dir"
    mkdir "$scratch_dir/out"
    say "compiling the kernel: about 7 minutes on two quiet cores, once"
    compile "$scratch_dir/out" >"$scratch_dir/log" 2>&1 || {
        tail -n 30 "$scratch_dir/log" >&2
        stop "the kernel does not build"
    }
    mkdir -p "$cache/kernel"
    mv "$scratch_dir" "$kernel"
fi
echo "$kernel"
