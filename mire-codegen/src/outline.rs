//! A declaration at a glance: what is stored, under which name, and who decides.

use std::fmt::Write;

use proc_macro2::TokenStream;

use crate::model::{Aggregate, Command, Event, Id};

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
            if command.recorded {
                ""
            } else {
                ", without a recording form"
            },
        ),
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
