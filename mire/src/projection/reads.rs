//! Which events a projection that `projection!` wrote reads, and what is asked of their enums, here
//! and while compiling.

use std::ops::Deref;

use crate::event::set::{EventDef, EventSet, Variants, decode_known};
use crate::subscription::PageEvent;
use crate::upcast::{DecodeError, UnknownEventType};

/// How an event is read: `None` when it is none of the enum's, `Some(Ok(None))` when it is ignored.
pub type ReadEvent<R> = Option<Result<Option<R>, DecodeError>>;

/// An enum of events that a projection reads, as one of several: `R` is an enum over all of them.
pub struct Set<R> {
    category: &'static str,
    events: &'static [EventDef],
    variants: Variants,
    known: fn() -> &'static [&'static str],
    read: fn(&PageEvent<'_>) -> ReadEvent<R>,
}

impl<R> Set<R> {
    /// The enum `E`, read by [`read`].
    pub const fn of<E: EventSet>(read: fn(&PageEvent<'_>) -> ReadEvent<R>) -> Self {
        Self {
            category: E::CATEGORY,
            events: E::EVENTS,
            variants: E::VARIANTS,
            known: E::event_types,
            read,
        }
    }

    /// The category of the streams that hold its events.
    pub const fn category(&self) -> &'static str {
        self.category
    }

    /// The fingerprint of a declaration that handles the variants of these names, with a space between
    /// two. It covers what makes other rows of the same declaration: the category, since other streams
    /// are read then, and the versions, in another one of which the same fields can mean something
    /// else.
    #[must_use]
    pub const fn fingerprint(&self, declaration: u32, handled: &str) -> u32 {
        let mut fingerprint = mixed_text(declaration, self.category);
        let mut at = 0;
        while at < self.events.len() {
            let event = &self.events[at];
            if event.version > 1 && is_in(event.variant, handled) {
                fingerprint = mixed(mixed_text(fingerprint, event.variant), event.version);
            }
            at += 1;
        }
        fingerprint
    }

    /// Stops the compiler when a variant is neither handled nor ignored. `path` is the enum as the
    /// projection names it, and `named` are the variants that the projection handles or ignores.
    ///
    /// A name that is no variant's is left to rustc, which suggests a near one where it stands; what
    /// is missing is not told then, since it is probably the one that was meant.
    #[track_caller]
    pub const fn all_handled(&self, projection: &str, path: &str, named: &Variants) {
        if named.hash != self.variants.hash {
            self.tell_missing(projection, path, named.names);
        }
    }

    /// Stops the compiler when an event of this enum and one of another have the same stored name: what
    /// is stored would be read as either. `path` and `other_path` are the enums as the projection names
    /// them.
    #[track_caller]
    pub const fn distinct_from(&self, path: &str, other: &Self, other_path: &str) {
        // Both lists are in order of the names.
        let (mut at, mut with) = (0, 0);
        while at < self.events.len() && with < other.events.len() {
            let (event, another) = (&self.events[at], &other.events[with]);
            if is_same(event.name, another.name) {
                let mut text = Text::new();
                text.push("`");
                text.push(path);
                text.push("::");
                text.push(event.variant);
                text.push("` and `");
                text.push(other_path);
                text.push("::");
                text.push(another.variant);
                text.push("` are both stored as `");
                text.push(event.name);
                text.push(
                    "`, so what is stored could be either\nhelp: give one of the two aggregates \
                     another category",
                );
                panic!("{}", text.as_str());
            }
            if is_before(event.name, another.name) {
                at += 1;
            } else {
                with += 1;
            }
        }
    }

    #[track_caller]
    const fn tell_missing(&self, projection: &str, path: &str, named: &str) {
        let mut names = named;
        while !names.is_empty() {
            let (name, others) = first_name(names);
            if !is_in(name, self.variants.names) {
                return;
            }
            names = others;
        }
        let (mut first, mut missing) = ("", Text::new());
        let mut variants = self.variants.names;
        while !variants.is_empty() {
            let (variant, others) = first_name(variants);
            if !is_in(variant, named) {
                if first.is_empty() {
                    first = variant;
                } else {
                    missing.push(", ");
                }
                missing.push(path);
                missing.push("::");
                missing.push(variant);
            }
            variants = others;
        }
        let mut text = Text::new();
        text.push("the projection `");
        text.push(projection);
        text.push("` neither handles nor ignores `");
        text.push(missing.as_str());
        text.push("`\nhelp: write a function with `#[on(");
        text.push(path);
        text.push("::");
        text.push(first);
        text.push(")]`, or put on the struct what needs none: `#[ignores(");
        text.push(missing.as_str());
        text.push(")]`");
        panic!("{}", text.as_str());
    }
}

