#!/bin/sh
# Compiles the appliance's kernel with an empty /init, once per set of inputs, and prints the
# folder it lies in. `link.sh` puts a real /init into a copy of it.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../cache.sh"
. "$here/common.sh"
package=linux-source-6.12
tarball=/usr/src/$package.tar.xz

[ -f "$tarball" ] || stop "$tarball is missing: run 'make deps' (Debian package $package)"
need gcc build-essential
need make build-essential
need bc bc
need bison bison
need flex flex
need zstd zstd
need xz xz-utils
need dpkg-query dpkg
version=$(dpkg-query -W -f '${Version}' "$package") || stop "$package is not installed by dpkg"

key=$({
    cat "$here/build.sh" "$here/common.sh" "$here/tre.config" "$here/initramfs.list"
    echo "$version"
    # Reading the whole tarball takes half a second and leaves no doubt.
    sha256sum <"$tarball"
    gcc --version | head -n 1
    ld --version | head -n 1
    zstd --version
} | key_of)
kernel=$cache/kernel/$key

# Unpacks what an x86 kernel without graphics, sound and the like is built from: a third of it.
unpack() {
    say "unpacking $package $version"
    # The patterns are tar's.
    tar -xJf "$tarball" -C "$1" --strip-components 1 --anchored --wildcards \
        --exclude="$package/arch/[!x]*.[chS]" --exclude="$package/arch/*.dts*" \
        --exclude="$package/Documentation/*/*" --exclude="$package/drivers/gpu/*.[ch]" \
        --exclude="$package/drivers/media/*.[ch]" --exclude="$package/drivers/net/ethernet/*.[ch]" \
        --exclude="$package/drivers/net/wireless/*.[ch]" --exclude="$package/sound/*.[ch]" \
        --exclude="$package/tools/testing/*" --exclude="$package/tools/perf/*"
}

# Every line of the fragment holds in the final configuration, or the build stops.
check_config() {
    sed -n 's/^# \(CONFIG_[A-Z0-9_]*\) is not set$/\1/p' "$here/tre.config" |
        while read -r symbol; do
            ! grep "^$symbol=" "$1" || stop "the kernel insists on the line above"
        done &&
        grep '^CONFIG_' "$here/tre.config" | while read -r line; do
            grep -qxF "$line" "$1" || stop "the kernel refuses '$line'"
        done
}

# compile OUT: everything but a real /init. Each step only if the one before succeeded: the caller
# asks for the outcome, and a shell that is asked does not stop by itself.
compile() {
    cp "$here/initramfs.list" "$1/initramfs.list" &&
        : >"$1/tred" &&
        kernel_make "$1" tinyconfig &&
        (cd "$1" && ../scripts/kconfig/merge_config.sh -m .config "$here/tre.config") &&
        kernel_make "$1" olddefconfig &&
        check_config "$1/.config" &&
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
