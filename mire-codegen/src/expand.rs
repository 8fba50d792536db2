//! From the model to tokens. Nothing here can fail.

pub(crate) mod aggregate;
mod located;
pub(crate) mod projection;
pub(crate) mod stored;

use proc_macro2::TokenStream;
use quote::quote;

/// `#[serde(crate = "…")]`, so that the user's crate needs no dependency on serde.
fn serde_crate(krate: &TokenStream) -> TokenStream {
    let path: String = quote!(#krate::__private::serde)
        .to_string()
        .split_whitespace()
        .collect();
    quote!(#[serde(crate = #path)])
}

/// Doc comment lines of our own.
fn docs<'a>(lines: impl IntoIterator<Item = &'a str>) -> TokenStream {
    lines
        .into_iter()
        .map(|line| {
            let line = if line.is_empty() {
                String::new()
            } else {
                format!(" {line}")
            };
            quote!(#[doc = #line])
        })
        .collect()
}
