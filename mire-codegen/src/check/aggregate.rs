//! Mistakes across the items of an aggregate.

use std::collections::HashSet;

use super::{changes, generated_twin};
use crate::errors::Errors;
use crate::model::{Aggregate, Command, Event};
use crate::names;

/// The functions that `aggregate!` generates on the state.
const GENERATED: [&str; 2] = ["given", "stream"];

/// The methods of an `AggregateRoot`. Each would hide the recording form of a command of its name.
const OF_THE_ROOT: [&str; 9] = [
    "execute",
    "has_pending",
    "pending",
    "pending_count",
    "record",
    "record_many",
    "restore_pending",
    "set_metadata",
    "take_pending",
];

/// Checks an aggregate, and takes out what would only make rustc repeat a mistake.
pub(crate) fn aggregate(aggregate: &mut Aggregate, errors: &mut Errors) {
    let mut events: Vec<Event> = Vec::new();
    let (mut variants, mut functions) = (HashSet::new(), HashSet::new());
    for event in std::mem::take(&mut aggregate.events) {
        functions.insert(event.ident.to_string());
        if !variants.insert(event.variant.to_string()) {
            let twin = events.iter().find(|twin| twin.variant == event.variant);
            let wrong = match twin.filter(|twin| twin.ident != event.ident) {
                None => format!("there are two events `{}`", event.ident),
                Some(twin) => format!(
                    "there are the events `{}` and `{}`",
                    twin.ident, event.ident
                ),
            };
            errors.at(
                event.ident.span(),
                format_args!("{wrong}: both are the variant `{}`", event.variant),
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
        if GENERATED.iter().any(|name| event.ident == name) {
            errors.at(
                event.ident.span(),
                format_args!("`aggregate!` generates a function `{}` itself", event.ident),
                format_args!(
                    "rename the event; `#[event(name = \"{}\")]` keeps what is stored",
                    event.stored.rsplit('.').next().unwrap_or_default()
                ),
            );
            // The generated one is what others mean by the name.
            let ident = names::local(&format!("{}_event", event.ident));
            events.push(Event { ident, ..event });
            continue;
        }
        events.push(event);
    }
    aggregate.events = events;

    let mut commands: Vec<Command> = Vec::new();
    for command in std::mem::take(&mut aggregate.commands) {
        let is_event = functions.contains(&command.ident.to_string());
        let is_command = commands.iter().any(|twin| twin.ident == command.ident);
        if is_event || is_command {
            let other = if is_event { "an event" } else { "a command" };
            errors.at(
                command.ident.span(),
                format_args!("there is {other} named `{}` already", command.ident),
                "rename one of them; a command says what is wanted (`withdraw`), an event what happened (`withdrawn`)",
            );
        }
        if is_command {
            continue;
        }
        if is_event {
            // Whoever calls it means the command: the store alone calls the other one.
            for event in &mut aggregate.events {
                if event.ident == command.ident {
                    event.ident = names::local(&format!("{}_event", names::text(&event.ident)));
                }
            }
        }
        generated_twin(&command.ident, &GENERATED, errors);
        let command = match changes::found(&command.function, aggregate) {
            None => command,
            Some(change) => {
                // It takes the wrong `self`, or answers nothing, when that was said already.
                if command.sound {
                    change.refuse(&command.ident, aggregate, errors);
                }
                command.without_body()
            }
        };
        if command.recorded.is_some() && OF_THE_ROOT.iter().any(|name| command.ident == name) {
            errors.at(
                command.ident.span(),
                format_args!(
                    "`AggregateRoot` has a method `{0}` itself, which would hide this command: `root.{0}(…)` would call that one",
                    command.ident
                ),
                format_args!(
                    "choose another name, such as `{}_{}`",
                    command.ident,
                    names::kebab(&names::text(&aggregate.state.ident)).replace('-', "_")
                ),
            );
        }
        commands.push(command);
    }
    aggregate.commands = commands;
}
