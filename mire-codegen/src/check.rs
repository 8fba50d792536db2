//! Mistakes across items, found on the model.

mod aggregate;
mod projection;

pub(crate) use aggregate::aggregate;
pub(crate) use projection::projection;

use proc_macro2::Ident;

use crate::errors::Errors;

/// Refuses the name of a function that the macro generates beside it.
fn generated_twin(ident: &Ident, generated: &[&str], errors: &mut Errors) {
    if generated.iter().any(|name| ident == name) {
        errors.at(
            ident.span(),
            format_args!("`{ident}` is the name of a function that the macro generates"),
            "choose another name",
        );
    }
}
