//! What a `macro_rules!` of the user's hands on: a fragment such as `$event:path` comes in a group
//! without delimiters, and means what stands in it.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::visit_mut::{self, VisitMut};
use syn::{Signature, Type};

/// The tokens with those of the fragments among them. What stands in parentheses stays as it is.
pub(crate) fn opened(tokens: TokenStream) -> Vec<TokenTree> {
    let mut opened = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
                opened.extend(self::opened(group.stream()));
            }
            token => opened.push(token),
        }
    }
    opened
}

/// The first token, that of a fragment where one stands first.
pub(crate) fn first(tokens: TokenStream) -> Option<TokenTree> {
    match tokens.into_iter().next()? {
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => first(group.stream()),
        token => Some(token),
    }
}

/// Opens fragments among the types of a signature.
pub(crate) fn open_signature(sig: &mut Signature) {
    Opener.visit_signature_mut(sig);
}

/// Opens a type that is a fragment, or has some in it.
pub(crate) fn open_type(ty: &mut Type) {
    Opener.visit_type_mut(ty);
}

struct Opener;

impl VisitMut for Opener {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        // A sum such as `dyn Fn() + Send` behind a `&` needs what holds it together.
        while let Type::Group(group) = ty
            && !matches!(*group.elem, Type::TraitObject(_) | Type::ImplTrait(_))
        {
            *ty = (*group.elem).clone();
        }
        visit_mut::visit_type_mut(self, ty);
    }
}

#[cfg(test)]
mod tests {
    use proc_macro2::Group;
    use quote::quote;

    use super::*;

    fn fragment(tokens: TokenStream) -> TokenTree {
        Group::new(Delimiter::None, tokens).into()
    }

    #[test]
    fn fragments_are_what_they_hold() {
        let inner = fragment(quote!(RoomEvent));
        let event = fragment(quote!(#inner::Built));
        let tokens: TokenStream = opened(quote!(#event, key(name))).into_iter().collect();
        assert_eq!(
            tokens.to_string(),
            quote!(RoomEvent::Built, key(name)).to_string()
        );
        assert_eq!(first(quote!(#event, b)).unwrap().to_string(), "RoomEvent");
    }

    #[test]
    fn types_are_what_they_hold() {
        let (text, sum) = (fragment(quote!(str)), fragment(quote!(dyn A + B)));
        let mut ty: Type = syn::parse_quote!(&#text);
        open_type(&mut ty);
        assert_eq!(ty, syn::parse_quote!(&str));
        let mut ty: Type = syn::parse_quote!(&#sum);
        open_type(&mut ty);
        assert!(matches!(ty, Type::Reference(it) if matches!(*it.elem, Type::Group(_))));
    }
}
