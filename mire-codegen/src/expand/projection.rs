//! What `projection!` writes.

mod acting;
mod events;
mod fallback;
mod lookups;
mod table;

use proc_macro2::TokenStream;
use quote::quote;

use crate::model::{Form, Projection};

/// All items of a projection.
pub(crate) fn expand(projection: &Projection) -> TokenStream {
    let Projection {
        krate: _,
        ident,
        vis: _,
        generics,
        item,
        subscription: _,
        reads: _,
        handlers: _,
        functions,
        complete: _,
        form,
    } = projection;
    let (declared, arguments, where_clause) = (
        &generics.declared,
        &generics.arguments,
        &generics.where_clause,
    );
    let functions = functions.iter().map(|function| &function.tokens);
    let own = match form {
        Form::Table(table) => table::expand(projection, table),
        Form::Acting(acting) => acting::expand(projection, acting),
    };
    quote! {
        #item

        #own

        #[allow(
            dead_code,
            clippy::borrowed_box,
            clippy::fn_params_excessive_bools,
            clippy::missing_const_for_fn,
            clippy::needless_pass_by_ref_mut,
            clippy::needless_pass_by_value,
            clippy::ptr_arg,
            clippy::ref_option,
            clippy::too_many_arguments,
            clippy::trivially_copy_pass_by_ref,
            clippy::unused_async,
            clippy::unused_self,
            clippy::wrong_self_convention
        )]
        impl #declared #ident #arguments #where_clause {
            #(#functions)*
        }
    }
}
