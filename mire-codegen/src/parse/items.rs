//! The content of a macro as items. Bodies stay tokens: an editor completes in a body that is being
//! typed only if nobody insists on parsing it.

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::discouraged::Speculative;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, ItemEnum, ItemStruct, Signature, Token, Visibility};

use crate::errors::Errors;

/// An item in a macro.
pub(crate) enum Item {
    Data(Data),
    Function(Box<Function>),
    /// Something that has no place in the macro.
    Other(Other),
}

/// A struct or an enum.
pub(crate) enum Data {
    Struct(ItemStruct),
    Enum(ItemEnum),
}

impl Data {
    pub(crate) fn ident(&self) -> &Ident {
        match self {
            Self::Struct(item) => &item.ident,
            Self::Enum(item) => &item.ident,
        }
    }

    pub(crate) fn attrs(&self) -> &[Attribute] {
        match self {
            Self::Struct(item) => &item.attrs,
            Self::Enum(item) => &item.attrs,
        }
    }

    pub(crate) fn vis(&self) -> &Visibility {
        match self {
            Self::Struct(item) => &item.vis,
            Self::Enum(item) => &item.vis,
        }
    }

    /// The fields of a struct with named ones, each with its type; `None` for all else, and when it
    /// isn't certain that they are all there.
    pub(crate) fn named_fields(&self) -> Option<Vec<(Ident, TokenStream)>> {
        let Self::Struct(ItemStruct {
            fields: syn::Fields::Named(fields),
            ..
        }) = self
        else {
            return None;
        };
        let fields = fields.named.iter().map(|field| {
            let certain = !field.attrs.iter().any(|attr| attr.path().is_ident("cfg"));
            let ident = field.ident.clone().filter(|_| certain)?;
            Some((ident, field.ty.to_token_stream()))
        });
        fields.collect()
    }

    /// All fields, also those of an enum's variants.
    pub(crate) fn fields(&self) -> Vec<&syn::Field> {
        match self {
            Self::Struct(item) => item.fields.iter().collect(),
            Self::Enum(item) => {
                let variants = item.variants.iter();
                variants.flat_map(|variant| &variant.fields).collect()
            }
        }
    }

    pub(crate) fn generics(&self) -> &syn::Generics {
        match self {
            Self::Struct(item) => &item.generics,
            Self::Enum(item) => &item.generics,
        }
    }

    pub(crate) fn generics_mut(&mut self) -> &mut syn::Generics {
        match self {
            Self::Struct(item) => &mut item.generics,
            Self::Enum(item) => &mut item.generics,
        }
    }

    /// Takes the attributes off.
    pub(crate) fn take_attrs(&mut self) -> Vec<Attribute> {
        match self {
            Self::Struct(item) => std::mem::take(&mut item.attrs),
            Self::Enum(item) => std::mem::take(&mut item.attrs),
        }
    }
}

impl ToTokens for Data {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Struct(item) => item.to_tokens(tokens),
            Self::Enum(item) => item.to_tokens(tokens),
        }
    }
}

/// A function, its body unread.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    /// The braces and what is between them; `None` for a `;`.
    pub(crate) body: Option<TokenStream>,
}

/// An item of another kind.
pub(crate) struct Other {
    /// What it begins with.
    pub(crate) keyword: String,
    pub(crate) span: Span,
    /// The whole item; empty when it is none.
    pub(crate) tokens: TokenStream,
}

/// Reads all items. What can't be read is reported and stepped over.
pub(crate) fn items(tokens: TokenStream, errors: &mut Errors) -> Vec<Item> {
    let mut items = Vec::new();
    let parser = |input: ParseStream<'_>| {
        while !input.is_empty() {
            // An item that can't be read is stepped over from its own beginning.
            let attempt = input.fork();
            match item(&attempt) {
                Ok(item) => {
                    input.advance_to(&attempt);
                    items.push(item);
                }
                Err(error) => {
                    errors.push(error);
                    let broken = skip_to_end_of_item(input, false);
                    items.extend(broken_struct(broken).map(|it| Item::Data(Data::Struct(it))));
                }
            }
        }
        Ok(())
    };
    if let Err(error) = parser.parse2(tokens) {
        errors.push(error);
    }
    items
}

