//! Verifies a TRE before a byte is sent to it.
