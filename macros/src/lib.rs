//! The attribute `#[conformance::test]`, and nothing else.
//!
//! It is called `test` because rstest puts the attribute whose last segment is `test` on each function that it generates.

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{Attribute, Error, Expr, ExprLit, Ident, ItemFn, Lit, LitFloat, LitInt, LitStr, Meta, Token, parenthesized};

/// Registers a function as a case and leaves it as it is.
///
/// The doc comment states the requirement. Arguments:
///
/// - `posix = "read"`, `man = "pipe(7)"`: where the requirement comes from; at least one, several of each are allowed.
/// - `level = required | documented | customary | observed`: default `required` with a POSIX clause, else `documented`.
/// - `needs(CAP_SYS_RESOURCE, second_user, descriptors(4096), ptrace, procfs, fault_injection, processors(2), file("/proc/locks"),
///   writable("/proc/sys/fs/pipe-max-size"), program("ipcs"))`
/// - `deadline = 30`: seconds before scaling, where the usual deadline is too short.
/// - `fixed_in = "Linux 5.10.4"`: the release that fixed the bug which the case is about.
/// - `ambient`: runs outside the private sandbox.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let function = syn::parse_macro_input!(item as ItemFn);
    let arguments = syn::parse_macro_input!(arguments as Arguments);
    match expand(&arguments, &function) {
        Ok(tokens) => tokens.into(),
        Err(error) => {
            let error = error.to_compile_error();
            quote!(#function #error).into()
        }
    }
}

