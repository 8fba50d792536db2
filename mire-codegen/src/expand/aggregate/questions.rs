//! What only the compiler knows of the types of fields: of an event's, and of those of a state that
//! has snapshots.
//!
//! Derives would ask for each type in up to seven places; here each is asked for once. The
//! implementations take the answer for granted: they stand under bounds. A bound that is false is only
//! refused where it stands if it has no lifetime of its own, as `for<'any>` gives it one. Of serde's
//! derives the functions of the type's own don't exist then, and the trait's own is meant instead; of
//! the others there is no implementation. So no error follows from the first.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use crate::expand::located;
use crate::expand::questionable::questionable;
use crate::model::{Aggregate, Field};
use crate::names;

/// The types of fields of which only the compiler knows whether they can be stored.
pub(super) struct Questions {
    krate: TokenStream,
    /// The function that asks for it.
    function: Ident,
    types: Vec<TokenStream>,
}

/// The most events for which the types of fields are asked for. What stands under a bound costs the
/// compiler more: 100 events with such a field took 1.23 times what they take by hand, and 1.14 by
/// derives. Beyond this, serde's derives report a type by themselves, if four times.
const MOST_ASKED: usize = 32;

impl Questions {
    /// Whether an event can hold the types of its fields.
    pub(super) fn of_events(aggregate: &Aggregate) -> Self {
        let fields = aggregate.events.iter().flat_map(|event| &event.fields);
        let types = fields.filter_map(|field| asked(aggregate, field));
        Self::new(aggregate, "event_field", types)
    }

    /// Whether a snapshot can hold the types of the state's fields.
    pub(super) fn of_snapshot(aggregate: &Aggregate) -> Self {
        // Functions of these names would meet those that serde's derives write.
        let is_taken = |name: &Ident| name == "serialize" || name == "deserialize";
        let taken = aggregate.commands.iter().any(|it| is_taken(&it.ident))
            || aggregate.events.iter().any(|it| is_taken(&it.ident));
        let stored = aggregate.state.stored.iter().filter(|_| !taken);
        let types = stored.filter_map(askable);
        Self::new(aggregate, "snapshot_field", types)
    }

    fn new(
        aggregate: &Aggregate,
        function: &str,
        types: impl Iterator<Item = TokenStream>,
    ) -> Self {
        let mut texts: Vec<String> = Vec::new();
        let mut is_new = |ty: &TokenStream| {
            let text = ty.to_string();
            let is_new = !texts.contains(&text);
            texts.push(text);
            is_new
        };
        Self {
            krate: aggregate.krate.clone(),
            function: names::local(function),
            types: types.filter(|ty| is_new(ty)).collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.types.is_empty()
    }

    /// The bounds under which an implementation of a trait takes the answers for granted. They are of
    /// that trait alone: rustc looks through all that a bound implies for whatever it has to find out
    /// below it.
    pub(super) fn bounds(&self, implemented: &TokenStream) -> TokenStream {
        let types = &self.types;
        quote!(#(for<'any> #types: #implemented),*)
    }

    /// What stands above a type of this name, to have serde's derives write functions of the type's
    /// own. Serde reads the bounds from a text, all of which stands in one place for rustc. So the text
    /// has names for the types, which are written where they are: of one that doesn't exist rustc says
    /// the same there as at the field, and says it once. Those names are items beside the type.
    pub(super) fn serde_attributes(&self, of: &Ident) -> (TokenStream, TokenStream) {
        let serde = self.serde();
        let (mut aliases, mut names) = (Vec::new(), Vec::new());
        for (at, ty) in self.types.iter().enumerate() {
            // `Self` is known in an `impl` only.
            if names::has_word(ty, "Self") {
                names.push(ty.clone());
                continue;
            }
            let name = names::local(&format!("__Mire{}{at}", names::text(of)));
            aliases.push(quote!(#[allow(dead_code)] type #name = #ty;));
            names.push(quote!(#name));
        }
        // A bound that names `'de` is none that rustc would refuse, and for `any` lifetime it is dearer.
        let to = quote!(#(for<'any> #names: #serde::Serialize),*).to_string();
        let from = quote!(#(#names: #serde::Deserialize<'de>),*).to_string();
        let attributes = quote! {
            #[derive(#serde::Serialize, #serde::Deserialize)]
            #[serde(remote = "Self", bound(serialize = #to, deserialize = #from))]
        };
        (attributes, quote!(#(#aliases)*))
    }

    /// Asks for each type, and implements serde's traits by those functions.
    pub(super) fn ask(&self, ident: &Ident) -> TokenStream {
        let (serde, krate, function) = (self.serde(), &self.krate, &self.function);
        let asked = self.types.iter().map(|ty| {
            let function = quote!(#krate::__private::#function);
            located::ask(&function, ty, &TokenStream::new(), TokenStream::new())
        });
        quote! {
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
        }
    }

    fn serde(&self) -> TokenStream {
        let krate = &self.krate;
        quote!(#krate::__private::serde)
    }
}

/// What is asked for a field, if anything is.
fn asked(aggregate: &Aggregate, field: &Field) -> Option<TokenStream> {
    // How a field with attributes of serde's own is stored, they say.
    if aggregate.events.len() > MOST_ASKED || field.own_attrs > 0 {
        return None;
    }
    askable(&field.stored)
}

/// What is to be asked of a type, if it can be named in the text of an attribute.
fn askable(ty: &TokenStream) -> Option<TokenStream> {
    let ty = questionable(ty)?;
    // `$crate` has no text.
    (!ty.to_string().contains('$')).then_some(ty)
}

/// Whether it was asked for the field's type, so that nothing more has to be said of it.
pub(super) fn is_asked(aggregate: &Aggregate, field: &Field) -> bool {
    asked(aggregate, field).is_some()
}
