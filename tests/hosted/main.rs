//! The real `tred` as a process on a software TPM.
