#!/bin/sh
# compare-kernel.sh: prints the figures of Debian's kernel for virtual machines, of the version that
# the appliance's kernel is built from: a name, a tab, a value. The package is downloaded into the
# cache, as a user of it would get it; nothing is installed.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../cache.sh"
need apt-get apt
need dpkg-deb dpkg

package=$(apt-cache depends linux-image-6.12-cloud-amd64 | sed -n 's/^ *Depends: *//p' | head -n 1)
[ -n "$package" ] || stop "apt knows no linux-image-6.12-cloud-amd64"
scratch
(cd "$scratch_dir" && apt-get -qq -o APT::Sandbox::User=root download "$package" >&2)
archive=$(find "$scratch_dir" -name '*.deb')
dpkg-deb -x "$archive" "$scratch_dir/root"
config=$(find "$scratch_dir/root/boot" -name 'config-*')
kernel=$(find "$scratch_dir/root/boot" -name 'vmlinuz-*')

row() {
    printf '%s\t%s\n' "$1" "$2"
}
row 'kernel package' "$package"
row 'kernel version' "$(dpkg-deb -f "$archive" Version)"
row 'kernel options built in' "$(grep -c '^CONFIG_[A-Z0-9_a-z]*=y$' "$config")"
row 'kernel options as modules' "$(grep -c '^CONFIG_[A-Z0-9_a-z]*=m$' "$config")"
row 'kernel file' "$(stat -c %s "$kernel")"
row 'kernel modules' "$(find "$scratch_dir/root" -name '*.ko*' -printf '%s\n' |
    awk '{ sum += $1 } END { print sum }')"
