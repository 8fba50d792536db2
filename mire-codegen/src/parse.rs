//! From tokens to the model. Mistakes are collected, and mended well enough to go on.

pub(crate) mod aggregate;
mod answer;
mod around;
mod attributes;
mod borrowed;
mod broken;
mod constants;
mod content;
pub(crate) mod event_data;
mod fields;
mod functions;
mod half;
mod heads;
pub(crate) mod items;
mod json;
mod parts;
pub(crate) mod projection;
pub(crate) mod runner;
mod slips;
mod state_attributes;
mod stored_name;
mod unfit;
pub(crate) mod wrong_macro;
