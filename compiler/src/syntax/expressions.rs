//! Tokens to a tree: expressions, by precedence climbing.

use super::ast::{Expr, ExprKind, Operator, Subscript};
use super::lexer::TokenKind;
use super::parser::{Parsed, Parser};
use super::{KEYWORDS, errors};
use crate::diagnostic::Span;

/// How high an expression's tree may grow: far above need, and far below what exhausts the stack
/// of a thread in any walk over the tree.
const MAX_HEIGHT: u16 = 200;

impl Parser<'_> {
    pub(super) fn expression(&mut self) -> Parsed<Expr> {
        let start = self.mark();
        // A value or a function may have one of these names.
        let second = self.peek_at(1);
        let is_operand = matches!(second.kind, TokenKind::Word | TokenKind::Number);
        if self.is_word("not") && is_operand && !second.starts_line {
            return Err(self.foreign_logic(start));
        }
        let expr = self.binary(1)?;
        let goes_on = !self.peek().starts_line;
        if goes_on && ["if", "and", "or"].iter().any(|word| self.is_word(word)) {
            return Err(self.foreign_logic(start));
        }
        Ok(expr)
    }

    /// An expression whose operators bind at least as tightly as `least`.
    pub(super) fn binary(&mut self, least: u8) -> Parsed<Expr> {
        let mut left = self.operand()?;
        let mut comparison: Option<Span> = None;
        while let TokenKind::Sign(sign) = self.peek().kind
            && let Some(op) = Operator::ALL.into_iter().find(|op| op.symbol() == sign)
            && op.precedence() >= least
        {
            let op_span = self.bump().span;
            if op.is_comparison()
                && let Some(first) = comparison.replace(op_span)
            {
                return Err(self.fault(errors::chained_comparison(op_span, first)));
            }
            let right = self.binary(op.precedence() + 1)?;
            let span = left.span.to(right.span);
            let (l, r) = (Box::new(left), Box::new(right));
            left = Expr::new(ExprKind::Binary { op, op_span, left: l, right: r }, span);
            self.bound_height(left.height, span)?;
        }
        Ok(left)
    }

    fn bound_height(&mut self, height: u16, span: Span) -> Parsed<()> {
        if height > MAX_HEIGHT {
            return Err(self.fault(errors::too_deep(MAX_HEIGHT, span)));
        }
        Ok(())
    }

    /// An operand with its sign and indices.
    fn operand(&mut self) -> Parsed<Expr> {
        self.depth += 1;
        let within = self.bound_height(self.depth, self.peek().span);
        let operand = within.and_then(|()| self.operand_within());
        self.depth -= 1;
        operand
    }

    fn operand_within(&mut self) -> Parsed<Expr> {
        if let Some(sign) = self.eat("-") {
            let inner = self.operand()?;
            let span = sign.to(inner.span);
            return Ok(Expr::new(ExprKind::Neg(Box::new(inner)), span));
        }
        let mut expr = self.primary()?;
        while self.is("[") {
            expr = self.index(expr)?;
            self.bound_height(expr.height, expr.span)?;
        }
        Ok(expr)
    }

    fn primary(&mut self) -> Parsed<Expr> {
        let token = self.peek();
        if self.at_next_statement() && !self.is_next_value() {
            return Err(self.expected("an expression"));
        }
        match token.kind {
            TokenKind::Number => {
                self.bump();
                self.lone_number(token.span)?;
                self.number(token.span)
            }
            TokenKind::Word => self.word(token.span),
            TokenKind::Sign("(") => {
                self.bump();
                let inner = self.expression()?;
                if self.is(",") {
                    let span = self.peek().span;
                    return Err(self.fault(errors::tuple(span)));
                }
                let end = self.close(")", token.span)?;
                Ok(Expr { span: token.span.to(end), ..inner })
            }
            TokenKind::Sign("[") => {
                let close = self.closing_bracket();
                Err(self.fault(errors::list(token.span, close)))
            }
            TokenKind::Sign("{") => Err(self.dictionary(token.span)),
            TokenKind::Sign("@") => Err(self.fault(errors::decorator(token.span))),
            _ => Err(self.expected("an expression")),
        }
    }

    /// Whether `next STATE` is a value here, not the beginning of its definition.
    fn is_next_value(&self) -> bool {
        self.is_word("next") && self.peek_at(2).kind != TokenKind::Sign("=")
    }

    fn number(&mut self, span: Span) -> Parsed<Expr> {
        let text = self.slice(span);
        let whole = text.bytes().all(|byte| byte.is_ascii_digit());
        let whole = if whole { text.parse().ok() } else { None };
        match text.parse() {
            Ok(value) if f64::is_finite(value) => {
                Ok(Expr::new(ExprKind::Number { value, whole }, span))
            }
            _ => Err(self.fault(errors::number_too_large(span))),
        }
    }

    fn word(&mut self, span: Span) -> Parsed<Expr> {
        let word = self.slice(span);
        if word == "next" {
            self.bump();
            self.next_called()?;
            let state = self.name("the name of a state after `next`")?;
            let span = span.to(state.span);
            return Ok(Expr::new(ExprKind::Next(state), span));
        }
        let second = self.peek_at(1).kind;
        let is_declared = second == TokenKind::Word || second == TokenKind::Sign("(");
        if matches!(word, "input" | "state" | "param") && is_declared && !self.peek().starts_line {
            return Err(self.fault(errors::declaration_in_expression(word, span)));
        }
        if KEYWORDS.contains(&word) {
            return Err(self.expected("an expression"));
        }
        let second = self.peek_at(1);
        if word == "lambda" && second.kind == TokenKind::Word && !second.starts_line {
            return Err(self.fault(errors::lambda(span)));
        }
        let name = self.name("an expression")?;
        if !self.is("(") {
            return Ok(Expr::new(ExprKind::Name(name.text), span));
        }
        let (arguments, end) = self.arguments()?;
        if self.is("(") && !self.peek().starts_line {
            let again = self.peek().span;
            return Err(self.fault(errors::called_again(&name, again)));
        }
        Ok(Expr::new(ExprKind::Call { function: name, arguments }, span.to(end)))
    }

    /// `(a, b, ..)`, and where it ends.
    pub(super) fn arguments(&mut self) -> Parsed<(Vec<Expr>, Span)> {
        let open = self.bump().span;
        let mut arguments = Vec::new();
        while !self.is(")") {
            let argument = if self.is("[") { self.shape_argument()? } else { self.expression()? };
            if self.is("=") {
                let (span, value) = (self.peek().span, self.peek_at(1).span);
                return Err(self.fault(errors::named_argument(&argument, span, value)));
            }
            arguments.push(argument);
            if self.eat(",").is_none() {
                break;
            }
        }
        let end = self.close(")", open)?;
        Ok((arguments, end))
    }

    /// `[M, N]`
    fn shape_argument(&mut self) -> Parsed<Expr> {
        let open = self.bump().span;
        let mut extents = Vec::new();
        while !self.is("]") {
            extents.push(self.expression()?);
            if self.eat(",").is_none() {
                break;
            }
        }
        let end = self.close("]", open)?;
        Ok(Expr::new(ExprKind::Shape(extents), open.to(end)))
    }

    fn index(&mut self, base: Expr) -> Parsed<Expr> {
        let open = self.bump().span;
        self.foreign_index(&base)?;
        let first = self.subscript()?;
        let second = if self.eat(",").is_some() { Some(self.subscript()?) } else { None };
        if self.is(",") {
            let span = self.peek().span;
            return Err(self.fault(errors::three_indices(span)));
        }
        let close = self.close("]", open)?;
        let span = base.span.to(close);
        let base = Box::new(base);
        let kind = match (first, second) {
            (Subscript::At(index), None) => ExprKind::Index { base, index: Box::new(index) },
            (Subscript::Range { start, end }, None) => {
                let (start, end) = (start.map(Box::new), end.map(Box::new));
                ExprKind::Slice { base, start, end }
            }
            (rows, Some(columns)) => ExprKind::Part { base, axes: Box::new([rows, columns]) },
        };
        Ok(Expr::new(kind, span))
    }

    /// `i` or `a..b`, up to a comma or the end of the brackets.
    fn subscript(&mut self) -> Parsed<Subscript> {
        let start = if self.is("..") { None } else { Some(self.expression()?) };
        if self.eat("..").is_none() {
            return start.map(Subscript::At).ok_or_else(|| self.expected("an index or a slice"));
        }
        let ends = self.is("]") || self.is(",");
        let end = if ends { None } else { Some(self.expression()?) };
        Ok(Subscript::Range { start, end })
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::Source;
    use crate::syntax::ast::Item;
    use crate::syntax::parse;

    /// An expression as it is parsed, and printed with only the parentheses it needs.
    fn printed(expression: &str) -> String {
        let text = format!("cell f() {{\n    y = {expression}\n}}");
        let file = parse(&Source::new("test", text)).expect("a well-formed expression");
        match file.cell.expect("a cell").items.as_slice() {
            [Item::Definition { value, .. }] => value.to_string(),
            items => panic!("not one definition: {items:?}"),
        }
    }

    #[test]
    fn operators_bind_as_documented() {
        for (text, expected) in [
            ("(a + b) + c", "a + b + c"),
            ("a + (b + c)", "a + (b + c)"),
            ("a - (b * c)", "a - b * c"),
            ("(W @ x) * r", "W @ x * r"),
            ("r * (W @ x)", "r * (W @ x)"),
            ("(-a) * b", "-a * b"),
            ("-(a * b)", "-(a * b)"),
            ("-(v[i])", "-v[i]"),
            ("(a + b) < (c + d)", "a + b < c + d"),
            ("(a < b) == c", "(a < b) == c"),
            ("(v)[..(H)][1 ..]", "v[..H][1..]"),
            ("tanh((next c)) / 1e-5", "tanh(next c) / 0.00001"),
            ("(a != b) * 2", "(a != b) * 2"),
            ("m[ a ..(b) , (c)]", "m[a..b, c]"),
            ("m[.., ..N][0]", "m[.., ..N][0]"),
            ("reshape((x), [M , 2 * (N),])", "reshape(x, [M, 2 * N])"),
        ] {
            assert_eq!(printed(text), expected);
            assert_eq!(printed(expected), expected);
        }
    }

    #[test]
    fn a_line_that_begins_with_an_operator_goes_on() {
        assert_eq!(printed("a\n    + b\n    - c"), "a + b - c");
        assert_eq!(printed("concat(\n    a,\n    b,\n)"), "concat(a, b)");
        assert_eq!(
            printed("concat(\n    next a,\n    b -\n    next c)"),
            "concat(next a, b - next c)"
        );
    }
}
