//! The id type: a UUID newtype that is generated, or a type of the user's own.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use crate::expand::located::{self, located};
use crate::expand::{docs, serde_crate};
use crate::model::{Aggregate, Id};
use crate::names;

pub(crate) fn expand(aggregate: &Aggregate) -> TokenStream {
    match &aggregate.id {
        Id::Text => TokenStream::new(),
        Id::Generated(ident) => {
            let newtype = newtype(aggregate, ident);
            let links = links(aggregate, &quote!(#ident));
            // A type of that name that is there already is reported on the name.
            located(quote!(#newtype #links), ident.span())
        }
        Id::Named(path) => links(aggregate, path),
    }
}

/// What ties an id type to its aggregate.
fn links(aggregate: &Aggregate, id: &TokenStream) -> TokenStream {
    let krate = &aggregate.krate;
    let (state, event) = (&aggregate.state.ident, &aggregate.state.event);
    let (form, function) = (names::local("__MIRE_ID"), names::local("id_form"));
    let function = quote!(#krate::__private::#function);
    let asked = located::ask(&function, id, &TokenStream::new(), TokenStream::new());
    quote! {
        const _: () = {
            const #form: #krate::__private::IdForm<#id> = #asked;

            #[automatically_derived]
            impl #krate::AggregateId<#state> for #id {
                fn id_text(&self) -> ::std::borrow::Cow<'_, str> {
                    ::std::borrow::Cow::Owned((#form.text)(self))
                }
            }
            #[automatically_derived]
            impl #krate::__private::StreamKey<#event> for #id {
                fn from_id(id: &str) -> ::core::result::Result<Self, #krate::DecodeError> {
                    (#form.read)(id)
                }
            }
        };
    }
}

fn newtype(aggregate: &Aggregate, ident: &Ident) -> TokenStream {
    let krate = &aggregate.krate;
    let (state, vis) = (&aggregate.state.ident, &aggregate.state.vis);
    let serde_crate = serde_crate(krate);
    let uuid = quote!(#krate::__private::uuid::Uuid);
    let about = docs([
        &*format!("Names one [`{state}`]."),
        "",
        "A UUID; as text, it is the second half of the stream's name.",
    ]);
    let new = docs(["A new id. Ids are ordered by the time they were made (UUID version 7)."]);
    quote! {
        #about
        #[derive(
            ::core::fmt::Debug,
            ::core::clone::Clone,
            ::core::marker::Copy,
            ::core::cmp::PartialEq,
            ::core::cmp::Eq,
            ::core::cmp::PartialOrd,
            ::core::cmp::Ord,
            ::core::hash::Hash,
            #krate::__private::serde::Serialize,
            #krate::__private::serde::Deserialize,
        )]
        #serde_crate
        #[serde(transparent)]
        #[allow(dead_code)]
        #vis struct #ident(#uuid);

        #[allow(dead_code, clippy::new_without_default)]
        impl #ident {
            #new
            #[must_use]
            #vis fn new() -> Self {
                Self(#uuid::now_v7())
            }
        }
        #[automatically_derived]
        impl ::core::fmt::Display for #ident {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::fmt::Display::fmt(&self.0, f)
            }
        }
        #[automatically_derived]
        impl ::core::str::FromStr for #ident {
            type Err = #krate::__private::uuid::Error;
            fn from_str(text: &str) -> ::core::result::Result<Self, Self::Err> {
                ::core::result::Result::map(#uuid::parse_str(text), Self)
            }
        }
        #[automatically_derived]
        impl ::core::convert::From<#uuid> for #ident {
            fn from(id: #uuid) -> Self {
                Self(id)
            }
        }
        #[automatically_derived]
        impl ::core::convert::From<#ident> for #uuid {
            fn from(id: #ident) -> Self {
                id.0
            }
        }
        #[automatically_derived]
        impl #krate::ColumnType for #ident {
            type Stored = #uuid;
            const EXACT: bool = true;
            fn to_stored(&self) -> ::core::result::Result<#uuid, #krate::ColumnError> {
                ::core::result::Result::Ok(self.0)
            }
            fn from_stored(id: #uuid) -> ::core::result::Result<Self, #krate::ColumnError> {
                ::core::result::Result::Ok(Self(id))
            }
        }
    }
}