/// What can be read of a struct with a mistake among its fields: the other ones, so that only the
/// mistake is reported, and an editor knows the type while a field is being typed.
fn broken_struct(tokens: TokenStream) -> Option<ItemStruct> {
    let parser = |input: ParseStream<'_>| {
        let head = (
            input.call(Attribute::parse_outer)?,
            input.parse::<Visibility>()?,
            input.parse::<Token![struct]>()?,
            input.parse::<Ident>()?,
            input.parse::<syn::Generics>()?,
        );
        let content;
        syn::braced!(content in input);
        let mut fields = Vec::new();
        while !content.is_empty() {
            let attempt = content.fork();
            let field = syn::Field::parse_named(&attempt);
            if attempt.peek(Token![:]) {
                // `owner: balance: i64`: the first one has no type yet.
                content.call(Attribute::parse_outer)?;
                content.parse::<Visibility>()?;
                content.parse::<Ident>()?;
                content.parse::<Token![:]>()?;
                continue;
            }
            if let Ok(field) = field {
                content.advance_to(&attempt);
                fields.push(field);
            }
            while let Ok(token) = content.parse::<TokenTree>() {
                if matches!(&token, TokenTree::Punct(end) if [',', ';'].contains(&end.as_char())) {
                    break;
                }
            }
        }
        let (attrs, vis, keyword, ident, generics) = head;
        Ok(syn::parse_quote!(#(#attrs)* #vis #keyword #ident #generics { #(#fields),* }))
    };
    parser.parse2(tokens).ok()
}

fn item(input: ParseStream<'_>) -> syn::Result<Item> {
    let ahead = input.fork();
    ahead.call(Attribute::parse_outer)?;
    ahead.parse::<Visibility>()?;
    if ahead.peek(Token![struct]) {
        return Ok(Item::Data(Data::Struct(input.parse()?)));
    }
    if ahead.peek(Token![enum]) {
        return Ok(Item::Data(Data::Enum(input.parse()?)));
    }
    if is_function(&ahead) {
        return Ok(Item::Function(Box::new(function(input)?)));
    }
    Ok(Item::Other(other(input, &ahead)))
}

/// Whether a function follows, with all the words that may stand before `fn`.
fn is_function(ahead: ParseStream<'_>) -> bool {
    let ahead = ahead.fork();
    while !ahead.is_empty() {
        if ahead.peek(Token![fn]) {
            return true;
        }
        let qualifier = ahead.peek(Token![const])
            || ahead.peek(Token![async])
            || ahead.peek(Token![unsafe])
            || ahead.peek(Token![extern])
            || ahead.peek(syn::LitStr);
        if !qualifier || ahead.parse::<TokenTree>().is_err() {
            return false;
        }
    }
    false
}

fn function(input: ParseStream<'_>) -> syn::Result<Function> {
    let attrs = input.call(Attribute::parse_outer)?;
    let vis = input.parse()?;
    let sig: Signature = input.parse()?;
    let body = if input.peek(Token![;]) {
        input.parse::<Token![;]>()?;
        None
    } else if input.peek(syn::token::Brace) {
        Some(input.parse::<TokenTree>()?.into_token_stream())
    } else {
        return Err(input.error(format_args!(
            "the body of the function `{}` has to stand here\nhelp: write it in braces",
            sig.ident
        )));
    };
    Ok(Function {
        attrs,
        vis,
        sig,
        body,
    })
}

fn other(input: ParseStream<'_>, ahead: ParseStream<'_>) -> Other {
    let first = ahead
        .fork()
        .parse::<TokenTree>()
        .ok()
        .filter(|first| matches!(first, TokenTree::Ident(_)));
    let span = first.as_ref().map_or(ahead.span(), TokenTree::span);
    let keyword = first.map(|first| first.to_string()).unwrap_or_default();
    let braces_go_on = matches!(keyword.as_str(), "use" | "const" | "static" | "type");
    let tokens = skip_to_end_of_item(input, braces_go_on);
    let is_item = matches!(
        keyword.as_str(),
        "impl"
            | "mod"
            | "use"
            | "const"
            | "static"
            | "type"
            | "trait"
            | "union"
            | "extern"
            | "unsafe"
    ) && syn::parse2::<syn::Item>(tokens.clone()).is_ok();
    Other {
        keyword,
        span,
        tokens: if is_item { tokens } else { TokenStream::new() },
    }
}

/// Steps over at least one token, up to a `;` or, unless the item goes on behind them, braces.
fn skip_to_end_of_item(input: ParseStream<'_>, braces_go_on: bool) -> TokenStream {
    let mut skipped = TokenStream::new();
    while let Ok(token) = input.parse::<TokenTree>() {
        let ends = match &token {
            TokenTree::Punct(punct) => punct.as_char() == ';',
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace && !braces_go_on,
            TokenTree::Ident(_) | TokenTree::Literal(_) => false,
        };
        skipped.extend([token]);
        if ends {
            break;
        }
    }
    skipped
}
