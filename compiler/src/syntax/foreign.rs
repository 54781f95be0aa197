//! What is written otherwise in other languages, recognised where the parser meets it.
//!
//! None of it is part of the grammar. Each function reports one fault for all that belongs together,
//! with the text to write instead.

use super::KEYWORDS;
use super::ast::{Expr, ExprKind, Operator};
use super::errors;
use super::lexer::{Token, TokenKind};
use super::parser::{Parsed, Parser, Reported};
use crate::diagnostic::Span;

/// Operators of words: `a if b else c`, `and`, `or` and `not`, in Python's precedence.
impl Parser<'_> {
    /// Reports an expression of such operators, which begins at a token.
    pub(super) fn foreign_logic(&mut self, start: usize) -> Reported {
        self.at = start;
        let mut first = None;
        let from = self.peek().span;
        let here = match self.conditional(&mut first) {
            Ok(here) => here,
            Err(reported) => return reported,
        };
        let all = from.to(self.previous().span);
        let at = first.unwrap_or(from);
        let fault = errors::foreign_logic(self.slice(at), at, all, here);
        self.fault(fault)
    }

    /// The text to write instead; the first such operator is noted.
    fn conditional(&mut self, first: &mut Option<Span>) -> Parsed<String> {
        let value = self.joined("or", first)?;
        if !self.is_word("if") || self.peek().starts_line {
            return Ok(value);
        }
        let at = self.bump().span;
        let first_at = *first.get_or_insert(at);
        let condition = self.joined("or", first)?;
        if !self.is_word("else") {
            return Err(self.fault(errors::if_without_else(first_at)));
        }
        self.bump();
        let other = self.conditional(first)?;
        // It decides about all of it.
        *first = Some(at);
        Ok(format!("select({condition}, {value}, {other})"))
    }

    fn joined(&mut self, word: &str, first: &mut Option<Span>) -> Parsed<String> {
        let operand = |parser: &mut Self, first: &mut Option<Span>| match word {
            "or" => parser.joined("and", first),
            _ => parser.negated(first),
        };
        let mut text = operand(self, first)?;
        while self.is_word(word) && !self.peek().starts_line {
            let at = self.bump().span;
            first.get_or_insert(at);
            let right = operand(self, first)?;
            text = match word {
                "or" => format!("max({text}, {right})"),
                _ => format!("{} * {}", factor(&text), factor(&right)),
            };
        }
        Ok(text)
    }

    fn negated(&mut self, first: &mut Option<Span>) -> Parsed<String> {
        if self.is_word("not") {
            let at = self.bump().span;
            first.get_or_insert(at);
            let text = self.negated(first)?;
            return Ok(format!("1 - {}", factor(&text)));
        }
        let expr = self.binary(1)?;
        Ok(self.slice(expr.span).to_owned())
    }
}

/// A text as an operand of `*`.
fn factor(text: &str) -> String {
    let is_name = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let is_product = text.starts_with('(') && text.ends_with(')');
    if is_name || is_product { text.to_owned() } else { format!("({text})") }
}

