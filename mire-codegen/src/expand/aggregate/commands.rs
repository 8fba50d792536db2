//! Commands: the pure functions as they were written, and a trait that gives an `AggregateRoot`
//! the same commands in recording form.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};

use crate::expand::{docs, located};
use crate::model::{Aggregate, Command, Recorded, State};
use crate::names;

pub(crate) fn expand(aggregate: &Aggregate) -> TokenStream {
    if aggregate.commands.is_empty() {
        return TokenStream::new();
    }
    let ident = &aggregate.state.ident;
    let functions = aggregate.commands.iter().map(|command| {
        let function = &command.function;
        // The recording form is easily mistaken for this one, which records nothing.
        let must_use = (!names::has_word(function, "must_use")).then(|| {
            quote!(#[must_use = "this decides, and records nothing: call it on the `AggregateRoot` itself, or in `execute`"])
        });
        quote!(#must_use #function)
    });
    let recording = by_visibility(&aggregate.commands)
        .into_iter()
        .map(|commands| recording_trait(aggregate, &commands));
    quote! {
        #[allow(dead_code, clippy::unused_self)]
        impl #ident {
            #(#functions)*
        }
        #(#recording)*
    }
}

/// The commands with a recording form. Those that are equally visible share a trait.
fn by_visibility(commands: &[Command]) -> Vec<Recording<'_>> {
    let mut traits: Vec<Recording<'_>> = Vec::new();
    for command in commands {
        let Some(vis) = &command.recorded else {
            continue;
        };
        let text = vis.to_string();
        match traits.iter_mut().find(|it| it.vis.to_string() == text) {
            Some(recording) => recording.commands.push(command),
            None => traits.push(Recording {
                vis,
                commands: vec![command],
            }),
        }
    }
    traits
}

/// A trait of recording forms.
struct Recording<'a> {
    vis: &'a TokenStream,
    commands: Vec<&'a Command>,
}

impl Recording<'_> {
    /// `AccountCommands` when it is as visible as the state; `AccountPrivateCommands`,
    /// `AccountCrateCommands` when it is less.
    fn name(&self, state: &State) -> Ident {
        let vis = self.vis.to_string();
        let which = if vis == state.vis.to_string() {
            String::new()
        } else if vis.is_empty() {
            "Private".to_owned()
        } else {
            let words = vis.split(|c: char| !c.is_alphanumeric());
            names::pascal(&words.skip(1).collect::<Vec<_>>().join("_"))
        };
        let name = format!("{}{which}Commands", names::text(&state.ident));
        names::derived(&name, state.ident.span())
    }
}

