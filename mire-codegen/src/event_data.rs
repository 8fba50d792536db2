//! `#[derive(EventData)]`: stored names for enums and structs that were written by hand.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DataEnum, DeriveInput, Fields, LitStr};

use crate::attrs::Words;
use crate::errors::Errors;
use crate::expand::stored::{StoredVariant, VariantShape, event_data};
use crate::keywords::Place;
use crate::names;

/// Writes `EventData` for an enum or a struct, and `EventTypeStatic` for a struct.
pub(crate) fn derive(input: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let written = match syn::parse2::<DeriveInput>(input) {
        Ok(input) => expand(&input, &mut errors),
        Err(error) => {
            errors.push(error);
            TokenStream::new()
        }
    };
    let errors = errors.into_tokens();
    quote!(#errors #written)
}

fn expand(input: &DeriveInput, errors: &mut Errors) -> TokenStream {
    if let Some(parameter) = input.generics.params.first() {
        errors.at(
            parameter.span(),
            "an event type has no generic parameters: what is stored under one name has one shape",
            "write the parameter's type out, in one event type for each",
        );
        return TokenStream::new();
    }
    match &input.data {
        Data::Enum(data) => for_enum(input, data, errors),
        Data::Struct(_) => for_struct(input, errors),
        Data::Union(data) => {
            errors.at(
                data.union_token.span,
                "a union can't be stored as JSON",
                "make it an enum or a struct",
            );
            TokenStream::new()
        }
    }
}

fn for_enum(input: &DeriveInput, data: &DataEnum, errors: &mut Errors) -> TokenStream {
    let words = words(&input.attrs, Place::EventEnum, input.ident.span(), errors);
    let krate = words.krate(errors);
    let entity = entity(&words, &input.ident, errors);
    let mut variants: Vec<StoredVariant> = Vec::new();
    for variant in &data.variants {
        let words = self::words(
            &variant.attrs,
            Place::EventVariant,
            variant.ident.span(),
            errors,
        );
        let renamed = words.text("rename", errors);
        let name = stored_name(&variant.ident, "rename", renamed.as_ref(), errors);
        let mut stored = format!("{entity}.{name}");
        let span = renamed.as_ref().map_or(variant.ident.span(), Spanned::span);
        if let Some(twin) = variants.iter().find(|twin| twin.stored == stored) {
            errors.at(
                span,
                format_args!(
                    "the events `{}` and `{}` are both stored as `{stored}`",
                    twin.ident, variant.ident
                ),
                "give one of them another stored name with `#[mire(rename = \"…\")]`",
            );
            // It stays, so that rustc doesn't miss it.
            stored = format!("{stored}-{}", variants.len());
        }
        variants.push(StoredVariant {
            ident: variant.ident.clone(),
            shape: match variant.fields {
                Fields::Named(_) => VariantShape::Named,
                Fields::Unnamed(_) => VariantShape::Unnamed,
                Fields::Unit => VariantShape::Unit,
            },
            stored,
            version: 1,
            upcasts: Vec::new(),
        });
    }
    event_data(&krate, &input.ident, &entity, &variants)
}

fn entity(words: &Words, ident: &Ident, errors: &mut Errors) -> String {
    let fallback = names::kebab(&names::text(ident)).replace('-', "_");
    if words.lacks("entity") {
        errors.at(
            ident.span(),
            format_args!("`{ident}` doesn't say how its events are stored: `entity` is missing"),
            "put `#[mire(entity = \"order\")]` on it; a variant `Placed` is then stored as `order.placed`",
        );
        return fallback;
    }
    let Some(entity) = words.text("entity", errors) else {
        return fallback;
    };
    match names::entity_mistake(&entity.value()) {
        None => entity.value(),
        Some(mistake) => {
            errors.at(entity.span(), &mistake.wrong, mistake.mend("entity"));
            fallback
        }
    }
}

/// The part of a stored name after the dot: as it is given by `word`, or made from Rust's name.
pub(crate) fn stored_name(
    ident: &Ident,
    word: &str,
    given: Option<&LitStr>,
    errors: &mut Errors,
) -> String {
    let own = names::kebab(&names::text(ident));
    let (name, span) = match given {
        Some(given) => (given.value(), given.span()),
        None => (own.clone(), ident.span()),
    };
    let Some(mistake) = names::event_name_mistake(&name, &own) else {
        return name;
    };
    let (wrong, right) = (&mistake.wrong, &mistake.right);
    if given.is_some() {
        errors.at(span, wrong, mistake.mend(word));
    } else {
        errors.at(
            span,
            format_args!("{wrong}, so `{ident}` can't be stored as `{own}`"),
            format_args!("give it a stored name, as in `{word} = \"{right}\"`"),
        );
    }
    // What is proposed may be the name of another event, which would only follow.
    own
}

fn for_struct(input: &DeriveInput, errors: &mut Errors) -> TokenStream {
    let ident = &input.ident;
    let words = words(&input.attrs, Place::EventStruct, ident.span(), errors);
    let krate = words.krate(errors);
    if words.lacks("event_type") {
        errors.at(
            ident.span(),
            format_args!("`{ident}` doesn't say how it is stored: `event_type` is missing"),
            "put `#[mire(event_type = \"order.placed\")]` on it",
        );
    }
    let event_type = words.text("event_type", errors);
    if let Some(name) = &event_type
        && let Some(mistake) = names::event_type_mistake(&name.value())
    {
        errors.at(name.span(), &mistake.wrong, mistake.mend("event_type"));
    }
    let event_type = event_type.map_or_else(|| names::text(ident), |name| name.value());
    quote! {
        #[automatically_derived]
        impl #krate::EventData for #ident {
            fn event_type(&self) -> &'static str {
                #event_type
            }
            fn decode(
                stored: &#krate::StoredEvent<'_>,
            ) -> ::core::result::Result<Self, #krate::DecodeError> {
                #krate::__private::decode_struct(stored)
            }
            fn event_types() -> &'static [&'static str] {
                &[#event_type]
            }
        }
        #[automatically_derived]
        impl #krate::EventTypeStatic for #ident {
            const EVENT_TYPE: &'static str = #event_type;
        }
    }
}

/// The words of all `#[mire(…)]` in one place; a second attribute is a mistake.
fn words(attrs: &[Attribute], place: Place, span: Span, errors: &mut Errors) -> Words {
    let mut attrs = attrs.iter().filter(|attr| attr.path().is_ident("mire"));
    let words = match attrs.next() {
        Some(attr) => Words::read(place, attr, errors),
        None => Words::none(place, span),
    };
    for twin in attrs {
        errors.at(
            twin.path().span(),
            "`#[mire(…)]` is given twice",
            "put all words into one of them",
        );
    }
    words
}
