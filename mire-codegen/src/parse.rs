//! From tokens to the model. Mistakes are collected, and mended well enough to go on.

pub(crate) mod aggregate;
mod attributes;
mod functions;
pub(crate) mod items;
