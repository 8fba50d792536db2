//! What goes out beside a mistake that leaves a table without a key: all the items, so that nothing
//! else misses them.

use proc_macro2::TokenStream;
use quote::quote;

use super::table::{from_row, lookups};
use crate::model::{Projection, Table};

pub(super) fn table(projection: &Projection, table: &Table) -> TokenStream {
    let Projection {
        krate,
        ident,
        generics,
        subscription,
        ..
    } = projection;
    let name = &table.name;
    let lookups = lookups(projection, table, None);
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
