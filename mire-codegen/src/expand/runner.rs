//! What `runner!` writes: an expression, the builder with all projections added.

use proc_macro2::TokenStream;
use quote::quote;

use crate::expand::located;
use crate::model::{Listed, Runner};
use crate::names;

pub(crate) fn expand(runner: &Runner) -> TokenStream {
    let Runner {
        krate,
        store,
        projections,
    } = runner;
    let Some(store) = store else {
        return quote!(#krate::__private::no_runner());
    };
    let distinct = (1..projections.len()).map(|at| distinct(krate, &projections[..=at]));
    let builder = names::local("builder");
    // Shown at the type alone: what is wrong of one has nothing to do with the others.
    let added = projections.iter().map(|Listed { ty, value }| {
        let method = match value {
            None => quote!(#builder.subscribe_table),
            Some(_) => quote!(#builder.subscribe_projection),
        };
        let call = located::ask(&method, ty, &TokenStream::new(), quote!(#value));
        quote!(let #builder = #call;)
    });
    quote! {
        #(#distinct)*
        let #builder = #krate::ProjectionRunner::builder(::core::clone::Clone::clone(#store));
        #(#added)*
        #builder
    }
}

/// Stops the compiler, on the last of these projections, when an earlier one has its subscription or
/// its table.
fn distinct(krate: &TokenStream, projections: &[Listed]) -> TokenStream {
    let named = projections.iter().map(|Listed { ty, .. }| {
        let text = names::path_text(ty);
        quote!((#text, <#ty>::SUBSCRIPTION, <#ty>::__MIRE_TABLE))
    });
    let Some(last) = projections.last() else {
        return TokenStream::new();
    };
    let call = located::call(
        quote!(#krate::__private::distinct_subscription),
        quote!(&[#(#named),*]),
        &last.ty,
    );
    quote! {
        const _: () = {
            #[allow(unused_imports)]
            use #krate::__private::NoSubscription as _;
            #call
        };
    }
}
