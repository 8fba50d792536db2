//! The functions on a row's type: its look-ups, and what says how far its table is.

use proc_macro2::TokenStream;
use quote::quote;

use crate::expand::docs;
use crate::expand::located::{located, start};
use crate::model::{Column, Projection, Table};
use crate::names;

/// The functions on the row's type.
pub(super) fn lookups(projection: &Projection, table: &Table, key: &Column) -> TokenStream {
    let Projection {
        krate,
        ident,
        vis,
        generics,
        subscription,
        ..
    } = projection;
    let (declared, arguments, where_clause) = (
        &generics.declared,
        &generics.arguments,
        &generics.where_clause,
    );
    let backend = &generics.backend;
    let table_name = &table.name;
    let subscription_docs = docs([&*format!(
        "The name of the subscription that keeps the table: `{subscription}`."
    )]);
    let result = |ty: TokenStream| quote!(::core::result::Result<#ty, #krate::EventStoreError>);
    let one = result(quote!(::core::option::Option<Self>));
    let rows = rows(krate);
    let (status, done) = (
        result(quote!(#krate::table::TableStatus)),
        result(quote!(())),
    );
    let key_type = &key.ty;
    let page_type = page(krate, &quote!(&'last #key_type));
    let Wanted {
        ty: wanted_key,
        value: key_value,
    } = Wanted::of(key_type, &quote!(key));
    let by_index = table
        .columns
        .iter()
        .filter(|column| column.indexed)
        .map(|column| by_index(projection, column, key));
    let page_link = format!("[`Page`]({}::table::Page)", names::path_text(krate));
    let errors = [
        "",
        "# Errors",
        "",
        "[`TableNotReady`](#krate::EventStoreError::TableNotReady) until a first version of the table",
        "is there; what the database reports.",
    ]
    .map(|line| line.replace("#krate", &names::path_text(krate)));
    let about = |lines: &[&str]| {
        let lines = lines
            .iter()
            .copied()
            .chain(errors.iter().map(String::as_str));
        docs(lines)
    };
    let get_docs = about(&[&format!(
        "The row of the table `{table_name}` with this key."
    )]);
    let get_many_docs =
        about(&["The rows with these keys, as far as they are there, in no order."]);
    let list_docs = about(&[
        &format!(
            "Rows in the order of their keys: so many from the start, or a {page_link}, which"
        ),
        "goes on behind a key.",
    ]);
    let wait_docs = about(&[
        "Waits until the rows show everything up to a position of the log, as `execute` answers it.",
    ]);
    let status_docs = about(&["How far the versions of the table are, and which one serves."]);
    let runner_docs = docs([
        "A runner of this projection alone. It is given its settings, built, and run on every",
        "replica.",
    ]);
    quote! {
        #[allow(dead_code, unreachable_code, clippy::unused_async)]
        impl #declared #ident #arguments #where_clause {
            #subscription_docs
            #vis const SUBSCRIPTION: &'static str = #subscription;
            #[doc(hidden)]
            #vis const __MIRE_TABLE: &'static str = #table_name;

            #get_docs
            #vis async fn get<#backend: #krate::Backend>(
                store: &#krate::EventStore<#backend>,
                key: #wanted_key,
            ) -> #one {
                #krate::table::get(store, #key_value).await
            }
            #get_many_docs
            #vis async fn get_many<#backend: #krate::Backend>(
                store: &#krate::EventStore<#backend>,
                keys: &[#key_type],
            ) -> ::core::result::Result<::std::vec::Vec<Self>, #krate::EventStoreError> {
                #krate::table::get_many(store, keys).await
            }
            #list_docs
            #vis fn list<'a, 'last, #backend: #krate::Backend>(
                store: &'a #krate::EventStore<#backend>,
                page: #page_type,
            ) -> #rows {
                #krate::table::list(store, page)
            }
            #(#by_index)*
            #wait_docs
            #vis async fn wait_for<#backend: #krate::Backend>(
                store: &#krate::EventStore<#backend>,
                position: i64,
                timeout: ::core::time::Duration,
            ) -> #done {
                #krate::table::wait_for::<Self, #backend>(store, position, timeout).await
            }
            #status_docs
            #vis async fn status<#backend: #krate::Backend>(
                store: &#krate::EventStore<#backend>,
            ) -> #status {
                #krate::table::status::<Self, #backend>(store).await
            }
            #runner_docs
            #vis fn runner<#backend: #krate::Backend>(
                store: &#krate::EventStore<#backend>,
            ) -> #krate::ProjectionRunnerBuilder<#backend> {
                #krate::table::runner::<Self, #backend>(store)
            }
        }
    }
}

