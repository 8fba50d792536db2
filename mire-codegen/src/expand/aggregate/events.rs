//! The enum of events, its documentation, and its stored form.

use proc_macro2::{Delimiter, Group, Span, TokenStream};
use quote::quote;

use super::event_traits;
use super::questions::Questions;
use crate::expand::located::located;
use crate::expand::stored::event_data;
use crate::expand::{docs, serde_crate};
use crate::model::{Aggregate, Event, StoredVariant, VariantShape};

pub(crate) fn expand(aggregate: &Aggregate) -> TokenStream {
    let krate = &aggregate.krate;
    let (ident, vis) = (&aggregate.state.event, &aggregate.state.vis);
    let table = table(aggregate);
    let serde_crate = serde_crate(krate);
    let (derives, traits) = traits(aggregate);
    let variants = aggregate.events.iter().map(variant);
    let stored: Vec<StoredVariant> = aggregate.events.iter().map(stored).collect();
    // Another type of that name is reported on the struct's.
    let [keyword, derives] = [quote!(enum), derives].map(|it| located(it, ident.span()));
    let mut variants = Group::new(Delimiter::Brace, quote!(#(#variants,)*));
    variants.set_span(Span::mixed_site().located_at(ident.span()));
    let event_data = event_data(krate, ident, &aggregate.category, &stored);
    quote! {
        #table
        #derives
        #serde_crate
        #[allow(clippy::derive_partial_eq_without_eq)]
        #vis #keyword #ident #variants

        #traits
        #event_data
    }
}

/// What the enum derives, and what is written out instead.
fn traits(aggregate: &Aggregate) -> (TokenStream, TokenStream) {
    let questions = Questions::of_events(aggregate);
    if questions.is_empty() {
        let krate = &aggregate.krate;
        let derives = quote! {
            #[derive(
                ::core::fmt::Debug,
                ::core::clone::Clone,
                ::core::cmp::PartialEq,
                #krate::__private::serde::Serialize,
                #krate::__private::serde::Deserialize,
            )]
        };
        return (derives, TokenStream::new());
    }
    let asked = questions.ask(&aggregate.state.event);
    let written = event_traits::expand(aggregate, &questions);
    let (attributes, names) = questions.serde_attributes(&aggregate.state.event);
    let traits = quote! {
        #names
        const _: () = {
            #asked
            #written
        };
    };
    (attributes, traits)
}

/// What stands in the documentation above the enum.
fn table(aggregate: &Aggregate) -> TokenStream {
    let state = &aggregate.state.ident;
    let enum_ident = &aggregate.state.event;
    let mut lines = vec![format!("What can happen to [`{state}`].")];
    if !aggregate.events.is_empty() {
        lines.push(String::new());
        lines.push("| event | stored as | version | |".to_owned());
        lines.push("|---|---|---|---|".to_owned());
    }
    for event in &aggregate.events {
        let variant = &event.variant;
        lines.push(format!(
            "| [`{variant}`]({enum_ident}::{variant}) | `{}` | {} | {} |",
            event.stored,
            event.version,
            event.docs.summary().replace('|', "\\|"),
        ));
    }
    docs(lines.iter().map(String::as_str))
}

fn variant(event: &Event) -> TokenStream {
    let (ident, written) = (&event.variant, &event.docs.tokens);
    let stored = format!("Stored as `{}`, version {}.", event.stored, event.version);
    let stored = if event.docs.lines.is_empty() {
        docs([&*stored])
    } else {
        docs(["", &stored])
    };
    let fields = event.fields.iter().map(|field| {
        let (name, ty, attrs) = (&field.parameter.ident, &field.stored, &field.attrs);
        let doc = docs([&*format!("The event's `{name}`.")]);
        quote!(#doc #attrs #name: #ty)
    });
    let fields = if event.fields.is_empty() {
        TokenStream::new()
    } else {
        quote!({ #(#fields,)* })
    };
    quote!(#written #stored #ident #fields)
}

fn stored(event: &Event) -> StoredVariant {
    StoredVariant {
        ident: event.variant.clone(),
        shape: if event.fields.is_empty() {
            VariantShape::Unit
        } else {
            VariantShape::Named
        },
        stored: event.stored.clone(),
        stored_span: event.stored_span,
        version: event.version,
        upcasts: event.upcasts.clone(),
    }
}
