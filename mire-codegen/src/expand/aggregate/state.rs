//! The state: the struct itself, how it folds, its streams and snapshots, and the way into tests.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

use super::questions::{Questions, is_asked};
use crate::expand::{default_impl, default_value, docs, located, serde_crate};
use crate::model::{Aggregate, Event, Id, State};
use crate::names;

pub(crate) fn expand(aggregate: &Aggregate) -> TokenStream {
    let Aggregate {
        krate,
        state:
            State {
                ident,
                event,
                vis,
                item,
                derives,
                defaults,
                stored: _,
                fingerprint,
            },
        category,
        id,
        snapshot_every,
        events,
        commands,
    } = aggregate;
    let (serde, serde_impls) = serde(aggregate);
    let derives = generated_derives(derives, defaults.is_none());
    let default = defaults.as_ref().map(|fields| {
        let fields = fields
            .iter()
            .map(|(field, ty)| (field, default_value(krate, "initial", ty)));
        default_impl(ident, fields)
    });
    let arms = events.iter().map(|it| arm(aggregate, it));
    let fold = if events.is_empty() {
        quote!(match *event {})
    } else {
        quote!(match event { #(#arms,)* })
    };
    let effects = events.iter().map(effect);
    let snapshot = snapshot_every.map(|every| {
        let every = i64::from(every);
        quote! {
            #[automatically_derived]
            impl #krate::Snapshot for #ident {
                const SNAPSHOT_VERSION: i32 = #fingerprint as i32;
                const SNAPSHOT_FREQUENCY: i64 = #every;
            }
        }
    });
    let snapshots = snapshot_every.map(|_| {
        quote! {
            fn snapshots() -> ::core::option::Option<#krate::Snapshots<Self>> {
                ::core::option::Option::Some(#krate::Snapshots::of())
            }
        }
    });
    let id = match id {
        Id::Text => quote!(::std::string::String),
        Id::Generated(ident) => quote!(#ident),
        Id::Named(path) => path.clone(),
    };
    let stream_docs = docs([
        &*format!("The name of the stream of one [`{ident}`]: `{category}-{{id}}`."),
        "",
        "# Errors",
        "",
        "When the id is empty, too long, or has characters that a stream's name can't have.",
    ]);
    let given_docs = docs([
        &*format!("Begins a test of a [`{ident}`] that these events have happened to."),
        "",
        "It goes on with `.when(|state| …)` and `.then([…])`; no database is needed.",
    ]);
    // A function of the user's with that name is a mistake, which is said once.
    let is_free = |name: &str| {
        !events.iter().any(|it| it.ident == name) && !commands.iter().any(|it| it.ident == name)
    };
    let stream = is_free("stream").then(|| {
        quote! {
            #stream_docs
            #vis fn stream(
                id: &(impl #krate::AggregateId<Self> + ?::core::marker::Sized),
            ) -> ::core::result::Result<#krate::AggregateStream<Self>, #krate::EventStoreError> {
                #krate::AggregateStream::of(id)
            }
        }
    });
    let given = is_free("given").then(|| {
        quote! {
            #given_docs
            #vis fn given(
                events: impl ::core::iter::IntoIterator<Item = #event>,
            ) -> #krate::testing::Given<Self> {
                #krate::testing::given(events)
            }
        }
    });
    quote! {
        #derives
        #serde
        #item
        #default
        #serde_impls

        #[automatically_derived]
        impl #krate::Aggregate for #ident {
            type Event = #event;
            type Id = #id;
            fn stream_category() -> &'static str {
                #category
            }
            fn apply(&mut self, event: &#event) {
                #fold
            }
            fn cached(&self) -> ::core::option::Option<Self> {
                ::core::option::Option::Some(::core::clone::Clone::clone(self))
            }
            #snapshots
        }

        #[allow(
            clippy::borrowed_box,
            clippy::fn_params_excessive_bools,
            clippy::missing_const_for_fn,
            clippy::needless_pass_by_value,
            clippy::ptr_arg,
            clippy::ref_option,
            clippy::too_many_arguments,
            clippy::trivially_copy_pass_by_ref,
            clippy::unused_self,
            clippy::wrong_self_convention
        )]
        impl #ident {
            #(#effects)*
        }

        #[allow(dead_code)]
        impl #ident {
            #stream
            #given
        }

        #snapshot
    }
}

