//! Tokens to a tree: files and cells.
//!
//! After a fault the parser passes over the rest of the statement and goes on with the next, so
//! that independent faults are reported together.

use super::ast::{Cell, Dim, File, Name};
use super::lexer::{Token, TokenKind, lex};
use super::{KEYWORDS, errors};
use crate::diagnostic::{Diagnostic, Span};

/// The rest cannot be parsed, and why is already reported.
pub(super) struct Reported;

pub(super) type Parsed<T> = Result<T, Reported>;

/// A text as a tree, with the tokens it is made of.
pub(super) struct Form {
    pub(super) file: File,
    pub(super) tokens: Vec<Token>,
    /// The numbers of the tokens that begin an item of the file or a statement.
    pub(super) starts: Vec<usize>,
}

pub(super) fn parse(text: &str, number: usize) -> Result<Form, Vec<Diagnostic>> {
    let (form, faults) = recover(text, number);
    if faults.is_empty() { Ok(form) } else { Err(faults) }
}

/// What of a text can be parsed, and what is wrong with the rest, in the order of the text.
pub(super) fn recover(text: &str, number: usize) -> (Form, Vec<Diagnostic>) {
    let (tokens, faults) = lex(text, number);
    let mut parser = Parser { text, tokens, at: 0, starts: Vec::new(), faults, depth: 0 };
    let mut file = File::default();
    // Where the parser gave up, it said why.
    let _ = parser.file(&mut file);
    let Parser { tokens, starts, mut faults, .. } = parser;
    faults.sort_by_key(|fault| fault.primary.span);
    (Form { file, tokens, starts }, faults)
}

pub(super) struct Parser<'t> {
    pub(super) text: &'t str,
    pub(super) tokens: Vec<Token>,
    pub(super) at: usize,
    /// The numbers of the tokens that begin an item of the file or a statement.
    pub(super) starts: Vec<usize>,
    pub(super) faults: Vec<Diagnostic>,
    /// How deep in nested expressions the parser is.
    pub(super) depth: u16,
}

/// Moving through the tokens.
impl<'t> Parser<'t> {
    pub(super) fn peek(&self) -> Token {
        self.peek_at(0)
    }

    /// The token `ahead` places on; past the end, the end.
    pub(super) fn peek_at(&self, ahead: usize) -> Token {
        self.tokens[(self.at + ahead).min(self.tokens.len() - 1)]
    }

    /// The number of the next token.
    pub(super) fn mark(&self) -> usize {
        self.at
    }

    /// The tokens from a number on, up to the next.
    pub(super) fn since(&self, start: usize) -> &[Token] {
        &self.tokens[start..self.at]
    }

    pub(super) fn previous(&self) -> Token {
        self.tokens[self.at.saturating_sub(1)]
    }

    pub(super) fn bump(&mut self) -> Token {
        let token = self.peek();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    pub(super) fn slice(&self, span: Span) -> &'t str {
        &self.text[span.start..span.end]
    }

    pub(super) fn is(&self, sign: &'static str) -> bool {
        self.peek().kind == TokenKind::Sign(sign)
    }

    pub(super) fn eat(&mut self, sign: &'static str) -> Option<Span> {
        self.is(sign).then(|| self.bump().span)
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        let token = self.peek();
        token.kind == TokenKind::Word && self.slice(token.span) == word
    }

    /// Reports a fault.
    pub(super) fn fault(&mut self, fault: Diagnostic) -> Reported {
        self.faults.push(fault);
        Reported
    }

    /// Reports that something else was expected at the next token.
    pub(super) fn expected(&mut self, what: &str) -> Reported {
        let token = self.peek();
        match token.kind {
            TokenKind::Reported => Reported,
            // The line that ends too early is the place to look at, not the one after it.
            _ if token.starts_line && self.at > 0 => {
                let end = self.previous().span.after();
                let found = self.describe(token);
                self.fault(errors::expected_at_line_end(what, &found, end))
            }
            TokenKind::End => self.fault(errors::expected(what, "the end of the text", token.span)),
            _ => {
                let found = self.describe(token);
                self.fault(errors::expected(what, &found, token.span))
            }
        }
    }

