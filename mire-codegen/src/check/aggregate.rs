//! Mistakes across the items of an aggregate.

use std::collections::HashSet;

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};

use super::generated_twin;
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
        let command = match applied(&command.function, &aggregate.events) {
            None => command,
            Some((at, event)) => {
                errors.at(
                    at,
                    format_args!(
                        "the command `{}` decides, and can't apply the event `{}`",
                        command.ident, event.ident
                    ),
                    format_args!(
                        "return `{}::{}`: the store applies it",
                        aggregate.state.event, event.variant
                    ),
                );
                command.without_body()
            }
        };
        if command.recorded && OF_THE_ROOT.iter().any(|name| command.ident == name) {
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

/// Where a command calls the function of an event, and which one: `self.deposited(…)`.
fn applied<'a>(tokens: &TokenStream, events: &'a [Event]) -> Option<(Span, &'a Event)> {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        if let TokenTree::Group(group) = token
            && let Some(found) = applied(&group.stream(), events)
        {
            return Some(found);
        }
        if let [
            TokenTree::Ident(receiver),
            TokenTree::Punct(dot),
            TokenTree::Ident(called),
            TokenTree::Group(arguments),
            ..,
        ] = &tokens[at..]
            && receiver == "self"
            && dot.as_char() == '.'
            && arguments.delimiter() == Delimiter::Parenthesis
            && let Some(event) = events.iter().find(|event| event.ident == *called)
        {
            return Some((called.span(), event));
        }
    }
    None
}
