#!/bin/sh
# tinyconfig.sh KERNEL OUTPUT: writes to OUTPUT the smallest configuration that the sources in the
# folder KERNEL, which kernel/build.sh left, can be built with.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../cache.sh"
. "$here/../kernel/common.sh"
[ $# -eq 2 ] || stop "usage: tinyconfig.sh KERNEL OUTPUT"
scratch_dir=$(mktemp -d "$1/tiny.XXXXXXXX")
clean_up_on_exit
kernel_make "$scratch_dir" tinyconfig >"$scratch_dir/log" 2>&1 || {
    tail -n 30 "$scratch_dir/log" >&2
    stop "the kernel's smallest configuration cannot be made"
}
mv "$scratch_dir/.config" "$2"
