#!/bin/sh
# deps.sh: makes sure that what `packages.txt` lists is installed, then builds the static TPM
# software stack. Prints what is missing before doing anything; installs only as root, only from
# the apt sources that the machine already has. With `SOURCES=DIR` it installs nothing: what an
# image is built from lies there, and a tool that is missing is named when it is needed.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/cache.sh"
list=$here/packages.txt

wanted() {
    sed -n 's/^\([a-z0-9][^ ]*\) .*/\1/p' "$list"
}

# Packages of the list that dpkg does not call installed, in the list's order.
missing() {
    # shellcheck disable=SC2046 # one argument a package
    installed=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' $(wanted) 2>/dev/null |
        sed -n 's/^[hi]i *//p')
    wanted | while read -r package; do
        echo "$installed" | grep -qxF "$package" || echo "$package"
    done
}

# A qemu-utils that is newer than the emulator's candidate shares files with it and blocks it; it
# goes back to the candidate's version in the same step. Prints what to add to apt's arguments.
qemu_utils() {
    echo "$absent" | grep -qx qemu-system-x86 || return 0
    candidate=$(apt-cache policy qemu-system-x86 | awk '$1 == "Candidate:" { print $2 }')
    found=$(dpkg-query -W -f '${Version}' qemu-utils 2>/dev/null) || return 0
    if [ -n "$found" ] && dpkg --compare-versions "$found" gt "$candidate"; then
        say "qemu-utils $found is newer than qemu-system-x86 $candidate: taking it back to that"
        echo "--allow-downgrades qemu-utils=$candidate"
    fi
}

install() {
    # shellcheck disable=SC2086 # lists of arguments
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $extra $absent
}

[ -z "${SOURCES:-}" ] || exec "$here/tss/build.sh"
command -v dpkg-query >/dev/null ||
    stop "this is no Debian system; install by your own means: $(wanted | tr '\n' ' ')"
absent=$(missing)
if [ -z "$absent" ]; then
    say "all $(wanted | wc -l) packages are installed"
else
    say "missing:"
    echo "$absent" | while read -r package; do
        grep "^$package " "$list" >&2
    done
    [ "$(id -u)" -eq 0 ] || stop "run this as root, then again: apt-get update && \
apt-get install -y --no-install-recommends $(echo "$absent" | tr '\n' ' ')"
    apt-get update || say "apt-get update failed in part; going on with the lists there are"
    extra=$(qemu_utils)
    install || { say "trying once more"; install; } ||
        stop "apt-get could not install the packages: see above"
fi
exec "$here/tss/build.sh"
