//! Mistakes across the variants of an enum with `#[derive(EventData)]`.

use crate::errors::Errors;
use crate::model::{EventType, EventTypeForm, StoredVariant};

/// Checks an event type, and takes out what would only make rustc repeat a mistake.
pub(crate) fn event_type(event_type: &mut EventType, errors: &mut Errors) {
    let EventTypeForm::Enum { variants, .. } = &mut event_type.form else {
        return;
    };
    let mut checked: Vec<StoredVariant> = Vec::new();
    for mut variant in std::mem::take(variants) {
        if let Some(twin) = checked.iter().find(|twin| twin.stored == variant.stored) {
            errors.at(
                variant.stored_span,
                format_args!(
                    "the events `{}` and `{}` are both stored as `{}`",
                    twin.ident, variant.ident, variant.stored
                ),
                "give one of them another stored name with `#[mire(rename = \"…\")]`",
            );
            // It stays, so that rustc doesn't miss it.
            variant.stored = format!("{}-{}", variant.stored, checked.len());
        }
        checked.push(variant);
    }
    *variants = checked;
}
