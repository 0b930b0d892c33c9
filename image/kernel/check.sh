#!/bin/sh
# check.sh TINY ASKED IMPLIED FINAL SOURCES: whether the kernel configuration FINAL has, beyond the
# tiny configuration TINY, exactly what the files ASKED and IMPLIED list, each under a reason.
# SOURCES is the folder whose Kconfig files say which options there are.
#
# A new option, a renamed one, and one that a changed dependency switched on or off: each stops the
# build here by name, until somebody has written down why it is right.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../cache.sh"
[ $# -eq 5 ] || stop "usage: check.sh TINY ASKED IMPLIED FINAL SOURCES"
tiny=$(realpath "$1") asked=$(realpath "$2") implied=$(realpath "$3")
final=$(realpath "$4") sources=$(realpath "$5")
scratch_dir=$(mktemp -d)
clean_up_on_exit
cd "$scratch_dir"

# Lines that give an option a value, sorted.
set_in() {
    sed -n '/^CONFIG_/p' "$1" | LC_ALL=C sort
}

# Options that a list wants off, one a line.
off_in() {
    sed -n 's/^# \(CONFIG_[A-Za-z0-9_]*\) is not set$/\1/p' "$1"
}

# Options that the sources know.
known() {
    find "$sources" -name 'Kconfig*' -type f -exec sed -n \
        's/^[[:space:]]*\(menu\)\{0,1\}config[[:space:]]\{1,\}\([A-Za-z0-9_]*\).*/CONFIG_\2/p' {} +
}

# Lines of a list that stand under no comment: an empty line or a heading ends what a comment rules.
without_reason() {
    awk '/^$/ || /^## / { reason = 0; next }
        /^# CONFIG_[A-Za-z0-9_]* is not set$/ || /^CONFIG_/ { if (!reason) print; next }
        /^#/ { reason = 1 }' "$1"
}

# complain WORDS: one complaint for each line of the standard input.
complain() {
    sed "s|^|$*: |" >>complaints
}

both() { LC_ALL=C comm -12 "$1" "$2"; }
first_only() { LC_ALL=C comm -23 "$1" "$2"; }

set_in "$tiny" >tiny
set_in "$asked" >asked
set_in "$implied" >implied
set_in "$final" >final
first_only final tiny >beyond
LC_ALL=C sort -u asked implied >listed
off_in "$asked" | LC_ALL=C sort >off
known | LC_ALL=C sort -u >known
: >complaints

without_reason "$asked" | complain "without a reason above it"
without_reason "$implied" | complain "without a reason above it"
both asked implied | complain "asked for, and listed as implied"
first_only off known | complain "held off, and unknown to these sources"
sed 's/=.*//' final | LC_ALL=C sort | both - off | complain "held off, and on"
first_only asked final | complain "asked for, and refused"
first_only beyond listed | complain "new, neither asked for nor implied"
first_only implied beyond | complain "implied, and not there any more"

if [ -s complaints ]; then
    cat complaints >&2
    stop "these options of the kernel are not the reviewed ones: change the lists, with reasons"
fi