/// The derives that the user didn't write, but for serde's.
fn generated_derives(written: &[String], default: bool) -> TokenStream {
    let missing = |name: &str| !written.iter().any(|derive| derive == name);
    let mut derives = Vec::new();
    if default && missing("Default") {
        derives.push(quote!(::core::default::Default));
    }
    if missing("Clone") {
        derives.push(quote!(::core::clone::Clone));
    }
    if derives.is_empty() {
        return TokenStream::new();
    }
    quote!(#[derive(#(#derives),*)])
}

/// How a snapshot is stored, as far as the user didn't derive it: attributes of the state, and
/// implementations.
fn serde(aggregate: &Aggregate) -> (TokenStream, TokenStream) {
    let Aggregate { krate, state, .. } = aggregate;
    if aggregate.snapshot_every.is_none() {
        return (TokenStream::new(), TokenStream::new());
    }
    let missing: Vec<Ident> = ["Serialize", "Deserialize"]
        .into_iter()
        .filter(|name| !state.derives.iter().any(|derive| derive == name))
        .map(names::local)
        .collect();
    if missing.is_empty() {
        return (TokenStream::new(), TokenStream::new());
    }
    let serde_crate = serde_crate(krate);
    let questions = Questions::of_snapshot(aggregate);
    if missing.len() < 2 || questions.is_empty() {
        let attributes = quote! {
            #[derive(#(#krate::__private::serde::#missing),*)]
            #serde_crate
        };
        return (attributes, TokenStream::new());
    }
    let (attributes, names) = questions.serde_attributes(&state.ident);
    let impls = questions.ask(&state.ident);
    (
        quote!(#attributes #serde_crate),
        quote!(#names const _: () = { #impls };),
    )
}

/// `Event::Opened { owner: f0 } => Self::opened(self, f0)`.
fn arm(aggregate: &Aggregate, event: &Event) -> TokenStream {
    let (krate, enum_ident) = (&aggregate.krate, &aggregate.state.event);
    let (ident, variant) = (&event.ident, &event.variant);
    let mut bindings = Vec::new();
    let mut arguments = Vec::new();
    for (at, field) in event.fields.iter().enumerate() {
        let name = &field.parameter.ident;
        let local = names::local(&format!("field_{at}"));
        bindings.push(quote!(#name: #local));
        arguments.push(if field.by_reference {
            quote!(#local)
        } else if is_asked(aggregate, field) {
            quote!({
                #[allow(unused_imports)]
                use #krate::__private::NotCopied as _;
                #krate::__private::Copied(#local).field()
            })
        } else {
            // A type that can't be cloned is reported where it stands.
            located::call(
                quote!(::core::clone::Clone::clone),
                quote!(#local),
                &field.parameter.ty,
            )
        });
    }
    let pattern = if bindings.is_empty() {
        quote!(#enum_ident::#variant)
    } else {
        quote!(#enum_ident::#variant { #(#bindings),* })
    };
    quote!(#pattern => Self::#ident(self #(, #arguments)*))
}

/// The function of an event, with its body as it was written.
fn effect(event: &Event) -> TokenStream {
    let Event {
        ident,
        header: [keyword, parentheses],
        variant: _,
        docs: _,
        attrs,
        stored: _,
        stored_span: _,
        version: _,
        upcasts: _,
        fields,
        body,
    } = event;
    let parameters = fields.iter().map(|field| {
        let declared = &field.parameter.declared;
        // An attribute costs rustc more than the parameter.
        if names::may_use(body, &field.parameter.ident.to_string()) {
            return declared.clone();
        }
        // Where rustc shows the parameter, it shows its attributes as well.
        let at = field.parameter.ident.span();
        quote_spanned!(at=> #[allow(unused_variables)] #declared)
    });
    // `self` has the user's hygiene, since the body says `self`.
    let receiver = Ident::new("self", Span::call_site());
    let keyword = quote_spanned!(*keyword=> fn);
    let inputs = quote!(&mut #receiver #(, #parameters)*);
    let mut inputs = Group::new(Delimiter::Parenthesis, inputs);
    inputs.set_span(*parentheses);
    quote!(#attrs #keyword #ident #inputs #body)
}
