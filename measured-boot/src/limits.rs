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
