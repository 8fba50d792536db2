//! What goes out beside a mistake that leaves a table without a key: all the items, so that nothing
//! else misses them.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

use super::lookups::Wanted;
use super::table::from_row;
use crate::model::{Projection, Table};
use crate::names;

pub(super) fn table(projection: &Projection, table: &Table) -> TokenStream {
    let Projection {
        krate,
        ident,
        generics,
        subscription,
        ..
    } = projection;
    let name = &table.name;
    let lookups = lookups(projection, table);
    let (declared, arguments) = (&generics.declared, &generics.arguments);
    let from_row = from_row(projection);
    let never = quote!({ ::core::unreachable!() });
    let default = table.default.then(|| {
        quote! {
            #[automatically_derived]
            impl #declared ::core::default::Default for #ident #arguments {
                fn default() -> Self #never
            }
        }
    });
    quote! {
        #[automatically_derived]
        #[allow(unused_variables)]
        impl #declared #krate::TableProjection for #ident #arguments {
            type Event = ();
            type Key = ::std::string::String;
            const TABLE: #krate::TableDef = #krate::TableDef {
                subscription: #subscription,
                table: #name,
                fingerprint: 0,
                categories: &[],
                columns: &[],
            };
            fn decode(
                event: &#krate::PageEvent<'_>,
            ) -> ::core::result::Result<::core::option::Option<()>, #krate::DecodeError> #never
            fn key(
                event: &(),
                at: &#krate::PageEvent<'_>,
            ) -> ::core::result::Result<Self::Key, #krate::DecodeError> #never
            fn fold(
                row: ::core::option::Option<Self>,
                key: &Self::Key,
                event: &(),
                at: #krate::Delivery<'_>,
            ) -> ::core::option::Option<Self> #never
            fn write(
                &self,
                row: &mut #krate::RowWriter<'_>,
            ) -> ::core::result::Result<(), #krate::ColumnError> #never
            fn read(
                row: &mut #krate::RowReader<'_>,
            ) -> ::core::result::Result<Self, #krate::ColumnError> #never
        }

        #default
        #lookups
        #from_row
    }
}

/// The functions on the row's type. What would take a key takes anything.
fn lookups(projection: &Projection, table: &Table) -> TokenStream {
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
    let any = quote!(impl ::core::marker::Sized);
    let many = quote!(::std::vec::Vec<Self>);
    let lookup = |name: &dyn ToTokens, takes: TokenStream, answers: &TokenStream| {
        quote! {
            #vis async fn #name<#backend: #krate::Backend>(
                store: &#krate::EventStore<#backend>,
                #takes
            ) -> ::core::result::Result<#answers, #krate::EventStoreError> {
                ::core::unreachable!()
            }
        }
    };
    let indexed = table.columns.iter().filter(|column| column.indexed);
    let by_index = indexed.flat_map(|column| {
        let (ty, at) = (&column.ty, column.ident.span());
        let wanted = Wanted::of(ty, &quote!(value)).ty;
        let range = quote!(impl ::core::ops::RangeBounds<#ty> + ::core::marker::Send);
        let [equal, by_range] = names::lookups(&column.name()).map(|it| names::derived(&it, at));
        [
            lookup(&equal, quote!(value: #wanted, page: #any), &many),
            lookup(&by_range, quote!(range: #range, page: #any), &many),
        ]
    });
    let duration = quote!(::core::time::Duration);
    let lookups = [
        lookup(
            &quote!(get),
            quote!(key: #any),
            &quote!(::core::option::Option<Self>),
        ),
        lookup(&quote!(get_many), quote!(keys: #any), &many),
        lookup(&quote!(list), quote!(page: #any), &many),
        lookup(
            &quote!(wait_for),
            quote!(position: i64, timeout: #duration),
            &quote!(()),
        ),
        lookup(
            &quote!(status),
            quote!(),
            &quote!(#krate::table::TableStatus),
        ),
    ];
    quote! {
        #[allow(dead_code, missing_docs, unused_variables, clippy::unused_async)]
        impl #declared #ident #arguments #where_clause {
            #vis const SUBSCRIPTION: &'static str = #subscription;
            #(#lookups)*
            #(#by_index)*
            #vis fn runner<#backend: #krate::Backend>(
                store: &#krate::EventStore<#backend>,
            ) -> #krate::ProjectionRunnerBuilder<#backend> {
                ::core::unreachable!()
            }
        }
    }
}
