//! Mistakes across the items of an aggregate.

use std::collections::HashSet;

use super::generated_twin;
use crate::errors::Errors;
use crate::model::{Aggregate, Command, Event};

/// The functions that `aggregate!` generates on the state.
const GENERATED: [&str; 2] = ["given", "stream"];

/// Checks an aggregate, and takes out what would only make rustc repeat a mistake.
pub(crate) fn aggregate(aggregate: &mut Aggregate, errors: &mut Errors) {
    let mut events: Vec<Event> = Vec::new();
    let (mut variants, mut functions) = (HashSet::new(), HashSet::new());
    for event in std::mem::take(&mut aggregate.events) {
        functions.insert(event.ident.to_string());
        if !variants.insert(event.variant.to_string()) {
            errors.at(
                event.ident.span(),
                format_args!(
                    "there are two events `{}`: both are the variant `{}`",
                    event.ident, event.variant
                ),
                "rename one of them; `name = \"…\"` in its `#[event]` keeps what is stored readable",
            );
            continue;
        }
        if let Some(twin) = events.iter().find(|twin| twin.stored == event.stored) {
            errors.at(
                event.stored_span,
                format_args!(
                    "the events `{}` and `{}` are both stored as `{}`",
                    twin.ident, event.ident, event.stored
                ),
                "give one of them another name with `#[event(name = \"…\")]`",
            );
            // Its variant stays, so that what uses it is not reported as well.
            let stored = format!("{}-{}", event.stored, events.len());
            events.push(Event { stored, ..event });
            continue;
        }
        generated_twin(&event.ident, &GENERATED, errors);
        events.push(event);
    }
    aggregate.events = events;

    let mut commands: Vec<Command> = Vec::new();
    for command in std::mem::take(&mut aggregate.commands) {
        let is_event = functions.contains(&command.ident.to_string());
        if is_event || commands.iter().any(|twin| twin.ident == command.ident) {
            let other = if is_event { "an event" } else { "a command" };
            errors.at(
                command.ident.span(),
                format_args!("there is {other} named `{}` already", command.ident),
                "rename one of them; a command says what is wanted (`withdraw`), an event what happened (`withdrawn`)",
            );
            continue;
        }
        generated_twin(&command.ident, &GENERATED, errors);
        commands.push(command);
    }
    aggregate.commands = commands;
}
