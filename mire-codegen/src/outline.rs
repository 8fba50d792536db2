//! A declaration at a glance: what is stored, under which name, and who decides.

use std::fmt::Write;

use proc_macro2::TokenStream;

use crate::model::{
    Acting, Aggregate, Column, Command, Effect, Event, Form, Handler, Id, Projection, Table,
};
use crate::names::path_text;

/// The outline of an aggregate. It has all that readers of the log depend on, so a snapshot of it
/// shows each change of a stored name, a version or a field in a review.
pub(crate) fn aggregate(aggregate: &Aggregate) -> String {
    let Aggregate {
        krate: _,
        state,
        category,
        id,
        snapshot_every,
        events,
        commands,
    } = aggregate;
    let mut text = format!("aggregate {}\n", state.ident);
    let id = match id {
        Id::Text => "any text".to_owned(),
        Id::Generated(ident) => format!("{ident}, a generated UUID"),
        Id::Named(path) => plain(path),
    };
    line(&mut text, format_args!("  category {category}, id {id}"));
    if let Some(every) = snapshot_every {
        line(&mut text, format_args!("  snapshot every {every} events"));
    }
    for event in events {
        outline_event(&mut text, event);
    }
    for command in commands {
        outline_command(&mut text, command);
    }
    text
}

fn outline_event(text: &mut String, event: &Event) {
    line(
        text,
        format_args!(
            "  event {}, stored as {}, version {}",
            event.variant, event.stored, event.version
        ),
    );
    for field in &event.fields {
        line(
            text,
            format_args!("    {}: {}", field.parameter.ident, plain(&field.stored)),
        );
    }
    for (from, path) in (1..).zip(&event.upcasts) {
        line(
            text,
            format_args!("    version {from} read by {}", plain(path)),
        );
    }
}

fn outline_command(text: &mut String, command: &Command) {
    let parameters: Vec<String> = command
        .parameters
        .iter()
        .map(|it| format!("{}: {}", it.ident, plain(&it.ty)))
        .collect();
    line(
        text,
        format_args!(
            "  command {}({}) -> {}{}",
            command.ident,
            parameters.join(", "),
            plain(&command.output.ty),
            if command.recorded.is_some() {
                ""
            } else {
                ", without a recording form"
            },
        ),
    );
}

/// The outline of a projection. The last eight characters of a table's line change with the
/// declaration: then the table is built anew.
pub(crate) fn projection(projection: &Projection) -> String {
    let Projection {
        krate: _,
        ident,
        vis: _,
        generics: _,
        item: _,
        subscription,
        reads,
        handlers,
        functions: _,
        complete: _,
        form,
    } = projection;
    let mut text = format!("projection {ident}\n");
    line(&mut text, format_args!("  subscription {subscription}"));
    match form {
        Form::Table(table) => outline_table(&mut text, table),
        Form::Acting(Acting {
            connection: None, ..
        }) => text.push_str("  acts, at least once\n"),
        Form::Acting(Acting {
            connection: Some(connection),
            ..
        }) => line(
            &mut text,
            format_args!("  acts, exactly once, through {}", plain(connection)),
        ),
    }
    for set in reads {
        line(&mut text, format_args!("  reads {}", set.text));
    }
    for handler in handlers {
        outline_handler(&mut text, handler);
    }
    text
}

fn outline_table(text: &mut String, table: &Table) {
    let Table {
        default: _,
        name,
        fingerprint,
        columns,
        key,
    } = table;
    line(
        text,
        format_args!("  keeps the table {name}, declaration {fingerprint:08x}"),
    );
    for (at, column) in columns.iter().enumerate() {
        let mark = match column {
            _ if *key == Some(at) => ", the key",
            Column { indexed: true, .. } => ", indexed",
            Column { json: true, .. } => ", as JSON",
            _ => "",
        };
        line(
            text,
            format_args!("    {}: {}{mark}", column.name(), plain(&column.ty)),
        );
    }
}

fn outline_handler(text: &mut String, handler: &Handler) {
    let (done, key) = match &handler.effect {
        Effect::Call(call) => (format!("by {}", call.ident), &call.key),
        Effect::Delete { key } => ("removes the row".to_owned(), key),
        Effect::Ignore => ("ignored".to_owned(), &None),
        Effect::Mistaken => ("with a mistake".to_owned(), &None),
    };
    let key = key
        .as_ref()
        .map(|key| format!(", row {key}"))
        .unwrap_or_default();
    line(
        text,
        format_args!("  event {} {done}{key}", path_text(&handler.event.path)),
    );
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string can't fail.
    let _ = writeln!(text, "{line}");
}

/// Tokens of a type, without the spaces that tokens are printed with.
fn plain(tokens: &TokenStream) -> String {
    let item: Result<syn::File, _> = syn::parse2(quote::quote!(type T = #tokens;));
    let Ok(file) = item else {
        return tokens.to_string();
    };
    let text = prettyplease::unparse(&file);
    text.trim()
        .trim_start_matches("type T = ")
        .trim_end_matches(';')
        .to_owned()
}
