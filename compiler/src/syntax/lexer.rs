//! Text to tokens.
//!
//! What is no token of the language is reported here, where the intent is plainest, and stands in
//! the stream as [`TokenKind::Reported`], on which the parser passes over the rest of the statement
//! without a further word.

use super::errors;
use crate::diagnostic::{Diagnostic, Span};

/// A token and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) span: Span,
    /// Whether it is the first token of its line.
    pub(super) starts_line: bool,
}

/// The kinds of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A name or a keyword.
    Word,
    /// A number.
    Number,
    /// The name of a file, in quotes: only in an import.
    Path,
    /// An operator or a bracket.
    Sign(&'static str),
    /// Something that is no token, reported already.
    Reported,
    /// The end of the text.
    End,
}

/// Operators and brackets; where one is the start of another, the longer comes first.
const SIGNS: [&str; 23] = [
    "==", "!=", "<=", ">=", "..", "{", "}", "(", ")", "[", "]", ",", ":", "=", "~", "+", "-", "*",
    "/", "@", "<", ">", ";",
];

/// Signs of other languages, longer first, with what to write instead.
const FOREIGN_SIGNS: [(&str, &str); 17] = [
    ("...", "write `..` for a whole axis, `m[.., 0]`, or a slice `v[a..b]`"),
    (":=", "write `name = expression`"),
    ("<-", "write `name = expression`; put a space into `a < -b`"),
    ("->", "a cell's results are its `output` statements"),
    ("=>", "write `>=` for \"greater or equal\""),
    ("&&", "write a product of comparisons: `(a < b) * (b < c)`"),
    ("||", "write the larger of two comparisons: `max(a < b, b < c)`"),
    ("%", "write `x - y * floor(x / y)` for a remainder, and a comment after `//`"),
    ("?", "write `select(condition, a, b)`"),
    ("!", "write `1 - condition`"),
    ("&", "write a product of comparisons: `(a < b) * (b < c)`"),
    ("|", "write `abs(x)` for |x|, or `max(a, b)` for \"or\""),
    ("#", "a comment starts with `//`"),
    ("'", "write `next h` for the new value of a state, `transpose(W)` for a transpose"),
    (".", "write a slice `v[a..b]`, and functions by their plain names: `tanh(x)`"),
    ("`", "names are written without quotes"),
    ("$", "names consist of ASCII letters, digits and `_`"),
];

/// Signs of other languages that change a value in place.
const UPDATES: [&str; 4] = ["+=", "-=", "*=", "/="];

/// Characters that look like what was meant, and what was meant.
const LOOKALIKES: [(char, &str); 18] = [
    ('−', "write `-`"),
    ('–', "write `-`"),
    ('—', "write `-`"),
    ('×', "write `*`, elementwise, or `@`, matrix by vector"),
    ('·', "write `*`, elementwise, or `@`, matrix by vector"),
    ('∙', "write `*`, elementwise, or `@`, matrix by vector"),
    ('⊙', "write `*`, elementwise"),
    ('∘', "write `*`, elementwise"),
    ('⊗', "write `outer(u, v)`"),
    ('÷', "write `/`"),
    ('≤', "write `<=`"),
    ('≥', "write `>=`"),
    ('≠', "write `!=`"),
    ('√', "write `sqrt(x)`"),
    ('∑', "write `sum(v)`"),
    ('²', "write `square(x)`"),
    ('ᵀ', "write `transpose(W)`"),
    ('′', "write `next state = ..` for a state's new value"),
];

/// Splits a text into tokens, the last of which is [`TokenKind::End`].
pub(super) fn lex(text: &str, file: usize) -> (Vec<Token>, Vec<Diagnostic>) {
    let mut lexer =
        Lexer { text, file, at: 0, tokens: Vec::new(), faults: Vec::new(), dotted: None };
    let mut starts_line = true;
    // Editors on some systems begin a file with a byte order mark.
    lexer.take_while(|c| c == '\u{feff}');
    loop {
        let newline = lexer.take_while(char::is_whitespace).contains('\n');
        starts_line |= newline;
        if lexer.rest().starts_with("//") {
            lexer.take_while(|c| c != '\n');
            continue;
        }
        let start = lexer.at;
        let kind = lexer.token();
        let span = Span::new(file, start, lexer.at);
        lexer.tokens.push(Token { kind, span, starts_line });
        starts_line = false;
        if kind == TokenKind::End {
            return (lexer.tokens, lexer.faults);
        }
    }
}