    pub(super) fn describe(&self, token: Token) -> String {
        match token.kind {
            TokenKind::End => "the end of the text".into(),
            TokenKind::Word if KEYWORDS.contains(&self.slice(token.span)) => {
                format!("the keyword `{}`", self.slice(token.span))
            }
            _ => format!("`{}`", self.slice(token.span)),
        }
    }

    pub(super) fn expect(&mut self, sign: &'static str, what: &str) -> Parsed<Span> {
        self.eat(sign).ok_or_else(|| self.expected(what))
    }

    /// The sign that closes a bracket opened at `open`.
    pub(super) fn close(&mut self, sign: &'static str, open: Span) -> Parsed<Span> {
        if let Some(span) = self.eat(sign) {
            return Ok(span);
        }
        let token = self.peek();
        if token.kind == TokenKind::Reported {
            return Err(Reported);
        }
        let at = if token.starts_line || token.kind == TokenKind::End {
            self.previous().span.after()
        } else {
            token.span
        };
        let found = self.describe(token);
        let is_operand = matches!(token.kind, TokenKind::Word | TokenKind::Number);
        let is_keyword = KEYWORDS.contains(&self.slice(token.span));
        if is_operand && !is_keyword && !token.starts_line && !self.is_after_sign() {
            let fault = errors::juxtaposition(&format!("`{sign}`"), &found, token.span);
            return Err(self.fault(fault));
        }
        let fault = errors::unclosed(sign, &found, at, open);
        // What was to close it may have gone into a comment.
        let fault = match self.comment_with(sign, token) {
            Some(slashes) => errors::comment_for_quotient(fault, slashes),
            None => fault,
        };
        Err(self.fault(fault))
    }

    /// Whether what is behind ends with a sign that closes nothing.
    fn is_after_sign(&self) -> bool {
        match self.previous().kind {
            TokenKind::Sign(sign) => !matches!(sign, ")" | "]"),
            _ => false,
        }
    }

    /// A name that is no keyword.
    pub(super) fn name(&mut self, what: &str) -> Parsed<Name> {
        let token = self.peek();
        if token.kind != TokenKind::Word {
            return Err(self.expected(what));
        }
        let text = self.slice(token.span);
        if KEYWORDS.contains(&text) {
            if token.starts_line && self.at > 0 {
                return Err(self.expected(what));
            }
            return Err(self.fault(errors::keyword_as_name(what, text, token.span)));
        }
        self.bump();
        Ok(Name { text: text.to_owned(), span: token.span })
    }
}

