//! What a function of a projection takes besides the event's fields, and what was meant by a parameter
//! that can be no field: by its type, since the events are declared elsewhere.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::{GenericArgument, Path, PathArguments, Type, TypeParamBound};

use crate::model::EventSet;
use crate::names;

/// What a parameter was meant to be.
pub(super) struct Meant {
    pub(super) wrong: String,
    pub(super) mend: String,
    /// Of a connection: the type to take it by, as far as it is known.
    pub(super) connection: Option<Type>,
}

/// A parameter that is meant for the connection of a transaction, or for what can begin one.
pub(super) fn connection(ident: &Ident, ty: &Type) -> Option<Meant> {
    let Some(path) = held(ty) else {
        return executor(ty).map(|connection| lent(ident, connection));
    };
    let last = path.segments.last()?;
    let name = names::text(&last.ident);
    if OTHER_CONNECTIONS.contains(&&*name) {
        return Some(of_no_store(ident, path));
    }
    if CONNECTIONS.contains(&&*name) {
        return Some(lent(ident, Some(path.to_token_stream())));
    }
    let database = database(path);
    let is_of_sqlx = database.is_some() || path.segments.iter().any(|it| it.ident == "sqlx");
    match &*name {
        "PoolConnection" | "Transaction" if is_of_sqlx => Some(lent(ident, database)),
        "PgTransaction" => Some(lent(ident, Some(quote!(sqlx::PgConnection)))),
        "SqliteTransaction" => Some(lent(ident, Some(quote!(sqlx::SqliteConnection)))),
        "EventStore" => Some(outlives(ident, path, "a store")),
        "PgPool" => Some(pool(ident, path, Some(quote!(sqlx::PgConnection)))),
        "SqlitePool" => Some(pool(ident, path, Some(quote!(sqlx::SqliteConnection)))),
        "MySqlPool" | "AnyPool" => Some(outlives(ident, path, "a pool")),
        "Pool" if is_of_sqlx => Some(pool(ident, path, database)),
        _ => None,
    }
}

/// The connections of the databases that a store can be in.
const CONNECTIONS: [&str; 2] = ["PgConnection", "SqliteConnection"];

/// The connections of sqlx's other databases.
const OTHER_CONNECTIONS: [&str; 2] = ["MySqlConnection", "AnyConnection"];

/// A connection to a database that no store is in.
fn of_no_store(ident: &Ident, path: &Path) -> Meant {
    Meant {
        wrong: format!("no store has a `{}`", names::path_text(path)),
        ..lent(ident, None)
    }
}

fn lent(ident: &Ident, connection: Option<TokenStream>) -> Meant {
    let mend = match &connection {
        Some(ty) => format!("write `{ident}: &mut {}`", names::path_text(ty)),
        None => format!(
            "write `{ident}: &mut sqlx::PgConnection`, or `{ident}: &mut sqlx::SqliteConnection`"
        ),
    };
    Meant {
        wrong: "the connection is lent: the runner begins the transaction, and commits it"
            .to_owned(),
        mend,
        connection: connection.map(|ty| syn::parse_quote!(#ty)),
    }
}

fn outlives(ident: &Ident, path: &Path, what: &str) -> Meant {
    Meant {
        wrong: format!("{what} is no field of an event"),
        mend: format!(
            "hold it in the struct, as in `{ident}: {}`, and use `self.{ident}`",
            names::type_text(path)
        ),
        connection: None,
    }
}

/// A pool: it works beside the transaction, where its connection was perhaps meant.
fn pool(ident: &Ident, path: &Path, connection: Option<TokenStream>) -> Meant {
    let meant = outlives(ident, path, "a pool");
    let Some(connection) = connection else {
        return meant;
    };
    let other = &meant.mend;
    let mend = format!(
        "for what is committed with the checkpoint, write `{ident}: &mut {}`; for other work, {other}",
        names::path_text(&connection)
    );
    Meant { mend, ..meant }
}

/// The connection to the database that a type of sqlx names.
fn database(path: &Path) -> Option<TokenStream> {
    let PathArguments::AngleBracketed(arguments) = &path.segments.last()?.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(Type::Path(path)) => {
            let last = path.path.segments.last()?;
            match &*names::text(&last.ident) {
                "Sqlite" => Some(quote!(sqlx::SqliteConnection)),
                "Postgres" => Some(quote!(sqlx::PgConnection)),
                _ => None,
            }
        }
        _ => None,
    })
}

