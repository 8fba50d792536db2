//! The content of a macro as items. Bodies stay tokens: an editor completes in a body that is being
//! typed only if nobody insists on parsing it.

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::discouraged::Speculative;
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Attribute, ItemEnum, ItemStruct, Signature, Token, Visibility, token};

use super::broken;
use super::fields;
use super::half;
use super::heads;
use super::slips;
use crate::errors::Errors;
use crate::fragments;
use crate::names;

/// An item in a macro.
pub(crate) enum Item {
    /// The state or row, and whether one of its fields is unknown, which was told.
    Data(Data, bool),
    Function(Box<Function>),
    /// Attributes with nothing behind them, which was told.
    Dangling(Vec<Attribute>),
    /// Something that has no place in the macro.
    Other(Other),
}

impl Item {
    /// Has what fragments of a `macro_rules!` hold stand there by itself.
    fn open_fragments(&mut self) {
        match self {
            Self::Data(Data::Struct(item), _) => {
                let types = item.fields.iter_mut().map(|field| &mut field.ty);
                types.for_each(fragments::open_type);
            }
            Self::Data(Data::Enum(item), _) => {
                let fields = item.variants.iter_mut().flat_map(|it| &mut it.fields);
                fields.for_each(|field| fragments::open_type(&mut field.ty));
            }
            Self::Function(function) => {
                fragments::open_signature(&mut function.sig);
                let body = function.body.take();
                function.body = body.map(|it| fragments::opened(it).into_iter().collect());
            }
            Self::Dangling(_) | Self::Other(_) => {}
        }
    }
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

    /// Takes fields out that are declared twice, which is a mistake.
    pub(crate) fn refuse_twins(&mut self, errors: &mut Errors) {
        let Self::Struct(ItemStruct {
            fields: syn::Fields::Named(fields),
            ..
        }) = self
        else {
            return;
        };
        let mut kept: Vec<syn::Field> = Vec::new();
        for field in std::mem::take(&mut fields.named) {
            let certain =
                |it: &syn::Field| !it.attrs.iter().any(|attr| attr.path().is_ident("cfg"));
            let is_twin = kept.iter().any(|it| it.ident == field.ident && certain(it));
            match &field.ident {
                Some(ident) if is_twin && certain(&field) => errors.at(
                    ident.span(),
                    format_args!("the field `{ident}` is declared twice"),
                    "remove one of them",
                ),
                _ => kept.push(field),
            }
        }
        fields.named = kept.into_iter().collect();
    }

    /// The item as it goes out. Where it has no generic parameters, it has a `<>` that isn't the user's:
    /// of a mistyped type in `Option<…>` rustc would else propose to declare it as a parameter of the
    /// struct, and tell of it once more, without that, where the macro writes the type again.
    pub(crate) fn written_out(&self) -> TokenStream {
        let tokens = self.to_token_stream();
        if self.generics().lt_token.is_some() {
            return tokens;
        }
        let is_keyword = |token: &TokenTree| matches!(token, TokenTree::Ident(word) if word == "struct" || word == "enum");
        let mut tokens: Vec<TokenTree> = tokens.into_iter().collect();
        if let Some(keyword) = tokens.iter().position(is_keyword) {
            // It stands nowhere in the item, so that rustc doesn't show it with the name.
            let none = quote_spanned!(Span::mixed_site()=> <>);
            tokens.splice(keyword + 2..keyword + 2, none);
        }
        tokens.into_iter().collect()
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
    /// Whether something of its header is unknown, which was told. The body may use it.
    pub(crate) broken: bool,
}

/// An item of another kind.
pub(crate) struct Other {
    /// What it begins with.
    pub(crate) keyword: String,
    /// The macro that it calls.
    pub(crate) call: Option<String>,
    pub(crate) span: Span,
    /// The whole item; empty when it is none.
    pub(crate) tokens: TokenStream,
}

/// Reads all items. What can't be read is reported and stepped over.
pub(crate) fn items(tokens: TokenStream, errors: &mut Errors) -> Vec<Item> {
    let tokens = slips::mended(tokens, errors);
    let mut items = Vec::new();
    let parser = |input: ParseStream<'_>| {
        while !input.is_empty() {
            // An item that can't be read is stepped over from its own beginning.
            let attempt = input.fork();
            match item(&attempt, errors) {
                Ok(item) => {
                    input.advance_to(&attempt);
                    items.push(item);
                }
                Err(error) => {
                    let tokens = skip_to_end_of_item(input, false);
                    items.extend(broken_item(tokens, error, errors));
                }
            }
        }
        Ok(())
    };
    if let Err(error) = parser.parse2(tokens) {
        errors.push(error);
    }
    items.iter_mut().for_each(Item::open_fragments);
    items
}

