//! Finds the macro calls in a source text.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

use crate::{aggregate, aggregate_outline, pretty, projection, projection_outline};

/// A macro call of mire in a source text, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call {
    /// The macro: `aggregate` or `projection`.
    pub name: String,
    /// The declaration at a glance: stored names, versions, fields, commands; of a projection, its
    /// columns, and what it does for which event.
    pub outline: String,
    /// The expansion, formatted.
    pub expansion: String,
}

/// All calls of mire's macros in a source file's text, in their order.
///
/// A project that snapshot-tests its domain reads its own source with `include_str!`:
///
/// ```
/// let source = r#"
///     mire::aggregate!(
///         #[aggregate(category = "light")]
///         struct Light { on: bool }
///
///         #[event]
///         fn switched(&mut self, on: bool) { self.on = on; }
///     );
/// "#;
/// let calls = mire_codegen::calls(source)?;
/// assert_eq!(
///     calls[0].outline,
///     "aggregate Light\n  category light, id any text\n  \
///      event Switched, stored as light.switched, version 1\n    on: bool\n",
/// );
/// assert!(calls[0].expansion.contains("enum LightEvent"));
/// # Ok::<(), syn::Error>(())
/// ```
///
/// # Errors
///
/// When the text is not Rust.
pub fn calls(source: &str) -> syn::Result<Vec<Call>> {
    let file = syn::parse_file(source)?;
    let mut finder = Finder { calls: Vec::new() };
    finder.visit_file(&file);
    Ok(finder.calls)
}

struct Finder {
    calls: Vec<Call>,
}

impl<'ast> Visit<'ast> for Finder {
    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let name = call.path.segments.last().map(|last| last.ident.to_string());
        let tokens = || call.tokens.clone();
        let written = match name.as_deref() {
            Some("aggregate") => Some((aggregate_outline(tokens()), aggregate(tokens()))),
            Some("projection") => Some((projection_outline(tokens()), projection(tokens()))),
            _ => None,
        };
        if let (Some(name), Some((outline, expansion))) = (name, written)
            && looks_like_items(&call.tokens)
        {
            self.calls.push(Call {
                name,
                outline: outline.unwrap_or_default(),
                expansion: pretty(&expansion),
            });
        }
        visit::visit_macro(self, call);
    }
}

/// Whether a macro of that name is ours: its content begins with an attribute.
fn looks_like_items(tokens: &TokenStream) -> bool {
    matches!(
        tokens.clone().into_iter().next(),
        Some(TokenTree::Punct(punct)) if punct.as_char() == '#'
    )
}
