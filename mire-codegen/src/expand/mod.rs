//! From the model to tokens. Nothing here can fail.

pub(crate) mod stored;
