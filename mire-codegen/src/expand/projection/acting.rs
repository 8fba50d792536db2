//! A projection that acts: a handler of pages, plain or transactional.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

use super::events::{self, Arm};
use crate::expand::docs;
use crate::expand::located::{self, located};
use crate::model::{Acting, Effect, HeldField, Projection};
use crate::names;

pub(super) fn expand(projection: &Projection, acting: &Acting) -> TokenStream {
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
    let (read, read_enum) = (events::read(), events::read_enum(projection));
    let (sets, sets_const) = (events::sets(projection), events::sets_const());
    let missing = events::all_handled(projection);
    let distinct = events::distinct(projection);
    let act = act(projection);
    let handler = match &acting.connection {
        None => plain(projection, acting, &act),
        Some(connection) => transactional(projection, acting, connection, &act),
    };
    let about = docs([&*format!(
        "The name of the subscription of [`{ident}`]: `{subscription}`."
    )]);
    let subscribes = subscribes(projection, acting);
    quote! {
        #[allow(dead_code)]
        impl #declared #ident #arguments #where_clause {
            #about
            #vis const SUBSCRIPTION: &'static str = #subscription;
        }

        const _: () = {
            #read_enum
            #sets
            #missing
            #distinct

            #[automatically_derived]
            impl #declared #krate::__private::Reads for #ident #arguments #where_clause {
                type Event = #read;
                const SETS: &'static [#krate::__private::Set<#read>] = &#sets_const;
            }

            #handler
        };

        #subscribes
    }
}

/// The body of `act(event, info, connection)`: the future of the event's function.
fn act(projection: &Projection) -> TokenStream {
    let krate = &projection.krate;
    let nothing = quote!(#krate::__private::nothing());
    let answer = |handler: &crate::model::Handler| match &handler.effect {
        Effect::Call(call) => {
            let events::Calling {
                fields,
                call: future,
            } = events::call(krate, call, &quote!(self), &quote!(info));
            // Another answer is reported where the function says it, and a future that isn't `Send` on
            // the function.
            let name = call.ident.to_token_stream();
            let output = call.output.as_ref().unwrap_or(&name);
            let answered = located::call(quote!(#krate::__private::answered), future, output);
            let local = located(quote!(future), call.ident.span());
            let handled = located::call(quote!(#krate::__private::handled), local.clone(), &name);
            let handled = quote!({
                let #local = #answered;
                #handled
            });
            Some(Arm {
                fields,
                answer: handled,
            })
        }
        Effect::Ignore => Some(Arm::plain(nothing.clone())),
        Effect::Delete { .. } | Effect::Mistaken => None,
    };
    events::by_event(projection, answer, &quote!(_ => #nothing,))
}

/// The `where` clause of what can only be implemented for a projection that threads can share. Whether
/// this one is, [is asked](subscribes) of its fields, and taken for granted here: a bound that is false
/// is only refused where it stands if it has no lifetime of its own, as `for<'any>` gives it one.
fn shared(projection: &Projection, acting: &Acting) -> TokenStream {
    let Projection { krate, ident, .. } = projection;
    if acting.holds.is_empty() {
        return projection.generics.where_clause.clone();
    }
    quote!(where for<'any> #ident: #krate::__private::Held)
}

fn plain(projection: &Projection, acting: &Acting, act: &TokenStream) -> TokenStream {
    let Projection {
        krate,
        ident,
        generics,
        ..
    } = projection;
    let (declared, arguments) = (&generics.declared, &generics.arguments);
    let where_clause = shared(projection, acting);
    quote! {
        #[automatically_derived]
        impl #declared #krate::__private::Acts for #ident #arguments #where_clause {
            fn act<'a>(
                &'a self,
                event: &'a Self::Event,
                info: &'a #krate::EventInfo,
            ) -> #krate::__private::Acting<'a> {
                #act
            }
        }

        #[automatically_derived]
        impl #declared #krate::PageHandler for #ident #arguments #where_clause {
            fn categories(&self) -> ::std::vec::Vec<::std::string::String> {
                #krate::__private::categories::<Self>()
            }
            fn handle<'a>(&'a self, batch: &'a #krate::Batch) -> #krate::__private::Handling<'a> {
                #krate::__private::act(self, batch)
            }
        }
    }
}

fn transactional(
    projection: &Projection,
    acting: &Acting,
    connection: &TokenStream,
    act: &TokenStream,
) -> TokenStream {
    let Projection {
        krate,
        ident,
        generics,
        ..
    } = projection;
    let (declared, arguments) = (&generics.declared, &generics.arguments);
    let where_clause = shared(projection, acting);
    let database = database(projection, connection);
    quote! {
        #[automatically_derived]
        impl #declared #krate::__private::ActsIn<#database> for #ident #arguments #where_clause {
            fn act<'a>(
                &'a self,
                event: &'a Self::Event,
                info: &'a #krate::EventInfo,
                connection: &'a mut #connection,
            ) -> #krate::__private::Acting<'a> {
                #act
            }
        }

        #[automatically_derived]
        impl #declared #krate::TransactionalPageHandler<#database>
            for #ident #arguments #where_clause
        {
            fn categories(&self) -> ::std::vec::Vec<::std::string::String> {
                #krate::__private::categories::<Self>()
            }
            fn handle<'a>(
                &'a self,
                batch: &'a #krate::Batch,
                connection: &'a mut #connection,
            ) -> #krate::__private::Handling<'a> {
                #krate::__private::act_in(self, batch, connection)
            }
        }
    }
}

