//! A function that is an event: its fields, its variant, and what it can't be.

use proc_macro2::Ident;
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::{Attribute, Type, Visibility};

use super::versions::versions;
use crate::attrs::Words;
use crate::errors::Errors;
use crate::keywords::Place;
use crate::model::{Event, Field};
use crate::names;
use crate::parse::attributes::{NoCfg, Sorted};
use crate::parse::functions::{self, Declared, Owned, SelfKind};
use crate::parse::items::Function;
use crate::parse::json;
use crate::parse::stored_name::stored_name;

const NO_CFG_ON_EVENT: NoCfg = NoCfg {
    on: "an event",
    why: "the log may hold it, whatever is compiled",
    mend: "remove it; a command that returns the event may have one",
};

const NO_CFG_ON_FIELD: NoCfg = NoCfg {
    on: "a field of an event",
    why: "the log may hold it, whatever is compiled",
    mend: "remove it; a field that isn't always there is an `Option`",
};

/// Reads an event; answers as well whether its fields are what was written.
pub(super) fn event(
    (state, category): (&Ident, &str),
    own: &[Attribute],
    mut attrs: Sorted,
    mut function: Function,
    errors: &mut Errors,
) -> (Event, bool) {
    let ident = function.sig.ident.clone();
    let what = format!("the event `{ident}`");
    NO_CFG_ON_EVENT.refuse(&["cfg"], &mut attrs.rest, errors);
    attrs.refuse_rest("an event", errors);
    let words = Words::read(Place::Event, own, errors);
    let given = words.text("name");
    let name = stored_name(&ident, "name", given.as_ref(), errors);
    let (version, upcasts) = versions(&words, &ident, state, errors);
    // What is wrong with a broken header was told.
    let silent = &mut Errors::default();
    let errors = if function.broken { silent } else { errors };
    let before = errors.count();
    functions::mend_receiver(&mut function, state, "&mut self", errors);
    functions::take_tuples_apart(&mut function, errors);
    let mut declared = functions::parameters(&mut function, errors);
    declared.retain(|declared| declared.is_named);
    json::refuse_names_in_event(&mut declared, errors);
    let fields: Vec<Field> = declared
        .into_iter()
        .filter_map(|declared| field(declared, errors))
        .collect();
    let is_whole = errors.count() == before;
    let sound = check_event(&function, &what, is_whole, errors);
    let body = match &function.body {
        Some(body) if sound && is_whole && !function.broken => body.clone(),
        _ => quote!({}),
    };
    let event = Event {
        variant: variant(&ident, errors),
        docs: attrs.docs,
        attrs: attrs.lints,
        stored: format!("{category}.{name}"),
        stored_span: given.map_or(ident.span(), |given| given.span()),
        header: [
            function.sig.fn_token.span,
            function.sig.paren_token.span.join(),
        ],
        ident,
        version,
        upcasts,
        fields,
        body,
    };
    (event, is_whole)
}

/// A field of an event; `None` when nothing could be stored in its place.
fn field(declared: Declared, errors: &mut Errors) -> Option<Field> {
    let Declared {
        mut parameter,
        mut ty,
        attrs,
        is_named: _,
    } = declared;
    let mut attrs = Sorted::new(attrs);
    let _ = attrs.own(&[], "a field of an event", errors);
    NO_CFG_ON_FIELD.refuse(&["cfg", "cfg_attr"], &mut attrs.rest, errors);
    if is_info(&ty) {
        errors.on(
            &ty,
            "an event isn't handed its info: it is applied to the state by its fields alone",
            "remove it, and pass what it needs of it as a field",
        );
        return None;
    }
    let shortened = json::refuse_in_event(&mut ty, &mut attrs.rest, errors);
    let Owned {
        stored,
        by_reference,
        mended,
    } = functions::owned(&ty, errors)?;
    let mended = mended.or_else(|| shortened.then(|| ty.to_token_stream()));
    let (docs, rest) = (attrs.docs.tokens, attrs.rest);
    let name = names::text(&parameter.ident);
    let plain = name.trim_start_matches('_');
    if name != plain && rest.is_empty() && names::is_identifier(plain) {
        errors.at(
            parameter.ident.span(),
            format_args!("the field would be stored as `{name}`"),
            format_args!(
                "name it `{plain}`: what the function of an event doesn't use gives no warning"
            ),
        );
    }
    if let Some(ty) = mended {
        let ident = &parameter.ident;
        parameter.declared = quote!(#ident: #ty);
    }
    Some(Field {
        parameter,
        attrs: quote!(#docs #(#rest)*),
        own_attrs: rest.len(),
        stored,
        by_reference,
    })
}

/// `&EventInfo`, which functions of a projection are handed.
fn is_info(ty: &Type) -> bool {
    let Type::Reference(reference) = ty else {
        return false;
    };
    match &*reference.elem {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .is_some_and(|it| it.ident == "EventInfo"),
        _ => false,
    }
}

fn variant(ident: &Ident, errors: &mut Errors) -> Ident {
    let name = names::pascal(&names::text(ident));
    if names::is_identifier(&name) {
        return Ident::new(&name, ident.span());
    }
    errors.at(
        ident.span(),
        format_args!("the event `{ident}` would be the variant `{name}`, which Rust doesn't allow"),
        "rename the function",
    );
    // A word of Rust, or what begins with a digit.
    let others = [format!("{name}Event"), format!("Event{name}")];
    let other = others.into_iter().find(|it| names::is_identifier(it));
    Ident::new(other.as_deref().unwrap_or("Event"), ident.span())
}

/// Refuses what an event can't be; answers whether its body may go out as it stands.
fn check_event(function: &Function, what: &str, is_whole: bool, errors: &mut Errors) -> bool {
    let sig = &function.sig;
    let mut sound = functions::refuse_qualifiers(sig, what, errors);
    if let Some(token) = &sig.constness {
        errors.at(
            token.span,
            format_args!("{what} can't be `const`"),
            "remove `const`",
        );
    }
    if let Some(token) = &sig.asyncness {
        errors.at(
            token.span,
            format_args!("{what} can't be `async`: applying it only changes the state"),
            "remove `async`; what has to wait belongs in a command's caller or in a projection",
        );
        sound = false;
    }
    // Of a lifetime it was said where a field has it.
    if is_whole || !functions::has_only_lifetimes(sig) {
        sound &= functions::refuse_generics(
            sig,
            what,
            "an event is stored, so each field has one type: write it out",
            errors,
        );
    }
    let (receiver, span) = functions::receiver(sig);
    if receiver != SelfKind::Mutable {
        errors.at(
            span,
            format_args!("{what} takes no `&mut self`: an event is its effect on the state"),
            "make `&mut self` the first parameter",
        );
        sound &= receiver == SelfKind::Shared;
    }
    if let Some(output) = functions::return_type(sig) {
        errors.at(
            output.span(),
            format_args!("{what} returns something, but it has happened and can't fail or answer"),
            "remove the return type; what may refuse is a `#[command]`",
        );
        sound = false;
    }
    if !matches!(function.vis, Visibility::Inherited) {
        errors.at(
            function.vis.span(),
            format_args!("{what} is applied by the store alone"),
            "remove the visibility; its variant in the enum of events is visible as the state is",
        );
    }
    if function.body.is_none() {
        errors.at(
            sig.ident.span(),
            format_args!("{what} has no body"),
            "write what it does to the state, or `{}` for nothing",
        );
    }
    sound
}
