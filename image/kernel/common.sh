# Sourced by build.sh and link.sh: the one way the kernel is made.
#
# Everything that a kernel build would take from its surroundings is fixed here, so that the same
# sources give the same bytes anywhere.

# kernel_make OUT ARGS...: runs the kernel's make in OUT, a folder directly under the sources. A
# folder there is known to the build as `.` and its sources as `..`: no path of this machine gets
# into the result, and OUT can be copied under another name without anything looking changed.
#
# Memory is set and copied by calls: a compiler that optimises for size would write one instruction
# for it that takes each byte singly, which on an emulated processor is a fifth of the start-up.
kernel_make() {
    out=$1
    shift
    env -u MAKEFLAGS -u MAKELEVEL -u CFLAGS -u LDFLAGS LC_ALL=C TZ=UTC \
        KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 1970' KBUILD_BUILD_VERSION=1 \
        KBUILD_BUILD_USER=tre KBUILD_BUILD_HOST=tre \
        make -C "$(dirname "$out")" O="$out" ARCH=x86_64 -j "$(nproc)" \
        KCFLAGS=-mstringop-strategy=libcall "$@"
}
