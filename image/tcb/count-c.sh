#!/bin/sh
# count-c.sh MBEDTLS: writes c-lines.tsv, the lines of every source file of the C libraries that
# are linked into the appliance, beside this script.
#
# To be run when one of them moves. MBEDTLS is the unpacked source of the Debian package
# libmbedtls-dev that is installed: `apt-get source mbedtls` fetches it where apt has `deb-src`
# sources. The other two are here: tpm2-tss by image/tss/pin in the cache, ring as cargo fetched
# it. Lines are cloc's: neither blank nor comment. Headers do not count.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../cache.sh"
. "$here/../tss/pin"
[ $# -eq 1 ] || stop "usage: count-c.sh MBEDTLS"
need cloc cloc
need dpkg-parsechangelog dpkg-dev
need dpkg-query dpkg

installed=$(dpkg-query -W -f '${Version}' libmbedtls-dev)
found=$(dpkg-parsechangelog -l "$1/debian/changelog" -S Version)
[ "$installed" = "$found" ] || stop "expected mbedtls $installed, as installed, found $found in $1"
tarball=$cache/sources/tpm2-tss-$sha256.tar.gz
checked "$sha256" "$tarball" || stop "$tarball is missing: run 'make deps'"
ring=$(cd "$here/../.." && cargo metadata --locked --format-version 1 |
    tr ',' '\n' | sed -n 's|^"manifest_path":"\(.*/ring-[0-9.]*\)/Cargo.toml"$|\1|p')
[ -d "$ring" ] || stop "expected one source of ring, found '$ring'"

scratch
mkdir "$scratch_dir/tss"
tar -xzf "$tarball" -C "$scratch_dir/tss" --strip-components 1

# count LIBRARY VERSION FOLDERS...: a row a file, by name; two files of one name stop the script.
count() {
    library=$1 of=$2
    shift 2
    cloc --quiet --csv --by-file --skip-uniqueness --include-lang=C,Assembly "$@" |
        awk -F , -v OFS='\t' -v library="$library" -v of="$of" \
            '$1 == "C" || $1 == "Assembly" {
                file = $2; sub(/.*\//, "", file); sub(/\.[^.]*$/, "", file)
                print library, of, file, $5
            }' | LC_ALL=C sort
}

{
    count mbedtls "$found" "$1/library"
    count ring "${ring##*-}" "$ring/crypto" "$ring/pregenerated" "$ring/third_party"
    count tpm2-tss "$version" "$scratch_dir/tss/src/tss2-esys" "$scratch_dir/tss/src/tss2-sys" \
        "$scratch_dir/tss/src/tss2-mu" "$scratch_dir/tss/src/tss2-tcti" \
        "$scratch_dir/tss/src/util" "$scratch_dir/tss/src/util-io"
} >"$scratch_dir/table"
twice=$(cut -f 1-3 "$scratch_dir/table" | uniq -d)
[ -z "$twice" ] || stop "expected every file name once in a library, found again: $twice"
mv "$scratch_dir/table" "$here/c-lines.tsv"