fn recording_trait(aggregate: &Aggregate, recording: &Recording<'_>) -> TokenStream {
    let (krate, ident) = (&aggregate.krate, &aggregate.state.ident);
    let (vis, name) = (recording.vis, recording.name(&aggregate.state));
    let recorded = &recording.commands;
    let about = docs([
        &*format!("The commands of [`{ident}`] on its [`AggregateRoot`](#krate::AggregateRoot)")
            .replace("#krate", &path_text(krate)),
        "in recording form: each decides on the root's state, and records the events that it",
        "decided on for the next save.",
    ]);
    let declared = recorded.iter().map(|command| {
        let about = about_command(aggregate, command);
        let signature = signature(aggregate, command);
        let (cfg, deprecated) = (&command.cfg, &command.deprecated);
        quote!(#about #cfg #deprecated #signature;)
    });
    // Whoever calls the recording form is told, and not that it calls the other one.
    let told = recorded.iter().any(|it| !it.deprecated.is_empty());
    let told = told.then(|| quote!(#[allow(deprecated)]));
    let defined = recorded.iter().map(|command| define(aggregate, command));
    let asked = recorded
        .iter()
        .filter_map(|command| asked_once(aggregate, command));
    quote! {
        #about
        #[allow(dead_code, clippy::fn_params_excessive_bools, clippy::too_many_arguments)]
        #vis trait #name {
            #(#declared)*
        }
        #[automatically_derived]
        #told
        impl #name for #krate::AggregateRoot<#ident> {
            #(#defined)*
        }
        #(#asked)*
    }
}

fn path_text(krate: &TokenStream) -> String {
    krate.to_string().split_whitespace().collect()
}

fn about_command(aggregate: &Aggregate, command: &Command) -> TokenStream {
    let (state, name) = (&aggregate.state.ident, &command.ident);
    let written = &command.docs.tokens;
    let mut lines = Vec::new();
    if !command.docs.lines.is_empty() {
        lines.push(String::new());
    }
    lines.push(format!("Records what [`{state}::{name}`] decides."));
    if matches!(command.output.recorded, Recorded::Result(_)) {
        lines.push(String::new());
        lines.push("# Errors".to_owned());
        lines.push(String::new());
        lines.push(format!(
            "Those of [`{state}::{name}`]; nothing is recorded then."
        ));
    }
    let own = docs(lines.iter().map(String::as_str));
    quote!(#written #own)
}

fn signature(aggregate: &Aggregate, command: &Command) -> TokenStream {
    let Command {
        ident,
        docs: _,
        function: _,
        cfg: _,
        deprecated: _,
        recorded: _,
        sound,
        generics,
        where_clause,
        parameters,
        output,
    } = command;
    let krate = &aggregate.krate;
    let event = &aggregate.state.event;
    let name = shadow(ident);
    let parameters = parameters.iter().map(|parameter| {
        let (name, ty) = (shadow(&parameter.ident), &parameter.ty);
        quote!(#name: #ty)
    });
    let mut where_clause = where_clause.clone();
    let answer = match &output.recorded {
        Recorded::Result(recorded) => quote!(-> #recorded),
        Recorded::Named if *sound => {
            let ty = &output.ty;
            if generics.is_empty() {
                // Taken for granted here, and asked once by `decides`: a bound that is false is only
                // refused where it stands if it has no lifetime of its own.
                where_clause = quote_spanned!(output.span=>
                    where for<'any> #ty: #krate::Decision<#event>
                );
            }
            quote_spanned!(output.span=> -> <#ty as #krate::Decision<#event>>::Recorded)
        }
        Recorded::Named | Recorded::Nothing => TokenStream::new(),
    };
    quote!(fn #name #generics (&mut self #(, #parameters)*) #answer #where_clause)
}

/// Asks whether a type that has a name of its own is what a command may return.
fn asked_once(aggregate: &Aggregate, command: &Command) -> Option<TokenStream> {
    let asked = command.sound
        && command.generics.is_empty()
        && matches!(command.output.recorded, Recorded::Named);
    let (krate, event) = (&aggregate.krate, &aggregate.state.event);
    let ty = &command.output.ty;
    let ask = located::ask(
        &quote!(#krate::__private::decides),
        ty,
        &quote!(, #event),
        TokenStream::new(),
    );
    let cfg = &command.cfg;
    asked.then(|| quote!(#cfg const _: () = #ask;))
}

fn define(aggregate: &Aggregate, command: &Command) -> TokenStream {
    let krate = &aggregate.krate;
    let (state, ident) = (&aggregate.state.ident, &command.ident);
    let signature = signature(aggregate, command);
    let arguments = command.parameters.iter().map(|it| shadow(&it.ident));
    let cfg = &command.cfg;
    if !command.sound {
        return quote!(#cfg #signature { ::core::unreachable!() });
    }
    let at = output_span(command);
    let local = quote_spanned!(at=> decision);
    // It is shown from the first of the type's tokens to its last.
    let decision = located::from_to(local.clone(), quote!(.0), &command.output.ty);
    let function = match command.output.recorded {
        Recorded::Result(_) => quote!(record_unless_refused),
        Recorded::Nothing => quote!(record_events),
        Recorded::Named => quote!(record),
    };
    // Shown at the same tokens, or else rustc shows the call beside what is wrong.
    let path = quote!(#krate::__private::);
    let record = located::from_to(path, function, &command.output.ty);
    let record = quote_spanned!(at=> #record(self, #decision));
    quote! {
        #cfg
        #signature {
            let #local = (#state::#ident(&self.state #(, #arguments)*),);
            #record
        }
    }
}

/// Where a command that returns something else than its aggregate's events is reported.
fn output_span(command: &Command) -> proc_macro2::Span {
    proc_macro2::Span::call_site().located_at(command.output.span)
}

/// A name of the recording form: the same, but not the same definition.
fn shadow(ident: &Ident) -> Ident {
    let mut ident = ident.clone();
    ident.set_span(proc_macro2::Span::mixed_site().located_at(ident.span()));
    ident
}
