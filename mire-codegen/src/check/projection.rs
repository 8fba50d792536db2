//! Mistakes across the items of a projection.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use proc_macro2::TokenStream;

use super::{changes, generated_twin};
use crate::errors::Errors;
use crate::model::{Argument, Call, Effect, Form, Handler, Projection, Table, WrittenFunction};
use crate::names;

/// The functions that `projection!` generates on every projection that acts.
const ON_ACTING: [&str; 2] = ["runner", "wait_for"];

/// The functions that `projection!` generates on every projection with a table.
const ON_TABLES: [&str; 6] = ["get", "get_many", "list", "runner", "status", "wait_for"];

/// Checks a projection, and takes out what would only make rustc repeat a mistake.
pub(crate) fn projection(projection: &mut Projection, errors: &mut Errors) {
    let mut handlers: Vec<Handler> = Vec::new();
    let mut known: HashMap<(usize, String), usize> = HashMap::new();
    for handler in std::mem::take(&mut projection.handlers) {
        let event = &handler.event;
        let twin = match known.entry((event.set, event.variant.to_string())) {
            Entry::Occupied(twin) => &handlers[*twin.get()],
            Entry::Vacant(free) => {
                free.insert(handlers.len());
                handlers.push(handler);
                continue;
            }
        };
        let path = names::path_text(&event.path);
        let ignored = |handler: &Handler| matches!(handler.effect, Effect::Ignore);
        let (wrong, mend) = match (ignored(twin), ignored(&handler)) {
            (false, false) => (
                "handled twice",
                "do all that there is to do in one function",
            ),
            (true, true) => ("ignored twice", "remove one of them"),
            _ => (
                "both handled and ignored",
                "remove it from `#[ignores(…)]`, or remove its function",
            ),
        };
        errors.on(&event.path, format_args!("`{path}` is {wrong}"), mend);
        if let (Effect::Call(first), Effect::Call(second)) = (&twin.effect, &handler.effect)
            && first.ident == second.ident
        {
            // That rustc finds the name twice would only follow.
            let functions = &mut projection.functions;
            if let Some(last) = functions.iter().rposition(|it| it.ident == second.ident) {
                functions.remove(last);
            }
        }
    }
    projection.handlers = handlers;
    refuse_twins(projection, errors);
    refuse_to_read_key(projection, errors);
    if let Form::Table(table) = &mut projection.form {
        key_of_stream(table, &mut projection.handlers, errors);
        keep_key(table, &mut projection.functions, errors);
        lookups_apart(table, errors);
    }

    let generated = match &projection.form {
        Form::Table(table) => ON_TABLES
            .iter()
            .map(|&name| name.to_owned())
            .chain(lookups(table))
            .collect(),
        Form::Acting(_) => ON_ACTING.map(str::to_owned).to_vec(),
    };
    projection.functions.retain(|function| {
        let free = generated_twin(&function.ident, &generated, errors);
        for handler in &mut projection.handlers {
            let calls = |call: &Call| call.ident == function.ident;
            if !free && matches!(&handler.effect, Effect::Call(call) if calls(call)) {
                handler.effect = Effect::Mistaken;
            }
        }
        free
    });
}

/// Two functions of one name would be told of by rustc, and then their calls as well.
fn refuse_twins(projection: &mut Projection, errors: &mut Errors) {
    let mut functions: Vec<WrittenFunction> = Vec::new();
    for function in std::mem::take(&mut projection.functions) {
        let ident = &function.ident;
        if !functions.iter().any(|twin| twin.ident == *ident) {
            functions.push(function);
            continue;
        }
        errors.at(
            ident.span(),
            format_args!("there are two functions `{ident}`"),
            "rename one of them",
        );
        for handler in &mut projection.handlers {
            if matches!(&handler.effect, Effect::Call(call) if call.ident == *ident) {
                handler.effect = Effect::Mistaken;
            }
        }
    }
    projection.functions = functions;
}