/// Parts of expressions.
impl Parser<'_> {
    /// Reports `2H` and `2 H`, of which the number is behind.
    pub(super) fn lone_number(&mut self, number: Span) -> Parsed<()> {
        let token = self.peek();
        let word = self.slice(token.span);
        let follows = match token.kind {
            TokenKind::Word => {
                !KEYWORDS.contains(&word)
                    && !["if", "else", "and", "or", "for", "as"].contains(&word)
                    && self.peek_at(1).kind != TokenKind::Sign("=")
            }
            TokenKind::Sign("(") => true,
            _ => false,
        };
        if !follows || token.starts_line {
            return Ok(());
        }
        let digits = word.strip_prefix('_').filter(|digits| !digits.is_empty());
        if digits.is_some_and(|digits| digits.chars().all(|c| c.is_ascii_digit() || c == '_')) {
            let underscore = Span { end: token.span.start + 1, ..token.span };
            return Err(self.fault(errors::grouped_digits(underscore)));
        }
        let is_suffix = matches!(word, "f" | "F" | "f32" | "f64");
        if is_suffix && number.end == token.span.start && self.slice(number).contains('.') {
            return Err(self.fault(errors::number_suffix(token.span)));
        }
        let found = self.describe(token);
        let gap = Span { start: number.end, end: token.span.start, ..number };
        Err(self.fault(errors::missing_times(&found, token.span, gap)))
    }

    /// Where the bracket that is next is closed, if that is in the same statement.
    pub(super) fn closing_bracket(&self) -> Option<Span> {
        let mut open = 0;
        for ahead in 0.. {
            let token = self.peek_at(ahead);
            match token.kind {
                TokenKind::Sign("(" | "[") => open += 1,
                TokenKind::Sign(")" | "]") => open -= 1,
                TokenKind::Sign("{" | "}" | "=" | ";") | TokenKind::Reported | TokenKind::End => {
                    return None;
                }
                TokenKind::Word if self.slice(token.span) == "for" => return None,
                _ => {}
            }
            if open == 0 {
                return Some(token.span);
            }
        }
        None
    }

    /// Reports `{a: b}`, and passes over it: its end is not that of the cell.
    pub(super) fn dictionary(&mut self, open: Span) -> Reported {
        while !self.at_end() && !self.is("}") {
            self.bump();
            if self.peek().starts_line {
                return self.fault(errors::dictionary(open));
            }
        }
        self.bump();
        self.fault(errors::dictionary(open))
    }

    /// Reports `next(h)`, of which `next` is behind.
    pub(super) fn next_called(&mut self) -> Parsed<()> {
        let [open, name, close] = [0, 1, 2].map(|ahead| self.peek_at(ahead));
        let is_call = (open.kind, name.kind, close.kind)
            == (TokenKind::Sign("("), TokenKind::Word, TokenKind::Sign(")"));
        if is_call {
            return Err(self.fault(errors::next_called(open.span, close.span)));
        }
        Ok(())
    }

    /// Reports colons and new axes between the brackets of an index, of which the first is behind.
    pub(super) fn foreign_index(&mut self, base: &Expr) -> Parsed<()> {
        let mut open = 0;
        let mut colons: Vec<Span> = Vec::new();
        let mut new_axis = None;
        for ahead in 0.. {
            let token = self.peek_at(ahead);
            match token.kind {
                TokenKind::End | TokenKind::Reported => return Ok(()),
                TokenKind::Sign("(" | "[") => open += 1,
                TokenKind::Sign(")" | "]") if open == 0 => break,
                TokenKind::Sign(")" | "]") => open -= 1,
                TokenKind::Sign(":") if open == 0 => colons.push(token.span),
                TokenKind::Sign("{" | "}" | "=") => return Ok(()),
                TokenKind::Word if matches!(self.slice(token.span), "None" | "newaxis") => {
                    new_axis = Some(token.span);
                }
                _ => {}
            }
        }
        if let (Some(span), false) = (new_axis, colons.is_empty()) {
            return Err(self.fault(errors::new_axis(span, self.slice(base.span))));
        }
        let axis_has_two = |pair: &[Span]| !self.text[pair[0].end..pair[1].start].contains(',');
        match colons.windows(2).find(|pair| axis_has_two(pair)) {
            Some(pair) => Err(self.fault(errors::slice_step(pair[1]))),
            None if colons.is_empty() => Ok(()),
            None => Err(self.fault(errors::colon_slices(&colons))),
        }
    }

    /// Where a comment before a token begins, if a bracket is closed in it.
    pub(super) fn comment_with(&self, sign: &str, token: Token) -> Option<Span> {
        let previous = self.previous().span;
        let between = &self.text[previous.end..token.span.start];
        let line = between.lines().next()?;
        let (_, comment) = line.split_once("//")?;
        let start = previous.end + (line.len() - comment.len()) - "//".len();
        comment.contains(sign).then(|| Span::new(previous.file, start, start + "//".len()))
    }
}