/// What an `impl …Executor` runs on, as far as that is known; `None` for another type.
fn executor(ty: &Type) -> Option<Option<TokenStream>> {
    let Type::ImplTrait(ty) = ty else {
        return None;
    };
    ty.bounds.iter().find_map(|bound| match bound {
        TypeParamBound::Trait(bound) => match &*names::text(&bound.path.segments.last()?.ident) {
            "Executor" | "Acquire" => Some(None),
            "PgExecutor" => Some(Some(quote!(sqlx::PgConnection))),
            "SqliteExecutor" => Some(Some(quote!(sqlx::SqliteConnection))),
            _ => None,
        },
        _ => None,
    })
}

/// A parameter that is meant for the event as a whole.
pub(super) fn event(ident: &Ident, ty: &Type, reads: &[EventSet]) -> Option<Meant> {
    let all = match set(ty, reads) {
        Some(set) => format!("all of `{}`", set.text),
        None if is_of_log(ty, reads) => "the event as a whole".to_owned(),
        None => return None,
    };
    Some(Meant {
        wrong: format!("a parameter is a field of the event, and `{ident}` would be {all}"),
        mend: format!(
            "take the fields that you need; the event's place in the log is `{ident}: &mire::EventInfo`, which knows the stream"
        ),
        connection: None,
    })
}

/// The types of this crate's that hold an event.
const EVENTS_OF_LOG: [&str; 4] = ["Event", "PageEvent", "RecordedEvent", "StoredEvent"];

/// Whether a type is an event as the log has it. One without `mire::` may be the user's own, but for an
/// `Event<AccountEvent>`.
fn is_of_log(ty: &Type, reads: &[EventSet]) -> bool {
    let Some(path) = held(ty) else { return false };
    let Some(last) = path.segments.last() else {
        return false;
    };
    let holds_set = match &last.arguments {
        PathArguments::AngleBracketed(arguments) => arguments.args.iter().any(|argument| {
            matches!(argument, GenericArgument::Type(inner) if set(inner, reads).is_some())
        }),
        _ => false,
    };
    EVENTS_OF_LOG.iter().any(|it| last.ident == it) && (is_of_mire(path) || holds_set)
}

fn is_of_mire(path: &Path) -> bool {
    path.segments.len() == 2 && path.segments.iter().any(|it| it.ident == "mire")
}

/// What a parameter is mended to that is meant for an event as the log has it: the info. Its own type
/// may lack arguments, which would only follow.
pub(super) fn info_instead(ty: &Type) -> Option<Type> {
    let mut path = held(ty).filter(|path| is_of_mire(path))?.clone();
    let last = path.segments.last_mut()?;
    *last = syn::PathSegment::from(Ident::new("EventInfo", last.ident.span()));
    Some(syn::parse_quote!(&#path))
}

/// The enum of events that a type is, or holds.
pub(super) fn set<'a>(ty: &Type, reads: &'a [EventSet]) -> Option<&'a EventSet> {
    let written = names::path_text(held(ty)?);
    let last = |text: &str| text.rsplit("::").next().unwrap_or_default().to_owned();
    reads.iter().find(|set| last(&set.text) == last(&written))
}

/// Whether a type is a connection, of a database that a store can be in or of a backend's.
pub(super) fn is_connection(ty: &Type) -> bool {
    let text = names::path_text(ty);
    text.ends_with("Connection") && !OTHER_CONNECTIONS.iter().any(|other| text.ends_with(other))
}

/// Whether a type is, or holds, the info of an event.
pub(super) fn is_event_info(ty: &Type) -> bool {
    let last = held(ty).and_then(|path| path.segments.last());
    last.is_some_and(|last| last.ident == "EventInfo")
}

/// The path of a type, or of what it lends or holds: of `&T`, `Arc<T>`, `Option<&T>` and the like.
pub(super) fn held(ty: &Type) -> Option<&Path> {
    let path = match ty {
        Type::Reference(reference) => return held(&reference.elem),
        Type::Paren(inner) => return held(&inner.elem),
        Type::Path(path) if path.qself.is_none() => &path.path,
        _ => return None,
    };
    let last = path.segments.last()?;
    if ["Arc", "Box", "Option", "Rc"]
        .iter()
        .any(|it| last.ident == it)
        && let PathArguments::AngleBracketed(arguments) = &last.arguments
        && let Some(GenericArgument::Type(inner)) = arguments.args.first()
    {
        return held(inner);
    }
    Some(path)
}
