//! Structs with a slip among their fields. As many of them stay known as can be made out, so that
//! nothing misses the struct, and an editor knows it while a field is being typed.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Attribute, Field, ItemStruct, Token, Type, Visibility, WhereClause};

use super::parts::{
    balanced, begins_named, commas, head, is_punct, parted, unreserved, with_colon,
    without_trailing,
};
use crate::errors::Errors;
use crate::fragments;

/// Reads a struct that syn can't read; answers as well whether a field of it is unknown. `error` is what
/// syn says to it, for slips that are not known here. `None` when it is no struct with named fields.
pub(super) fn of_struct(
    tokens: TokenStream,
    error: &syn::Error,
    errors: &mut Errors,
) -> Option<(ItemStruct, bool)> {
    let parser = |input: ParseStream<'_>| {
        let (attrs, vis) = (
            input.call(Attribute::parse_outer)?,
            input.parse::<Visibility>()?,
        );
        let (keyword, ident) = (input.parse::<Token![struct]>()?, input.parse::<Ident>()?);
        let generics: syn::Generics = input.parse()?;
        let bounds: Option<WhereClause> = input.parse()?;
        let TokenTree::Group(group) = input.parse()? else {
            return Err(input.error(""));
        };
        let head = quote!(#(#attrs)* #vis #keyword #ident #generics #bounds);
        Ok((syn::parse2::<ItemStruct>(quote!(#head {}))?, group))
    };
    let (mut item, group) = parser.parse2(tokens).ok()?;
    if group.delimiter() != Delimiter::Brace {
        return None;
    }
    let mut fields = Fields::default();
    let mut said = Errors::default();
    let tokens = fragments::opened(group.stream());
    for chunk in commas(&tokens, &mut said) {
        fields.add(&chunk, &mut said);
    }
    if said.count() == 0 {
        said.push(error.clone());
    }
    errors.append(said);
    if let syn::Fields::Named(named) = &mut item.fields {
        named.named = fields.known.into_iter().collect();
    }
    Some((item, fields.lost))
}

/// Reads the fields of a struct that is called an `enum`.
pub(super) fn of_enum(tokens: &TokenStream, errors: &mut Errors) -> Option<ItemStruct> {
    let mut keyword = None;
    let as_struct = tokens.clone().into_iter().map(|token| match token {
        TokenTree::Ident(word) if word == "enum" && keyword.is_none() => {
            keyword = Some(word.span());
            Ident::new("struct", word.span()).into()
        }
        token => token,
    });
    let item: ItemStruct = syn::parse2(as_struct.collect()).ok()?;
    errors.at(
        keyword?,
        format_args!("`{}` has fields, and an `enum` has variants", item.ident),
        "write `struct`",
    );
    Some(item)
}

/// Fields as far as they are known.
#[derive(Default)]
struct Fields {
    known: Vec<Field>,
    /// Whether one is unknown, or has another name now, so that bodies may use what isn't there.
    lost: bool,
}

impl Fields {
    fn add(&mut self, tokens: &[TokenTree], errors: &mut Errors) {
        let tokens = without_trailing(tokens, "field", errors);
        if tokens.is_empty() {
            return;
        }
        match field(tokens) {
            Ok(field) => self.known.push(field),
            Err(error) => self.mend(tokens, &error, errors),
        }
    }

    fn mend(&mut self, tokens: &[TokenTree], error: &syn::Error, errors: &mut Errors) {
        let (head, rest) = tokens.split_at(head(tokens));
        if let Some((word, behind)) = word_of_let(rest) {
            errors.at(
                word.span(),
                format_args!("a field is declared without `{word}`"),
                format_args!("remove `{word}`"),
            );
            let behind = word_of_let(behind).map_or(behind, |(_, behind)| behind);
            return self.add(&[head, behind].concat(), errors);
        }
        if let Some(mended) = unreserved(tokens, errors) {
            self.lost = true;
            return self.add(&mended, errors);
        }
        if let Some(at) = next_field(rest) {
            let (first, behind) = (&rest[..at], &rest[at..]);
            self.add(&[head, first].concat(), errors);
            // That a comma is missing as well would be said at the same place.
            let behind = match name_alone(first) {
                Some(_) => behind,
                None => parted(behind, errors),
            };
            return self.add(behind, errors);
        }
        if let Some(name) = name_alone(rest) {
            errors.at(
                name.span(),
                format_args!("the field `{name}` has no type"),
                format_args!("write `{name}: Type`"),
            );
            self.lost = true;
            return;
        }
        let mended = match rest {
            [TokenTree::Ident(name), colon, ty @ ..] if is_punct(colon, ':') => {
                balanced(ty, errors).map(|ty| quote!(#name: #ty))
            }
            [TokenTree::Ident(name), ty @ ..] => without_colon(name, ty, errors),
            _ => None,
        };
        let head = head.iter();
        match mended.map(|it| Field::parse_named.parse2(quote!(#(#head)* #it))) {
            Some(Ok(field)) => self.known.push(field),
            _ => self.unknown(rest, error, errors),
        }
    }

    fn unknown(&mut self, tokens: &[TokenTree], error: &syn::Error, errors: &mut Errors) {
        let name = tokens.first().map(ToTokens::to_token_stream);
        let is_named = name.is_some_and(|name| syn::parse2::<Ident>(name).is_ok());
        let wrong = match is_named {
            true => "this is no type",
            false => "this is no field",
        };
        errors.at(error.span(), wrong, "a field is written `name: Type`");
        self.lost = true;
    }
}

fn field(tokens: &[TokenTree]) -> syn::Result<Field> {
    // In braces that stand where the last token does, what is missing is said there.
    let mut braced = Group::new(Delimiter::Brace, tokens.iter().cloned().collect());
    braced.set_span(tokens.last().map_or_else(Span::call_site, TokenTree::span));
    let parser = |input: ParseStream<'_>| {
        let content;
        syn::braced!(content in input);
        Field::parse_named(&content)
    };
    parser.parse2(TokenTree::Group(braced).into())
}

/// What declares a variable, and what stands behind it.
fn word_of_let(tokens: &[TokenTree]) -> Option<(&Ident, &[TokenTree])> {
    match tokens {
        [TokenTree::Ident(word), behind @ ..]
            if word == "let" || word == "mut" || word == "var" && begins_named(behind) =>
        {
            Some((word, behind))
        }
        _ => None,
    }
}

/// `name`, or `name:`.
fn name_alone(tokens: &[TokenTree]) -> Option<&Ident> {
    match tokens {
        [TokenTree::Ident(name)] => Some(name),
        [TokenTree::Ident(name), colon] if is_punct(colon, ':') => Some(name),
        _ => None,
    }
}

/// Where a field begins that no comma parts from the one before it, or the sign in the comma's place.
fn next_field(tokens: &[TokenTree]) -> Option<usize> {
    (1..tokens.len()).find(|&at| {
        let before = &tokens[..at];
        let in_path = is_punct(&before[at - 1], ':') && name_alone(before).is_none();
        let rest = &tokens[at..];
        let begins_let = word_of_let(&rest[head(rest)..]).is_some();
        let begins = is_punct(&rest[0], ';') || begins_named(rest) || begins_let;
        begins && !in_path
    })
}

/// `owner String`, `owner = String`.
fn without_colon(name: &Ident, ty: &[TokenTree], errors: &mut Errors) -> Option<TokenStream> {
    let ty = match ty {
        [equals, ty @ ..] if is_punct(equals, '=') => ty,
        ty => ty,
    };
    let ty: Type = syn::parse2(ty.iter().cloned().collect()).ok()?;
    let (declared, text) = with_colon(name, &ty);
    Field::parse_named.parse2(declared.clone()).ok()?;
    errors.at(
        name.span(),
        format_args!("`{name}` has no `:` behind it"),
        format_args!("write `{text}`"),
    );
    Some(declared)
}

/// Takes the values off fields that are given one: `spent: i64 = 3`.
pub(super) fn refuse_values(item: &mut ItemStruct, errors: &mut Errors) {
    for field in &mut item.fields {
        let Some((equals, value)) = field.default.take() else {
            continue;
        };
        errors.at(
            equals.span(),
            "each field begins with the `Default` of its type",
            format_args!(
                "remove `= {}`, and set the field in the function of the first event",
                value.to_token_stream()
            ),
        );
    }
}
