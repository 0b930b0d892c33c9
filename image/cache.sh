# Sourced by the build scripts of this package: where slow builds are kept, and how they get there.
#
# A build is named by the hash of everything that went into it. It is made in a scratch folder
# beside its final place and renamed into it, under a lock: a folder that has its name is whole.
# The cache lies outside the checkout, so a fresh clone finds what another clone built.

cache="${XDG_CACHE_HOME:-$HOME/.cache}/tre"

# say WORDS...: one line of progress, on the error stream; the output belongs to results.
say() {
    echo "$(basename "$(dirname "$0")"): $*" >&2
}

# stop WORDS...: ends the script with one sentence.
stop() {
    say "$@"
    exit 1
}

# need TOOL PACKAGE: ends the script with one sentence unless TOOL can be run.
need() {
    command -v "$1" >/dev/null || stop "'$1' is missing: run 'make deps' (Debian package $2)"
}

# checked SHA256 FILE: whether FILE exists with that hash.
checked() {
    [ -f "$2" ] && [ "$(sha256sum <"$2" | cut -d ' ' -f 1)" = "$1" ]
}

# versions PACKAGE...: the version of each Debian package that is installed, for a key. Where there is
# no dpkg, the versions that the tools themselves tell have to do.
versions() {
    command -v dpkg-query >/dev/null || return 0
    dpkg-query -W -f '${db:Status-Abbrev}${Package} ${Version}\n' "$@" 2>/dev/null || true
}

# key_of: a name for the bytes on the standard input.
key_of() {
    sha256sum | cut -c 1-24
}

# lock NAME: waits for, then holds a lock of the cache until the script ends.
lock() {
    need flock util-linux
    mkdir -p "$cache"
    exec 9>"$cache/$1.lock"
    flock -n 9 || { say "waiting for another build of $1"; flock 9; }
}

# scratch: a new folder in the cache's file system that vanishes with the script.
scratch() {
    mkdir -p "$cache"
    # What a build left behind that was killed outright.
    find "$cache" -maxdepth 1 -name 'building.*' -mmin +1440 -exec rm -rf {} +
    scratch_dir=$(mktemp -d "$cache/building.XXXXXXXX")
    clean_up_on_exit
}

# clean_up_on_exit: $scratch_dir vanishes however the script ends.
clean_up_on_exit() {
    trap 'rm -rf "$scratch_dir"' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
}
