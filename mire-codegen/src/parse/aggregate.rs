//! `aggregate!`: from tokens to its model.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, GenericArgument, Path, PathArguments, Type, Visibility};

use super::attributes::{NoCfg, Sorted};
use super::borrowed;
use super::content::{Content, Macro, content, refuse_generics};
use super::functions::{self, Owned, SelfKind};
use super::items::{Data, Function};
use super::stored_name::stored_name;
use crate::attrs::Words;
use crate::errors::Errors;
use crate::fingerprint::Fingerprint;
use crate::keywords::Place;
use crate::model::{Aggregate, Command, Docs, Event, Field, Id, Output, Recorded, State};
use crate::names;

/// What a macro call holds.
pub(crate) struct Parsed {
    /// The aggregate; `None` without a struct for its state.
    pub(crate) aggregate: Option<Aggregate>,
    /// Items that have no place in the macro. They go out beside it, so that nothing else misses
    /// them.
    pub(crate) beside: TokenStream,
}

const MACRO: Macro = Macro {
    name: "aggregate!",
    attribute: "aggregate",
    declares: "aggregate",
    role: "state",
    form: "#[aggregate(category = \"account\")] pub struct Account { … }",
};

const NO_CFG_ON_STATE: NoCfg = NoCfg {
    on: "the state of an aggregate",
    why: "its events and commands would miss it",
    mend: "put it on the macro call, as in `#[cfg(…)] mire::aggregate!(…);`",
};

const NO_CFG_ON_EVENT: NoCfg = NoCfg {
    on: "an event",
    why: "the log may hold it, whatever is compiled",
    mend: "remove it; a command that returns the event may have one",
};

const NO_CFG_ON_FIELD: NoCfg = NoCfg {
    on: "a field of an event",
    why: "the log may hold it, whatever is compiled",
    mend: "remove it; a field that isn't always there is an `Option`",
};

/// Reads the content of `aggregate!`.
pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Parsed {
    let Content {
        data,
        functions,
        beside,
    } = content(tokens, &MACRO, errors);
    Parsed {
        aggregate: data.map(|state| aggregate(state, functions, errors)),
        beside,
    }
}

