//! `projection!`: from tokens to its model.

mod events;
mod fallible;
mod foreign;
mod functions;
mod lent;
mod patterns;
mod row;
mod shared;

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::{Field, GenericParam, Visibility};

use self::events::{On, Reads};
use self::functions::Handlers;
use super::attributes::{NoCfg, Sorted};
use super::borrowed;
use super::content::{Content, Macro, content, refuse_generics};
use super::functions::{SelfKind, receiver};
use super::items::{Data, Function};
use super::json;
use crate::attrs::{Listed, Words};
use crate::errors::Errors;
use crate::keywords::Place;
use crate::model::{Acting, Effect, Form, Generics, HeldField, Projection, Table};
use crate::names;

/// What a macro call holds.
pub(crate) struct Parsed {
    /// The projection; `None` without a struct.
    pub(crate) projection: Option<Projection>,
    /// Items that have no place in the macro. They go out beside it, so that nothing else misses
    /// them.
    pub(crate) beside: TokenStream,
}

const MACRO: Macro = Macro {
    name: "projection!",
    attribute: "projection",
    declares: "projection",
    role: "row or state",
    form: "#[projection(subscription = \"balances\", reads(AccountEvent))] pub struct Balance { … }",
};

const NO_CFG_ON_STRUCT: NoCfg = NoCfg {
    on: "the struct of a projection",
    why: "its functions would miss it",
    mend: "put it on the macro call, as in `#[cfg(…)] mire::projection!(…);`",
};

/// Reads the content of `projection!`.
pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Parsed {
    let Content {
        data,
        lost,
        functions,
        dangling,
        beside,
    } = content(tokens, &MACRO, errors);
    let begun = events::named(&dangling);
    Parsed {
        projection: data.map(|data| projection((data, lost), functions, begun, errors)),
        beside,
    }
}

