//! `#[derive(EventData)]`: from an enum or a struct that was written by hand to its model.

use proc_macro2::{Ident, Span, TokenStream};
use syn::spanned::Spanned;
use syn::{Attribute, Data, DataEnum, DeriveInput, Fields};

use super::stored_name::stored_name;
use crate::attrs::Words;
use crate::errors::Errors;
use crate::keywords::Place;
use crate::model::{EventType, EventTypeForm, StoredVariant, VariantShape};
use crate::names;

/// Reads the item that the derive stands on; `None` when it can't be an event type.
pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Option<EventType> {
    let input: DeriveInput = match syn::parse2(tokens) {
        Ok(input) => input,
        Err(error) => {
            errors.push(error);
            return None;
        }
    };
    if let Some(parameter) = input.generics.params.first() {
        errors.at(
            parameter.span(),
            "an event type has no generic parameters: what is stored under one name has one shape",
            "write the parameter's type out, in one event type for each",
        );
        return None;
    }
    match &input.data {
        Data::Enum(data) => Some(of_enum(&input, data, errors)),
        Data::Struct(_) => Some(of_struct(&input, errors)),
        Data::Union(data) => {
            errors.at(
                data.union_token.span,
                "a union can't be stored as JSON",
                "make it an enum or a struct",
            );
            None
        }
    }
}

fn of_enum(input: &DeriveInput, data: &DataEnum, errors: &mut Errors) -> EventType {
    let words = words(&input.attrs, Place::EventEnum, input.ident.span(), errors);
    let krate = words.krate();
    let entity = entity(&words, &input.ident, errors);
    let variants = data.variants.iter().map(|variant| {
        let (place, span) = (Place::EventVariant, variant.ident.span());
        let words = self::words(&variant.attrs, place, span, errors);
        let renamed = words.text("rename");
        let name = stored_name(&variant.ident, "rename", renamed.as_ref(), errors);
        StoredVariant {
            ident: variant.ident.clone(),
            shape: match variant.fields {
                Fields::Named(_) => VariantShape::Named,
                Fields::Unnamed(_) => VariantShape::Unnamed,
                Fields::Unit => VariantShape::Unit,
            },
            stored: format!("{entity}.{name}"),
            stored_span: renamed.map_or(span, |renamed| renamed.span()),
            version: 1,
            upcasts: Vec::new(),
        }
    });
    let variants = variants.collect();
    EventType {
        krate,
        ident: input.ident.clone(),
        form: EventTypeForm::Enum { entity, variants },
    }
}

fn entity(words: &Words, ident: &Ident, errors: &mut Errors) -> String {
    let fallback = names::category_of(&names::text(ident));
    if words.lacks("entity") {
        errors.at(
            ident.span(),
            format_args!("`{ident}` doesn't say how its events are stored: `entity` is missing"),
            "put `#[mire(entity = \"order\")]` on it; a variant `Placed` is then stored as `order.placed`",
        );
        return fallback;
    }
    let Some(entity) = words.text("entity") else {
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

fn of_struct(input: &DeriveInput, errors: &mut Errors) -> EventType {
    let ident = &input.ident;
    let words = words(&input.attrs, Place::EventStruct, ident.span(), errors);
    let krate = words.krate();
    if words.lacks("event_type") {
        errors.at(
            ident.span(),
            format_args!("`{ident}` doesn't say how it is stored: `event_type` is missing"),
            "put `#[mire(event_type = \"order.placed\")]` on it",
        );
    }
    let event_type = words.text("event_type");
    if let Some(name) = &event_type
        && let Some(mistake) = names::event_type_mistake(&name.value())
    {
        errors.at(name.span(), &mistake.wrong, mistake.mend("event_type"));
    }
    let event_type = event_type.map_or_else(|| names::text(ident), |name| name.value());
    EventType {
        krate,
        ident: ident.clone(),
        form: EventTypeForm::Struct { event_type },
    }
}

/// The words of all `#[mire(…)]` in one place; a second attribute is a mistake.
fn words(attrs: &[Attribute], place: Place, span: Span, errors: &mut Errors) -> Words {
    let is_ours = |attr: &&Attribute| attr.path().is_ident("mire");
    let attrs: Vec<Attribute> = attrs.iter().filter(is_ours).cloned().collect();
    for twin in attrs.iter().skip(1) {
        errors.at(
            twin.path().span(),
            "`#[mire(…)]` is given twice",
            "put all words into one of them",
        );
    }
    match &*attrs {
        [] => Words::none(place, span),
        attrs => Words::read(place, attrs, errors),
    }
}