fn aggregate(mut data: Data, mut functions: Vec<Function>, errors: &mut Errors) -> Aggregate {
    let ident = data.ident().clone();
    let mut attrs = Sorted::new(data.take_attrs());
    let words = match attrs.own(&["aggregate"], "the state of an aggregate", errors) {
        Some(attr) => Words::read(Place::Aggregate, &attr, errors),
        None => Words::none(Place::Aggregate, ident.span()),
    };
    NO_CFG_ON_STATE.refuse(&["cfg"], &mut attrs.rest, errors);
    borrowed::refuse(&mut data, "a state", errors);
    refuse_generics(
        &mut data,
        &mut functions,
        "an aggregate has no generic parameters: its streams hold events of one shape",
        errors,
    );
    let krate = words.krate(errors);
    let category = category(&words, &ident, errors);
    let id = id(&words, &ident, errors);
    let snapshot_every = words
        .count("snapshot_every", errors)
        .map(|(count, _)| count);

    let event_enum = format!("{}Event", names::text(&ident));
    let mut fingerprint = Fingerprint::new();
    fingerprint.tokens(data.to_token_stream());
    for attr in attrs.rest.iter().filter(|it| it.path().is_ident("serde")) {
        fingerprint.tokens(attr.to_token_stream());
    }
    let mut events = Vec::new();
    let mut commands: Vec<Command> = Vec::new();
    let mut lost_fields = false;
    for mut function in functions {
        let mut attrs = Sorted::new(std::mem::take(&mut function.attrs));
        let name = format!("the function `{}`", function.sig.ident);
        match attrs.own(&["event", "command"], &name, errors) {
            Some(attr) if attr.path().is_ident("event") => {
                let event = event(&category, attr, attrs, &function, errors);
                let typed = |input: &&FnArg| matches!(input, FnArg::Typed(_));
                let declared = function.sig.inputs.iter().filter(typed).count();
                lost_fields |= event.fields.len() < declared;
                fingerprint.text(&event.stored);
                // The same fields can mean something else in another version.
                fingerprint.text(&event.version.to_string());
                for upcast in &event.upcasts {
                    fingerprint.tokens(upcast.clone());
                }
                fingerprint.tokens(function.sig.inputs.to_token_stream());
                fingerprint.tokens(event.body.clone());
                events.push(event);
            }
            Some(attr) => {
                Words::read(Place::Command, &attr, errors);
                commands.push(command(data.vis(), &event_enum, attrs, function, errors));
            }
            None => {
                errors.at(
                    function.sig.ident.span(),
                    format_args!("{name} is neither an event nor a command"),
                    format_args!(
                        "put `#[event]` or `#[command]` on it, or move it into an `impl {ident}` beside the macro"
                    ),
                );
                // It goes out as what it seems to be. More of its mistakes are for the next time.
                let mut unsaid = Errors::default();
                if functions::receiver(&function.sig).0 == SelfKind::Mutable {
                    let attr = syn::parse_quote!(#[event]);
                    events.push(event(&category, attr, attrs, &function, &mut unsaid));
                } else {
                    let command = command(data.vis(), &event_enum, attrs, function, &mut unsaid);
                    let recorded = false;
                    commands.push(Command {
                        recorded,
                        ..command
                    });
                }
            }
        }
    }
    if lost_fields {
        // What commands do with such events would only follow from it.
        commands = commands.into_iter().map(Command::without_body).collect();
    }
    Aggregate {
        krate,
        state: State {
            event: names::derived(&event_enum, words.span),
            vis: data.vis().to_token_stream(),
            derives: attrs.derives(),
            defaults: defaults(&data, &mut attrs),
            stored: stored(&data, &attrs),
            item: {
                let Sorted {
                    docs, lints, rest, ..
                } = attrs;
                let docs = docs.tokens;
                quote!(#docs #lints #(#rest)* #data)
            },
            ident,
            fingerprint: fingerprint.finish(),
        },
        category,
        id,
        snapshot_every,
        events,
        commands,
    }
}

/// The fields that `Default` is written for. An enum, and a derive from elsewhere, do it themselves.
fn defaults(data: &Data, attrs: &mut Sorted) -> Option<Vec<(Ident, TokenStream)>> {
    let fields = data.named_fields()?;
    let derived = attrs.derives().iter().any(|name| name == "Default");
    let written = data.generics().params.is_empty() && (!derived || attrs.take_default());
    written.then_some(fields)
}

/// The types of the fields that serde stores as it stores them by itself.
fn stored(data: &Data, attrs: &Sorted) -> Vec<TokenStream> {
    let says_how = |attr: &Attribute| attr.path().is_ident("serde") || attr.path().is_ident("cfg");
    let of_variants = match data {
        Data::Enum(item) => item.variants.iter().flat_map(|it| &it.attrs).collect(),
        Data::Struct(_) => Vec::new(),
    };
    if attrs.rest.iter().chain(of_variants).any(says_how) {
        return Vec::new();
    }
    let fields = data.fields().into_iter();
    let fields = fields.filter(|field| !field.attrs.iter().any(says_how));
    fields.map(|field| field.ty.to_token_stream()).collect()
}

fn category(words: &Words, ident: &Ident, errors: &mut Errors) -> String {
    let fallback = names::category_of(&names::text(ident));
    if words.lacks("category") {
        let others = if words.is_empty() { "" } else { ", …" };
        errors.at(
            words.span,
            format_args!("the aggregate `{ident}` has no `category`"),
            format_args!(
                "write `#[aggregate(category = \"{fallback}\"{others})]`; its streams are then named `{fallback}-…`"
            ),
        );
        return fallback;
    }
    let Some(category) = words.text("category", errors) else {
        return fallback;
    };
    match names::category_mistake(&category.value()) {
        None => category.value(),
        Some(mistake) => {
            errors.at(category.span(), &mistake.wrong, mistake.mend("category"));
            fallback
        }
    }
}

/// Types that everybody knows.
const KNOWN_TYPES: [&str; 14] = [
    "String", "Uuid", "bool", "char", "str", "i16", "i32", "i64", "i128", "u16", "u32", "u64",
    "u128", "usize",
];

fn id(words: &Words, state: &Ident, errors: &mut Errors) -> Id {
    match words.path("id", errors) {
        None => Id::Text,
        Some(path) => match path.get_ident() {
            Some(ident) if KNOWN_TYPES.iter().any(|known| ident == known) => {
                errors.at(
                    ident.span(),
                    format_args!("`id({ident})` would generate a new type called `{ident}`"),
                    format_args!(
                        "write `id({}Id)` for a UUID, a path for a type of yours, as in `id(crate::Isbn)`, or leave `id` out for any text",
                        names::text(state)
                    ),
                );
                Id::Text
            }
            Some(ident) => Id::Generated(ident.clone()),
            None => Id::Named(path.to_token_stream()),
        },
    }
}

fn event(
    category: &str,
    attr: Attribute,
    mut attrs: Sorted,
    function: &Function,
    errors: &mut Errors,
) -> Event {
    let sig = &function.sig;
    let what = format!("the event `{}`", sig.ident);
    NO_CFG_ON_EVENT.refuse(&["cfg"], &mut attrs.rest, errors);
    attrs.refuse_rest("an event", errors);
    let words = Words::read(Place::Event, &attr, errors);
    let given = words.text("name", errors);
    let name = stored_name(&sig.ident, "name", given.as_ref(), errors);
    let (version, upcasts) = versions(&words, &sig.ident, errors);
    let fields = functions::parameters(function, errors)
        .into_iter()
        .filter_map(|(mut parameter, typed)| {
            let mut attrs = Sorted::new(typed.attrs.clone());
            let _ = attrs.own(&[], "a field of an event", errors);
            NO_CFG_ON_FIELD.refuse(&["cfg", "cfg_attr"], &mut attrs.rest, errors);
            let Owned {
                stored,
                by_reference,
                mended,
            } = functions::owned(&typed.ty, errors)?;
            let (docs, rest) = (attrs.docs.tokens, attrs.rest);
            if let Some(ty) = mended {
                let pat = &typed.pat;
                parameter.declared = quote!(#pat: #ty);
            }
            Some(Field {
                parameter,
                attrs: quote!(#docs #(#rest)*),
                own_attrs: rest.len(),
                stored,
                by_reference,
            })
        })
        .collect();
    let sound = check_event(function, &what, errors);
    let body = match &function.body {
        Some(body) if sound => body.clone(),
        _ => quote!({}),
    };
    Event {
        ident: sig.ident.clone(),
        variant: variant(&sig.ident, errors),
        docs: attrs.docs,
        attrs: attrs.lints,
        stored: format!("{category}.{name}"),
        stored_span: given.map_or(sig.ident.span(), |given| given.span()),
        version,
        upcasts,
        fields,
        body,
    }
}

fn variant(ident: &Ident, errors: &mut Errors) -> Ident {
    let name = names::pascal(&names::text(ident));
    if names::is_identifier(&name) {
        return Ident::new(&name, ident.span());
    }
    errors.at(
        ident.span(),
        format_args!("the event `{ident}` would be the variant `{name}`, which Rust doesn't allow"),
        "rename the function",
    );
    Ident::new(&format!("{name}Event"), ident.span())
}

/// Refuses what an event can't be; answers whether its body may go out as it stands.
fn check_event(function: &Function, what: &str, errors: &mut Errors) -> bool {
    let sig = &function.sig;
    let mut sound = functions::refuse_qualifiers(sig, what, errors);
    if let Some(token) = &sig.constness {
        errors.at(
            token.span,
            format_args!("{what} can't be `const`"),
            "remove `const`",
        );
    }
    if let Some(token) = &sig.asyncness {
        errors.at(
            token.span,
            format_args!("{what} can't be `async`: applying it only changes the state"),
            "remove `async`; what has to wait belongs in a command's caller or in a projection",
        );
        sound = false;
    }
    sound &= functions::refuse_generics(
        sig,
        what,
        "an event is stored, so each field has one type: write it out",
        errors,
    );
    let (receiver, span) = functions::receiver(sig);
    if receiver != SelfKind::Mutable {
        errors.at(
            span,
            format_args!("{what} takes no `&mut self`: an event is its effect on the state"),
            "make `&mut self` the first parameter",
        );
        sound &= receiver == SelfKind::Shared;
    }
    if let Some(output) = functions::return_type(sig) {
        errors.at(
            output.span(),
            format_args!("{what} returns something, but it has happened and can't fail or answer"),
            "remove the return type; what may refuse is a `#[command]`",
        );
        sound = false;
    }
    if !matches!(function.vis, Visibility::Inherited) {
        errors.at(
            function.vis.span(),
            format_args!("{what} is applied by the store alone"),
            "remove the visibility; its variant in the enum of events is visible as the state is",
        );
    }
    if function.body.is_none() {
        errors.at(
            sig.ident.span(),
            format_args!("{what} has no body"),
            "write what it does to the state, or `{}` for nothing",
        );
    }
    sound
}

/// The version of an event, and what reads the older ones.
fn versions(words: &Words, ident: &Ident, errors: &mut Errors) -> (u32, Vec<TokenStream>) {
    let upcasts: Vec<Path> = words.paths_of("upcast", errors);
    let written = words.span_of("version");
    let (version, span) = words
        .count("version", errors)
        .unwrap_or((1, written.unwrap_or(ident.span())));
    let older = version as usize - 1;
    if upcasts.len() < older && !(upcasts.is_empty() && words.span_of("upcast").is_some()) {
        let hole = upcasts.len() + 1;
        let (wrong, mend) = if upcasts.is_empty() {
            let all: Vec<String> = (1..=older.min(4))
                .map(|v| format!("{ident}_v{v}"))
                .collect();
            (
                format!("the event `{ident}` is at version {version}, but nothing reads version 1"),
                format!(
                    "add `upcast({})`, each a `fn(serde_json::Value) -> Result<serde_json::Value, _>` \
                     that turns its version's payload into the next one's",
                    all.join(", ")
                ),
            )
        } else {
            (
                format!(
                    "the upcasts of `{ident}` have a hole: nothing turns version {hole} into version {}",
                    hole + 1
                ),
                format!(
                    "`upcast` names one function per older version, oldest first; version {version} needs {older}"
                ),
            )
        };
        errors.at(span, wrong, mend);
    }
    for (from, extra) in (1..).zip(&upcasts).skip(older) {
        errors.at(
            extra.span(),
            format_args!(
                "`{}` would read version {from} of `{ident}`, which is not older than version {version}",
                extra.to_token_stream()
            ),
            if written.is_some() {
                format!("raise it to `version = {}`, or remove the upcast", from + 1)
            } else {
                format!("add `version = {}`, or remove the upcast", from + 1)
            },
        );
    }
    let upcasts = upcasts.iter().take(older).map(ToTokens::to_token_stream);
    (version, upcasts.collect())
}

fn command(
    state: &Visibility,
    event: &str,
    attrs: Sorted,
    function: Function,
    errors: &mut Errors,
) -> Command {
    let sig = &function.sig;
    let what = format!("the command `{}`", sig.ident);
    let mut sound = functions::refuse_qualifiers(sig, &what, errors);
    if let Some(token) = &sig.asyncness {
        errors.at(
            token.span,
            format_args!("{what} can't be `async`: it decides on the state alone"),
            "remove `async`; fetch what it needs before, and pass it in",
        );
        sound = false;
    }
    let (receiver, span) = functions::receiver(sig);
    if receiver != SelfKind::Shared {
        let mend = if receiver == SelfKind::Mutable {
            "take `&self`; the change belongs in an `#[event]`, which the command returns"
        } else {
            "make `&self` the first parameter"
        };
        errors.at(
            span,
            format_args!("{what} decides on the state and doesn't change it, so it takes `&self`"),
            mend,
        );
        sound = false;
    }
    let parameters = functions::parameters(&function, errors);
    let output = match functions::return_type(sig) {
        Some(ty) => output(ty, event),
        None => {
            errors.at(
                sig.ident.span(),
                format_args!("{what} returns no event"),
                "return the event that it makes happen: one, an `Option`, a `Vec` or an array, or a `Result` of these",
            );
            sound = false;
            Output {
                ty: quote!(()),
                span: sig.ident.span(),
                recorded: Recorded::Nothing,
            }
        }
    };
    if function.body.is_none() {
        errors.at(
            sig.ident.span(),
            format_args!("{what} has no body"),
            "write how it decides",
        );
    }
    let written = |vis: &Visibility| vis.to_token_stream().to_string();
    let recorded =
        matches!(function.vis, Visibility::Public(_)) || written(&function.vis) == written(state);
    let (impl_generics, where_clause) = (&sig.generics, &sig.generics.where_clause);
    let params = &impl_generics.params;
    let generics = if params.is_empty() {
        TokenStream::new()
    } else {
        quote!(<#params>)
    };
    Command {
        ident: sig.ident.clone(),
        recorded,
        sound,
        generics,
        where_clause: where_clause.to_token_stream(),
        parameters: parameters
            .into_iter()
            .map(|(parameter, _)| parameter)
            .collect(),
        output,
        function: written_out(&attrs, &function),
        cfg: attrs.of("cfg"),
        deprecated: attrs.of("deprecated"),
        docs: attrs.docs,
    }
}

/// A command as it was written.
fn written_out(attrs: &Sorted, function: &Function) -> TokenStream {
    let Sorted {
        docs: Docs { tokens: docs, .. },
        lints,
        rest,
        ..
    } = attrs;
    let Function { vis, sig, body, .. } = function;
    let body = body
        .clone()
        .unwrap_or_else(|| quote!({ ::core::unreachable!() }));
    quote!(#docs #lints #(#rest)* #vis #sig #body)
}

/// A command's return type. In a `Result`, the events are the first type argument.
fn output(ty: &Type, event: &str) -> Output {
    Output {
        ty: ty.to_token_stream(),
        span: ty.span(),
        recorded: recorded(ty, event),
    }
}

fn recorded(ty: &Type, event: &str) -> Recorded {
    let Type::Path(path) = ty else {
        return Recorded::Nothing;
    };
    let mut path = path.clone();
    let Some(last) = path.path.segments.last_mut() else {
        return Recorded::Named;
    };
    let name = names::text(&last.ident);
    let known = ["Option", "Vec"].contains(&&*name) || KNOWN_TYPES.contains(&&*name);
    if known || name == event || name.ends_with("Event") {
        return Recorded::Nothing;
    }
    if name == "Result"
        && let PathArguments::AngleBracketed(arguments) = &mut last.arguments
        && let Some(first) = arguments.args.first_mut()
    {
        *first = GenericArgument::Type(syn::parse_quote!(()));
        return Recorded::Result(path.to_token_stream());
    }
    Recorded::Named
}