fn expand(arguments: &Arguments, function: &ItemFn) -> syn::Result<Tokens> {
    if !function.sig.inputs.is_empty() {
        return Err(Error::new(
            function.sig.inputs.span(),
            "a case takes no arguments; put #[rstest] above, with #[case] or #[values]",
        ));
    }
    if arguments.clauses.is_empty() {
        return Err(Error::new(function.sig.ident.span(), "say where the requirement comes from: posix = \"…\" or man = \"…\""));
    }
    let name = &function.sig.ident;
    let requirement = doc_comment(&function.attrs);
    let Arguments { clauses, level, has_posix, needs, deadline, fixed_in, ambient } = arguments;
    let level = match level {
        Some(level) => quote!(::conformance::case::Level::#level),
        None if *has_posix => quote!(::conformance::case::Level::Required),
        None => quote!(::conformance::case::Level::Documented),
    };
    let deadline = option(deadline.map(|milliseconds| quote!(::core::time::Duration::from_millis(#milliseconds))));
    let fixed_in = option(fixed_in.as_ref().map(|text| quote!(#text)));
    Ok(quote! {
        #function

        const _: () = {
            ::conformance::inventory::submit! {
                ::conformance::case::Submission {
                    module: ::core::module_path!(),
                    function: ::core::stringify!(#name),
                    requirement: #requirement,
                    file: ::core::file!(),
                    line: ::core::line!(),
                    clauses: &[#(::conformance::case::Clause::#clauses),*],
                    level: #level,
                    needs: &[#(::conformance::case::Need::#needs),*],
                    deadline: #deadline,
                    fixed_in: #fixed_in,
                    ambient: #ambient,
                    body: #name,
                }
            }
        };
    })
}

/// An `Option` as an expression of its own type.
fn option(value: Option<Tokens>) -> Tokens {
    value.map_or_else(|| quote!(::core::option::Option::None), |value| quote!(::core::option::Option::Some(#value)))
}

/// The doc comment as one paragraph.
fn doc_comment(attributes: &[Attribute]) -> String {
    let mut lines = Vec::new();
    for attribute in attributes {
        if let Meta::NameValue(pair) = &attribute.meta
            && pair.path.is_ident("doc")
            && let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &pair.value
        {
            lines.push(text.value().trim().to_owned());
        }
    }
    lines.join(" ").trim().to_owned()
}

#[derive(Default)]
struct Arguments {
    clauses: Vec<Tokens>,
    has_posix: bool,
    level: Option<Ident>,
    needs: Vec<Tokens>,
    deadline: Option<u64>,
    fixed_in: Option<LitStr>,
    ambient: bool,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut arguments = Arguments::default();
        while !input.is_empty() {
            let key: Ident = input.parse()?;
            match key.to_string().as_str() {
                "posix" => {
                    input.parse::<Token![=]>()?;
                    let page: LitStr = input.parse()?;
                    arguments.clauses.push(quote!(Posix(#page)));
                    arguments.has_posix = true;
                }
                "man" => {
                    input.parse::<Token![=]>()?;
                    let page: LitStr = input.parse()?;
                    arguments.clauses.push(quote!(Man(#page)));
                }
                "level" => {
                    input.parse::<Token![=]>()?;
                    arguments.level = Some(level(&input.parse()?)?);
                }
                "needs" => {
                    let content;
                    parenthesized!(content in input);
                    arguments.needs =
                        Punctuated::<NeedArgument, Token![,]>::parse_terminated(&content)?.into_iter().map(|need| need.0).collect();
                }
                "deadline" => {
                    input.parse::<Token![=]>()?;
                    arguments.deadline = Some(milliseconds(&input.parse()?)?);
                }
                "fixed_in" => {
                    input.parse::<Token![=]>()?;
                    arguments.fixed_in = Some(input.parse()?);
                }
                "ambient" => arguments.ambient = true,
                other => {
                    let known = "posix, man, level, needs, deadline, fixed_in, ambient";
                    return Err(Error::new(key.span(), format!("unknown argument {other}; known are {known}")));
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(arguments)
    }
}

fn level(word: &Ident) -> syn::Result<Ident> {
    let variant = match word.to_string().as_str() {
        "required" => "Required",
        "documented" => "Documented",
        "customary" => "Customary",
        "observed" => "Observed",
        other => {
            return Err(Error::new(
                word.span(),
                format!("unknown level {other}; known are required, documented, customary, observed"),
            ));
        }
    };
    Ok(Ident::new(variant, word.span()))
}

fn milliseconds(literal: &Lit) -> syn::Result<u64> {
    match literal {
        Lit::Int(seconds) => Ok(seconds.base10_parse::<u64>()? * 1000),
        Lit::Float(seconds) => float_milliseconds(seconds),
        other => Err(Error::new(other.span(), "a deadline is a number of seconds")),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a deadline is a small positive number of seconds")]
fn float_milliseconds(seconds: &LitFloat) -> syn::Result<u64> {
    Ok((seconds.base10_parse::<f64>()? * 1000.0) as u64)
}

/// One entry of `needs(…)`, as a variant of `Need`.
struct NeedArgument(Tokens);

impl Parse for NeedArgument {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let word: Ident = input.parse()?;
        let text = word.to_string();
        Ok(NeedArgument(match text.as_str() {
            "second_user" => quote!(SecondUser),
            "ptrace" => quote!(Ptrace),
            "procfs" => quote!(Procfs),
            "fault_injection" => quote!(FaultInjection),
            "descriptors" => {
                let count: LitInt = argument(input)?;
                quote!(Descriptors(#count))
            }
            "processors" => {
                let count: LitInt = argument(input)?;
                quote!(Processors(#count))
            }
            "file" => {
                let path: LitStr = argument(input)?;
                quote!(File(#path))
            }
            "writable" => {
                let path: LitStr = argument(input)?;
                quote!(Writable(#path))
            }
            "program" => {
                let name: LitStr = argument(input)?;
                quote!(Program(#name))
            }
            capability if capability.starts_with("CAP_") => quote!(Capability(#capability)),
            other => {
                let known = "a capability (CAP_…), second_user, ptrace, procfs, fault_injection, descriptors(n), processors(n), \
                             file(\"…\"), writable(\"…\"), program(\"…\")";
                return Err(Error::new(word.span(), format!("unknown need {other}; known are {known}")));
            }
        }))
    }
}

fn argument<T: Parse>(input: ParseStream<'_>) -> syn::Result<T> {
    let content;
    parenthesized!(content in input);
    content.parse()
}
