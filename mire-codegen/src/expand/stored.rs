//! The stored form of an enum of events, shared by `aggregate!` and `#[derive(EventData)]`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use crate::fingerprint::Fingerprint;
use crate::model::{StoredVariant, VariantShape};
use crate::names;

/// `impl EventData` and `impl EventSet`: tables of the variants, and calls into the runtime.
pub(crate) fn event_data(
    krate: &TokenStream,
    ident: &Ident,
    category: &str,
    variants: &[StoredVariant],
) -> TokenStream {
    let mut names: Vec<String> = variants
        .iter()
        .map(|variant| names::text(&variant.ident))
        .collect();
    names.sort();
    let names = variants_of(krate, &names);
    let stored = variants.iter().map(|variant| &variant.stored);
    let mut sorted: Vec<(u32, &StoredVariant)> = (0..).zip(variants).collect();
    sorted.sort_by(|(_, a), (_, b)| a.stored.cmp(&b.stored));
    let events = sorted
        .iter()
        .map(|(index, variant)| event_def(krate, *index, variant));
    let event_type = by_variant(variants, |variant| {
        let stored = &variant.stored;
        quote!(#stored)
    });
    let schema_version = if variants.iter().all(|variant| variant.version == 1) {
        TokenStream::new()
    } else {
        let version = by_variant(variants, |variant| {
            let version = variant.version;
            quote!(#version)
        });
        quote! {
            fn schema_version(&self) -> u32 {
                #version
            }
        }
    };
    quote! {
        #[automatically_derived]
        impl #krate::EventData for #ident {
            fn event_type(&self) -> &'static str {
                #event_type
            }
            #schema_version
            fn encode(
                &self,
            ) -> ::core::result::Result<::std::string::String, #krate::__private::serde_json::Error> {
                #krate::__private::encode_event(self)
            }
            fn decode(
                stored: &#krate::StoredEvent<'_>,
            ) -> ::core::result::Result<Self, #krate::DecodeError> {
                #krate::__private::decode_event(stored)
            }
            fn event_types() -> &'static [&'static str] {
                &[#(#stored),*]
            }
        }
        #[automatically_derived]
        impl #krate::__private::EventSet for #ident {
            const EVENTS: &'static [#krate::__private::EventDef] = &[#(#events),*];
            const VARIANTS: #krate::__private::Variants = #names;
            const CATEGORY: &'static str = #category;
        }
    }
}

/// Variants of an enum, by their sorted names.
pub(crate) fn variants_of(krate: &TokenStream, names: &[String]) -> TokenStream {
    let names = names.join(" ");
    let mut hash = Fingerprint::new();
    hash.text(&names);
    let hash = hash.finish();
    quote!(#krate::__private::Variants { names: #names, hash: #hash })
}

/// A `match` on the variant; an enum without variants has no value to match on.
fn by_variant(
    variants: &[StoredVariant],
    answer: impl Fn(&StoredVariant) -> TokenStream,
) -> TokenStream {
    if variants.is_empty() {
        return quote!(match *self {});
    }
    let arms = variants.iter().map(|variant| {
        let ident = &variant.ident;
        let pattern = match variant.shape {
            VariantShape::Named => quote!(Self::#ident { .. }),
            VariantShape::Unnamed => quote!(Self::#ident(..)),
            VariantShape::Unit => quote!(Self::#ident),
        };
        let answer = answer(variant);
        quote!(#pattern => #answer)
    });
    quote! {
        match self {
            #(#arms,)*
        }
    }
}

fn event_def(krate: &TokenStream, index: u32, variant: &StoredVariant) -> TokenStream {
    let StoredVariant {
        ident,
        shape: _,
        stored,
        stored_span: _,
        version,
        upcasts,
    } = variant;
    let steps = (1u32..).zip(upcasts).map(|(from, path)| {
        // A function of another signature is reported on its path.
        let at = Span::mixed_site().located_at(path.span());
        let step = quote_spanned! {at=>
            |payload| #krate::__private::read_older(#path, payload)
        };
        quote! {
            #krate::__private::Upcast {
                from: #from,
                step: #step,
            }
        }
    });
    let variant = names::text(ident);
    quote! {
        #krate::__private::EventDef {
            name: #stored,
            version: #version,
            variant: #variant,
            index: #index,
            upcasts: &[#(#steps),*],
        }
    }
}