/// A look-up of several rows, in a page of them.
fn rows(krate: &TokenStream) -> TokenStream {
    quote!(#krate::table::Rows<'a, Self>)
}

/// A parameter that takes a page, which goes on behind `last`.
fn page(krate: &TokenStream, last: &TokenStream) -> TokenStream {
    quote!(impl #krate::table::IntoPage<#last>)
}

/// What is looked for: a value of the column's type, or what can be made one.
pub(super) struct Wanted {
    /// The type of the parameter.
    pub(super) ty: TokenStream,
    /// What is passed on.
    value: TokenStream,
}

impl Wanted {
    /// Of a column of this type, by a parameter of this name.
    pub(super) fn of(column: &TokenStream, name: &TokenStream) -> Self {
        if STRINGS.contains(&&*names::path_text(column)) {
            return Self {
                ty: quote!(&str),
                value: quote!(&<#column as ::core::convert::From<&str>>::from(#name)),
            };
        }
        Self {
            ty: quote!(&#column),
            value: name.clone(),
        }
    }
}

/// How the type of text is written.
const STRINGS: [&str; 3] = ["String", "std::string::String", "::std::string::String"];

/// Types that can have an index for certain.
const COLUMNS: [&str; 12] = [
    "bool", "f32", "f64", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "String",
];

/// The look-ups by an indexed column.
fn by_index(projection: &Projection, column: &Column, key: &Column) -> TokenStream {
    let Projection {
        krate,
        vis,
        generics,
        ..
    } = projection;
    let backend = &generics.backend;
    let (name, ty) = (column.name(), &column.ty);
    let at = column.ident.span();
    let [equal, range] = names::lookups(&name).map(|lookup| names::derived(&lookup, at));
    let page_link = format!("[`Page`]({}::table::Page)", names::path_text(krate));
    let equal_docs = docs([
        &*format!(
            "Rows with this `{name}`, in the order of their keys: so many from the start, or a"
        ),
        &format!("{page_link}, which goes on behind a key."),
        "",
        "# Errors",
        "",
        "As [`get`](Self::get).",
    ]);
    let range_docs = docs([
        &*format!(
            "Rows whose `{name}` is in a range, in its order and then that of their keys: so many"
        ),
        &format!(
            "from the start, or a {page_link}, which goes on behind a `{name}` and a key. A row"
        ),
        "without a value is in no range.",
        "",
        "# Errors",
        "",
        "As [`get`](Self::get).",
    ]);
    let (rows, key) = (rows(krate), &key.ty);
    let equal_page = page(krate, &quote!(&'last #key));
    let range_page = page(krate, &quote!((&'last #ty, &'last #key)));
    let at = start(ty);
    // A type that can't have an index is reported where its column is declared.
    let certain = COLUMNS.contains(&&*names::path_text(ty));
    let known = (!certain).then(|| quote!(where for<'any> #ty: #krate::__private::IndexColumn));
    let wanted = Wanted::of(ty, &quote!(value));
    let (wanted, value) = (wanted.ty, wanted.value);
    let by_index = located(
        quote!(#krate::table::by_index(store, #name, #value, page)),
        at,
    );
    let by_range = located(
        quote!(#krate::table::by_index_range(store, #name, range, page)),
        at,
    );
    quote! {
        #equal_docs
        #vis fn #equal<'a, 'last, #backend: #krate::Backend>(
            store: &'a #krate::EventStore<#backend>,
            value: #wanted,
            page: #equal_page,
        ) -> #rows #known {
            #by_index
        }
        #range_docs
        #vis fn #range<'a, 'last, #backend: #krate::Backend>(
            store: &'a #krate::EventStore<#backend>,
            range: impl ::core::ops::RangeBounds<#ty>,
            page: #range_page,
        ) -> #rows #known {
            #by_range
        }
    }
}
