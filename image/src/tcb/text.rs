//! Counts one file of Rust: its lines of code, and what the compiler does not check in it.
//!
//! The text is cut into tokens by the lexer that procedural macros use: a line of code is a line
//! with a token on it, so that blank lines and comments of every kind fall out by themselves. What
//! stands in macros counts like everything else. Modules that exist only in tests do not count.

use std::collections::BTreeSet;

use measured_boot::manifest::tcb::UnsafeCode;
use proc_macro2::extra::invalidate_current_thread_spans;
use proc_macro2::{Delimiter, Group, LexError, Span, TokenStream, TokenTree};

/// What was counted in a text.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Count {
    /// Lines that are neither blank nor comment.
    pub(super) code_lines: u32,
    /// Uses of `unsafe`.
    pub(super) unsafe_code: UnsafeCode,
}

/// A text is not made of Rust's tokens.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {line}: expected tokens of Rust, found something else")]
pub struct NotRust {
    /// The line where they end. Counted from 1.
    pub line: usize,
}

/// Counts `text`, a whole source file.
pub(super) fn count(text: &str) -> Result<Count, NotRust> {
    let tokens =
        text.parse().map_err(|error: LexError| NotRust { line: error.span().start().line })?;
    let unsafe_code = UnsafeCode::default();
    let mut counter = Counter { text, lines: BTreeSet::new(), last: 0, unsafe_code };
    counter.stream(tokens);
    // Places in this text are not asked for again.
    invalidate_current_thread_spans();
    let code_lines = u32::try_from(counter.lines.len()).unwrap_or(u32::MAX);
    Ok(Count { code_lines, unsafe_code: counter.unsafe_code })
}

impl Count {
    /// Both counts together.
    pub(super) fn and(self, other: Self) -> Self {
        let sum = u32::saturating_add;
        let (a, b) = (self.unsafe_code, other.unsafe_code);
        Self {
            code_lines: sum(self.code_lines, other.code_lines),
            unsafe_code: UnsafeCode {
                blocks: sum(a.blocks, b.blocks),
                functions: sum(a.functions, b.functions),
                implementations: sum(a.implementations, b.implementations),
            },
        }
    }
}

struct Counter<'a> {
    text: &'a str,
    lines: BTreeSet<usize>,
    /// The line counted last: most tokens stand on the same one as the token before.
    last: usize,
    unsafe_code: UnsafeCode,
}

impl Counter<'_> {
    fn stream(&mut self, stream: TokenStream) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        let mut rest = tokens.as_slice();
        while let [first, after @ ..] = rest {
            if let Some(after) = self.after_comment(rest).or_else(|| after_test_module(rest)) {
                rest = after;
                continue;
            }
            match first {
                TokenTree::Group(group) => self.group(group),
                TokenTree::Ident(word) => {
                    self.line_of(word.span());
                    if word == "unsafe" {
                        self.use_of_unsafe(after);
                    }
                }
                TokenTree::Punct(sign) => self.line_of(sign.span()),
                // Of all tokens only literals may go on in another line.
                TokenTree::Literal(literal) => {
                    let span = literal.span();
                    self.lines.extend(span.start().line..=span.end().line);
                }
            }
            rest = after;
        }
    }

    fn group(&mut self, group: &Group) {
        self.line_of(group.span_open());
        self.stream(group.stream());
        self.line_of(group.span_close());
    }

    fn line_of(&mut self, span: Span) {
        let line = span.start().line;
        if line != self.last {
            self.lines.insert(line);
            self.last = line;
        }
    }

    /// A documentation comment comes as the tokens of an attribute, but its text has no `#`.
    fn after_comment<'t>(&self, tokens: &'t [TokenTree]) -> Option<&'t [TokenTree]> {
        let [TokenTree::Punct(hash), after @ ..] = tokens else { return None };
        let written = self.text.as_bytes().get(hash.span().byte_range().start);
        if hash.as_char() != '#' || written == Some(&b'#') {
            return None;
        }
        match after {
            [TokenTree::Punct(_), TokenTree::Group(_), after @ ..]
            | [TokenTree::Group(_), after @ ..] => Some(after),
            _ => None,
        }
    }

    fn use_of_unsafe(&mut self, after: &[TokenTree]) {
        let between = |token: &&TokenTree| {
            matches!(token, TokenTree::Ident(word) if word == "extern" || word == "auto")
                || matches!(token, TokenTree::Literal(_))
        };
        let found = &mut self.unsafe_code;
        let mut item = after.iter().skip_while(between);
        let place = match (after.first(), item.next(), item.next()) {
            (Some(TokenTree::Group(block)), _, _) if block.delimiter() == Delimiter::Brace => {
                &mut found.blocks
            }
            // Without a name it is the type of a function pointer.
            (_, Some(TokenTree::Ident(word)), Some(TokenTree::Ident(_) | TokenTree::Punct(_)))
                if word == "fn" =>
            {
                &mut found.functions
            }
            (_, Some(TokenTree::Ident(word)), _) if word == "impl" || word == "trait" => {
                &mut found.implementations
            }
            _ => return,
        };
        *place = place.saturating_add(1);
    }
}

/// What follows a module that is there only in tests, if the tokens begin with one.
fn after_test_module(tokens: &[TokenTree]) -> Option<&[TokenTree]> {
    let (attribute, mut rest) = attribute(tokens)?;
    if !only_in_tests(attribute) {
        return None;
    }
    while let Some((_, after)) = self::attribute(rest) {
        rest = after;
    }
    if let [TokenTree::Ident(word), after @ ..] = rest
        && word == "pub"
    {
        rest = match after {
            [TokenTree::Group(scope), after @ ..]
                if scope.delimiter() == Delimiter::Parenthesis =>
            {
                after
            }
            _ => after,
        };
    }
    match rest {
        [TokenTree::Ident(word), TokenTree::Ident(_), _, after @ ..] if word == "mod" => {
            Some(after)
        }
        _ => None,
    }
}

/// The attribute that the tokens begin with, and what follows it.
fn attribute(tokens: &[TokenTree]) -> Option<(TokenStream, &[TokenTree])> {
    match tokens {
        [TokenTree::Punct(hash), TokenTree::Group(group), after @ ..]
            if hash.as_char() == '#' && group.delimiter() == Delimiter::Bracket =>
        {
            Some((group.stream(), after))
        }
        _ => None,
    }
}

/// Whether an attribute is `cfg(test)` or `cfg(all(test, ..))`.
fn only_in_tests(attribute: TokenStream) -> bool {
    fn called(stream: TokenStream, name: &str) -> Option<TokenStream> {
        let mut tokens = stream.into_iter();
        match (tokens.next(), tokens.next()) {
            (Some(TokenTree::Ident(word)), Some(TokenTree::Group(group))) if word == name => {
                Some(group.stream())
            }
            _ => None,
        }
    }
    let Some(condition) = called(attribute, "cfg") else { return false };
    let all = called(condition.clone(), "all");
    let first = all.unwrap_or(condition).into_iter().next();
    matches!(first, Some(TokenTree::Ident(word)) if word == "test")
}

#[cfg(test)]
mod tests;