/// Refuses to read the type of the key: an id isn't an enum of events. It goes with what handles it,
/// since that it has no such variants would only follow.
fn refuse_to_read_key(projection: &mut Projection, errors: &mut Errors) {
    let Form::Table(table) = &projection.form else {
        return;
    };
    let Some(key) = table
        .key
        .map(|key| names::path_text(&table.columns[key].ty))
    else {
        return;
    };
    let Some(at) = projection.reads.iter().position(|set| set.text == key) else {
        return;
    };
    let set = projection.reads.remove(at);
    let aggregate = key.strip_suffix("Id").unwrap_or("Account");
    errors.on(
        &set.path,
        format_args!("`{key}` is the type of the key, and no enum of events"),
        format_args!("name the enum of the events, such as `{aggregate}Event`"),
    );
    projection.complete = false;
    projection.handlers.retain_mut(|handler| {
        let read = handler.event.set;
        handler.event.set -= usize::from(read > at);
        read != at
    });
}

/// A fold can't say that its row is another one.
fn keep_key(table: &Table, functions: &mut [WrittenFunction], errors: &mut Errors) {
    let Some(key) = table.key.map(|key| &table.columns[key].ident) else {
        return;
    };
    for function in functions {
        if let Some(at) = changes::of_key(&function.tokens, key) {
            errors.at(
                at.span(),
                format_args!("a fold can't change the key `{key}`: it names the row"),
                format_args!(
                    "remove this; which row an event changes, `key(field)` says in its `#[on(…)]`"
                ),
            );
        }
    }
}

/// Without `key(…)` a row is found by the stream's id. A function that takes a field of the key's name,
/// or an `id` of its type, probably means that one.
fn key_of_stream(table: &Table, handlers: &mut [Handler], errors: &mut Errors) {
    let Some(column) = table.key.map(|key| &table.columns[key]) else {
        return;
    };
    let key = &column.ident;
    for handler in handlers {
        let Effect::Call(Call {
            key: None,
            arguments,
            ..
        }) = &handler.effect
        else {
            continue;
        };
        let is_key = |argument: &&Argument| match argument {
            Argument::Field { ident, ty, .. } => {
                ident == key || ident == "id" && is_id(ty, &column.ty)
            }
            Argument::Info | Argument::Connection => false,
        };
        let Some(Argument::Field { ident, .. }) = arguments.iter().find(is_key) else {
            continue;
        };
        let event = names::path_text(&handler.event.path);
        errors.at(
            ident.span(),
            format_args!("without `key(…)`, the row's key `{key}` is the stream's id"),
            format_args!(
                "if the event has a field `{ident}`, name it: `#[on({event}, key({ident}))]`; the stream's id is in `self.{key}` already"
            ),
        );
        // That the event has no such field would only follow.
        handler.effect = Effect::Mistaken;
    }
}

/// Whether a parameter has the type of the key, by value or not, and that is a type of ids. Text and
/// numbers can be many things.
fn is_id(parameter: &TokenStream, key: &TokenStream) -> bool {
    let (parameter, key) = (names::path_text(parameter), names::path_text(key));
    key.ends_with("Id") && parameter.trim_start_matches('&') == key
}

/// `x` and `x_range` would both have a `by_x_range`.
fn lookups_apart(table: &mut Table, errors: &mut Errors) {
    for at in 0..table.columns.len() {
        let (before, rest) = table.columns.split_at_mut(at);
        let Some(column) = rest.first_mut().filter(|column| column.indexed) else {
            continue;
        };
        let [equal, range] = names::lookups(&column.name());
        let twin = before.iter().filter(|twin| twin.indexed).find_map(|twin| {
            let [twins_equal, twins_range] = names::lookups(&twin.name());
            match () {
                () if range == twins_equal => Some((twin, &range)),
                () if equal == twins_range => Some((twin, &equal)),
                () => None,
            }
        });
        if let Some((twin, lookup)) = twin {
            errors.at(
                column.ident.span(),
                format_args!(
                    "`{lookup}` would be a look-up of both `{}` and `{}`",
                    twin.ident, column.ident
                ),
                "rename one of the fields",
            );
            // That rustc finds the function twice would only follow.
            column.indexed = false;
        }
    }
}

/// The names of the look-ups by indexed columns.
fn lookups(table: &Table) -> impl Iterator<Item = String> {
    let indexed = table.columns.iter().filter(|column| column.indexed);
    indexed.flat_map(|column| names::lookups(&column.name()))
}
