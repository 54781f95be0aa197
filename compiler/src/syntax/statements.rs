//! Tokens to a tree: statements, and what to do about those at fault.

use super::ast::{Constant, Expr, ExprKind, Item, Kind};
use super::lexer::{Token, TokenKind};
use super::parser::{Parsed, Parser, Reported};
use super::{KEYWORDS, errors};

impl Parser<'_> {
    /// Parses a statement, up to where the next one starts whatever is wrong with it.
    pub(super) fn statement(&mut self, items: &mut Vec<Item>) -> Parsed<()> {
        let start = self.mark();
        self.starts.push(start);
        let parsed = self.statement_body(items);
        self.end_statement(start, parsed)
    }

    /// Expects the end of what began at a token, and passes over it if it is at fault.
    pub(super) fn end_statement(&mut self, start: usize, parsed: Parsed<()>) -> Parsed<()> {
        if parsed.is_ok() && self.ends_statement() {
            return Ok(());
        }
        if parsed.is_ok() {
            let token = self.peek();
            match token.kind {
                TokenKind::Word | TokenKind::Number | TokenKind::Sign("(") => {
                    let found = self.describe(token);
                    self.fault(errors::juxtaposition("the end of the line", &found, token.span))
                }
                TokenKind::Sign(",") if self.ends_line() => {
                    self.fault(errors::comma_at_end(token.span))
                }
                _ => self.expected("an operator or the end of the line"),
            };
        }
        self.pass(start);
        Err(Reported)
    }

    /// Passes over a statement that began at a token and is at fault.
    pub(super) fn pass(&mut self, start: usize) {
        if self.mark() == start && !self.is("}") {
            self.bump();
        }
        while !self.recovers(start) {
            self.bump();
        }
    }

    /// Whether the statement that began at a token, and is at fault, is behind.
    fn recovers(&self, start: usize) -> bool {
        let token = self.peek();
        if self.at_end() || self.is("}") || self.at_next_statement() {
            return true;
        }
        let opened = |token: &Token| match token.kind {
            TokenKind::Sign("(" | "[") => 1,
            TokenKind::Sign(")" | "]") => -1,
            _ => 0,
        };
        let open: i32 = self.since(start).iter().map(opened).sum();
        let goes_on = match self.previous().kind {
            TokenKind::Sign(sign) => !matches!(sign, ")" | "]" | "{" | ";"),
            _ => false,
        };
        token.starts_line && token.kind == TokenKind::Word && open <= 0 && !goes_on
    }

    fn ends_statement(&self) -> bool {
        let token = self.peek();
        token.starts_line || self.is(";") || self.is("}") || self.at_end()
    }

    /// Whether the next token is the last of its line.
    fn ends_line(&self) -> bool {
        let following = self.peek_at(1);
        following.starts_line || following.kind == TokenKind::End
    }

    /// Whether a statement seems to start here, rather than a line go on.
    fn starts_statement(&self) -> bool {
        let (token, following) = (self.peek(), self.peek_at(1));
        match token.kind {
            TokenKind::Word => {
                KEYWORDS.contains(&self.slice(token.span))
                    || following.kind == TokenKind::Sign("=") && !following.starts_line
            }
            TokenKind::Sign(sign) => sign == "}" || sign == ";",
            TokenKind::End => true,
            _ => false,
        }
    }

    /// Whether the next token begins another statement on a new line.
    pub(super) fn at_next_statement(&self) -> bool {
        self.peek().starts_line && self.starts_statement()
    }

    fn statement_body(&mut self, items: &mut Vec<Item>) -> Parsed<()> {
        let token = self.peek();
        if token.kind != TokenKind::Word {
            return Err(match token.kind {
                TokenKind::Reported => Reported,
                TokenKind::Sign("(" | "[") => self.fault(errors::several_definitions(token.span)),
                _ => {
                    let found = self.describe(token);
                    let what = "a declaration or a definition";
                    self.fault(errors::expected(what, &found, token.span))
                }
            });
        }
        match self.slice(token.span) {
            "input" => self.declaration(Kind::Input, items),
            "state" => self.declaration(Kind::State, items),
            "param" => self.declaration(Kind::Param, items),
            "next" => {
                let keyword = self.bump().span;
                self.next_called()?;
                let state = self.name("the name of a state")?;
                if self.is(",") {
                    let comma = self.peek().span;
                    return Err(self.fault(errors::several_nexts(comma, &state)));
                }
                if self.is("[") {
                    let open = self.peek().span;
                    return Err(self.fault(errors::part_of_next(&state, open)));
                }
                self.expect("=", "`=` and the new value of the state")?;
                let (value, parsed) = self.value();
                items.push(Item::Next { keyword, state, value });
                parsed
            }
            "output" => self.outputs(items),
            "hyper" => self.hypers(items),
            "return" => Err(self.fault(errors::return_in_cell(token.span))),
            keyword @ ("fn" | "const" | "use") => {
                Err(self.fault(errors::item_in_cell(keyword, token.span)))
            }
            word => self.definition(token, word, items),
        }
    }

    fn definition(&mut self, first: Token, word: &str, items: &mut Vec<Item>) -> Parsed<()> {
        let second = self.peek_at(1);
        match second.kind {
            TokenKind::Sign("=") => {
                let name = self.name("a name")?;
                self.bump();
                let (value, parsed) = self.value();
                items.push(Item::Definition { name, value });
                parsed
            }
            TokenKind::Sign(":") => {
                Err(self.fault(errors::declaration_without_keyword(word, first.span)))
            }
            TokenKind::Sign("==") => {
                Err(self.fault(errors::comparison_as_definition(word, second.span)))
            }
            TokenKind::Sign(",") => Err(self.fault(errors::several_definitions(second.span))),
            TokenKind::Word if !second.starts_line => {
                let misspelt = errors::unknown_keyword(word, first.span);
                let reported = self.fault(misspelt);
                self.pass_blocks();
                Err(reported)
            }
            TokenKind::Reported if !second.starts_line => Err(Reported),
            _ => {
                let foreign = errors::foreign_keyword(word, first.span);
                if let Some(fault) = foreign {
                    let reported = self.fault(fault);
                    self.pass_blocks();
                    return Err(reported);
                }
                let expression = self.expression()?;
                if self.is("=") {
                    return Err(self.fault(errors::definition_of_other(&expression)));
                }
                Err(self.fault(errors::lone_expression(&expression)))
            }
        }
    }

    /// An expression, and whether it could be parsed: what it defines is kept in any case.
    pub(super) fn value(&mut self) -> (Expr, Parsed<()>) {
        let at = self.peek().span;
        match self.expression() {
            Ok(value) => (value, Ok(())),
            Err(Reported) => (Expr::new(ExprKind::Error, at), Err(Reported)),
        }
    }

    fn hypers(&mut self, items: &mut Vec<Item>) -> Parsed<()> {
        self.bump();
        loop {
            let name = self.name("the name of a hyper-parameter")?;
            if self.is(":") {
                let span = self.peek().span;
                return Err(self.fault(errors::hyper_with_type(&name, span)));
            }
            self.expect("=", "`=` and the value of the hyper-parameter")?;
            let (value, parsed) = self.value();
            items.push(Item::Hyper(Constant { name, value }));
            parsed?;
            if self.eat(",").is_none() {
                return Ok(());
            }
        }
    }

    fn outputs(&mut self, items: &mut Vec<Item>) -> Parsed<()> {
        self.bump();
        loop {
            self.output_has_name()?;
            let name = self.name("the name of an output")?;
            if self.is(":") {
                let span = self.peek().span;
                return Err(self.fault(errors::output_with_type(&name, span)));
            }
            let (value, parsed) = match self.eat("=").map(|_| self.value()) {
                Some((value, parsed)) => (Some(value), parsed),
                None => (None, Ok(())),
            };
            items.push(Item::Output { name, value });
            parsed?;
            if self.eat(",").is_none() {
                return Ok(());
            }
        }
    }
}
