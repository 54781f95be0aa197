//! Random texts of cells: well-formed, written in every way that the grammar allows, with comments at
//! every place where a line may end. They mean nothing: names are of nothing, and shapes disagree.

use crate::compare::Numbers;

/// A text, and the comments that are in it.
#[derive(Clone, Debug)]
pub struct RandomText {
    /// The text.
    pub text: String,
    /// The comments, in order.
    pub comments: Vec<String>,
}

/// A random text: the same for the same seed.
pub fn random_text(seed: u64) -> RandomText {
    let written = RandomText { text: String::new(), comments: Vec::new() };
    let mut writer = Writer { numbers: Numbers(seed), written, open: 0, breaks: true };
    writer.file();
    writer.written
}

struct Writer {
    numbers: Numbers,
    written: RandomText,
    /// The number of brackets that are open.
    open: usize,
    /// Whether the line may end here.
    breaks: bool,
}

const NAMES: [&str; 8] =
    ["x", "h", "W_f", "b2", "index", "a_rather_long_name_of_a_value", "scalar", "from"];

impl Writer {
    fn below(&mut self, bound: usize) -> usize {
        self.numbers.next_bits() as usize % bound
    }

    fn pick<'s>(&mut self, from: &[&'s str]) -> &'s str {
        from[self.below(from.len())]
    }

    /// Ends the line, perhaps with comments and blank lines.
    fn end_line(&mut self) {
        for _ in 0..self.below(3) {
            if self.below(2) == 0 {
                let begins = self.pick(&["//", "// ", "///", "//\t"]);
                let ends = self.pick(&["", " {", " σ", " // }"]);
                let comment = format!("{begins}c{}{ends}", self.written.comments.len());
                if self.written.text.ends_with('/') {
                    self.written.text.push(' ');
                }
                let spaces = self.pick(&["", "  "]);
                self.written.text.push_str(&comment);
                self.written.text.push_str(spaces);
                self.written.comments.push(comment);
            }
            let end = self.pick(&["\n", "\n\n", "\n\n\n", "\r\n", " \n\t"]);
            self.written.text.push_str(end);
        }
        self.written.text.push('\n');
    }

    /// Spaces and, where the line may end, perhaps its end; then a token.
    fn token(&mut self, token: &str) {
        if (self.breaks || self.open > 0) && self.below(8) == 0 {
            self.end_line();
        }
        let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '<');
        let sticks =
            self.written.text.ends_with(word) && token.starts_with(|c| word(c) || c == '-');
        let spaces = self.below(3) + usize::from(sticks);
        self.written.text.extend(std::iter::repeat_n(' ', spaces));
        self.written.text += token;
        self.breaks = false;
        match token {
            "(" | "[" => self.open += 1,
            ")" | "]" => self.open -= 1,
            _ => {}
        }
    }

    /// An operator or a comma: the line may end behind it.
    fn sign(&mut self, sign: &str) {
        // An operator may also begin a line.
        self.breaks = sign != ",";
        self.token(sign);
        self.breaks = true;
    }

    fn name(&mut self) {
        let name = self.pick(&NAMES);
        self.token(name);
    }

    fn number(&mut self) {
        let number = self.pick(&["0", "12", "0.50", "1e-5", "2.0E+3"]);
        self.token(number);
    }

    /// Parts with commas between them, and perhaps one behind the last.
    fn list(&mut self, least: usize, may_end: bool, mut part: impl FnMut(&mut Self)) {
        let count = least + self.below(4);
        for i in 0..count {
            part(self);
            if i + 1 < count || may_end && self.below(3) == 0 {
                self.sign(",");
            }
        }
    }

    fn expression(&mut self, depth: usize) {
        let terms = 1 + self.below(4);
        for term in 0..terms {
            if term > 0 {
                let sign = self.pick(&["+", "-", "*", "/", "@"]);
                self.sign(sign);
            }
            self.operand(depth);
        }
    }

    fn operand(&mut self, depth: usize) {
        if depth == 0 {
            return self.name();
        }
        match self.below(9) {
            0 => self.number(),
            1 => {
                self.token("-");
                self.operand(depth - 1);
            }
            2 => {
                self.token("next");
                let was_open = std::mem::take(&mut self.open);
                self.name();
                self.open = was_open;
            }
            3 => {
                self.token("(");
                self.expression(depth - 1);
                if self.below(2) == 0 {
                    let sign = self.pick(&["<", "<=", "==", "!="]);
                    self.sign(sign);
                    self.expression(depth - 1);
                }
                self.token(")");
            }
            4 | 5 => {
                self.name();
                self.token("(");
                self.list(0, true, |writer| match writer.below(6) {
                    0 => writer.shape(),
                    _ => writer.expression(depth - 1),
                });
                self.token(")");
            }
            6 => {
                self.name();
                self.token("[");
                self.subscript(depth - 1);
                if self.below(2) == 0 {
                    self.sign(",");
                    self.subscript(depth - 1);
                }
                self.token("]");
            }
            _ => self.name(),
        }
    }

    fn subscript(&mut self, depth: usize) {
        match self.below(4) {
            0 => self.expression(depth),
            1 => self.token(".."),
            2 => {
                self.expression(depth);
                self.token("..");
            }
            _ => {
                self.expression(depth);
                self.token("..");
                self.expression(depth);
            }
        }
    }

    fn shape(&mut self) {
        self.token("[");
        self.list(0, true, |writer| writer.expression(1));
        self.token("]");
    }

    fn ty(&mut self) {
        match self.below(4) {
            0 => self.token("scalar"),
            1 => {
                self.token("index");
                self.token("(");
                self.expression(1);
                self.token(")");
            }
            _ => self.shape(),
        }
    }

    fn definition(&mut self) {
        self.name();
        self.sign("=");
        self.expression(3);
    }

    fn end(&mut self) {
        if self.below(4) == 0 {
            self.token(";");
        } else {
            self.end_line();
        }
    }

    fn statement(&mut self) {
        match self.below(8) {
            0 => {
                self.token("param");
                self.list(1, false, |writer| {
                    writer.list(1, false, Self::name);
                    writer.sign(":");
                    writer.ty();
                    match writer.below(3) {
                        0 => {
                            writer.sign("=");
                            writer.expression(2);
                        }
                        1 => {
                            writer.sign("~");
                            writer.name();
                            writer.token("(");
                            writer.list(0, true, |writer| writer.expression(1));
                            writer.token(")");
                        }
                        _ => {}
                    }
                });
            }
            1 => {
                self.token("next");
                self.definition();
            }
            2 => {
                self.token("output");
                self.list(1, false, |writer| match writer.below(2) {
                    0 => writer.name(),
                    _ => writer.definition(),
                });
            }
            3 => {
                self.token("hyper");
                self.list(1, false, Self::definition);
            }
            _ => self.definition(),
        }
        self.end();
    }

    fn file(&mut self) {
        for _ in 0..self.below(3) {
            match self.below(4) {
                0 => {
                    self.token("const");
                    self.list(1, false, Self::definition);
                    self.end();
                }
                1 => {
                    self.token("use");
                    self.list(1, false, Self::name);
                    self.token("from");
                    self.token("\"a/../b c.cell\"");
                    self.end();
                }
                _ => self.function(),
            }
        }
        self.token("cell");
        self.name();
        self.token("(");
        self.list(0, true, |writer| match writer.below(3) {
            0 => writer.definition(),
            _ => writer.name(),
        });
        self.token(")");
        self.breaks = true;
        self.token("{");
        self.breaks = true;
        for _ in 0..self.below(8) {
            self.statement();
        }
        self.token("}");
        self.end_line();
    }

    fn function(&mut self) {
        self.token("fn");
        self.name();
        self.token("(");
        self.list(0, true, |writer| {
            writer.name();
            if writer.below(2) == 0 {
                writer.sign(":");
                writer.ty();
            }
        });
        self.token(")");
        if self.below(2) == 0 {
            self.sign("=");
            self.expression(3);
            return self.end();
        }
        self.breaks = true;
        self.token("{");
        self.breaks = true;
        for _ in 0..self.below(3) {
            self.definition();
            self.end();
        }
        self.token("return");
        self.expression(3);
        self.end();
        self.token("}");
        self.end_line();
    }
}
