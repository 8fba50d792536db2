//! From tokens to the model. Mistakes are collected, and mended well enough to go on.

pub(crate) mod aggregate;
mod answer;
mod attributes;
mod borrowed;
mod broken;
mod content;
pub(crate) mod event_data;
mod functions;
pub(crate) mod items;
pub(crate) mod projection;
pub(crate) mod runner;
mod stored_name;
mod unfit;
pub(crate) mod wrong_macro;