struct Lexer<'t> {
    text: &'t str,
    /// The number of the text.
    file: usize,
    at: usize,
    tokens: Vec<Token>,
    faults: Vec<Diagnostic>,
    /// Where the last name with points ends, if its fault is the last and shows a mend.
    dotted: Option<usize>,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn take(&mut self, bytes: usize) -> &'t str {
        let taken = &self.rest()[..bytes];
        self.at += bytes;
        taken
    }

    fn take_while(&mut self, holds: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        self.take(rest.find(|c| !holds(c)).unwrap_or(rest.len()))
    }

    fn token(&mut self) -> TokenKind {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return TokenKind::End };
        if first.is_alphabetic() && !LOOKALIKES.iter().any(|(c, _)| *c == first) || first == '_' {
            return self.word();
        }
        if first.is_ascii_digit() {
            return self.number();
        }
        if let Some(digits) = rest.strip_prefix('.')
            && digits.starts_with(|c: char| c.is_ascii_digit())
        {
            return self.number_without_whole_part();
        }
        if first == '"' && self.is_in_import() {
            return self.path();
        }
        if first == '"' || first == '“' {
            return self.text_literal();
        }
        if rest.starts_with("/*") {
            return self.block_comment();
        }
        if let Some(sign) = UPDATES.into_iter().find(|sign| rest.starts_with(sign)) {
            return self.update(sign);
        }
        if let Some(sign) = ["**", "^"].into_iter().find(|sign| rest.starts_with(sign)) {
            return self.power(sign);
        }
        if let Some(name) = rest.strip_prefix('.')
            && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        {
            return self.method();
        }
        let foreign = FOREIGN_SIGNS.iter().find(|(sign, _)| rest.starts_with(sign));
        let native = SIGNS.into_iter().find(|sign| rest.starts_with(sign));
        match (native, foreign) {
            (Some(native), None) => {
                self.take(native.len());
                TokenKind::Sign(native)
            }
            (Some(native), Some((foreign, _))) if native.len() >= foreign.len() => {
                self.take(native.len());
                TokenKind::Sign(native)
            }
            (_, Some((foreign, help))) => {
                self.take(foreign.len());
                self.report(self.at - foreign.len(), |span| {
                    errors::foreign_sign(foreign, span, help)
                })
            }
            (None, None) => self.unknown(first),
        }
    }

    fn report(&mut self, start: usize, fault: impl FnOnce(Span) -> Diagnostic) -> TokenKind {
        // One report a line is enough: what follows is likely more of the same.
        let line_is_reported = (self.tokens.last())
            .is_some_and(|last| last.kind == TokenKind::Reported)
            && !self.text[self.tokens[self.tokens.len() - 1].span.end..start].contains('\n');
        if !line_is_reported {
            self.faults.push(fault(Span::new(self.file, start, self.at)));
            self.dotted = None;
        }
        TokenKind::Reported
    }

    fn word(&mut self) -> TokenKind {
        let start = self.at;
        let is_letter = |c: char| c.is_alphanumeric() || c == '_';
        let word = self.take_while(is_letter);
        if self.rest().strip_prefix('.').is_some_and(|rest| rest.starts_with(is_letter)) {
            return self.dotted(start);
        }
        if word.is_ascii() {
            return TokenKind::Word;
        }
        self.report(start, |span| errors::non_ascii_name(word, span))
    }

    /// The rest of `torch.tanh`, of which `torch` is behind.
    fn dotted(&mut self, start: usize) -> TokenKind {
        let is_letter = |c: char| c.is_alphanumeric() || c == '_';
        while self.rest().strip_prefix('.').is_some_and(|rest| rest.starts_with(is_letter)) {
            self.take(1);
            self.take_while(is_letter);
        }
        let path = &self.text[start..self.at];
        let span = Span::new(self.file, start, self.at);
        if self.is_in_import() {
            self.faults.push(errors::unquoted_path(path, span));
            self.dotted = None;
            return TokenKind::Reported;
        }
        // A line of another language as a whole, which the parser reports.
        let first = self.tokens.iter().rev().find(|token| token.starts_line);
        let word = first.map(|first| &self.text[first.span.start..first.span.end]);
        if matches!(word, Some("import" | "from")) {
            return TokenKind::Reported;
        }
        let after = self.rest().lines().next().unwrap_or_default();
        let fault = errors::dotted(path, after, span);
        let on_the_line = |end: usize| !self.text[end..start].contains('\n');
        let earlier =
            self.dotted.is_some_and(on_the_line).then(|| self.faults.last_mut()).flatten();
        match earlier {
            // One mend shows them all.
            Some(earlier) if !fault.edits.is_empty() => errors::together(earlier, fault),
            _ => {
                self.dotted = (!fault.edits.is_empty()).then_some(self.at);
                self.faults.push(fault);
            }
        }
        TokenKind::Reported
    }

    /// `.sum` of what is no name.
    fn method(&mut self) -> TokenKind {
        let start = self.at;
        self.take(1);
        let name = self.take_while(|c| c.is_alphanumeric() || c == '_');
        self.report(start, |span| errors::method_of_expression(name, span))
    }

    fn power(&mut self, sign: &'static str) -> TokenKind {
        let start = self.at;
        self.take(sign.len());
        let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let rest = self.rest();
        let exponent = rest.trim_start_matches(' ');
        let length = exponent.find(|c| !is_letter(c) && c != '.').unwrap_or(exponent.len());
        let is_called = exponent[length..].starts_with(['(', '[']);
        let end = start + sign.len() + (rest.len() - exponent.len()) + length;
        let base = self.tokens.last().filter(|base| base.kind == TokenKind::Word);
        let exponent = Span::new(self.file, end - length, end);
        let operands = base.filter(|_| length > 0 && !is_called).map(|base| (base.span, exponent));
        self.report(start, |span| errors::power(sign, span, operands))
    }

    fn update(&mut self, sign: &'static str) -> TokenKind {
        let start = self.at;
        self.take(sign.len());
        let last = self.tokens.last().filter(|last| last.kind == TokenKind::Word);
        let name = last.map(|last| &self.text[last.span.start..last.span.end]);
        self.report(start, |span| errors::updated_in_place(name, sign, span))
    }

    fn number(&mut self) -> TokenKind {
        let digits = |c: char| c.is_ascii_digit();
        let start = self.at;
        self.take_while(digits);
        let rest = self.rest();
        if let Some(fraction) = rest.strip_prefix('.')
            && !fraction.starts_with('.')
        {
            if !fraction.starts_with(digits) {
                self.take(1);
                let whole = &self.text[start..self.at - 1];
                return self.report(start, |span| errors::number_without_fraction(whole, span));
            }
            self.take(1);
            self.take_while(digits);
        }
        if let Some(exponent) = self.rest().strip_prefix(['e', 'E'])
            && exponent.strip_prefix(['+', '-']).unwrap_or(exponent).starts_with(digits)
        {
            self.take(1 + usize::from(exponent.starts_with(['+', '-'])));
            self.take_while(digits);
        }
        TokenKind::Number
    }

    fn number_without_whole_part(&mut self) -> TokenKind {
        let start = self.at;
        self.take(1);
        let digits = self.take_while(|c| c.is_ascii_digit());
        self.report(start, |span| errors::number_without_whole_part(digits, span))
    }

    /// Whether the last token is `from`, or the first one of its line is `use`.
    fn is_in_import(&self) -> bool {
        let text = |token: &Token| &self.text[token.span.start..token.span.end];
        let starts = self.tokens.iter().rev().find(|token| token.starts_line);
        self.tokens.last().is_some_and(|last| text(last) == "from")
            || starts.is_some_and(|first| text(first) == "use")
    }

    fn path(&mut self) -> TokenKind {
        let start = self.at;
        self.take(1);
        self.take_while(|c| c != '"' && c != '\n');
        if self.rest().starts_with('"') {
            self.take(1);
            return TokenKind::Path;
        }
        self.report(start, errors::unclosed_path)
    }

    fn text_literal(&mut self) -> TokenKind {
        let start = self.at;
        let quotes = ['"', '“', '”'];
        self.take_while(|c| quotes.contains(&c));
        self.take_while(|c| !quotes.contains(&c) && c != '\n');
        self.take_while(|c| quotes.contains(&c));
        self.report(start, errors::text_literal)
    }

    fn block_comment(&mut self) -> TokenKind {
        let start = self.at;
        match self.rest().find("*/") {
            Some(end) => {
                self.take(end + 2);
                self.report(start, errors::block_comment)
            }
            // Had the whole text been taken, nothing else in it would be checked.
            None => {
                self.take(2);
                self.report(start, errors::block_comment)
            }
        }
    }

    fn unknown(&mut self, first: char) -> TokenKind {
        let start = self.at;
        self.take(first.len_utf8());
        let lookalike = LOOKALIKES.iter().find(|(c, _)| *c == first).map(|(_, help)| *help);
        self.report(start, |span| errors::unknown_character(first, span, lookalike))
    }
}
