//! `aggregate!`: from tokens to its model.

mod command;
mod event;
mod streams;
mod versions;

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::{Attribute, Type};

use self::command::command;
use self::event::event;
use self::streams::{category, id};
use super::attributes::{NoCfg, Sorted};
use super::borrowed;
use super::content::{Content, Macro, content, refuse_generics};
use super::functions::{self, SelfKind};
use super::items::{Data, Function};
use super::json;
use super::state_attributes;
use crate::attrs::Words;
use crate::errors::Errors;
use crate::fingerprint::Fingerprint;
use crate::keywords::Place;
use crate::model::{Aggregate, Command, State};
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

/// Reads the content of `aggregate!`.
pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Parsed {
    let Content {
        data,
        lost,
        functions,
        dangling: _,
        beside,
    } = content(tokens, &MACRO, errors);
    Parsed {
        aggregate: data.map(|state| aggregate((state, lost), functions, errors)),
        beside,
    }
}

fn aggregate(
    (mut data, lost): (Data, bool),
    mut functions: Vec<Function>,
    errors: &mut Errors,
) -> Aggregate {
    let ident = data.ident().clone();
    let mut attrs = Sorted::new(data.take_attrs());
    let words = match &*attrs.own(&["aggregate"], "the state of an aggregate", errors) {
        [] => Words::none(Place::Aggregate, ident.span()),
        attrs => Words::read(Place::Aggregate, attrs, errors),
    };
    NO_CFG_ON_STATE.refuse(&["cfg"], &mut attrs.rest, errors);
    let has_snapshots = !words.lacks("snapshot_every");
    state_attributes::refuse(&mut data, &mut attrs, has_snapshots, errors);
    let mut lost_fields = !borrowed::refuse_in_state(&mut data, errors) || lost;
    let snapshot_every = words.count("snapshot_every").map(|(count, _)| count);
    if snapshot_every.is_some() {
        lost_fields |= !json::refuse_in_state(&mut data, &attrs.rest, errors);
    }
    let lost_state = lost_fields;
    refuse_generics(
        &mut data,
        &mut functions,
        "an aggregate has no generic parameters: its streams hold events of one shape",
        errors,
    );
    let krate = words.krate();
    // What the attribute of another macro stands for was told.
    let refused = words.is_empty() && attrs.refused;
    let silent = &mut Errors::default();
    let category = category(&words, &ident, if refused { silent } else { errors });
    let id = id(&words, &ident, refused, errors);

    let event_enum = format!("{}Event", names::text(&ident));
    let event_enum = names::derived(&event_enum, ident.span());
    let mut fingerprint = Fingerprint::new();
    if let Some((revision, span)) = words.count("revision") {
        if words.lacks("snapshot_every") {
            errors.at(
                span,
                "`revision` sets older snapshots aside, and this aggregate has none",
                "remove it, or add `snapshot_every = 100`",
            );
        }
        fingerprint.text(&revision.to_string());
    }
    fingerprint.tokens(data.to_token_stream());
    for attr in attrs.rest.iter().filter(|it| it.path().is_ident("serde")) {
        fingerprint.tokens(attr.to_token_stream());
    }
    let mut events = Vec::new();
    let mut commands: Vec<Command> = Vec::new();
    for mut function in functions {
        let mut attrs = Sorted::new(std::mem::take(&mut function.attrs));
        let name = format!("the function `{}`", function.sig.ident);
        let mutable = functions::receiver(&function.sig).0 == SelfKind::Mutable;
        for attr in attrs.take_own("on") {
            attrs.refused = true;
            let meant = if mutable { "event" } else { "command" };
            errors.at(
                attr.path().span(),
                "`#[on(…)]` is for a function of a projection",
                format_args!("write `#[{meant}]`"),
            );
        }
        let own = attrs.own(&["event", "command"], &name, errors);
        match own.first() {
            Some(attr) if attr.path().is_ident("event") => {
                let inputs = function.sig.inputs.to_token_stream();
                let broken = function.broken;
                let (mut event, is_whole) =
                    event((&ident, &category), &own, attrs, function, errors);
                lost_fields |= !is_whole || broken;
                if lost_state {
                    // What it does to the state as it was written would only follow from it.
                    event.body = quote!({});
                }
                fingerprint.text(&event.stored);
                // The same fields can mean something else in another version.
                fingerprint.text(&event.version.to_string());
                for upcast in &event.upcasts {
                    fingerprint.tokens(upcast.clone());
                }
                fingerprint.tokens(inputs);
                fingerprint.tokens(event.body.clone());
                events.push(event);
            }
            Some(_) => {
                Words::read(Place::Command, &own, errors);
                commands.push(command(&data, &event_enum, attrs, function, errors));
            }
            None => {
                let answers = tell_unmarked((&ident, &event_enum), &attrs, &function, errors);
                // Other attributes are of a place where the function is to be moved to.
                attrs.rest.retain(|attr| attr.path().is_ident("cfg"));
                // It goes out as what it seems to be. More of its mistakes are for the next time.
                let mut unsaid = Errors::default();
                if mutable {
                    let own = (&ident, &*category);
                    events.push(event(own, &[], attrs, function, &mut unsaid).0);
                } else {
                    let command = command(&data, &event_enum, attrs, function, &mut unsaid);
                    let recorded = command.recorded.filter(|_| answers);
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
    let stored = stored(&data, &attrs);
    Aggregate {
        krate,
        state: State {
            event: event_enum,
            vis: data.vis().to_token_stream(),
            derives: attrs.derives(),
            defaults: defaults(&data, &mut attrs),
            stored: stored.iter().map(ToTokens::to_token_stream).collect(),
            item: {
                let Sorted {
                    docs, lints, rest, ..
                } = attrs;
                let docs = docs.tokens;
                let data = data.written_out();
                quote!(#docs #lints #(#rest)* #data)
            },
            ident,
            fingerprint: fingerprint.folded(),
        },
        category,
        id,
        snapshot_every,
        events,
        commands,
    }
}

/// Tells of a function that is neither an event nor a command; answers whether it answers events, and
/// was meant as a command.
fn tell_unmarked(
    (state, event): (&Ident, &Ident),
    attrs: &Sorted,
    function: &Function,
    errors: &mut Errors,
) -> bool {
    // What an unknown attribute makes of it is open.
    if attrs.refused || function.broken {
        return false;
    }
    let sig = &function.sig;
    let Some(attr) = unknown(attrs) else {
        errors.at(
            sig.ident.span(),
            format_args!(
                "the function `{}` is neither an event nor a command",
                sig.ident
            ),
            not_here(attrs, state),
        );
        return false;
    };
    let answers = names::path_text(&sig.output).contains(&event.to_string());
    let beside = format!(", or move the function into an `impl {state}` beside the macro");
    let (word, beside) = match functions::receiver(sig).0 {
        SelfKind::Mutable => ("event", ""),
        _ if answers => ("command", ""),
        _ => ("command", &*beside),
    };
    errors.at(
        attr.span(),
        format_args!("`#[{}]` is no word of `aggregate!`", names::path_text(attr)),
        format_args!("write `#[{word}]`{beside}"),
    );
    answers
}

/// Attributes of functions that everybody knows.
const KNOWN_ATTRIBUTES: [&str; 12] = [
    "cfg",
    "cfg_attr",
    "cold",
    "deprecated",
    "ignore",
    "inline",
    "instrument",
    "must_use",
    "should_panic",
    "target_feature",
    "test",
    "track_caller",
];

/// An attribute that was probably meant to be one of the macro.
fn unknown(attrs: &Sorted) -> Option<&Ident> {
    let mut names = attrs.rest.iter().filter_map(|attr| attr.path().get_ident());
    names.find(|name| KNOWN_ATTRIBUTES.iter().all(|known| name != known))
}

/// Where a function belongs that is neither an event nor a command.
fn not_here(attrs: &Sorted, state: &Ident) -> String {
    let is_test = |attr: &Attribute| {
        attr.path()
            .segments
            .last()
            .is_some_and(|it| it.ident == "test")
    };
    if attrs.rest.iter().any(is_test) {
        "move it into a `mod tests` beside the macro".to_owned()
    } else {
        format!(
            "put `#[event]` or `#[command]` on it, or move it into an `impl {state}` beside the macro"
        )
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
fn stored<'a>(data: &'a Data, attrs: &Sorted) -> Vec<&'a Type> {
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
    fields.map(|field| &field.ty).collect()
}
