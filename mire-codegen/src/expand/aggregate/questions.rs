//! What only the compiler knows of the types of an event's fields.
//!
//! Derives would ask for each type in up to seven places; here each is asked for once. The
//! implementations take the answer for granted: they stand under bounds. A bound that is false is only
//! refused where it stands if it has no lifetime of its own, as `for<'any>` gives it one. Of serde's
//! derives the functions of the enum's own don't exist then, and the trait's own is meant instead; of
//! the others there is no implementation. So no error follows from the first.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::quote;

use crate::expand::located;
use crate::model::{Aggregate, Event, Field};
use crate::names;

/// The types of fields of which only the compiler knows whether an event can hold them.
pub(super) struct Questions(Vec<TokenStream>);

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
    pub(super) fn of(aggregate: &Aggregate) -> Self {
        let mut types: Vec<(String, TokenStream)> = Vec::new();
        for field in aggregate.events.iter().flat_map(|event| &event.fields) {
            let Some(ty) = asked(aggregate, field) else {
                continue;
            };
            let text = ty.to_string();
            if types.iter().all(|(known, _)| *known != text) {
                types.push((text, ty));
            }
        }
        Self(types.into_iter().map(|(_, ty)| ty).collect())
    }

    fn bounds(&self, krate: &TokenStream) -> TokenStream {
        let types = &self.0;
        quote!(#(for<'any> #types: #krate::__private::EventField),*)
    }

    /// What the enum derives. Under bounds, serde's derives write functions of the enum's own, and the
    /// others, which take no bounds, are [written](Self::ask).
    pub(super) fn derives(&self, krate: &TokenStream) -> TokenStream {
        let serde = quote!(#krate::__private::serde);
        if self.0.is_empty() {
            return quote! {
                #[derive(
                    ::core::fmt::Debug,
                    ::core::clone::Clone,
                    ::core::cmp::PartialEq,
                    #serde::Serialize,
                    #serde::Deserialize,
                )]
            };
        }
        let bounds = self.bounds(krate).to_string();
        quote! {
            #[derive(#serde::Serialize, #serde::Deserialize)]
            #[serde(remote = "Self", bound = #bounds)]
        }
    }

    /// Asks for each type, and implements what the enum doesn't derive.
    pub(super) fn ask(&self, aggregate: &Aggregate) -> TokenStream {
        if self.0.is_empty() {
            return TokenStream::new();
        }
        let (krate, ident) = (&aggregate.krate, &aggregate.state.event);
        let asked = self.0.iter().map(|ty| {
            located::call(
                quote!(#krate::__private::event_field::<#ty>),
                TokenStream::new(),
                ty,
            )
        });
        let serde = quote!(#krate::__private::serde);
        let bounds = self.bounds(krate);
        let (debug, clone, eq): (Vec<_>, Vec<_>, Vec<_>) =
            aggregate.events.iter().map(arms).collect();
        quote! {
            const _: () = {
                use #serde::{Deserialize, Serialize};

                #(#asked;)*

                #[automatically_derived]
                impl ::core::fmt::Debug for #ident where #bounds {
                    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                        match self { #(#debug,)* }
                    }
                }
                #[automatically_derived]
                impl ::core::clone::Clone for #ident where #bounds {
                    fn clone(&self) -> Self {
                        match self { #(#clone,)* }
                    }
                }
                #[automatically_derived]
                #[allow(unreachable_patterns, clippy::match_same_arms)]
                impl ::core::cmp::PartialEq for #ident where #bounds {
                    fn eq(&self, other: &Self) -> bool {
                        match (self, other) { #(#eq,)* _ => false }
                    }
                }
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

/// The arms of an event in `fmt`, `clone` and `eq`, as the derives would write them.
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

/// What is asked for a field, if anything is.
fn asked(aggregate: &Aggregate, field: &Field) -> Option<TokenStream> {
    // How a field with attributes of serde's own is stored, they say.
    if aggregate.events.len() > MOST_ASKED || field.own_attrs > 0 {
        return None;
    }
    let ty = questionable(&field.stored)?;
    // `$crate` has no text.
    (!ty.to_string().contains('$')).then_some(ty)
}

/// Whether it was asked for the field's type, so that nothing more has to be said of it.
pub(super) fn is_asked(aggregate: &Aggregate, field: &Field) -> bool {
    asked(aggregate, field).is_some()
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