const fn mixed_text(fingerprint: u32, text: &str) -> u32 {
    let mut fingerprint = fingerprint;
    let mut bytes = text.as_bytes();
    while let [byte, rest @ ..] = bytes {
        fingerprint = mixed(fingerprint, *byte as u32);
        bytes = rest;
    }
    fingerprint
}

/// A step of FNV-1a, in the 31 bits of a fingerprint.
const fn mixed(fingerprint: u32, value: u32) -> u32 {
    (fingerprint ^ value).wrapping_mul(0x0100_0193) & 0x7fff_ffff
}

/// Reads an event of the enum `E`. The variants of `ignored`, sorted by name, are not decoded.
pub fn read<E: EventSet, R>(
    event: &PageEvent<'_>,
    ignored: &[&str],
    wrap: fn(E) -> R,
) -> ReadEvent<R> {
    if event.category() != E::CATEGORY {
        return None;
    }
    let stored = event.stored();
    let at = E::EVENTS
        .binary_search_by(|known| known.name.cmp(stored.event_type))
        .ok()?;
    let known = &E::EVENTS[at];
    if ignored.binary_search(&known.variant).is_ok() {
        return Some(Ok(None));
    }
    Some(decode_known(known, &stored).map(|event| Some(wrap(event))))
}

/// Reads an event of one of these enums; `None` when it is ignored.
///
/// # Errors
///
/// When none of them knows its stored name, or its payload can't be read.
pub fn read_any<R>(event: &PageEvent<'_>, sets: &[Set<R>]) -> Result<Option<R>, DecodeError> {
    for set in sets {
        if let Some(read) = (set.read)(event) {
            return read;
        }
    }
    let known = sets
        .iter()
        .find(|set| set.category == event.category())
        .map_or(&[][..], |set| (set.known)());
    Err(Box::new(UnknownEventType {
        event_type: event.event_type().to_owned(),
        known,
    }))
}

/// A parameter that takes an event's field of type `F` by value: one of the same type.
///
/// The parameter is `Self`, so that it is known from the function before the two are compared.
#[diagnostic::on_unimplemented(
    message = "the event's field is a `{F}`, and the parameter a `{Self}`",
    label = "not the type of the event's field",
    note = "write `{F}` here, or `&{F}` to borrow it (`&str` borrows a `String`)"
)]
pub trait ParameterOf<F> {
    /// The field as the parameter.
    fn of_field(field: F) -> Self;
}

impl<T> ParameterOf<T> for T {
    fn of_field(field: T) -> T {
        field
    }
}

/// An event's field that a parameter of type `&P` can borrow: a `P`, or what stands for one, as a
/// `String` for a `str`. `How` only tells the implementations apart.
#[diagnostic::on_unimplemented(
    message = "the event's field is a `{Self}`, and the parameter a `&{P}`",
    label = "not the type of the event's field",
    note = "write `&{Self}` here, or `{Self}` to take it by value",
    note = "`&str` borrows a `String`, and `&[T]` a `Vec<T>`"
)]
pub trait Lends<P: ?Sized, How> {
    /// What is lent.
    fn lend(&self) -> &P;
}

/// The field's own type.
pub struct Itself;

/// What the field's type stands for.
pub struct Through;

impl<T: ?Sized> Lends<T, Itself> for T {
    fn lend(&self) -> &T {
        self
    }
}

#[diagnostic::do_not_recommend]
impl<T: Deref<Target: Is<P>> + ?Sized, P: ?Sized> Lends<P, Through> for T {
    fn lend(&self) -> &P {
        self.deref().itself()
    }
}

/// Equality of types, as a bound that is false where an equation would be an error of its own.
pub trait Is<T: ?Sized> {
    /// The same.
    fn itself(&self) -> &T;
}