/// `begun` are the events of which the function is still to be written, which was told.
fn projection(
    (mut data, lost): (Data, bool),
    functions: Vec<Function>,
    begun: Listed,
    errors: &mut Errors,
) -> Projection {
    let ident = data.ident().clone();
    let mut attrs = Sorted::new(data.take_attrs());
    attrs.mend_names(&["ignores"], errors);
    let mut ignored = events::ignored(&attrs.take_own("ignores"), errors);
    let words = match &*attrs.own(&["projection"], "the struct of a projection", errors) {
        [] => Words::none(Place::Projection, ident.span()),
        attrs => Words::read(Place::Projection, attrs, errors),
    };
    for tokens in &words.elsewhere {
        let more = events::ignored_in(tokens.clone(), &mut Errors::default());
        ignored.paths.extend(more.paths);
        ignored.unclear |= more.unclear;
    }
    ignored.unclear |= begun.unclear;
    NO_CFG_ON_STRUCT.refuse(&["cfg"], &mut attrs.rest, errors);
    let krate = words.krate();
    // What the attribute of another macro stands for was told.
    let refused = words.is_empty() && attrs.refused;
    let silent = &mut Errors::default();
    let subscription = subscription(&words, &ident, if refused { silent } else { errors });
    let mut functions: Vec<(Function, Sorted, Option<On>)> = functions
        .into_iter()
        .map(|function| events::on(function, &ident, &mut ignored, errors))
        .collect();
    let mut reads = Reads::of(
        &words,
        &ident,
        &functions,
        &ignored,
        if refused { silent } else { errors },
    );
    let role = if row::has_marks(&data) {
        "a row"
    } else {
        "a projection"
    };
    let mut owned = borrowed::refuse(&mut data, role, errors) && !lost;
    owned &= json::refuse_in_row(&mut data, errors);
    let columns = row::columns(&mut data, &attrs, errors);

    // Of what kind it is, the function that is still to be written may say.
    let is_begun = functions.is_empty() && (begun.unclear || !begun.paths.is_empty());
    let told = if is_begun { &mut *silent } else { &mut *errors };
    let kind = kind(&words, &columns, &functions, &data, told);
    if kind == Kind::Table {
        row::refuse_cfg(&mut data, errors);
        refuse_generics(
            &mut data,
            functions.iter_mut().map(|(function, ..)| function),
            "a projection with a table has no generic parameters: its rows have one shape",
            errors,
        );
    }
    if kind == Kind::Acting {
        shared::refuse_unshared(&mut data, errors);
    }
    if kind == Kind::Table && !row::is_row(&data) {
        // That the fields are missing would only follow.
        for (function, ..) in &mut functions {
            function.broken = true;
        }
    }
    // Where functions have mistakes, what they would handle is unknown.
    let forgotten = kind == Kind::Table && functions.is_empty();
    let mut handlers = Handlers::new(ident.clone(), kind == Kind::Table);
    let mut others = begun.paths;
    for (mut function, attrs, on) in functions {
        others.extend(on.iter().flat_map(|on| on.others.clone()));
        if function.broken {
            others.extend(on.and_then(|on| on.path));
            handlers.add_broken(function, &attrs);
            continue;
        }
        if !owned {
            // What it does with the fields as they were written would only follow.
            functions::without_body(&mut function);
        }
        handlers.add(function, attrs, on, &mut reads, errors);
    }
    handlers.note(&ignored.paths, Effect::Ignore, &mut reads, errors);
    // That no function handles them would only follow.
    others.retain(|path| !handlers.has(path));
    handlers.note(&others, Effect::Mistaken, &mut reads, errors);
    let form = match kind {
        Kind::Table => {
            // The key may be the field that is unknown.
            let found = !lost || columns.iter().any(|column| column.key().is_some());
            let key = row::key(&data, &columns, if found { &mut *errors } else { silent });
            let columns = row::checked(columns, errors);
            let name = table_name(&words, &subscription, errors);
            let mut fingerprint = handlers.fingerprint;
            if let Some((revision, _)) = words.count("revision") {
                fingerprint.text(&revision.to_string());
            }
            let fingerprint = row::fingerprint(&name, &columns, key, fingerprint);
            Form::Table(Table {
                default: data.named_fields().is_some() && attrs.take_default(),
                name,
                fingerprint,
                columns,
                key,
            })
        }
        Kind::Acting => Form::Acting(Acting {
            connection: handlers.connection.take().map(|(ty, _)| ty),
            holds: holds(&data),
        }),
    };
    Projection {
        krate: krate.clone(),
        vis: data.vis().to_token_stream(),
        generics: generics(&data, &krate),
        item: {
            let Sorted {
                docs, lints, rest, ..
            } = attrs;
            let docs = docs.tokens;
            let data = data.written_out();
            quote!(#docs #lints #(#rest)* #data)
        },
        ident,
        subscription,
        complete: reads.complete && (forgotten || !handlers.handlers.is_empty()),
        reads: reads.sets,
        handlers: handlers.handlers,
        functions: handlers.functions,
        form,
    }
}

fn subscription(words: &Words, ident: &Ident, errors: &mut Errors) -> String {
    let fallback = names::kebab(&names::text(ident));
    if words.lacks("subscription") {
        errors.at(
            words.span,
            format_args!("the projection `{ident}` has no `subscription`"),
            format_args!("write `#[projection(subscription = \"{fallback}\", …)]`"),
        );
        return fallback;
    }
    let Some(subscription) = words.text("subscription") else {
        return fallback;
    };
    match names::subscription_mistake(&subscription.value()) {
        None => subscription.value(),
        Some(mistake) => {
            errors.at(
                subscription.span(),
                &mistake.wrong,
                mistake.mend("subscription"),
            );
            fallback
        }
    }
}

fn table_name(words: &Words, subscription: &str, errors: &mut Errors) -> String {
    let given = words.text("table");
    let name = match &given {
        Some(given) => given.value(),
        None => subscription.replace('-', "_"),
    };
    let Some(mistake) = names::table_mistake(&name) else {
        return name;
    };
    match given {
        Some(given) => errors.at(given.span(), &mistake.wrong, mistake.mend("table")),
        None => {
            let span = words
                .text("subscription")
                .map_or(words.span, |text| text.span());
            errors.at(
                span,
                format_args!(
                    "{}, so the subscription's name can't be the table's",
                    mistake.wrong
                ),
                format_args!("add `table = \"{}\"`", mistake.right),
            );
        }
    }
    mistake.right
}

#[derive(PartialEq, Clone, Copy)]
enum Kind {
    Table,
    Acting,
}

/// A marked column, or a word that only tables have, makes a table; else an `async fn` makes a
/// projection that acts.
fn kind(
    words: &Words,
    columns: &[row::Declared],
    functions: &[(Function, Sorted, Option<On>)],
    data: &Data,
    errors: &mut Errors,
) -> Kind {
    let ident = data.ident();
    let any =
        |wanted: fn(&Function) -> bool| functions.iter().any(|(function, ..)| wanted(function));
    let is_async = |function: &Function| function.sig.asyncness.is_some();
    let acts = any(is_async);
    let only_acts = acts && functions.iter().all(|(function, ..)| is_async(function));
    let folds = any(|function| receiver(&function.sig).0 == SelfKind::Mutable);
    let has_key = columns.iter().any(|column| column.key().is_some());
    let of_tables = ["table", "revision"].map(|word| (word, words.span_of(word)));
    let names_table = of_tables.iter().any(|(_, span)| span.is_some());
    let marks = || columns.iter().filter_map(row::Declared::mark);
    if has_key || !only_acts {
        if has_key || names_table || marks().next().is_some() {
            return Kind::Table;
        }
    } else {
        // Without a key it acts, as its functions say.
        for (word, span) in of_tables {
            let Some(span) = span else { continue };
            errors.at(
                span,
                format_args!("`{word}` is for a projection that keeps a table"),
                "remove it, or mark the field that names a row with `#[key]`",
            );
        }
        for (mark, span) in marks() {
            errors.at(
                span,
                format_args!("`#[{mark}]` is for a table, but this projection acts"),
                "remove it; for a table, mark the field that names a row with `#[key]`, and write `fn` for `async fn`",
            );
        }
    }
    if acts {
        return Kind::Acting;
    }
    let has_fields = matches!(data, Data::Enum(_)) || !columns.is_empty();
    if folds && has_fields {
        // It lacks the key, which is said there.
        return Kind::Table;
    }
    if folds || any(|function| receiver(&function.sig).0 == SelfKind::Shared) {
        // It lacks `async`, which is said there.
        return Kind::Acting;
    }
    errors.at(
        ident.span(),
        format_args!("the projection `{ident}` neither keeps a table nor acts"),
        "mark the field that names a row with `#[key]`, or write an `async fn` for each event that it acts on",
    );
    Kind::Acting
}

/// The fields of a projection that acts.
fn holds(data: &Data) -> Vec<HeldField> {
    if !data.generics().params.is_empty() {
        return Vec::new();
    }
    let is_certain = |field: &Field| !field.attrs.iter().any(|it| it.path().is_ident("cfg"));
    let is_struct = matches!(data, Data::Struct(_));
    let fields = data.fields().into_iter().enumerate();
    let fields = fields.filter(|(_, field)| is_certain(field));
    let held = fields.map(|(at, field)| HeldField {
        member: is_struct.then(|| match &field.ident {
            Some(ident) => ident.clone().into(),
            None => at.into(),
        }),
        ty: field.ty.to_token_stream(),
    });
    held.collect()
}

fn generics(data: &Data, krate: &TokenStream) -> Generics {
    let generics = match data {
        Data::Struct(item) => &item.generics,
        Data::Enum(item) => &item.generics,
    };
    let backend = names::unused("Store", &data.to_token_stream());
    let mut with_backend = generics.clone();
    let parameter: GenericParam = syn::parse_quote!(#backend: #krate::Backend);
    with_backend.params.push(parameter);
    let (declared, arguments, where_clause) = generics.split_for_impl();
    Generics {
        declared: declared.to_token_stream(),
        with_backend: with_backend.split_for_impl().0.to_token_stream(),
        backend,
        arguments: arguments.to_token_stream(),
        where_clause: where_clause.to_token_stream(),
    }
}

/// Whether an item says who may see it.
fn is_private(vis: &Visibility) -> bool {
    matches!(vis, Visibility::Inherited)
}
