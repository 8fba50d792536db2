//! The enum of events, its documentation, and its stored form.

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;

use crate::expand::stored::{StoredVariant, VariantShape, event_data};
use crate::expand::{docs, located, serde_crate};
use crate::model::{Aggregate, Event};
use crate::names;

pub(crate) fn expand(aggregate: &Aggregate) -> TokenStream {
    let krate = &aggregate.krate;
    let (ident, vis) = (&aggregate.state.event, &aggregate.state.vis);
    let table = table(aggregate);
    let serde_crate = serde_crate(krate);
    let questions = Questions::of(aggregate);
    let (bound, asked) = (questions.bound(krate), questions.ask(krate, ident));
    let variants = aggregate.events.iter().map(variant);
    let stored: Vec<StoredVariant> = aggregate.events.iter().map(stored).collect();
    let event_data = event_data(krate, ident, &aggregate.category, &stored);
    quote! {
        #table
        #[derive(
            ::core::fmt::Debug,
            ::core::clone::Clone,
            ::core::cmp::PartialEq,
            #krate::__private::serde::Serialize,
            #krate::__private::serde::Deserialize,
        )]
        #serde_crate
        #bound
        #[allow(clippy::derive_partial_eq_without_eq)]
        #vis enum #ident {
            #(#variants,)*
        }

        #asked
        #event_data
    }
}

/// The types of fields of which only the compiler knows whether they can be stored. serde's derives
/// would ask for each of them in four places; here each is asked for once.
struct Questions(Vec<TokenStream>);

/// Types that can be stored for certain.
const STORED: [&str; 17] = [
    "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32",
    "u64", "u128", "usize", "String",
];

/// Types that can be stored when what is in them can.
const HOLDERS: [&str; 3] = ["Box", "Option", "Vec"];

/// The most events for which the types of fields are asked for. Under a bound of its own, rustc can't
/// keep what it finds out of traits: 100 events took 0.3 s more of 1.0 s. Beyond this, serde's derives
/// report a type by themselves, if four times.
const MOST_ASKED: usize = 32;

impl Questions {
    fn of(aggregate: &Aggregate) -> Self {
        if aggregate.events.len() > MOST_ASKED {
            return Self(Vec::new());
        }
        let mut types: Vec<(String, TokenStream)> = Vec::new();
        let fields = aggregate.events.iter().flat_map(|event| &event.fields);
        // How a field with attributes of serde's own is stored, they say.
        for field in fields.filter(|field| field.own_attrs == 0) {
            let Some(ty) = questionable(&field.stored) else {
                continue;
            };
            let text = ty.to_string();
            // `$crate` has no text.
            if !text.contains('$') && types.iter().all(|(known, _)| *known != text) {
                types.push((text, ty));
            }
        }
        Self(types.into_iter().map(|(_, ty)| ty).collect())
    }

    /// Has serde's derives take it for granted that they can be stored: they write functions of the
    /// enum's own, under bounds. A bound that is false is only refused where it stands if it has no
    /// lifetime of its own.
    fn bound(&self, krate: &TokenStream) -> TokenStream {
        if self.0.is_empty() {
            return TokenStream::new();
        }
        let bounds = self
            .0
            .iter()
            .map(|ty| quote!(for<'any> #ty: #krate::__private::EventField).to_string());
        let bounds = bounds.collect::<Vec<_>>().join(", ");
        quote!(#[serde(remote = "Self", bound = #bounds)])
    }

    /// Asks for each type, and gives the enum the derived functions as traits. When a bound is false
    /// there is no such function, and the trait's own is meant: no error follows from the first.
    fn ask(&self, krate: &TokenStream, ident: &proc_macro2::Ident) -> TokenStream {
        if self.0.is_empty() {
            return TokenStream::new();
        }
        let asked = self.0.iter().map(|ty| {
            located::call(
                quote!(#krate::__private::event_field::<#ty>),
                TokenStream::new(),
                ty,
            )
        });
        let serde = quote!(#krate::__private::serde);
        quote! {
            const _: () = {
                use #serde::{Deserialize, Serialize};

                #(#asked;)*

                #[automatically_derived]
                #[allow(unconditional_recursion)]
                impl Serialize for #ident {
                    fn serialize<S: #serde::Serializer>(
                        &self,
                        serializer: S,
                    ) -> ::core::result::Result<S::Ok, S::Error> {
                        Self::serialize(self, serializer)
                    }
                }
                #[automatically_derived]
                #[allow(unconditional_recursion)]
                impl<'de> Deserialize<'de> for #ident {
                    fn deserialize<D: #serde::Deserializer<'de>>(
                        deserializer: D,
                    ) -> ::core::result::Result<Self, D::Error> {
                        Self::deserialize(deserializer)
                    }
                }
            };
        }
    }
}

/// What is to be asked of a field's type: whether it can be stored, or what it holds.
fn questionable(ty: &TokenStream) -> Option<TokenStream> {
    let mut tokens: Vec<TokenTree> = ty.clone().into_iter().collect();
    let text = names::path_text(ty);
    if text.starts_with("::std::vec::Vec<") {
        // A slice, as it is stored.
        tokens.drain(..8);
    }
    let is = |at: usize, known: &[&str]| matches!(tokens.get(at), Some(TokenTree::Ident(ident)) if known.iter().any(|name| ident == name));
    let is_punct = |at: usize, c: char| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == c);
    let last = tokens.len().saturating_sub(1);
    if is(0, &HOLDERS) && is_punct(1, '<') && is_punct(last, '>') {
        return questionable(&tokens[2..last].iter().cloned().collect());
    }
    let certain = last == 0 && is(0, &STORED) || text == "::std::string::String";
    (!certain).then(|| ty.clone())
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
        version: event.version,
        upcasts: event.upcasts.clone(),
    }
}
