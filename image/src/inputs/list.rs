//! Which tools and packages an image is made with. The compiler's version stands in their names:
//! another Debian release is another list.

/// Debian packages of tools whose work is in the image.
pub(super) const TOOL_PACKAGES: &[&str] = &[
    "autoconf",
    "autoconf-archive",
    "automake",
    "bc",
    "binutils",
    "bison",
    "cpp-12",
    "dosfstools",
    "flex",
    "gcc-12",
    "libelf-dev",
    "libltdl-dev",
    "libtool",
    "linux-libc-dev",
    "m4",
    "make",
    "mtools",
    "patch",
    "perl",
    "pkg-config",
    "xz-utils",
    "zstd",
];

/// Files of a Debian package that reach the image.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contents {
    pub(super) name: &'static str,
    pub(super) place: Place,
    pub(super) files: &'static [&'static str],
}

/// Where such files lie.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// Where the compiler looks for what it links.
    Compiler,
    /// In a folder.
    Folder(&'static str),
}

/// Where the compiler finds what it links: its own folder, then everybody's.
pub(super) const LINKED_FOLDERS: [&str; 2] =
    ["/usr/lib/gcc/x86_64-linux-gnu/12/", "/usr/lib/x86_64-linux-gnu/"];

/// Everything that reaches the image, and the firmware whose measurements it is judged by.
pub(super) const PACKAGES: [Contents; 5] = [
    Contents {
        name: "libc6-dev",
        place: Place::Compiler,
        files: &[
            "crt1.o",
            "crti.o",
            "crtn.o",
            "libc.a",
            "libdl.a",
            "libm-2.36.a",
            "libm.a",
            "libmvec.a",
            "libpthread.a",
            "librt.a",
            "libutil.a",
        ],
    },
    Contents {
        name: "libgcc-12-dev",
        place: Place::Compiler,
        files: &["crtbeginT.o", "crtend.o", "libgcc.a", "libgcc_eh.a"],
    },
    Contents { name: "libmbedtls-dev", place: Place::Compiler, files: &["libmbedcrypto.a"] },
    Contents {
        name: "linux-source-6.12",
        place: Place::Folder("/usr/src"),
        files: &["linux-source-6.12.tar.xz"],
    },
    Contents {
        name: "ovmf",
        place: Place::Folder("/usr/share/OVMF"),
        files: &["OVMF_CODE_4M.fd", "OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.fd"],
    },
];

/// Packages whose files a compiler reads that builds for the appliance: those linked, with the
/// headers, and the shared C library, against which `configure` scripts try things out.
pub(crate) const BUILT_AGAINST: [&str; 5] =
    ["libc6", "libc6-dev", "libgcc-12-dev", "libmbedtls-dev", "linux-libc-dev"];

/// Names of all files that the linker may take from the system.
pub(crate) fn linked_files() -> impl Iterator<Item = &'static str> {
    let linked = PACKAGES.iter().filter(|package| matches!(package.place, Place::Compiler));
    linked.flat_map(|package| package.files.iter().copied())
}