/// The database of a connection.
fn database(projection: &Projection, connection: &TokenStream) -> TokenStream {
    let krate = &projection.krate;
    quote!(<#connection as #krate::__private::sqlx::Connection>::Database)
}

/// How it comes onto a runner.
fn subscribes(projection: &Projection, acting: &Acting) -> TokenStream {
    let Projection {
        krate,
        ident,
        vis,
        generics,
        subscription,
        ..
    } = projection;
    let (arguments, where_clause) = (&generics.arguments, &generics.where_clause);
    // A plain projection runs on any backend, a transactional one on its connection's: `runner`
    // takes a store of any, so that the error for another one is worded by `ActingProjection`.
    let backend = &generics.backend;
    let (declared, store, add) = match &acting.connection {
        None => (
            &generics.with_backend,
            quote!(#backend),
            quote!(subscribe_pages),
        ),
        Some(connection) => (
            &generics.declared,
            database(projection, connection),
            quote!(subscribe_pages_transactional),
        ),
    };
    let added = if acting.holds.is_empty() {
        quote!(#krate::ProjectionRunnerBuilder::#add(builder, #subscription, self))
    } else {
        let asked = acting.holds.iter().map(|field| ask(krate, field));
        quote! {
            #[allow(unused_imports)]
            use #krate::__private::NotAdded as _;
            #(#asked;)*
            #krate::__private::Added(builder, self).#add(#subscription)
        }
    };
    let runner_docs = docs([
        "A runner of this projection alone. It is given its settings, built, and run on every",
        "replica.",
    ]);
    let wait_docs = docs([
        "Waits until it is done with everything up to a position of the log, as `execute` answers it.",
        "",
        "# Errors",
        "",
        &*format!(
            "[`Timeout`]({}::EventStoreError::Timeout), and what the database reports.",
            names::path_text(krate)
        ),
    ]);
    let own = &generics.declared;
    quote! {
        #[automatically_derived]
        impl #declared #krate::ActingProjection<#store> for #ident #arguments #where_clause {
            const SUBSCRIPTION: &'static str = #subscription;
            fn subscribe(
                self,
                builder: #krate::ProjectionRunnerBuilder<#store>,
            ) -> #krate::ProjectionRunnerBuilder<#store> {
                #added
            }
        }

        #[allow(dead_code)]
        impl #own #ident #arguments #where_clause {
            #runner_docs
            #vis fn runner<#backend: #krate::__private::DatabaseOf<Self>>(
                self,
                store: &#krate::EventStore<#backend>,
            ) -> #krate::ProjectionRunnerBuilder<#backend> {
                #krate::__private::DatabaseOf::runner(store, self)
            }

            #wait_docs
            #vis async fn wait_for<#backend: #krate::Backend>(
                store: &#krate::EventStore<#backend>,
                position: i64,
                timeout: ::core::time::Duration,
            ) -> ::core::result::Result<(), #krate::EventStoreError> {
                #krate::EventStore::wait_for(store, #subscription, position, timeout).await
            }
        }
    }
}

/// Asks whether a field can be shared. By the field, where there is one: each copy of a type is told of
/// once more when it doesn't exist.
fn ask(krate: &TokenStream, field: &HeldField) -> TokenStream {
    let HeldField { member, ty } = field;
    match member {
        Some(member) => {
            let member = member.to_token_stream();
            let field = located::from_to(quote!(&), quote!(self.#member), ty);
            located::call(quote!(#krate::__private::held_field), field, ty)
        }
        None => {
            let held = quote!(#krate::__private::held);
            located::ask(&held, ty, &TokenStream::new(), TokenStream::new())
        }
    }
}
