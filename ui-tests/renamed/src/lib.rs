//! The test lives in `renamed.rs`.
