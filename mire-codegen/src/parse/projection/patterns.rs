//! Patterns among the parameters: they take no field by its name.

use syn::{FnArg, Pat, PatType};

use super::lent;
use crate::errors::Errors;
use crate::model::EventSet;
use crate::names;
use crate::parse::items::Function;

/// Refuses them, and takes them out of the signature.
pub(super) fn take_out(function: &mut Function, sets: &[EventSet], errors: &mut Errors) {
    let inputs = std::mem::take(&mut function.sig.inputs);
    let keep = |input: &FnArg| match input {
        FnArg::Typed(typed) => !refused(typed, sets, errors),
        FnArg::Receiver(_) => true,
    };
    function.sig.inputs = inputs.into_iter().filter(keep).collect();
}

fn refused(typed: &PatType, sets: &[EventSet], errors: &mut Errors) -> bool {
    match &*typed.pat {
        Pat::Wild(wild) => errors.at(
            wild.underscore_token.span,
            "a parameter is a field of the event, and `_` names none",
            "remove the parameter: a function takes the fields that it needs",
        ),
        Pat::Struct(pat) if !pat.fields.is_empty() && lent::set(&typed.ty, sets).is_some() => {
            let fields = pat.fields.iter();
            let fields = fields.map(|field| format!("{}: …", names::path_text(&field.member)));
            let fields: Vec<String> = fields.collect();
            errors.on(
                &typed.pat,
                "the event is taken apart already: a parameter is one of its fields",
                format_args!("write the fields: `{}`", fields.join(", ")),
            );
        }
        _ => return false,
    }
    true
}
