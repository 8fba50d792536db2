//! From the model to tokens. Nothing here can fail.

pub(crate) mod aggregate;
pub(crate) mod event_data;
mod located;
pub(crate) mod projection;
mod questionable;
pub(crate) mod runner;
mod stored;

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use crate::names;

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

/// `impl Default` for a struct, by a value for each field.
fn default_impl<'a>(
    ident: &Ident,
    fields: impl Iterator<Item = (&'a Ident, TokenStream)>,
) -> TokenStream {
    let fields = fields.map(|(field, value)| quote!(#field: #value));
    quote! {
        #[automatically_derived]
        impl ::core::default::Default for #ident {
            fn default() -> Self {
                Self { #(#fields),* }
            }
        }
    }
}

/// The value that a field has before any event. A type that has none is reported where it stands.
fn default_value(krate: &TokenStream, function: &str, ty: &TokenStream) -> TokenStream {
    let function = names::local(function);
    let function = quote!(#krate::__private::#function);
    located::call(function, TokenStream::new(), ty)
}
