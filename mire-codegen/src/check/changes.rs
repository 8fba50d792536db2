//! What changes a state or a row where it may not, found in bodies by their tokens: a body that is being
//! typed need not be Rust yet.

use proc_macro2::{Delimiter, Ident, Punct, Spacing, Span, TokenStream, TokenTree};

use crate::errors::Errors;
use crate::model::{Aggregate, Event};

/// What a command does to the state.
pub(super) enum Change<'a> {
    /// `self.deposited(…)`: it calls the function of an event.
    Applies(Span, &'a Event),
    /// `self.record(AccountEvent::…)`, `self.apply(&AccountEvent::…)`.
    Records(Ident),
    /// `self.balance = …`.
    Assigns(Ident),
}

impl Change<'_> {
    pub(super) fn refuse(&self, command: &Ident, aggregate: &Aggregate, errors: &mut Errors) {
        let events = &aggregate.state.event;
        match self {
            Self::Applies(at, event) => errors.at(
                *at,
                format_args!(
                    "the command `{command}` decides, and can't apply the event `{}`",
                    event.ident
                ),
                format_args!("return `{events}::{}`: the store applies it", event.variant),
            ),
            Self::Records(called) => errors.at(
                called.span(),
                format_args!("the command `{command}` decides, and can't {called} an event itself"),
                format_args!("return the `{events}`: the store records and applies it"),
            ),
            Self::Assigns(field) => errors.at(
                field.span(),
                format_args!("the command `{command}` decides, and can't change `{field}`"),
                format_args!(
                    "change it in the function of an `#[event]`, and return that `{events}`"
                ),
            ),
        }
    }
}

/// The first change in a command.
pub(super) fn found<'a>(command: &TokenStream, aggregate: &'a Aggregate) -> Option<Change<'a>> {
    find(command, &mut |tokens| {
        let [TokenTree::Ident(name), behind @ ..] = tokens else {
            return None;
        };
        if let [TokenTree::Group(arguments), ..] = behind
            && arguments.delimiter() == Delimiter::Parenthesis
        {
            if let Some(event) = aggregate.events.iter().find(|event| event.ident == *name) {
                return Some(Change::Applies(name.span(), event));
            }
            let records = name == "record" || name == "apply";
            let is_event = || is_event(&arguments.stream(), command, &aggregate.state.event);
            return (records && is_event()).then(|| Change::Records(name.clone()));
        }
        is_assigned(behind).then(|| Change::Assigns(name.clone()))
    })
}

/// Where a fold assigns the field that is the row's key.
pub(super) fn of_key(fold: &TokenStream, key: &Ident) -> Option<Ident> {
    find(fold, &mut |tokens| match tokens {
        [TokenTree::Ident(name), behind @ ..] if name == key && is_assigned(behind) => {
            Some(name.clone())
        }
        _ => None,
    })
}

/// What stands behind a `self.`, the first that is looked for.
fn find<T>(tokens: &TokenStream, wanted: &mut impl FnMut(&[TokenTree]) -> Option<T>) -> Option<T> {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        if let TokenTree::Group(group) = token
            && let Some(found) = find(&group.stream(), wanted)
        {
            return Some(found);
        }
        if let [
            TokenTree::Ident(receiver),
            TokenTree::Punct(dot),
            behind @ ..,
        ] = &tokens[at..]
            && receiver == "self"
            && dot.as_char() == '.'
            && let Some(found) = wanted(behind)
        {
            return Some(found);
        }
    }
    None
}

/// Whether an `=`, `+=` or the like comes next, behind fields of the field if need be, and a value
/// behind it: what is half typed is left alone.
fn is_assigned(mut tokens: &[TokenTree]) -> bool {
    while let [
        TokenTree::Punct(dot),
        TokenTree::Ident(_) | TokenTree::Literal(_),
        rest @ ..,
    ] = tokens
        && dot.as_char() == '.'
    {
        tokens = rest;
    }
    let mut operator = String::new();
    while let [TokenTree::Punct(punct), rest @ ..] = tokens {
        operator.push(punct.as_char());
        tokens = rest;
        if punct.spacing() == Spacing::Alone || operator.ends_with('=') {
            break;
        }
    }
    // `==` and `=>` go on.
    let is_longer = |next: &Punct| operator == "=" && ['=', '>'].contains(&next.as_char());
    let has_value = match tokens.first() {
        None => false,
        Some(TokenTree::Punct(next)) => next.as_char() != ';' && !is_longer(next),
        Some(_) => true,
    };
    ASSIGNMENTS.contains(&&*operator) && has_value
}

const ASSIGNMENTS: [&str; 11] = [
    "=", "+=", "-=", "*=", "/=", "%=", "^=", "&=", "|=", "<<=", ">>=",
];

/// Whether the argument of a call is an event: `AccountEvent::Closed`, or a local that holds one.
fn is_event(argument: &TokenStream, body: &TokenStream, events: &Ident) -> bool {
    let words = |tokens: &TokenStream| -> Vec<Ident> {
        let word = |token| match token {
            TokenTree::Ident(word) => Some(word),
            _ => None,
        };
        tokens.clone().into_iter().filter_map(word).collect()
    };
    let words = words(argument);
    if words.iter().any(|word| word == events) {
        return true;
    }
    let [local] = &*words else { return false };
    binds_event(body, local, events)
}

/// Whether there is a `let local = AccountEvent::…`.
fn binds_event(body: &TokenStream, local: &Ident, events: &Ident) -> bool {
    let tokens: Vec<TokenTree> = body.clone().into_iter().collect();
    tokens.iter().enumerate().any(|(at, token)| match token {
        TokenTree::Group(group) => binds_event(&group.stream(), local, events),
        TokenTree::Ident(word) if word == "let" => {
            let statement = tokens[at..].iter();
            let mut statement = statement
                .take_while(|it| !matches!(it, TokenTree::Punct(end) if end.as_char() == ';'));
            let mut has = |name: &Ident| {
                statement.any(|it| matches!(it, TokenTree::Ident(word) if word == name))
            };
            has(local) && has(events)
        }
        _ => false,
    })
}
