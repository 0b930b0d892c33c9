//! Every bound of this crate in one place, with its unit and its reason.

/// Longest event log. Unit: byte. Real logs are 2 to 64 KiB; firmware reserves at most 1 MiB.
pub const MAX_LOG_LEN: usize = 1 << 20;

/// Most events in a log. Real logs have 25 to 200.
pub const MAX_EVENTS: usize = 4096;

/// Most digest algorithms (PCR banks) in a log. The TCG registry has six that a TPM offers.
pub const MAX_BANKS: usize = 8;

/// Longest digest of any bank. Unit: byte. SHA-512 has 64.
pub const MAX_DIGEST_LEN: usize = 64;

/// Longest description of an event. Unit: character. One line of a report.
pub const MAX_DESCRIPTION_LEN: usize = 96;

/// Most sections of an EFI file. The Windows loader stops at 96; a kernel has five.
pub const MAX_SECTIONS: usize = 96;

/// Longest decompressed kernel with its initramfs. Unit: byte. Ours has under 32 MiB.
pub const MAX_KERNEL_LEN: usize = 256 << 20;

/// Most entries in the built-in initramfs. Ours has under ten.
pub const MAX_ARCHIVE_ENTRIES: usize = 1024;

/// Longest path in the built-in initramfs. Unit: byte. Linux's own `PATH_MAX`.
pub const MAX_PATH_LEN: usize = 4096;

/// Most components of an EFI file in a manifest. Ours has six.
pub const MAX_COMPONENTS: usize = 64;

/// Most versions in one list of a manifest. Ours have about ten.
pub const MAX_VERSIONS: usize = 256;

/// Most Rust packages in a TCB report. Ours has under 100.
pub const MAX_TCB_PACKAGES: usize = 512;

/// Most libraries in a TCB report. Ours has under ten.
pub const MAX_TCB_LIBRARIES: usize = 64;

/// Most system calls in a TCB report. Linux has under 500.
pub const MAX_TCB_SYSTEM_CALLS: usize = 512;

/// Most phases of one system call in a TCB report. Ours has two.
pub const MAX_TCB_PHASES: usize = 8;

/// Most ports in a TCB report. Ours has one.
pub const MAX_TCB_PORTS: usize = 64;
