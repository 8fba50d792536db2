//! Mistakes across items, found on the model.

mod aggregate;
mod changes;
mod event_data;
mod projection;

pub(crate) use aggregate::aggregate;
pub(crate) use event_data::event_type;
pub(crate) use projection::projection;

use proc_macro2::Ident;

use crate::errors::Errors;

/// Refuses the name of a function that the macro generates beside it; answers whether it is free.
fn generated_twin(ident: &Ident, generated: &[impl AsRef<str>], errors: &mut Errors) -> bool {
    // A name is text only after it was asked for, which costs more than to compare it.
    let text = ident.to_string();
    let taken = generated.iter().any(|name| text == name.as_ref());
    if taken {
        errors.at(
            ident.span(),
            format_args!("`{ident}` is the name of a function that the macro generates"),
            "choose another name",
        );
    }
    !taken
}