impl<T: ?Sized> Is<T> for T {
    fn itself(&self) -> &T {
        self
    }
}

/// An event's field, for a function that borrows it.
pub fn lent<P: ?Sized, How, F: Lends<P, How> + ?Sized>(field: &F) -> &P {
    field.lend()
}

/// A copy of an event's field, for a function that takes it by value.
pub fn copy_of<P: ParameterOf<F>, F: Clone>(field: &F) -> P {
    P::of_field(field.clone())
}

/// What is meant in `runner!` where a type declares no subscription: a handler that was written by
/// hand. That it can't be added by its type is said where it is added.
pub trait NoSubscription {
    /// No name.
    const SUBSCRIPTION: &'static str = "";
    /// No name, which is also what a projection that acts has.
    const __MIRE_TABLE: &'static str = "";
}

impl<T: ?Sized> NoSubscription for T {}

/// Stops the compiler when the last of these projections, each with the names of its subscription and
/// its table, has one of them in common with another. The empty one is none.
#[track_caller]
pub const fn distinct_subscription(projections: &[(&str, &str, &str)]) {
    if let [others @ .., (projection, subscription, table)] = projections {
        let mut others = others;
        while let [(other, others_subscription, others_table), rest @ ..] = others {
            if !subscription.is_empty() && is_same(others_subscription, subscription) {
                tell_same(other, projection, subscription);
            }
            if !table.is_empty() && is_same(others_table, table) {
                tell_same_table(other, projection, table);
            }
            others = rest;
        }
    }
}

#[track_caller]
const fn tell_same(first: &str, second: &str, subscription: &str) {
    let mut text = Text::new();
    text.push("`");
    text.push(first);
    if is_same(first, second) {
        text.push("` stands in this runner twice\nhelp: remove one of them");
    } else {
        text.push("` and `");
        text.push(second);
        text.push("` both have the subscription `");
        text.push(subscription);
        text.push(
            "`, so one would skip what the other has handled\nhelp: give each a name of its own \
             with `subscription = \"…\"`",
        );
    }
    panic!("{}", text.as_str());
}

#[track_caller]
const fn tell_same_table(first: &str, second: &str, table: &str) {
    let mut text = Text::new();
    text.push("`");
    text.push(first);
    text.push("` and `");
    text.push(second);
    text.push("` both keep the table `");
    text.push(table);
    text.push(
        "`, so one would replace the other's\nhelp: give each a name of its own with \
         `table = \"…\"`",
    );
    panic!("{}", text.as_str());
}

/// Whether a name is among names with a space between two.
const fn is_in(name: &str, names: &str) -> bool {
    let mut names = names;
    while !names.is_empty() {
        let (first, others) = first_name(names);
        if is_same(name, first) {
            return true;
        }
        names = others;
    }
    false
}

/// The first of names with a space between two, and the others.
const fn first_name(names: &str) -> (&str, &str) {
    let mut end = 0;
    while end < names.len() {
        if names.as_bytes()[end] == b' ' {
            let (name, others) = names.split_at(end);
            return (name, others.split_at(1).1);
        }
        end += 1;
    }
    (names, "")
}

/// `<` on text is not const.
const fn is_before(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    while let ([first, rest @ ..], [other, others @ ..]) = (a, b) {
        if *first != *other {
            return *first < *other;
        }
        (a, b) = (rest, others);
    }
    a.len() < b.len()
}

/// `==` on text is not const.
const fn is_same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

const TEXT_BYTES: usize = 8192;

/// Text that is put together while compiling. What doesn't fit is left out.
struct Text {
    bytes: [u8; TEXT_BYTES],
    len: usize,
}

impl Text {
    const fn new() -> Self {
        Self {
            bytes: [0; TEXT_BYTES],
            len: 0,
        }
    }

    const fn push(&mut self, text: &str) {
        let text = text.as_bytes();
        if self.len + text.len() > TEXT_BYTES {
            return;
        }
        let mut at = 0;
        while at < text.len() {
            self.bytes[self.len] = text[at];
            self.len += 1;
            at += 1;
        }
    }

    const fn as_str(&self) -> &str {
        let (text, _) = self.bytes.split_at(self.len);
        match str::from_utf8(text) {
            Ok(text) => text,
            // Only whole texts were pushed.
            Err(_) => "",
        }
    }
}
