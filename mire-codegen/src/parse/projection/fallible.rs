//! Whether a body can leave its function by `?`.

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Block, ExprAsync, ExprClosure, ExprTry, Item};

/// The first `?` of a body.
pub(super) fn question(body: &TokenStream) -> Option<Span> {
    // Hardly any has one, and to parse them all takes a measurable part of what compiling takes.
    if !has_question(body.clone()) {
        return None;
    }
    let block: Block = syn::parse2(body.clone()).ok()?;
    let mut questions = Questions(None);
    questions.visit_block(&block);
    questions.0
}

fn has_question(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Group(group) => has_question(group.stream()),
        TokenTree::Punct(punct) => punct.as_char() == '?',
        _ => false,
    })
}

struct Questions(Option<Span>);

impl<'ast> Visit<'ast> for Questions {
    fn visit_expr_try(&mut self, tried: &'ast ExprTry) {
        visit::visit_expr_try(self, tried);
        self.0.get_or_insert(tried.question_token.span());
    }

    // These have a `?` of their own.
    fn visit_expr_async(&mut self, _: &'ast ExprAsync) {}
    fn visit_expr_closure(&mut self, _: &'ast ExprClosure) {}
    fn visit_item(&mut self, _: &'ast Item) {}
}
