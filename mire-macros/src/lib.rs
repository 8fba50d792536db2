//! The macros of mire.
