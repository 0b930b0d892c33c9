#!/bin/sh
# link.sh KERNEL INIT OUTPUT: writes the kernel that build.sh left in the folder KERNEL, with the
# executable INIT as its /init, to OUTPUT.
#
# The compiled kernel is never touched: its objects are copied, and the copy links. Any number of
# links may run at a time, and one that is cut short leaves nothing wrong behind.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../cache.sh"
. "$here/common.sh"
[ $# -eq 3 ] || stop "usage: link.sh KERNEL INIT OUTPUT"
[ -d "$1/out" ] || stop "'$1' is missing: build.sh makes it"
[ -f "$2" ] || stop "'$2' is missing: it was to become /init"

# What a link left behind that was killed outright.
find "$1" -maxdepth 1 -name 'link.*' -mmin +60 -exec rm -rf {} +
scratch_dir=$(mktemp -d "$1/link.XXXXXXXX")
clean_up_on_exit
cp -a "$1/out/." "$scratch_dir"
cp "$2" "$scratch_dir/tred"
# The kernel's make compares times; without its old product it has nothing to compare.
rm -f "$scratch_dir"/usr/initramfs_data.*
kernel_make "$scratch_dir" bzImage >"$scratch_dir/log" 2>&1 || {
    tail -n 30 "$scratch_dir/log" >&2
    stop "the kernel does not link with '$2'"
}
cp "$scratch_dir/arch/x86/boot/bzImage" "$3"
