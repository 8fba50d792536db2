//! Functions whose header has a slip. Its name stays known, and what can be made out of the rest, so
//! that nothing misses the event or the handler that it declares.

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, FnArg, Ident, Signature, Token, Type, Visibility};

use super::half;
use super::items::Function;
use super::parts::{
    balanced, commas, is_punct, parted, raw, refuse_keyword, spaced, unreserved, with_colon,
    without_trailing,
};
use crate::errors::Errors;
use crate::fragments;
use crate::names;

/// Reads a function that syn can't read. `error` is what syn says to it, for slips that are not known
/// here. `None` when it is no function.
pub(super) fn function(
    tokens: TokenStream,
    error: &syn::Error,
    errors: &mut Errors,
) -> Option<Function> {
    let parser = |input: ParseStream<'_>| {
        Ok((
            input.call(Attribute::parse_outer)?,
            input.parse::<Visibility>()?,
            input.parse::<TokenStream>()?,
        ))
    };
    let (attrs, vis, rest) = parser.parse2(tokens).ok()?;
    let tokens = fragments::opened(rest);
    let mut said = Errors::default();
    if let [TokenTree::Ident(keyword), TokenTree::Ident(name)] = &*tokens
        && keyword == "fn"
        && let Ok(sig) = syn::parse2::<Signature>(quote!(fn #name()))
    {
        half::function(name, &attrs, errors);
        let (body, broken) = (Some(quote!({})), true);
        return Some(Function {
            attrs,
            vis,
            sig,
            body,
            broken,
        });
    }
    let mut header = Header::read(&tokens, &mut said)?;
    let inputs = header.inputs(error, &mut said);
    // Of a header that ends there, what is written may well be half of what is meant.
    let silent = &mut Errors::default();
    let behind = match header.is_half {
        true => header.behind(silent),
        false => header.behind(&mut said),
    };
    let Header {
        before,
        name,
        generics,
        body,
        lost,
        ..
    } = header;
    let sig =
        syn::parse2::<Signature>(quote!(#before fn #name #generics (#inputs) #behind)).ok()?;
    if said.count() == 0 {
        said.push(error.clone());
    }
    errors.append(said);
    Some(Function {
        attrs,
        vis,
        sig,
        body,
        broken: lost,
    })
}

/// The parts of a function's header.
struct Header<'a> {
    /// The words before `fn`.
    before: TokenStream,
    name: Ident,
    generics: TokenStream,
    parameters: Vec<TokenTree>,
    /// What stands between the parameters and the body.
    output: &'a [TokenTree],
    body: Option<TokenStream>,
    /// Whether the body is missing, which was told.
    is_half: bool,
    /// Whether something of it is unknown, so that the body may use what isn't there.
    lost: bool,
}

impl<'a> Header<'a> {
    fn read(tokens: &'a [TokenTree], errors: &mut Errors) -> Option<Self> {
        let is_qualifier = |token: &&TokenTree| match token {
            TokenTree::Ident(word) => ["const", "async", "unsafe", "extern"]
                .iter()
                .any(|it| word == it),
            token => matches!(token, TokenTree::Literal(_)),
        };
        let words = tokens.iter().take_while(is_qualifier).count();
        let before = tokens[..words].iter().cloned().collect();
        let (mut name, rest) = name(&tokens[words..], errors)?;
        if let Some(raw) = raw(&name) {
            refuse_keyword(&name, &raw, errors);
            name = raw;
        }
        let angles = angles(rest);
        let generics = rest[..angles].iter().cloned().collect();
        let (parameters, rest) = match rest[angles..].split_first() {
            Some((TokenTree::Group(group), rest))
                if group.delimiter() == Delimiter::Parenthesis =>
            {
                (fragments::opened(group.stream()), rest)
            }
            _ => return None,
        };
        let mut is_half = false;
        let (output, body) = match rest.split_last() {
            Some((TokenTree::Group(body), output)) if body.delimiter() == Delimiter::Brace => {
                (output, Some(body.to_token_stream()))
            }
            Some((TokenTree::Punct(end), output)) if end.as_char() == ';' => (output, None),
            _ => {
                let last = rest.last().map_or(name.span(), TokenTree::span);
                errors.at(
                    last,
                    format_args!("behind this, the body of the function `{name}` is missing"),
                    "write it in braces",
                );
                is_half = true;
                (rest, Some(quote!({ ::core::unreachable!() })))
            }
        };
        Some(Self {
            before,
            name,
            generics,
            parameters,
            output,
            body,
            is_half,
            lost: false,
        })
    }

    /// The parameters, the receiver first.
    fn inputs(&mut self, error: &syn::Error, errors: &mut Errors) -> TokenStream {
        let mut inputs = Inputs {
            receiver: None,
            typed: Vec::new(),
            lost: false,
        };
        for chunk in commas(&std::mem::take(&mut self.parameters), errors) {
            inputs.add(&chunk, error, errors);
        }
        self.lost |= inputs.lost;
        let all = inputs.receiver.into_iter().chain(inputs.typed);
        quote!(#(#all),*)
    }

    /// The return type and the `where` clause.
    fn behind(&mut self, errors: &mut Errors) -> TokenStream {
        let (output, name) = (self.output, &self.name);
        let whole: TokenStream = output.iter().cloned().collect();
        let stub = quote!(fn stub() #whole);
        if syn::parse2::<Signature>(stub).is_ok() {
            return whole;
        }
        self.lost = true;
        let (sign, ty) = match output {
            [TokenTree::Punct(dash), TokenTree::Punct(_), ty @ ..] if dash.as_char() == '-' => {
                (2, ty)
            }
            [TokenTree::Punct(equals), TokenTree::Punct(_), ty @ ..] if equals.as_char() == '=' => {
                (1, ty)
            }
            [TokenTree::Punct(_), ty @ ..] => (1, ty),
            ty => (0, ty),
        };
        let Some(first) = output.first() else {
            return TokenStream::new();
        };
        if sign == 2
            && let Some(ty) = balanced(ty, errors)
        {
            self.lost = false;
            return quote!(-> #ty);
        }
        let tokens: TokenStream = ty.iter().cloned().collect();
        let is_value = is_punct(first, '=') && !output.get(1).is_some_and(|it| is_punct(it, '>'));
        if is_value {
            errors.at(
                first.span(),
                format_args!("the body of the function `{name}` is a block"),
                "write it in braces",
            );
        } else if sign == 2 && ty.is_empty() {
            errors.at(
                first.span(),
                "no type stands behind `->`",
                "write the type, or remove `->`",
            );
        } else if sign < 2
            && let Ok(ty) = syn::parse2::<Type>(tokens)
        {
            errors.at(
                first.span(),
                format_args!("what `{name}` returns stands behind `->`"),
                format_args!("write `-> {}`", names::type_text(&ty)),
            );
            self.lost = false;
            return quote!(-> #ty);
        } else {
            errors.at(
                first.span(),
                format_args!("this is no part of the header of `{name}`"),
                "write `-> Type` for what it returns, or remove this",
            );
        }
        TokenStream::new()
    }
}

/// The name of a function, behind `fn` or what stands in its place, and what follows.
fn name<'a>(tokens: &'a [TokenTree], errors: &mut Errors) -> Option<(Ident, &'a [TokenTree])> {
    match tokens {
        [TokenTree::Ident(keyword), TokenTree::Ident(name), rest @ ..] => {
            if keyword != "fn" {
                errors.at(
                    keyword.span(),
                    format_args!("`{keyword}` is no word before a function's name"),
                    format_args!("write `fn {name}`"),
                );
            }
            Some((name.clone(), rest))
        }
        [TokenTree::Ident(name), TokenTree::Group(parameters), ..]
            if parameters.delimiter() == Delimiter::Parenthesis && name != "fn" =>
        {
            errors.at(
                name.span(),
                format_args!("the function `{name}` has no `fn`"),
                format_args!("write `fn {name}`"),
            );
            Some((name.clone(), &tokens[1..]))
        }
        _ => None,
    }
}

/// Parameters as far as they are known.
struct Inputs {
    receiver: Option<TokenStream>,
    typed: Vec<TokenStream>,
    lost: bool,
}

impl Inputs {
    fn add(&mut self, tokens: &[TokenTree], error: &syn::Error, errors: &mut Errors) {
        let tokens = without_trailing(tokens, "parameter", errors);
        if tokens.is_empty() {
            return;
        }
        let all: TokenStream = tokens.iter().cloned().collect();
        match syn::parse2::<FnArg>(all) {
            Ok(FnArg::Receiver(receiver)) => {
                let at = syn::spanned::Spanned::span(&receiver);
                self.receiver(receiver.to_token_stream(), at, errors);
            }
            Ok(FnArg::Typed(typed)) => self.typed.push(typed.to_token_stream()),
            Err(_) => self.mend(tokens, error, errors),
        }
    }

    fn receiver(&mut self, receiver: TokenStream, at: Span, errors: &mut Errors) {
        let text = written(&receiver);
        if self.receiver.is_some() {
            errors.at(at, "`self` is given twice", "remove one of them");
            return;
        }
        if !self.typed.is_empty() || self.lost {
            errors.at(
                at,
                format_args!("`{text}` stands behind another parameter"),
                format_args!("make `{text}` the first parameter"),
            );
        }
        self.receiver = Some(receiver);
    }

    fn mend(&mut self, tokens: &[TokenTree], error: &syn::Error, errors: &mut Errors) {
        if let Some((receiver, rest)) = receiver(tokens) {
            let at = tokens[0].span();
            self.receiver(receiver, at, errors);
            let rest = parted(rest, errors);
            return self.add(rest, error, errors);
        }
        if let Some(at) = next_parameter(tokens) {
            self.add(&tokens[..at], error, errors);
            let rest = parted(&tokens[at..], errors);
            return self.add(rest, error, errors);
        }
        if let Some(mended) = unreserved(tokens, errors) {
            // The body has that name as well.
            self.lost = true;
            return self.add(&mended, error, errors);
        }
        if let [TokenTree::Ident(name), colon, ty @ ..] = tokens
            && is_punct(colon, ':')
            && let Some(ty) = balanced(ty, errors)
        {
            self.typed.push(quote!(#name: #ty));
            return;
        }
        let equals = tokens.iter().position(|it| is_punct(it, '='));
        let (declared, default) = tokens.split_at(equals.unwrap_or(tokens.len()));
        match declared {
            [TokenTree::Punct(and), middle @ .., TokenTree::Ident(name)]
                if and.as_char() == '&'
                    && self.receiver.is_none()
                    && middle.len() < 2
                    && middle.iter().all(|it| it.to_string() == "mut") =>
            {
                let mutable = middle.iter().cloned();
                let receiver = quote!(& #(#mutable)* self);
                errors.at(
                    name.span(),
                    format_args!("`{name}` has no type, and the state or row is called `self`"),
                    format_args!("write `{}`", written(&receiver)),
                );
                self.receiver = Some(receiver);
                self.lost = true;
            }
            [TokenTree::Ident(name), rest @ ..]
                if default.is_empty()
                    && (rest.is_empty() || is_punct(&rest[0], ':') && rest.len() == 1) =>
            {
                errors.at(
                    name.span(),
                    format_args!("the parameter `{name}` has no type"),
                    format_args!("write `{name}: Type`"),
                );
                self.lost = true;
            }
            _ if !default.is_empty() && argument(declared).is_some() => {
                errors.at(
                    default[0].span(),
                    "a parameter has no default",
                    format_args!("remove `{}`", spaced(default)),
                );
                self.typed.extend(argument(declared));
            }
            [TokenTree::Ident(name), ..] => {
                let skipped = if equals == Some(1) { 2 } else { 1 };
                self.without_colon(name, &tokens[skipped..], error, errors);
            }
            _ => self.unknown(error, errors),
        }
    }

    /// `amount i64`, and `i64 amount` as other languages have it.
    fn without_colon(
        &mut self,
        name: &Ident,
        ty: &[TokenTree],
        error: &syn::Error,
        errors: &mut Errors,
    ) {
        let tokens: TokenStream = ty.iter().cloned().collect();
        let Ok(parsed) = syn::parse2::<Type>(tokens) else {
            return self.unknown(error, errors);
        };
        let (argument, text) = with_colon(name, &parsed);
        let Ok(FnArg::Typed(_)) = syn::parse2::<FnArg>(argument.clone()) else {
            return self.unknown(error, errors);
        };
        errors.at(
            name.span(),
            format_args!("`{name}` has no `:` behind it"),
            format_args!("write `{text}`"),
        );
        self.typed.push(argument);
    }

    fn unknown(&mut self, error: &syn::Error, errors: &mut Errors) {
        errors.at(error.span(), error, "a parameter is written `name: Type`");
        self.lost = true;
    }
}

/// A parameter that can be read.
fn argument(tokens: &[TokenTree]) -> Option<TokenStream> {
    let tokens: TokenStream = tokens.iter().cloned().collect();
    match syn::parse2::<FnArg>(tokens).ok()? {
        FnArg::Typed(typed) => Some(typed.to_token_stream()),
        FnArg::Receiver(_) => None,
    }
}

/// A receiver in front of more, without a comma.
fn receiver(tokens: &[TokenTree]) -> Option<(TokenStream, &[TokenTree])> {
    let parser = |input: ParseStream<'_>| {
        let and = input.parse::<Option<Token![&]>>()?;
        let lifetime = input.parse::<Option<syn::Lifetime>>()?;
        let mutable = input.parse::<Option<Token![mut]>>()?;
        let this = input.parse::<Token![self]>()?;
        let rest = input.parse::<TokenStream>()?;
        Ok((
            quote!(#and #lifetime #mutable #this),
            rest.into_iter().count(),
        ))
    };
    let (receiver, left) = parser.parse2(tokens.iter().cloned().collect()).ok()?;
    let rest = &tokens[tokens.len() - left..];
    let typed = rest.first().is_some_and(|it| is_punct(it, ':'));
    (!rest.is_empty() && !typed).then_some((receiver, rest))
}

/// Where a parameter begins that no comma parts from the one before it.
fn next_parameter(tokens: &[TokenTree]) -> Option<usize> {
    (2..tokens.len()).find(|&at| {
        let begins = match &tokens[at] {
            TokenTree::Punct(sign) => sign.as_char() == ';',
            TokenTree::Ident(_) => {
                let colon = |at: usize| tokens.get(at).is_some_and(|it| is_punct(it, ':'));
                colon(at + 1) && !colon(at + 2) && !colon(at - 1)
            }
            _ => false,
        };
        begins && argument(&tokens[..at]).is_some()
    })
}

/// How many tokens generic parameters take.
fn angles(tokens: &[TokenTree]) -> usize {
    let mut open = 0_i32;
    for (at, token) in tokens.iter().enumerate() {
        if is_punct(token, '<') {
            open += 1;
        } else if is_punct(token, '>') {
            open -= 1;
        }
        if open < 1 {
            return if at == 0 { 0 } else { at + 1 };
        }
    }
    0
}

/// A receiver as it is written.
fn written(receiver: &TokenStream) -> String {
    receiver.to_string().replace("& ", "&")
}
