//! The events that a projection reads: one enum over their enums, decoded by category and stored
//! name, and a `match` over what is done for each.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::quote;

use crate::expand::located::{self, located, start};
use crate::expand::stored::variants_of;
use crate::model::{Argument, Call, Effect, EventPath, Handler, Projection};
use crate::names;

/// The enum over all enums of events.
pub(super) fn read() -> Ident {
    names::local("__MireRead")
}

pub(super) fn set_variant(set: usize) -> Ident {
    names::local(&format!("__MireSet{set}"))
}

/// The enum over all enums of events, as an item.
pub(super) fn read_enum(projection: &Projection) -> TokenStream {
    let read = read();
    let variants = projection.reads.iter().enumerate().map(|(at, set)| {
        let (variant, path) = (set_variant(at), &set.path);
        quote!(#variant(#path))
    });
    quote! {
        #[allow(private_interfaces, clippy::large_enum_variant)]
        pub enum #read {
            #(#variants,)*
        }
    }
}

/// The table of all enums of events. What the compiler has to know of them, it asks here alone, so
/// that one that is no enum of events is reported once.
pub(super) fn sets(projection: &Projection) -> TokenStream {
    let krate = &projection.krate;
    let read = read();
    let rows = projection.reads.iter().enumerate().map(|(at, set)| {
        let (variant, path) = (set_variant(at), &set.path);
        let ignored = names_of(projection, at, |it| matches!(it, Effect::Ignore));
        let (event, at) = (quote!(event), start(path));
        let arguments = located(quote!(#event, &[#(#ignored),*], #read::#variant), at);
        let function = quote!(#krate::__private::read);
        let call = located::ask(&function, path, &quote!(, _), arguments);
        let closure = located(quote!(|#event|), at);
        let of = quote!(#krate::__private::Set::of);
        located::ask(&of, path, &TokenStream::new(), quote!(#closure #call))
    });
    let (name, count) = (sets_const(), projection.reads.len());
    quote!(const #name: [#krate::__private::Set<#read>; #count] = [#(#rows),*];)
}

/// The name of that table.
pub(super) fn sets_const() -> Ident {
    names::local("__MIRE_SETS")
}

/// Stops the compiler when two enums have an event of the same stored name.
pub(super) fn distinct(projection: &Projection) -> TokenStream {
    let sets = sets_const();
    let pairs = projection.reads.iter().enumerate().flat_map(|(at, set)| {
        let before = projection.reads.iter().enumerate().take(at);
        before.map(move |(other_at, other)| ((at, set), (other_at, other)))
    });
    let checks = pairs.map(|((at, set), (other_at, other))| {
        let (text, other_text) = (&set.text, &other.text);
        let call = located::call(
            quote!(#sets[#at].distinct_from),
            quote!(#text, &#sets[#other_at], #other_text),
            &set.path,
        );
        quote!(const _: () = #call;)
    });
    checks.collect()
}

/// The fingerprint of the declaration, with the versions of the events that it handles.
pub(super) fn fingerprint(projection: &Projection, declaration: u32) -> TokenStream {
    let sets = sets_const();
    let sets = (0..projection.reads.len()).map(|at| {
        let handled = names_of(projection, at, |it| !matches!(it, Effect::Ignore)).join(" ");
        quote!(let fingerprint = #sets[#at].fingerprint(fingerprint, #handled);)
    });
    quote!({
        let fingerprint = #declaration;
        #(#sets)*
        fingerprint
    })
}

/// The names of the events of a set that something of this kind is done for, sorted.
fn names_of(projection: &Projection, set: usize, wanted: impl Fn(&Effect) -> bool) -> Vec<String> {
    let mut names: Vec<String> = projection
        .handlers
        .iter()
        .filter(|it| it.event.set == set && wanted(&it.effect))
        .map(|it| names::text(&it.event.variant))
        .collect();
    names.sort();
    // A name that is given twice was reported.
    names.dedup();
    names
}

/// Stops the compiler when an event is neither handled nor ignored.
pub(super) fn all_handled(projection: &Projection) -> TokenStream {
    if !projection.complete {
        return TokenStream::new();
    }
    let name = names::text(&projection.ident);
    let checks = projection.reads.iter().enumerate().map(|(at, set)| {
        let named = variants_of(&projection.krate, &names_of(projection, at, |_| true));
        let text = &set.text;
        let sets = sets_const();
        let call = located::call(
            quote!(#sets[#at].all_handled),
            quote!(#name, #text, &#named),
            &set.path,
        );
        quote!(const _: () = #call;)
    });
    checks.collect()
}

/// A `match` on `event`, with the arms of `rest` behind those of the events. Events that are ignored
/// are named as well, so that rustc reports those that don't exist.
pub(super) fn by_event(
    projection: &Projection,
    answer: impl Fn(&Handler) -> Option<Arm>,
    rest: &TokenStream,
) -> TokenStream {
    let arms: Vec<TokenStream> = projection
        .handlers
        .iter()
        .filter_map(|handler| {
            let Arm { fields, answer } = answer(handler)?;
            let pattern = pattern(&handler.event, &fields);
            Some(quote!(#pattern => #answer))
        })
        .collect();
    quote! {
        #[allow(unreachable_patterns, clippy::match_same_arms, clippy::match_wildcard_for_single_variants)]
        match event {
            #(#arms,)*
            #rest
        }
    }
}

/// One arm of a [`by_event`].
pub(super) struct Arm {
    /// The fields that it binds, by `field_0` and so on.
    pub(super) fields: Vec<Ident>,
    pub(super) answer: TokenStream,
}

impl Arm {
    /// An arm that looks at no field.
    pub(super) fn plain(answer: TokenStream) -> Self {
        Self {
            fields: Vec::new(),
            answer,
        }
    }
}

fn pattern(event: &EventPath, fields: &[Ident]) -> TokenStream {
    let read = read();
    let (variant, path) = (set_variant(event.set), &event.path);
    let bindings = fields.iter().enumerate().map(|(at, field)| {
        let local = field_local(at);
        quote!(#field: #local)
    });
    let mut braces = Group::new(Delimiter::Brace, quote!(#(#bindings,)* ..));
    if let Some(field) = fields.first() {
        // Where the user wrote all of a pattern, rustc suggests a near name of a field.
        braces.set_span(field.span());
    }
    quote!(#read::#variant(#path #braces))
}

pub(super) fn field_local(at: usize) -> Ident {
    names::local(&format!("field_{at}"))
}

/// How a function is called for its event.
pub(super) struct Calling {
    /// The event's fields that it takes.
    pub(super) fields: Vec<Ident>,
    /// `Self::opened(self, field_0, …)`.
    pub(super) call: TokenStream,
}

/// The call of a function. A field of another type is reported on the parameter's.
pub(super) fn call(
    krate: &TokenStream,
    call: &Call,
    receiver: &TokenStream,
    info: &TokenStream,
) -> Calling {
    let Call {
        ident,
        arguments,
        output: _,
        key: _,
    } = call;
    let mut fields = Vec::new();
    let arguments: Vec<TokenStream> = arguments
        .iter()
        .map(|argument| match argument {
            Argument::Field {
                ident,
                ty,
                by_reference,
            } => {
                let local = field_local(fields.len());
                fields.push(ident.clone());
                let borrowed = located::from_to(quote!(&), quote!(*#local), ty);
                if let Some(lent) = lent(ty) {
                    let function = quote!(#krate::__private::lent::<#lent, _, _>);
                    located::call(function, borrowed, &lent)
                } else if *by_reference {
                    borrowed
                } else {
                    located(quote!(#krate::__private::copy_of(#local)), start(ty))
                }
            }
            Argument::Info => info.clone(),
            Argument::Connection => quote!(connection),
        })
        .collect();
    let arguments = quote!(#receiver #(, #arguments)*);
    Calling {
        fields,
        call: located::call(quote!(Self::#ident), arguments, ident),
    }
}

/// What a parameter borrows, where that can be named: `str` of `&str`.
fn lent(ty: &TokenStream) -> Option<TokenStream> {
    let mut tokens = ty.clone().into_iter().peekable();
    tokens.next_if(|it| matches!(it, TokenTree::Punct(punct) if punct.as_char() == '&'))?;
    if tokens
        .next_if(|it| matches!(it, TokenTree::Punct(punct) if punct.as_char() == '\''))
        .is_some()
    {
        tokens.next();
    }
    let is_open =
        |it: &TokenTree| matches!(it, TokenTree::Ident(word) if word == "impl" || word == "dyn");
    let is_named = !tokens.clone().any(|it| is_open(&it));
    let lent: TokenStream = is_named.then(|| tokens.collect())?;
    // Where it doesn't exist, rustc would tell of it once more, and propose the projection's own.
    let is_associated = ["Event", "Key"].contains(&&*lent.to_string());
    (!is_associated).then_some(lent)
}
