#!/bin/sh
# count-kernel.sh: writes kernel-lines.tsv, the lines of C and assembly that the kernel is compiled
# from, beside this script.
#
# To be run when the kernel's source or configuration moves. Which files they are, the kernel's own
# build says: beside each object it leaves a note (`.NAME.o.cmd`) of the source and of everything
# read for it. Sources that others include are counted too, each file once. Headers do not count,
# nor what was compiled for the building machine (`scripts/` and `tools/`). Lines are cloc's:
# neither blank nor comment. `src/tcb/kernel.rs` reads the table.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../cache.sh"
[ $# -eq 0 ] || stop "usage: count-kernel.sh"
need cloc cloc
need dpkg-query dpkg

kernel=$("$here/../kernel/build.sh")
version=$(dpkg-query -W -f '${Version}' linux-source-6.12)
scratch
cd "$kernel/out"
find . \( -path ./scripts -o -path ./tools \) -prune -o -name '.*.o.cmd' -print0 |
    LC_ALL=C sort -z | xargs -0 cat |
    sed -n 's/^source_[^ ]* := \(.*\)$/\1/p; s/^  \([^ ]*\.[cS]\) \\$/\1/p' |
    xargs realpath -- | LC_ALL=C sort -u >"$scratch_dir/sources"
cloc --quiet --csv --by-file --skip-uniqueness --include-lang=C,Assembly \
    --list-file="$scratch_dir/sources" |
    awk -F , '$1 == "C" || $1 == "Assembly" { print $5 "\t" $2 }' >"$scratch_dir/counted"
# cloc leaves a file without content out.
while read -r source; do
    [ -s "$source" ] && printf '%s\n' "$source"
done <"$scratch_dir/sources" | LC_ALL=C sort >"$scratch_dir/expected"
cut -f 2 "$scratch_dir/counted" | LC_ALL=C sort >"$scratch_dir/found"
missing=$(LC_ALL=C comm -23 "$scratch_dir/expected" "$scratch_dir/found")
[ -z "$missing" ] || stop "expected lines of every source, found none of" $missing

{
    printf 'version\t%s\n' "$version"
    printf 'configuration\t%s\n' "$(sha256sum <.config | cut -d ' ' -f 1)"
    # A generated source lies below `out`, at the place where its like lie in the sources.
    awk -F '\t' -v OFS='\t' -v root="$kernel/" \
        '{
            file = substr($2, length(root) + 1); sub(/^out\//, "", file)
            folder = file; sub(/\/.*/, "", folder)
            files[folder]++; lines[folder] += $1
        }
        END { for (folder in files) print folder, files[folder], lines[folder] }' \
        "$scratch_dir/counted" | LC_ALL=C sort
} >"$scratch_dir/table"
mv "$scratch_dir/table" "$here/kernel-lines.tsv"