/// Statements.
impl Parser<'_> {
    /// Passes over `.. { .. }` in the rest of a line, as after `for` and `if`: the statements in it
    /// are not those of the cell.
    pub(super) fn pass_blocks(&mut self) {
        loop {
            let rest = (0..).map(|ahead| self.peek_at(ahead));
            let mut rest = rest.enumerate().take_while(|(ahead, token)| {
                let is_behind = *ahead > 0 && token.starts_line;
                !is_behind && token.kind != TokenKind::End && token.kind != TokenKind::Sign("}")
            });
            let Some((ahead, _)) = rest.find(|(_, token)| token.kind == TokenKind::Sign("{"))
            else {
                return;
            };
            for _ in 0..=ahead {
                self.bump();
            }
            let mut open = 1;
            while open > 0 && !self.at_end() {
                open += match self.bump().kind {
                    TokenKind::Sign("{") => 1,
                    TokenKind::Sign("}") => -1,
                    _ => 0,
                };
            }
            if self.peek().starts_line && !self.is_word("else") {
                return;
            }
        }
    }

    /// Reports `output tanh(h)` and `output next h`.
    pub(super) fn output_has_name(&mut self) -> Parsed<()> {
        let (token, second) = (self.peek(), self.peek_at(1));
        if token.starts_line || token.kind == TokenKind::Reported {
            return Ok(());
        }
        if let Some(close) = self.tuple_of_names() {
            return Err(self.fault(errors::output_of_tuple(token.span, close)));
        }
        let is_expression = match (token.kind, second.kind) {
            (TokenKind::Word, TokenKind::Word) => self.is_word("next"),
            (TokenKind::Word, TokenKind::Sign("(" | "[")) => !second.starts_line,
            (TokenKind::Word, TokenKind::Sign(sign)) => {
                Operator::ALL.into_iter().any(|op| op.symbol() == sign)
            }
            (TokenKind::Number | TokenKind::Sign("-" | "("), _) => true,
            _ => false,
        };
        if !is_expression || KEYWORDS.contains(&self.slice(token.span)) && !self.is_word("next") {
            return Ok(());
        }
        let expr = self.expression()?;
        let fault = match &expr.kind {
            ExprKind::Next(state) => errors::output_of_next(token.span, state),
            _ => errors::output_of_expression(&expr),
        };
        Err(self.fault(fault))
    }

    /// The end of `(a, b)`, if that is next.
    fn tuple_of_names(&self) -> Option<Span> {
        if !self.is("(") || self.peek_at(2).kind != TokenKind::Sign(",") {
            return None;
        }
        for ahead in 1.. {
            let (name, sign) = (self.peek_at(2 * ahead - 1), self.peek_at(2 * ahead));
            match (name.kind, sign.kind) {
                (TokenKind::Word, TokenKind::Sign(",")) => {}
                (TokenKind::Word, TokenKind::Sign(")")) => return Some(sign.span),
                _ => return None,
            }
        }
        None
    }

    /// Reports `use f as g`, of which `f` is behind.
    pub(super) fn keeps_its_name(&mut self, name: &str) -> Parsed<()> {
        if self.is_word("as") && !self.peek().starts_line {
            let span = self.peek().span;
            return Err(self.fault(errors::renamed_import(name, span)));
        }
        Ok(())
    }

    /// Reports `return a, b`, of which `a` is behind.
    pub(super) fn one_result(&mut self) -> Parsed<()> {
        if self.is(",") {
            let comma = self.peek().span;
            return Err(self.fault(errors::several_results(comma)));
        }
        Ok(())
    }
}

/// Files, and bodies of cells and functions.
impl Parser<'_> {
    /// Reports a text that is not one of the language at all, once, whatever else is in it.
    pub(super) fn is_no_cell(&mut self) -> Parsed<()> {
        let token = self.peek();
        let found = self.slice(token.span);
        let is_word = token.kind == TokenKind::Word;
        if is_word && errors::begins_item(found, self.has_cell()) {
            return Ok(());
        }
        let fault = match token.kind {
            // A comment of another language, above a cell.
            TokenKind::Reported if self.has_cell() => self.faults.first().cloned(),
            TokenKind::Reported => None,
            _ => Some(errors::no_item(
                found,
                token.span,
                self.peek_at(1).kind == TokenKind::Sign("="),
            )),
        };
        self.faults.clear();
        let fault = fault.unwrap_or_else(|| errors::no_cell_at_all(found, token.span));
        Err(self.fault(fault))
    }

    /// Whether a line begins with `cell NAME (`.
    fn has_cell(&self) -> bool {
        self.tokens.windows(3).any(|tokens| {
            tokens[0].starts_line
                && self.slice(tokens[0].span) == "cell"
                && tokens[1].kind == TokenKind::Word
                && tokens[2].kind == TokenKind::Sign("(")
        })
    }

    /// Reports a body that has no brace at the token where it begins, and is behind but for the brace at
    /// its end, if there is one.
    pub(super) fn without_braces(&mut self, what: &str, begin: usize) -> Reported {
        let (before, first) = (self.tokens[begin - 1].span, self.tokens[begin]);
        let colon = (first.kind == TokenKind::Sign(":")).then_some(first.span);
        self.eat("}");
        let last = self.previous();
        let end = (last.kind != TokenKind::Sign("}")).then_some(last.span.after());
        let fault = errors::body_without_braces(what, colon, before.after(), end);
        self.fault(fault)
    }
}
