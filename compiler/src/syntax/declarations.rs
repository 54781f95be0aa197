//! Tokens to a tree: declarations, types and initialisers.

use super::ast::{Declaration, Initializer, Item, Kind, TypeExpr, TypeKind};
use super::errors;
use super::lexer::TokenKind;
use super::parser::{Parsed, Parser, Reported};
use crate::diagnostic::Span;

impl Parser<'_> {
    pub(super) fn declaration(&mut self, kind: Kind, items: &mut Vec<Item>) -> Parsed<()> {
        self.bump();
        loop {
            let mut names = vec![self.name(&format!("the name of the {}", kind.keyword()))?];
            while self.eat(",").is_some() {
                names.push(self.name(&format!("the name of the {}", kind.keyword()))?);
            }
            let last = &names[names.len() - 1];
            if self.eat(":").is_none() {
                let token = self.peek();
                let has_type = self.is("=") && self.peek_at(1).kind == TokenKind::Sign("[");
                let equals = has_type.then_some(token.span);
                let fault = errors::declaration_without_type(kind, &names[0], last.span, equals);
                return Err(match token.kind {
                    TokenKind::Reported => Reported,
                    _ => self.fault(fault),
                });
            }
            let ty = self.ty()?;
            let initializer = self.initializer()?;
            match (&initializer, kind) {
                (Some((_, span)), Kind::Input) => {
                    self.fault(errors::initial_input(*span));
                }
                (Some((Initializer::Draw { .. }, span)), Kind::State) => {
                    self.fault(errors::drawn_state(*span));
                }
                _ => {}
            }
            let initializer = initializer.map(|(initializer, _)| initializer);
            items.push(Item::Declaration(Declaration { kind, names, ty, initializer }));
            if self.eat(",").is_none() {
                return Ok(());
            }
        }
    }

    pub(super) fn ty(&mut self) -> Parsed<TypeExpr> {
        let token = self.peek();
        match token.kind {
            TokenKind::Sign("[") => {
                self.bump();
                let mut extents = Vec::new();
                while !self.is("]") {
                    extents.push(self.expression()?);
                    if self.eat(",").is_none() {
                        break;
                    }
                }
                let end = self.close("]", token.span)?;
                Ok(TypeExpr { kind: TypeKind::Real(extents), span: token.span.to(end) })
            }
            TokenKind::Word if self.is_word("scalar") => {
                self.bump();
                Ok(TypeExpr { kind: TypeKind::Real(Vec::new()), span: token.span })
            }
            TokenKind::Word if self.is_word("index") => {
                self.bump();
                let open = self.expect("(", "`(` and the bound of the index: `index(V)`")?;
                let bound = self.expression()?;
                let end = self.close(")", open)?;
                Ok(TypeExpr { kind: TypeKind::Index(Box::new(bound)), span: token.span.to(end) })
            }
            TokenKind::Reported => Err(Reported),
            TokenKind::Word | TokenKind::Number | TokenKind::Sign("(") if !token.starts_line => {
                let found = self.slice(token.span);
                let edits = self.brackets_of_type();
                Err(self.fault(errors::type_without_brackets(found, token.span, &edits)))
            }
            _ => Err(self.expected("a type: `[H]`, `[H, I]`, `[]` or `index(V)`")),
        }
    }

    /// What makes a shape of a type that is written as elsewhere: `(H, I)`, `H` or `float[H]`.
    fn brackets_of_type(&self) -> Vec<(Span, &'static str)> {
        let (token, second) = (self.peek(), self.peek_at(1));
        let text = self.slice(token.span);
        match (token.kind, second.kind) {
            (TokenKind::Sign("("), _) => match self.closing_bracket() {
                Some(close) => vec![(token.span, "["), (close, "]")],
                None => Vec::new(),
            },
            (TokenKind::Word, TokenKind::Sign("[")) if !second.starts_line => {
                vec![(token.span, "")]
            }
            (TokenKind::Word, TokenKind::Sign("(")) => Vec::new(),
            (TokenKind::Word, _) if text.starts_with(|c: char| c.is_ascii_uppercase()) => {
                // As dimensions are named.
                let is_dimension = text.len() <= 2;
                if is_dimension {
                    vec![(token.span.before(), "["), (token.span.after(), "]")]
                } else {
                    Vec::new()
                }
            }
            (TokenKind::Word, _)
                if ["float", "float32", "f32", "real", "number"].contains(&text) =>
            {
                vec![(token.span, "[]")]
            }
            (TokenKind::Number, _) => vec![(token.span.before(), "["), (token.span.after(), "]")],
            _ => Vec::new(),
        }
    }

    fn initializer(&mut self) -> Parsed<Option<(Initializer, Span)>> {
        if let Some(start) = self.eat("=") {
            let value = self.expression()?;
            let span = start.to(value.span);
            return Ok(Some((Initializer::Constant(value), span)));
        }
        let Some(start) = self.eat("~") else { return Ok(None) };
        if self.peek().kind == TokenKind::Number {
            let span = self.peek().span;
            return Err(self.fault(errors::drawn_constant(start, span)));
        }
        let name =
            self.name("an initialiser: `uniform(..)`, `normal(..)`, `identity` or `orthogonal`")?;
        let mut span = start.to(name.span);
        let mut arguments = Vec::new();
        if self.is("(") {
            let (list, end) = self.arguments()?;
            arguments = list;
            span = span.to(end);
        }
        Ok(Some((Initializer::Draw { name, arguments }, span)))
    }
}
