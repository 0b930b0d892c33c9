//! Tests that span packages.
