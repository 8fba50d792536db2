//! `Debug`, `Clone` and `PartialEq` of the enum of events, as the derives would write them. Those
//! take no bounds, and [questions](super::questions) need them.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::questions::Questions;
use crate::model::{Aggregate, Event};
use crate::names;

/// The implementations, under the bounds of these questions.
pub(super) fn expand(aggregate: &Aggregate, questions: &Questions) -> TokenStream {
    let ident = &aggregate.state.event;
    let (debug, clone, eq): (Vec<_>, Vec<_>, Vec<_>) = aggregate.events.iter().map(arms).collect();
    let [debug_bounds, clone_bounds, eq_bounds] = [
        quote!(::core::fmt::Debug),
        quote!(::core::clone::Clone),
        quote!(::core::cmp::PartialEq),
    ]
    .map(|implemented| questions.bounds(&implemented));
    quote! {
        #[automatically_derived]
        impl ::core::fmt::Debug for #ident where #debug_bounds {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                match self { #(#debug,)* }
            }
        }
        #[automatically_derived]
        impl ::core::clone::Clone for #ident where #clone_bounds {
            fn clone(&self) -> Self {
                match self { #(#clone,)* }
            }
        }
        #[automatically_derived]
        #[allow(unreachable_patterns, clippy::match_same_arms)]
        impl ::core::cmp::PartialEq for #ident where #eq_bounds {
            fn eq(&self, other: &Self) -> bool {
                match (self, other) { #(#eq,)* _ => false }
            }
        }
    }
}

/// The arms of an event in `fmt`, `clone` and `eq`.
fn arms(event: &Event) -> (TokenStream, TokenStream, TokenStream) {
    let variant = &event.variant;
    let text = names::text(variant);
    if event.fields.is_empty() {
        return (
            quote!(Self::#variant => f.write_str(#text)),
            quote!(Self::#variant => Self::#variant),
            quote!((Self::#variant, Self::#variant) => true),
        );
    }
    let names: Vec<&Ident> = event.fields.iter().map(|it| &it.parameter.ident).collect();
    let texts = names.iter().map(|name| names::text(name));
    let locals = |prefix: &str| -> Vec<Ident> {
        let local = |at| names::local(&format!("{prefix}_{at}"));
        (0..names.len()).map(local).collect()
    };
    let (own, others) = (locals("own"), locals("other"));
    (
        quote! {
            Self::#variant { #(#names: #own),* } => f.debug_struct(#text)
                #(.field(#texts, #own))*
                .finish()
        },
        quote! {
            Self::#variant { #(#names: #own),* } => Self::#variant {
                #(#names: ::core::clone::Clone::clone(#own)),*
            }
        },
        quote! {
            (Self::#variant { #(#names: #own),* }, Self::#variant { #(#names: #others),* }) => {
                #(#own == #others)&&*
            }
        },
    )
}
