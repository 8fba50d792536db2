//! Event sourcing for Rust.