/// The file and its cell.
impl Parser<'_> {
    fn file(&mut self, file: &mut File) -> Parsed<()> {
        let first = self.peek();
        if first.kind == TokenKind::End {
            return Err(self.fault(errors::empty_file(first.span)));
        }
        self.is_no_cell()?;
        // What has just ended, for what follows it.
        let mut last: Option<(&str, Span)> = None;
        while !self.at_end() {
            let token = self.peek();
            let word = match token.kind {
                TokenKind::Word => self.slice(token.span),
                _ => "",
            };
            self.starts.push(self.at);
            match word {
                "use" => self.import(file),
                "const" => self.constants(file),
                "fn" => {
                    let function = self.function(file);
                    last = function.map(|name| ("function", name)).or(last);
                }
                "cell" => {
                    if let Some(first) = &file.cell {
                        let fault = errors::second_cell(token.span, first.name.span);
                        return Err(self.fault(fault));
                    }
                    last = Some(("cell", self.cell(file)?));
                }
                _ => self.stray(token, last, file)?,
            }
        }
        if file.constants.is_empty() && file.functions.is_empty() && file.cell.is_none() {
            let end = self.peek().span;
            return Err(self.fault(errors::empty_file(end)));
        }
        Ok(())
    }

    /// Passes over what begins no item of a file.
    fn stray(&mut self, token: Token, last: Option<(&str, Span)>, file: &mut File) -> Parsed<()> {
        let found = self.slice(token.span);
        match (token.kind, last) {
            (TokenKind::Reported, _) => {}
            (_, Some((what, name))) => {
                let found = self.describe(token);
                return Err(self.fault(errors::after_item(&found, token.span, what, name)));
            }
            (_, None) => {
                self.fault(errors::no_item(found, token.span, false));
                // The cell is parsed all the same, for the faults in it.
                let misspelt = crate::suggest::closest(found, ["cell"]).is_some();
                let second = self.peek_at(1);
                if misspelt && second.kind == TokenKind::Word && !second.starts_line {
                    return self.cell(file).map(drop);
                }
            }
        }
        self.bump();
        while !self.starts_item() {
            if self.bump().kind == TokenKind::End {
                return Err(Reported);
            }
        }
        Ok(())
    }

    /// Whether another item of the file begins here.
    pub(super) fn starts_item(&self) -> bool {
        let token = self.peek();
        let word = || self.slice(token.span);
        token.starts_line
            && token.kind == TokenKind::Word
            && ["cell", "fn", "const", "use"].contains(&word())
    }

    fn starts_cell(&self) -> bool {
        self.peek().starts_line && self.is_word("cell")
    }

    /// Parses a cell, as far as it goes; where its name stands.
    fn cell(&mut self, file: &mut File) -> Parsed<Span> {
        self.bump();
        let (name, dims) = match self.header() {
            Ok(header) => header,
            // The body is parsed all the same, for the faults in it.
            Err(Reported) => {
                while !self.is("{") && !self.at_next_statement() && !self.at_end() {
                    self.bump();
                }
                (Name { text: String::new(), span: Span::default() }, Vec::new())
            }
        };
        let begin = self.mark();
        let open = self.peek().span;
        let has_braces = self.eat("{").is_some() || name.text.is_empty();
        if !has_braces {
            self.eat(":");
        }
        let span = name.span;
        let Cell { items, .. } = file.cell.insert(Cell { name, dims, items: Vec::new() });
        while !self.is("}") {
            if !has_braces && (self.at_end() || self.starts_item()) {
                return Err(self.without_braces("cell", begin));
            }
            if self.at_end() || self.starts_cell() {
                let end = self.previous().span.after();
                return Err(self.fault(errors::unclosed_cell(end, open)));
            }
            if self.eat(";").is_none() {
                // What is wrong with it is reported, and the next is parsed all the same.
                let _ = self.statement(items);
            }
        }
        if !has_braces {
            return Err(self.without_braces("cell", begin));
        }
        self.bump();
        Ok(span)
    }

    pub(super) fn at_end(&self) -> bool {
        self.peek().kind == TokenKind::End
    }

    fn header(&mut self) -> Parsed<(Name, Vec<Dim>)> {
        let cell = self.name("a name for the cell")?;
        let open = self.expect("(", "`(` and the dimensions of the cell: `(I, H)`, or `()`")?;
        let mut dims = Vec::new();
        while !self.is(")") {
            let token = self.peek();
            if token.kind == TokenKind::Number {
                return Err(self.fault(errors::number_as_dimension(token.span)));
            }
            let name = self.name("the name of a dimension")?;
            if self.is(":") {
                let colon = self.peek().span;
                return Err(self.fault(errors::dimension_with_type(&cell, &name, colon)));
            }
            let default = match self.eat("=") {
                Some(_) => Some(self.expression()?),
                None => None,
            };
            dims.push(Dim { name, default });
            if self.eat(",").is_none() {
                break;
            }
        }
        self.close(")", open)?;
        Ok((cell, dims))
    }
}
