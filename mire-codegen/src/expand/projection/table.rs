//! A projection that keeps a table: its declaration, and how a row is folded, stored and read.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::events::{self, Arm, Calling};
use super::lookups::lookups;
use crate::expand::located::{self, located};
use crate::expand::{default_impl, default_value};
use crate::model::{Column, Effect, Handler, Projection, Table};
use crate::names;

pub(super) fn expand(projection: &Projection, table: &Table) -> TokenStream {
    let Projection {
        krate,
        ident,
        subscription,
        ..
    } = projection;
    let Table {
        default,
        name,
        fingerprint,
        columns,
        key,
    } = table;
    let Some(key) = key.map(|key| &columns[key]) else {
        return super::fallback::table(projection, table);
    };
    let (read, read_enum) = (events::read(), events::read_enum(projection));
    let (sets, sets_const) = (events::sets(projection), events::sets_const());
    let missing = events::all_handled(projection);
    let distinct = events::distinct(projection);
    let column_consts = columns
        .iter()
        .enumerate()
        .map(|(at, column)| column_const(projection, at, column, key));
    let defs = (0..columns.len()).map(|at| {
        let column = column_local(at);
        quote!(#column.def)
    });
    let write = columns.iter().enumerate().map(|(at, column)| {
        let (field, column) = (&column.ident, column_local(at));
        quote!((#column.put)(row, &self.#field)?;)
    });
    let read_row = columns.iter().enumerate().map(|(at, column)| {
        let (field, column) = (&column.ident, column_local(at));
        quote!(#field: (#column.take)(row)?)
    });
    let categories = (0..projection.reads.len()).map(|at| quote!(#sets_const[#at].category()));
    let fingerprint = events::fingerprint(projection, *fingerprint);
    let key_type = &key.ty;
    let key_of = key_of(projection, key);
    let fold = fold(projection, table, key);
    let default = default.then(|| {
        let values = columns.iter().map(|column| {
            let function = match column.ident == key.ident {
                true => "default_key",
                false => "initial",
            };
            (&column.ident, default_value(krate, function, &column.ty))
        });
        default_impl(ident, values)
    });
    let (lookups, from_row) = (lookups(projection, table, key), from_row(projection));
    quote! {
        const _: () = {
            #read_enum
            #sets
            #missing
            #distinct
            #(#column_consts)*

            #[automatically_derived]
            impl #krate::TableProjection for #ident {
                type Event = #read;
                type Key = #key_type;
                const TABLE: #krate::TableDef = #krate::TableDef {
                    subscription: #subscription,
                    table: #name,
                    fingerprint: #fingerprint,
                    categories: &[#(#categories),*],
                    columns: &[#(#defs),*],
                };
                fn decode(
                    event: &#krate::PageEvent<'_>,
                ) -> ::core::result::Result<::core::option::Option<#read>, #krate::DecodeError> {
                    #krate::__private::read_any(event, &#sets_const)
                }
                fn key(
                    event: &#read,
                    at: &#krate::PageEvent<'_>,
                ) -> ::core::result::Result<#key_type, #krate::DecodeError> {
                    #key_of
                }
                #[allow(unused_mut, unused_variables)]
                fn fold(
                    row: ::core::option::Option<Self>,
                    key: &#key_type,
                    event: &#read,
                    at: #krate::Delivery<'_>,
                ) -> ::core::option::Option<Self> {
                    #fold
                }
                fn write(
                    &self,
                    row: &mut #krate::RowWriter<'_>,
                ) -> ::core::result::Result<(), #krate::ColumnError> {
                    #(#write)*
                    ::core::result::Result::Ok(())
                }
                fn read(
                    row: &mut #krate::RowReader<'_>,
                ) -> ::core::result::Result<Self, #krate::ColumnError> {
                    ::core::result::Result::Ok(Self { #(#read_row),* })
                }
            }
        };

        #default
        #lookups
        #from_row
    }
}

fn column_local(at: usize) -> Ident {
    names::local(&format!("__MIRE_COLUMN_{at}"))
}

/// A column. What the compiler has to know of its type, it asks here alone, so that one that can't
/// be a column is reported once.
fn column_const(projection: &Projection, at: usize, column: &Column, key: &Column) -> TokenStream {
    let Projection { krate, ident, .. } = projection;
    let (local, name, ty) = (column_local(at), column.name(), &column.ty);
    let ask = |function: &str| {
        let function = names::local(function);
        let function = quote!(#krate::__private::#function);
        located::ask(&function, ty, &TokenStream::new(), quote!(#name))
    };
    let made = match column {
        _ if column.ident == key.ident => located::call(
            quote!(#krate::__private::key_column::<#ident>),
            quote!(#name),
            ty,
        ),
        Column { indexed: true, .. } => ask("index_column"),
        Column { json: true, .. } => ask("json_column"),
        _ => ask("column"),
    };
    quote!(const #local: #krate::__private::ColumnOf<#ty> = #made;)
}

/// A row that no event has touched yet.
fn new_row(krate: &TokenStream, table: &Table, key: &Column) -> TokenStream {
    let key_field = &key.ident;
    let key_value = quote!(#krate::__private::key_clone::<Self>(key));
    if table.default && table.columns.len() > 1 {
        // What has no default is reported there.
        return quote!(Self {
            #key_field: #key_value,
            ..::core::default::Default::default()
        });
    }
    let others = table.columns.iter().filter(|it| it.ident != key.ident);
    let others = others.map(|column| {
        let (field, value) = (&column.ident, default_value(krate, "initial", &column.ty));
        quote!(#field: #value)
    });
    quote!(Self { #key_field: #key_value #(, #others)* })
}

/// The body of `key(event, at)`: by the event's field, or by the stream's id.
fn key_of(projection: &Projection, key: &Column) -> TokenStream {
    let krate = &projection.krate;
    let named = |handler: &Handler| match &handler.effect {
        Effect::Call(call) => call.key.clone(),
        Effect::Delete { key } => key.clone(),
        Effect::Ignore | Effect::Mistaken => None,
    };
    let answer = |handler: &Handler| {
        let field = named(handler)?;
        let local = events::field_local(0);
        let key = located(quote!(#krate::__private::key_of(#local)), field.span());
        Some(Arm {
            answer: quote!(::core::result::Result::Ok(#key)),
            fields: vec![field],
        })
    };
    // The others go by their stream, once for each enum of events.
    let by_stream = projection.reads.iter().enumerate().map(|(at, set)| {
        let (variant, path, ty) = (events::set_variant(at), &set.path, &key.ty);
        let read = events::read();
        let mut by_stream = projection.handlers.iter().filter(|handler| {
            handler.event.set == at
                && matches!(handler.effect, Effect::Call(_) | Effect::Delete { .. })
                && named(handler).is_none()
        });
        // A key that the stream can't give is reported on the first event that lacks one.
        let key = match by_stream.next() {
            Some(handler) => located::call(
                quote!(#krate::__private::stream_key::<#path, #ty>),
                quote!(at),
                &handler.event.path,
            ),
            None => quote!(::core::result::Result::Err(#krate::__private::no_key(at))),
        };
        quote!(#read::#variant(_) => #key,)
    });
    let none = projection
        .reads
        .is_empty()
        .then(|| quote!(_ => ::core::result::Result::Err(#krate::__private::no_key(at)),));
    events::by_event(projection, answer, &quote!(#(#by_stream)* #none))
}

/// The body of `fold(row, key, event, at)`: first what makes no row, then what changes one.
fn fold(projection: &Projection, table: &Table, key: &Column) -> TokenStream {
    let row = quote!(row);
    let without = |handler: &Handler| match &handler.effect {
        Effect::Delete { .. } => Some(Arm::plain(quote!(return ::core::option::Option::None))),
        Effect::Ignore => Some(Arm::plain(quote!(return #row))),
        Effect::Call(_) | Effect::Mistaken => None,
    };
    let with = |handler: &Handler| match &handler.effect {
        Effect::Call(call) => {
            let Calling { fields, call } = events::call(
                &projection.krate,
                call,
                &quote!(&mut #row),
                &quote!(&at.info()),
            );
            Some(Arm {
                fields,
                answer: call,
            })
        }
        Effect::Delete { .. } | Effect::Ignore | Effect::Mistaken => None,
    };
    let rest = quote!(_ => {});
    let with = events::by_event(projection, with, &rest);
    let makes_none = |handler: &Handler| without(handler).is_some();
    let without = (projection.handlers.iter().any(makes_none))
        .then(|| events::by_event(projection, without, &rest));
    let krate = &projection.krate;
    let (new_row, key_field) = (new_row(krate, table, key), &key.ident);
    quote! {
        #without
        let mut #row = ::core::option::Option::unwrap_or_else(#row, || #new_row);
        #with
        // The key names the row, whatever a fold has done with it.
        #krate::__private::keep_key::<Self>(&mut #row.#key_field, key);
        ::core::option::Option::Some(#row)
    }
}

/// Rows of the user's own queries.
pub(super) fn from_row(projection: &Projection) -> TokenStream {
    let Projection { krate, ident, .. } = projection;
    quote! {
        #[automatically_derived]
        impl<'r, __MireRow: #krate::table::Row> #krate::__private::sqlx::FromRow<'r, __MireRow>
            for #ident
        {
            fn from_row(
                row: &'r __MireRow,
            ) -> ::core::result::Result<Self, #krate::__private::sqlx::Error> {
                #krate::table::from_row(row)
            }
        }
    }
}
