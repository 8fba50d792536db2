//! What a state or a row is before its first event. Two traits that do the same, since a mistake in
//! each place is mended in another way, and the compiler's words stand on the trait.

/// A type that has a value before any event: its default.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no default, so there is no value for this field before the first event",
    label = "no `Default`",
    note = "take an `Option<{Self}>`, which is `None` at first; a type of your own may have `#[derive(Clone, Default)]`"
)]
pub trait Initial {
    /// That value.
    fn initial() -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Default> Initial for T {
    fn initial() -> T {
        T::default()
    }
}

/// The value that a field has before any event.
#[must_use]
pub fn initial<T: Initial>() -> T {
    T::initial()
}

/// A type that a row with a default may have as its key.
#[diagnostic::on_unimplemented(
    message = "the key `{Self}` has no default, so its row can't derive `Default`",
    label = "no `Default`",
    note = "remove `Default` from the row's `#[derive(…)]`: a new row has its event's key, and the defaults of the other columns"
)]
pub trait DefaultKey {
    /// Its default.
    fn default_key() -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Default> DefaultKey for T {
    fn default_key() -> T {
        T::default()
    }
}

/// The default of a key.
#[must_use]
pub fn default_key<K: DefaultKey>() -> K {
    K::default_key()
}