/// An item that can't be read as it stands, as far as it is known.
fn broken_item(tokens: TokenStream, error: syn::Error, errors: &mut Errors) -> Option<Item> {
    let (tokens, error) = match heads::mended(tokens.clone(), errors) {
        None => (tokens, error),
        Some(tokens) => {
            let again = |input: ParseStream<'_>| item(input, errors);
            match again.parse2(tokens.clone()) {
                Ok(item) => return Some(item),
                Err(error) => (tokens, error),
            }
        }
    };
    if half::word(&tokens, errors) || half::nameless(&tokens, errors) {
        return None;
    }
    if let Some(function) = broken::function(tokens.clone(), &error, errors) {
        return Some(Item::Function(Box::new(function)));
    }
    if let Some(item) = fields::of_enum(&tokens, errors) {
        return Some(Item::Data(Data::Struct(item), false));
    }
    let Some((item, lost)) = fields::of_struct(tokens, &error, errors) else {
        errors.push(error);
        return None;
    };
    Some(Item::Data(Data::Struct(item), lost))
}

fn item(input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Item> {
    let ahead = input.fork();
    let attrs = ahead.call(Attribute::parse_outer)?;
    if let Some(last) = attrs.last()
        && ahead.is_empty()
    {
        dangling(last, errors);
        input.advance_to(&ahead);
        return Ok(Item::Dangling(attrs));
    }
    let vis = ahead.parse::<Visibility>()?;
    let is_begun = !matches!(vis, Visibility::Inherited);
    if is_begun && (ahead.is_empty() || begins_item(&ahead) && ahead.peek(Token![#])) {
        return Err(ahead.error(""));
    }
    if ahead.peek(Token![struct]) {
        return Ok(Item::Data(Data::Struct(input.parse()?), false));
    }
    if ahead.peek(Token![enum]) {
        return Ok(Item::Data(Data::Enum(input.parse()?), false));
    }
    if is_function(&ahead) {
        return Ok(Item::Function(Box::new(function(input)?)));
    }
    if let Some(error) = misspelt_function(&ahead) {
        return Err(error);
    }
    let written: TokenStream = input.fork().parse()?;
    if heads::mended(written, &mut Errors::default()).is_some() {
        return Err(ahead.error(""));
    }
    Ok(Item::Other(other(input, &ahead)))
}

/// Tells of an attribute with nothing behind it.
fn dangling(attr: &Attribute, errors: &mut Errors) {
    let (wrong, mend) = if attr.path().is_ident("doc") {
        (
            "this comment documents nothing",
            "put it above what it is about",
        )
    } else {
        (
            "this attribute stands on nothing",
            "write the `fn` below it, or remove it",
        )
    };
    errors.at(attr.path().span(), wrong, mend);
}

/// What looks like a function but for its `fn`: `func opened(&mut self) {}`.
fn misspelt_function(ahead: ParseStream<'_>) -> Option<syn::Error> {
    let ahead = ahead.fork();
    ahead.parse::<Option<Token![async]>>().ok()?;
    let word = ahead.call(Ident::parse_any).ok()?;
    ahead.parse::<Option<Token![fn]>>().ok()?;
    ahead.parse::<Option<Ident>>().ok()?;
    ahead
        .peek(token::Paren)
        .then(|| ahead.parse::<TokenTree>())
        .transpose()
        .ok()??;
    while !ahead.peek(token::Brace) {
        if ahead.is_empty() || begins_item(&ahead) || ahead.peek(Token![;]) {
            return None;
        }
        ahead.parse::<TokenTree>().ok()?;
    }
    Some(syn::Error::new(
        word.span(),
        format_args!("the function `{word}` has no `fn`"),
    ))
}

/// Whether an item begins here, as far as that is certain within another one.
fn begins_item(input: ParseStream<'_>) -> bool {
    let function = |at: ParseStream<'_>| at.peek(Token![fn]) && !at.peek2(token::Paren);
    let behind_async = || {
        let ahead = input.fork();
        ahead.parse::<Token![async]>().is_ok() && function(&ahead)
    };
    input.peek(Token![#]) && input.peek2(token::Bracket)
        || input.peek(Token![pub])
        || input.peek(Token![struct])
        || input.peek(Token![enum])
        || function(input)
        || behind_async()
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
    } else if input.peek(token::Brace) {
        Some(input.parse::<TokenTree>()?.into_token_stream())
    } else {
        return Err(input.error(format_args!(
            "behind this, the body of the function `{}` is missing\nhelp: write it in braces",
            sig.ident
        )));
    };
    Ok(Function {
        attrs,
        vis,
        sig,
        body,
        broken: false,
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
    let call = call(ahead);
    let braces_go_on = matches!(keyword.as_str(), "use" | "const" | "static" | "type");
    let tokens = match input.peek(Token![,]) {
        true => input.parse::<TokenTree>().into_iter().collect(),
        false => skip_to_end_of_item(input, braces_go_on),
    };
    let is_item = call.is_some()
        || matches!(
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
        );
    let is_item = is_item && syn::parse2::<syn::Item>(tokens.clone()).is_ok();
    Other {
        keyword,
        call,
        span,
        tokens: if is_item { tokens } else { TokenStream::new() },
    }
}

/// The macro that is called here.
fn call(ahead: ParseStream<'_>) -> Option<String> {
    let ahead = ahead.fork();
    let path = ahead.call(syn::Path::parse_mod_style).ok()?;
    let called = ahead.peek(Token![!]) && !ahead.peek(Token![!=]);
    called.then(|| names::path_text(&path))
}

/// Steps over at least one token, up to a `;` or, unless the item goes on behind them, braces; also
/// up to where another item begins.
fn skip_to_end_of_item(input: ParseStream<'_>, braces_go_on: bool) -> TokenStream {
    let mut skipped: Vec<TokenTree> = Vec::new();
    while input.peek(Token![#]) && input.peek2(token::Bracket) {
        skipped.extend(input.parse::<TokenTree>());
        skipped.extend(input.parse::<TokenTree>());
    }
    let mut first = true;
    if let Ok(vis) = input.parse::<Visibility>() {
        // Behind `pub` alone, another item may begin.
        first = matches!(vis, Visibility::Inherited) || !input.peek(Token![#]);
        skipped.extend(vis.to_token_stream());
    }
    while let Ok(token) = {
        let last = skipped.last();
        match !first && begins_item(input) && !heads::is_behind_keyword(last, input) {
            true => Err(input.error("")),
            false => input.parse::<TokenTree>(),
        }
    } {
        // `async fn` begins an item, but not within it; nor does what stands in front of `fn` or `struct`.
        let in_front = match &token {
            TokenTree::Ident(_) => {
                !heads::is_word(&token, &heads::KEYWORDS)
                    && !input.peek(Token![#])
                    && !input.peek(Token![pub])
            }
            TokenTree::Group(group) => group.delimiter() == Delimiter::Parenthesis,
            _ => false,
        };
        first = first && in_front && begins_item(input);
        let ends = match &token {
            TokenTree::Punct(punct) => punct.as_char() == ';',
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace && !braces_go_on,
            TokenTree::Ident(_) | TokenTree::Literal(_) => false,
        };
        skipped.push(token);
        if ends {
            break;
        }
    }
    skipped.into_iter().collect()
}
