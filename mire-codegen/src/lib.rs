//! What the macros of mire write, as an ordinary library.
