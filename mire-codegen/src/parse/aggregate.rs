//! `aggregate!`: from tokens to its model.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, GenericArgument, Path, PathArguments, Type, Visibility};

use super::answer;
use super::attributes::{NoCfg, Sorted};
use super::borrowed;
use super::column_words;
use super::content::{Content, Macro, content, refuse_generics};
use super::functions::{self, Declared, Owned, SelfKind};
use super::items::{Data, Function};
use super::map_keys;
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
    column_words::refuse(&mut data, &attrs, errors);
    let mut lost_fields = !borrowed::refuse_in_state(&mut data, errors) || lost;
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
    let snapshot_every = words.count("snapshot_every").map(|(count, _)| count);

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
                // What an unknown attribute makes of it is open.
                let told = attrs.refused || function.broken;
                let unknown = unknown(&attrs).filter(|_| !told);
                let answer = names::path_text(&function.sig.output);
                let answers = unknown.is_some() && answer.contains(&event_enum.to_string());
                if let Some(attr) = unknown {
                    let beside =
                        format!(", or move the function into an `impl {ident}` beside the macro");
                    let (word, beside) = match mutable {
                        true => ("event", ""),
                        false if answers => ("command", ""),
                        false => ("command", &*beside),
                    };
                    errors.at(
                        attr.span(),
                        format_args!("`#[{}]` is no word of `aggregate!`", names::path_text(attr)),
                        format_args!("write `#[{word}]`{beside}"),
                    );
                } else if !told {
                    errors.at(
                        function.sig.ident.span(),
                        format_args!("{name} is neither an event nor a command"),
                        not_here(&attrs, &ident),
                    );
                }
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
    if snapshot_every.is_some() {
        for ty in &stored {
            map_keys::refuse(ty, errors);
        }
    }
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
    let Some(category) = words.text("category") else {
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

fn id(words: &Words, state: &Ident, refused: bool, errors: &mut Errors) -> Id {
    let own = |ident: &Ident| {
        let name = names::text(state);
        let generated = [format!("{name}Event"), format!("{name}Commands")];
        ident == "Self" || *ident == name || generated.iter().any(|it| ident == it)
    };
    match words.path("id") {
        // What it names is unclear, which was told.
        None if words.span_of("id").is_some() || refused => Id::Generated(names::derived(
            &format!("{}Id", names::text(state)),
            words.span,
        )),
        None => Id::Text,
        Some(path) => match path.get_ident() {
            Some(ident) if own(ident) => {
                let id = format!("{}Id", names::text(state));
                errors.at(
                    ident.span(),
                    format_args!("`{ident}` is a type of the aggregate, and its id is another one"),
                    format_args!("write `id({id})`"),
                );
                Id::Generated(names::derived(&id, ident.span()))
            }
            Some(ident) if ident == "Uuid" => {
                errors.at(
                    ident.span(),
                    format_args!("`id({ident})` would generate a new type called `{ident}`"),
                    format_args!(
                        "write `id({}Id)` for a UUID in a type of its own, or `id(uuid::Uuid)` for any UUID",
                        names::text(state)
                    ),
                );
                Id::Text
            }
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

/// Reads an event; answers as well whether its fields are what was written.
fn event(
    (state, category): (&Ident, &str),
    own: &[Attribute],
    mut attrs: Sorted,
    mut function: Function,
    errors: &mut Errors,
) -> (Event, bool) {
    let ident = function.sig.ident.clone();
    let what = format!("the event `{ident}`");
    NO_CFG_ON_EVENT.refuse(&["cfg"], &mut attrs.rest, errors);
    attrs.refuse_rest("an event", errors);
    let words = Words::read(Place::Event, own, errors);
    let given = words.text("name");
    let name = stored_name(&ident, "name", given.as_ref(), errors);
    let (version, upcasts) = versions(&words, &ident, state, errors);
    // What is wrong with a broken header was told.
    let silent = &mut Errors::default();
    let errors = if function.broken { silent } else { errors };
    let before = errors.count();
    functions::mend_receiver(&mut function, state, "&mut self", errors);
    functions::take_tuples_apart(&mut function, errors);
    let fields: Vec<Field> = functions::parameters(&mut function, errors)
        .into_iter()
        .filter(|declared| declared.is_named)
        .filter_map(|declared| field(declared, errors))
        .collect();
    let is_whole = errors.count() == before;
    let sound = check_event(&function, &what, is_whole, errors);
    let body = match &function.body {
        Some(body) if sound && is_whole && !function.broken => body.clone(),
        _ => quote!({}),
    };
    let event = Event {
        variant: variant(&ident, errors),
        docs: attrs.docs,
        attrs: attrs.lints,
        stored: format!("{category}.{name}"),
        stored_span: given.map_or(ident.span(), |given| given.span()),
        header: [
            function.sig.fn_token.span,
            function.sig.paren_token.span.join(),
        ],
        ident,
        version,
        upcasts,
        fields,
        body,
    };
    (event, is_whole)
}

/// A field of an event; `None` when nothing could be stored in its place.
fn field(declared: Declared, errors: &mut Errors) -> Option<Field> {
    let Declared {
        mut parameter,
        ty,
        attrs,
        is_named: _,
    } = declared;
    let mut attrs = Sorted::new(attrs);
    let _ = attrs.own(&[], "a field of an event", errors);
    NO_CFG_ON_FIELD.refuse(&["cfg", "cfg_attr"], &mut attrs.rest, errors);
    if is_info(&ty) {
        errors.on(
            &ty,
            "an event isn't handed its info: it is applied to the state by its fields alone",
            "remove it, and pass what it needs of it as a field",
        );
        return None;
    }
    let Owned {
        stored,
        by_reference,
        mended,
    } = functions::owned(&ty, errors)?;
    let (docs, rest) = (attrs.docs.tokens, attrs.rest);
    // How a field with attributes of serde's own is stored, they say.
    if rest.is_empty() {
        map_keys::refuse(&ty, errors);
    }
    let name = names::text(&parameter.ident);
    let plain = name.trim_start_matches('_');
    if name != plain && rest.is_empty() && names::is_identifier(plain) {
        errors.at(
            parameter.ident.span(),
            format_args!("the field would be stored as `{name}`"),
            format_args!(
                "name it `{plain}`: what the function of an event doesn't use gives no warning"
            ),
        );
    }
    if let Some(ty) = mended {
        let ident = &parameter.ident;
        parameter.declared = quote!(#ident: #ty);
    }
    Some(Field {
        parameter,
        attrs: quote!(#docs #(#rest)*),
        own_attrs: rest.len(),
        stored,
        by_reference,
    })
}

/// `&EventInfo`, which functions of a projection are handed.
fn is_info(ty: &Type) -> bool {
    let Type::Reference(reference) = ty else {
        return false;
    };
    match &*reference.elem {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .is_some_and(|it| it.ident == "EventInfo"),
        _ => false,
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
    // A word of Rust, or what begins with a digit.
    let others = [format!("{name}Event"), format!("Event{name}")];
    let other = others.into_iter().find(|it| names::is_identifier(it));
    Ident::new(other.as_deref().unwrap_or("Event"), ident.span())
}

/// Refuses what an event can't be; answers whether its body may go out as it stands.
fn check_event(function: &Function, what: &str, is_whole: bool, errors: &mut Errors) -> bool {
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
    // Of a lifetime it was said where a field has it.
    if is_whole || !functions::has_only_lifetimes(sig) {
        sound &= functions::refuse_generics(
            sig,
            what,
            "an event is stored, so each field has one type: write it out",
            errors,
        );
    }
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
fn versions(
    words: &Words,
    ident: &Ident,
    state: &Ident,
    errors: &mut Errors,
) -> (u32, Vec<TokenStream>) {
    let mut upcasts: Vec<Path> = words.paths_of("upcast");
    for path in &mut upcasts {
        if let Some(first) = path.segments.first_mut()
            && first.ident == "Self"
        {
            let span = first.ident.span();
            first.ident = names::derived(&names::text(state), span);
            errors.at(
                span,
                "`Self` would be the enum of events here",
                format_args!("write `{}`", names::path_text(path)),
            );
        }
    }
    let written = words.span_of("version");
    let (version, span) = match words.count("version") {
        Some(version) => version,
        // What it was meant to be is left to the upcasts.
        None if written.is_some() => (upcasts.len() as u32 + 1, ident.span()),
        None => (1, ident.span()),
    };
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
    state: &Data,
    event: &Ident,
    attrs: Sorted,
    mut function: Function,
    errors: &mut Errors,
) -> Command {
    if function.broken {
        return broken_command(state, event, attrs, function);
    }
    let what = format!("the command `{}`", function.sig.ident);
    let mut sound = functions::refuse_qualifiers(&function.sig, &what, errors);
    if let Some(token) = &function.sig.asyncness {
        errors.at(
            token.span,
            format_args!("{what} can't be `async`: it decides on the state alone"),
            "remove `async`; fetch what it needs before, and pass it in",
        );
        sound = false;
    }
    let mut lost_body = functions::mend_receiver(&mut function, state.ident(), "&self", errors);
    let (receiver, span) = functions::receiver(&function.sig);
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
    let before = errors.count();
    let parameters = functions::parameters(&mut function, errors);
    lost_body |= errors.count() > before;
    lost_body |= answer::mend(&mut function.sig, state.ident(), event, &what, errors);
    let sig = &function.sig;
    let output = match functions::return_type(sig) {
        Some(ty) => output(ty, &names::text(event)),
        None => Output {
            ty: quote!(()),
            span: sig.ident.span(),
            recorded: Recorded::Nothing,
        },
    };
    if function.body.is_none() {
        errors.at(
            sig.ident.span(),
            format_args!("{what} has no body"),
            "write how it decides",
        );
    }
    // It can't be more visible than the state.
    let recorded = match &function.vis {
        Visibility::Public(_) => state.vis().to_token_stream(),
        vis => vis.to_token_stream(),
    };
    let (impl_generics, where_clause) = (&sig.generics, &sig.generics.where_clause);
    let params = &impl_generics.params;
    let generics = if params.is_empty() {
        TokenStream::new()
    } else {
        quote!(<#params>)
    };
    let command = Command {
        ident: sig.ident.clone(),
        recorded: Some(recorded),
        sound,
        generics,
        where_clause: where_clause.to_token_stream(),
        parameters: parameters.into_iter().map(|it| it.parameter).collect(),
        output,
        function: written_out(&attrs, &function),
        cfg: attrs.of("cfg"),
        deprecated: attrs.of("deprecated"),
        docs: attrs.docs,
    };
    match lost_body {
        true => command.without_body(),
        false => command,
    }
}

/// A command whose header has a mistake, which was told.
fn broken_command(state: &Data, event: &Ident, attrs: Sorted, mut function: Function) -> Command {
    function.broken = false;
    if functions::return_type(&function.sig).is_none() {
        function.sig.output =
            syn::parse_quote!(-> ::core::result::Result<#event, ::core::convert::Infallible>);
    }
    let command = command(state, event, attrs, function, &mut Errors::default());
    let sound = false;
    Command { sound, ..command }.without_body()
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
        // It stands where the events do, so that rustc tells of a `Result` without an error's type once.
        let nothing = quote_spanned!(first.span()=> ());
        *first = GenericArgument::Type(syn::parse_quote!(#nothing));
        return Recorded::Result(path.to_token_stream());
    }
    Recorded::Named
}
