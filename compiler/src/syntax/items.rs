//! Tokens to a tree: what stands beside a cell, which are imports, constants and functions.

use super::ast::{Constant, Expr, File, Function, Name, Parameter, Place, Use};
use super::errors;
use super::lexer::TokenKind;
use super::parser::{Parsed, Parser, Reported};
use crate::diagnostic::Span;

impl Parser<'_> {
    /// `use NAME, ... from PLACE`
    pub(super) fn import(&mut self, file: &mut File) {
        let start = self.mark();
        let parsed = self.import_within().map(|import| file.uses.push(import));
        self.end_item(start, parsed);
    }

    fn import_within(&mut self) -> Parsed<Use> {
        self.bump();
        if self.is("*") {
            let span = self.peek().span;
            return Err(self.fault(errors::whole_import(span)));
        }
        let mut names = vec![self.name("the name of what is imported")?];
        self.keeps_its_name(&names[0].text)?;
        while self.eat(",").is_some() {
            let name = self.name("the name of what is imported")?;
            self.keeps_its_name(&name.text)?;
            names.push(name);
        }
        if !self.is_word("from") {
            return Err(self.expected("`from` and a file: `use NAME from \"FILE.cell\"`"));
        }
        self.bump();
        let token = self.peek();
        let written = self.slice(token.span);
        let place = match token.kind {
            TokenKind::Path => Place::File(written.trim_matches('"').to_owned()),
            TokenKind::Word if !token.starts_line => Place::Catalogue(written.to_owned()),
            TokenKind::Reported => return Err(Reported),
            _ if token.starts_line => return Err(self.expected("where to import from")),
            _ => {
                let found = self.describe(token);
                return Err(self.fault(errors::import_without_place(&found, token.span)));
            }
        };
        self.bump();
        self.keeps_its_name(&names[0].text)?;
        Ok(Use { names, place, span: token.span })
    }

    /// `const NAME = expr, ..`
    pub(super) fn constants(&mut self, file: &mut File) {
        let start = self.mark();
        self.bump();
        loop {
            let parsed = self.constant().map(|constant| file.constants.push(constant));
            if parsed.is_err() || self.eat(",").is_none() {
                return self.end_item(start, parsed);
            }
        }
    }

    fn constant(&mut self) -> Parsed<Constant> {
        let name = self.name("the name of a constant")?;
        self.expect("=", "`=` and the value of the constant")?;
        let value = self.expression()?;
        Ok(Constant { name, value })
    }

    /// `fn NAME(PARAMETER, ...) ..`; where its name stands, if it has one.
    pub(super) fn function(&mut self, file: &mut File) -> Option<Span> {
        let start = self.mark();
        self.bump();
        let name = match self.name("a name for the function") {
            Ok(name) => name,
            Err(Reported) => {
                self.skip_item();
                return None;
            }
        };
        let span = name.span;
        let parsed = self.function_within(name).map(|function| file.functions.push(function));
        self.end_item(start, parsed);
        Some(span)
    }

    fn function_within(&mut self, name: Name) -> Parsed<Function> {
        let open = self.expect("(", "`(` and the parameters of the function: `(x, y)`")?;
        let mut parameters = Vec::new();
        while !self.is(")") {
            let name = self.name("the name of a parameter")?;
            let pattern = match self.eat(":") {
                Some(_) => Some(self.ty()?),
                None => None,
            };
            parameters.push(Parameter { name, pattern });
            if self.eat(",").is_none() {
                break;
            }
        }
        self.close(")", open)?;
        if self.eat("=").is_some() {
            let result = self.expression()?;
            self.one_result()?;
            return Ok(Function { name, parameters, definitions: Vec::new(), result });
        }
        let is_empty = self.at_end() || self.starts_item();
        if !self.is("{") && !is_empty && (self.is(":") || self.peek().starts_line) {
            let begin = self.mark();
            self.skip_item();
            return Err(self.without_braces("function", begin));
        }
        let open = self.expect("{", "`=` and what the function gives, or `{` to begin its body")?;
        let (definitions, result) = self.body(&name, open)?;
        Ok(Function { name, parameters, definitions, result })
    }

    /// `{ NAME = expr .. return expr }`, of which the first sign is behind.
    fn body(&mut self, name: &Name, open: Span) -> Parsed<(Vec<(Name, Expr)>, Expr)> {
        let mut definitions = Vec::new();
        let mut result: Option<(Span, Expr)> = None;
        let mut complete = true;
        while !self.is("}") {
            let token = self.peek();
            if self.at_end() || self.starts_item() {
                let end = self.previous().span.after();
                return Err(self.fault(errors::unclosed_function(end, open)));
            }
            if self.eat(";").is_some() {
                continue;
            }
            if let Some((first, _)) = &result {
                let fault = errors::after_return(token.span, *first);
                return Err(self.fault(fault));
            }
            let word = if token.kind == TokenKind::Word { self.slice(token.span) } else { "" };
            if word == "return" {
                let start = self.mark();
                self.starts.push(start);
                self.bump();
                let (value, parsed) = self.value();
                let parsed = parsed.and_then(|()| self.one_result());
                result = Some((token.span.to(value.span), value));
                complete &= self.end_statement(start, parsed).is_ok();
                continue;
            }
            if super::KEYWORDS.contains(&word) {
                self.fault(errors::statement_in_function(word, token.span));
                let start = self.mark();
                self.bump();
                self.pass(start);
                complete = false;
                continue;
            }
            let mut items = Vec::new();
            complete &= self.statement(&mut items).is_ok();
            definitions.extend(items.into_iter().filter_map(super::ast::Item::into_definition));
        }
        let end = self.bump().span;
        match result {
            Some((_, result)) if complete => Ok((definitions, result)),
            Some(_) => Err(Reported),
            None if complete => Err(self.fault(errors::function_without_return(name, end))),
            None => Err(Reported),
        }
    }

    /// Passes over an item that is at fault.
    pub(super) fn skip_item(&mut self) {
        while !self.starts_item() && !self.at_end() {
            self.bump();
        }
    }

    /// Expects the end of an item that began at a token, and passes over it if it is at fault.
    fn end_item(&mut self, start: usize, parsed: Parsed<()>) {
        if parsed.is_err() {
            self.skip_item();
        } else if self.eat(";").is_none() && !self.peek().starts_line && !self.at_end() {
            // What is there instead is reported, and the next item is parsed all the same.
            let _ = self.end_statement(start, parsed);
            self.skip_item();
        }
    }
}
