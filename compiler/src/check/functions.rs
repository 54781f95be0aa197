//! The functions of the language: their table, and what each becomes in the graph.

use super::activations::Activation;
use super::value::{Extent, Extents, Value};
use super::{Checker, errors};
use crate::diagnostic::Span;
use crate::ir::op::{Binary, Op, Reduction, Unary};
use crate::syntax::ast::{Expr, ExprKind, Name};

/// A function: its name, how a call looks, and the least and largest number of arguments.
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) usage: &'static str,
    arguments: (usize, usize),
    meaning: Meaning,
}

impl Function {
    /// Whether it takes so many arguments.
    pub(super) fn takes(&self, arguments: usize) -> bool {
        let (least, most) = self.arguments;
        (least..=most).contains(&arguments)
    }
}

#[derive(Clone, Copy)]
enum Meaning {
    Unary(Unary),
    Activation(Activation),
    /// Of two arguments elementwise; of one, a reduction.
    Max,
    Min,
    /// The largest or the smallest, along an axis or of all.
    Extreme {
        smallest: bool,
    },
    Norm,
    CumSum,
    Select,
    Square,
    Concat,
    Sum,
    Mean,
    LogSumExp,
    Softmax,
    LogSoftmax,
    Outer,
    Transpose,
    Dot,
    Reshape,
    Repeat,
    Filled(f64),
    Bernoulli,
    Arange,
    Eye,
    Stack,
    Joined {
        axis: usize,
    },
}

const fn function(
    name: &'static str,
    usage: &'static str,
    arguments: (usize, usize),
    meaning: Meaning,
) -> Function {
    Function { name, usage, arguments, meaning }
}

/// Every function.
pub(super) const FUNCTIONS: [Function; 53] = [
    function("sigmoid", "sigmoid(x)", (1, 1), Meaning::Unary(Unary::Sigmoid)),
    function("tanh", "tanh(x)", (1, 1), Meaning::Unary(Unary::Tanh)),
    function("relu", "relu(x)", (1, 1), Meaning::Unary(Unary::Relu)),
    function("softplus", "softplus(x)", (1, 1), Meaning::Unary(Unary::Softplus)),
    function("exp", "exp(x)", (1, 1), Meaning::Unary(Unary::Exp)),
    function("log", "log(x)", (1, 1), Meaning::Unary(Unary::Log)),
    function("sqrt", "sqrt(x)", (1, 1), Meaning::Unary(Unary::Sqrt)),
    function("abs", "abs(x)", (1, 1), Meaning::Unary(Unary::Abs)),
    function("expm1", "expm1(x)", (1, 1), Meaning::Unary(Unary::Expm1)),
    function("log1p", "log1p(x)", (1, 1), Meaning::Unary(Unary::Log1p)),
    function("sin", "sin(x)", (1, 1), Meaning::Unary(Unary::Sin)),
    function("cos", "cos(x)", (1, 1), Meaning::Unary(Unary::Cos)),
    function("erf", "erf(x)", (1, 1), Meaning::Unary(Unary::Erf)),
    function("floor", "floor(x)", (1, 1), Meaning::Unary(Unary::Floor)),
    function("square", "square(x)", (1, 1), Meaning::Square),
    function("rsqrt", "rsqrt(x)", (1, 1), Meaning::Activation(Activation::Rsqrt)),
    function("sign", "sign(x)", (1, 1), Meaning::Activation(Activation::Sign)),
    function("pow", "pow(x, y)", (2, 2), Meaning::Activation(Activation::Pow)),
    function("clamp", "clamp(x, low, high)", (3, 3), Meaning::Activation(Activation::Clamp)),
    function(
        "leaky_relu",
        "leaky_relu(x)` or `leaky_relu(x, slope)",
        (1, 2),
        Meaning::Activation(Activation::LeakyRelu),
    ),
    function("elu", "elu(x)` or `elu(x, alpha)", (1, 2), Meaning::Activation(Activation::Elu)),
    function("gelu", "gelu(x)", (1, 1), Meaning::Activation(Activation::Gelu)),
    function("gelu_tanh", "gelu_tanh(x)", (1, 1), Meaning::Activation(Activation::GeluTanh)),
    function("silu", "silu(x)", (1, 1), Meaning::Activation(Activation::Silu)),
    function(
        "hard_sigmoid",
        "hard_sigmoid(x)",
        (1, 1),
        Meaning::Activation(Activation::HardSigmoid),
    ),
    function("hard_tanh", "hard_tanh(x)", (1, 1), Meaning::Activation(Activation::HardTanh)),
    function("stop_gradient", "stop_gradient(x)", (1, 1), Meaning::Activation(Activation::Stop)),
    function("max", "max(v)` or `max(a, b)", (1, 2), Meaning::Max),
    function("min", "min(v)` or `min(a, b)", (1, 2), Meaning::Min),
    function("amax", "amax(v)` or `amax(m, axis)", (1, 2), Meaning::Extreme { smallest: false }),
    function("amin", "amin(v)` or `amin(m, axis)", (1, 2), Meaning::Extreme { smallest: true }),
    function("select", "select(condition, a, b)", (3, 3), Meaning::Select),
    function("concat", "concat(a, b, ..)", (1, usize::MAX), Meaning::Concat),
    function("sum", "sum(v)` or `sum(m, axis)", (1, 2), Meaning::Sum),
    function("mean", "mean(v)` or `mean(m, axis)", (1, 2), Meaning::Mean),
    function("norm", "norm(v)` or `norm(m, axis)", (1, 2), Meaning::Norm),
    function("cumsum", "cumsum(v)` or `cumsum(m, axis)", (1, 2), Meaning::CumSum),
    function("logsumexp", "logsumexp(v)` or `logsumexp(m, axis)", (1, 2), Meaning::LogSumExp),
    function("softmax", "softmax(v)` or `softmax(m, axis)", (1, 2), Meaning::Softmax),
    function(
        "log_softmax",
        "log_softmax(v)` or `log_softmax(m, axis)",
        (1, 2),
        Meaning::LogSoftmax,
    ),
    function("outer", "outer(u, v)", (2, 2), Meaning::Outer),
    function("dot", "dot(u, v)", (2, 2), Meaning::Dot),
    function("transpose", "transpose(m)", (1, 1), Meaning::Transpose),
    function("reshape", "reshape(x, [M, N])", (2, 2), Meaning::Reshape),
    function("repeat", "repeat(v, K)", (2, 2), Meaning::Repeat),
    function("stack", "stack(u, v, ..)", (1, usize::MAX), Meaning::Stack),
    function("concat_rows", "concat_rows(a, b, ..)", (1, usize::MAX), Meaning::Joined { axis: 0 }),
    function(
        "concat_columns",
        "concat_columns(a, b, ..)",
        (1, usize::MAX),
        Meaning::Joined { axis: 1 },
    ),
    function("zeros", "zeros([M, N])", (1, 1), Meaning::Filled(0.0)),
    function("ones", "ones([M, N])", (1, 1), Meaning::Filled(1.0)),
    function("bernoulli", "bernoulli(p)` or `bernoulli(p, [M, N])", (1, 2), Meaning::Bernoulli),
    function("eye", "eye(N)", (1, 1), Meaning::Eye),
    function("arange", "arange(N)", (1, 1), Meaning::Arange),
];

/// The names of the functions of the language.
pub fn functions() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|function| function.name)
}

/// A call while it is checked.
#[derive(Clone, Copy)]
pub(super) struct Call<'e> {
    pub(super) name: &'static str,
    pub(super) arguments: &'e [Expr],
    pub(super) span: Span,
}

/// Whether a name stands in an expression.
fn mentions(expr: &Expr, name: &str) -> bool {
    expr.as_name() == Some(name) || expr.parts().into_iter().any(|part| mentions(part, name))
}

impl Checker<'_> {
    pub(super) fn call(&mut self, name: &Name, list: &[Expr], span: Span) -> Option<Value> {
        let Some(function) = FUNCTIONS.iter().find(|function| function.name == name.text) else {
            let known = &self.globals.scopes[self.file].functions;
            if let Some(&id) = known.get(&name.text) {
                return self.inline(id, list, span);
            }
            let is_value = self.lookup(&name.text).is_some();
            if is_value
                && self.lookup("t").is_none()
                && list.iter().any(|value| mentions(value, "t"))
            {
                return self.fault(errors::value_at_time(name));
            }
            let own = known.keys().map(String::as_str);
            self.faults.push(errors::unknown_function(name, is_value, own));
            // The arguments may hold faults of their own; a shape is none where a function may take it.
            let values = list.iter().filter(|value| !matches!(value.kind, ExprKind::Shape(_)));
            values.for_each(|value| drop(self.real(value)));
            return None;
        };
        if let ([Expr { kind: ExprKind::Shape(_), span: list, .. }, ..], "concat" | "stack") =
            (list, function.name)
        {
            return self.fault(errors::joined_list(function.name, *list));
        }
        if !function.takes(list.len()) {
            self.faults.push(errors::argument_count(function, list.len(), span));
            return self.reals(list).and(None);
        }
        let call = Call { name: function.name, arguments: list, span };
        match function.meaning {
            Meaning::Unary(op) => {
                let operands = self.reals(list)?;
                self.elementwise(Op::Unary(op), &operands, span)
            }
            Meaning::Square => {
                let x = self.reals(list)?.swap_remove(0);
                self.elementwise(Op::Binary(Binary::Mul), &[x.clone(), x], span)
            }
            Meaning::Activation(activation) => self.activation(activation, call),
            Meaning::Max if list.len() == 1 => self.extreme(false, call),
            Meaning::Min if list.len() == 1 => self.extreme(true, call),
            Meaning::Extreme { smallest } => self.extreme(smallest, call),
            Meaning::Norm => self.norm(call),
            Meaning::CumSum => self.cumsum(call),
            Meaning::Reshape => self.reshaped(call),
            Meaning::Repeat => self.repeated(call),
            Meaning::Filled(number) => {
                let extents = self.shape_of(call, &list[0])?;
                self.filled(number, &extents, span)
            }
            Meaning::Bernoulli => self.bernoulli(call),
            Meaning::Arange => self.arange(call),
            Meaning::Eye => self.eye(call),
            Meaning::Stack => self.stack(call),
            Meaning::Joined { axis } => self.joined(axis, call),
            Meaning::Max => self.of_one_shape(Op::Binary(Binary::Max), call),
            Meaning::Min => self.of_one_shape(Op::Binary(Binary::Min), call),
            Meaning::Select => self.of_one_shape(Op::Select, call),
            Meaning::Concat => self.concat(call),
            Meaning::Sum => {
                let (x, axis) = self.along_axis(call)?;
                self.reduce(Reduction::Sum, &x, axis, span)
            }
            Meaning::Mean => self.mean(call),
            Meaning::LogSumExp => self.logsumexp(call),
            Meaning::Softmax => self.softmax(call),
            Meaning::LogSoftmax => self.log_softmax(call),
            Meaning::Outer => self.outer(call),
            Meaning::Dot => self.dot(call),
            Meaning::Transpose => self.transpose(call),
        }
    }

    fn of_one_shape(&mut self, op: Op, call: Call) -> Option<Value> {
        let operands = self.reals(call.arguments)?;
        self.elementwise(op, &operands, call.span)
    }

    pub(super) fn unary(&mut self, op: Unary, x: &Value, span: Span) -> Option<Value> {
        self.elementwise(Op::Unary(op), std::slice::from_ref(x), span)
    }

    pub(super) fn combine(
        &mut self,
        op: Binary,
        a: &Value,
        b: &Value,
        span: Span,
    ) -> Option<Value> {
        self.elementwise(Op::Binary(op), &[a.clone(), b.clone()], span)
    }

    fn concat(&mut self, call: Call) -> Option<Value> {
        let values = self.reals(call.arguments)?;
        let mut parts = Vec::new();
        for (value, expr) in values.iter().zip(call.arguments) {
            let part = match value.rank() {
                0 => self.reshape(value, [Extent::number(1)].into(), expr.span)?,
                1 => value.clone(),
                _ => return self.fault(errors::concat_of_matrix(value, expr)),
            };
            parts.push(part);
        }
        self.join(&parts, 0, call.span)
    }

    /// The first argument, and the axis of a matrix that the second says.
    pub(super) fn along_axis(&mut self, call: Call) -> Option<(Value, Option<usize>)> {
        let value = self.real(&call.arguments[0]);
        let Some(expr) = call.arguments.get(1) else { return Some((value?, None)) };
        let axis = match expr.kind {
            ExprKind::Number { whole: Some(0), .. } => 0,
            ExprKind::Number { whole: Some(1), .. } => 1,
            _ => return self.fault(errors::unknown_axis(call.name, expr)),
        };
        let value = value?;
        if value.rank() != 2 {
            return self.fault(errors::axis_of_other(&value, expr.span));
        }
        Some((value, Some(axis)))
    }

    pub(super) fn reduce(
        &mut self,
        kind: Reduction,
        x: &Value,
        axis: Option<usize>,
        span: Span,
    ) -> Option<Value> {
        if x.rank() == 0 {
            return Some(x.clone());
        }
        let id = self.emit(Op::Reduce { kind, axis }, &[x.id], span)?;
        let mut extents = Extents::default();
        if let Some(axis) = axis {
            extents.0.push(x.extents.0[1 - axis].clone());
        }
        Some(Value::real(id, extents))
    }

    /// What a reduction left, repeated to the shape it was made of.
    fn restore(
        &mut self,
        reduced: &Value,
        of: &Value,
        axis: Option<usize>,
        span: Span,
    ) -> Option<Value> {
        let column = match (axis, reduced.extents.0.as_slice()) {
            (Some(1), [rows]) => {
                self.reshape(reduced, [rows.clone(), Extent::number(1)].into(), span)?
            }
            _ => reduced.clone(),
        };
        self.broadcast(&column, &of.extents, span)
    }

    fn mean(&mut self, call: Call) -> Option<Value> {
        let (x, axis) = self.along_axis(call)?;
        let sum = self.reduce(Reduction::Sum, &x, axis, call.span)?;
        let reduced = (0..x.rank()).filter(|&other| axis.is_none_or(|axis| axis == other));
        let count: usize = reduced.map(|axis| x.extents.0[axis].size).product();
        #[allow(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
        let count = self.constant(count as f64, call.span)?;
        self.combine(Binary::Div, &sum, &count, call.span)
    }

    /// `x` less its maximum, and the exponential of that: what keeps all below from overflowing.
    fn shifted(&mut self, call: Call) -> Option<(Shifted, Option<usize>)> {
        let (x, axis) = self.along_axis(call)?;
        if x.rank() == 2 && axis.is_none() && call.name != "logsumexp" {
            return self.fault(errors::axis_needed(call.name, &x, call.span));
        }
        let maximum = self.reduce(Reduction::Max, &x, axis, call.span)?;
        let shift = self.finite(&maximum, call.span)?;
        let repeated = self.restore(&shift, &x, axis, call.span)?;
        let mut difference = self.combine(Binary::Sub, &x, &repeated, call.span)?;
        if call.name == "logsumexp" {
            // Only an infinite term is above 0 here: it is the result, through the maximum.
            let one = self.constant(1.0, call.span)?;
            difference = self.combine(Binary::Min, &difference, &one, call.span)?;
        }
        let exponential = self.unary(Unary::Exp, &difference, call.span)?;
        let sum = self.reduce(Reduction::Sum, &exponential, axis, call.span)?;
        Some((Shifted { maximum, difference, exponential, sum }, axis))
    }

    /// An infinite maximum is no shift, where a difference of infinities would be no number: a finite
    /// one is, that leaves nothing of the finite terms.
    fn finite(&mut self, x: &Value, span: Span) -> Option<Value> {
        let infinity = self.constant(f64::INFINITY, span)?;
        let largest = self.constant(f32::MAX.into(), span)?;
        let magnitude = self.unary(Unary::Abs, x, span)?;
        let infinite = self.combine(Binary::Equal, &magnitude, &infinity, span)?;
        let largest = self.broadcast(&largest, &x.extents, span)?;
        let id = self.emit(Op::Select, &[infinite.id, largest.id, x.id], span)?;
        Some(Value::real(id, x.extents.clone()))
    }

    fn logsumexp(&mut self, call: Call) -> Option<Value> {
        let (shifted, _) = self.shifted(call)?;
        let log = self.unary(Unary::Log, &shifted.sum, call.span)?;
        self.combine(Binary::Add, &shifted.maximum, &log, call.span)
    }

    fn softmax(&mut self, call: Call) -> Option<Value> {
        let (shifted, axis) = self.shifted(call)?;
        let sum = self.restore(&shifted.sum, &shifted.exponential, axis, call.span)?;
        self.combine(Binary::Div, &shifted.exponential, &sum, call.span)
    }

    fn log_softmax(&mut self, call: Call) -> Option<Value> {
        let (shifted, axis) = self.shifted(call)?;
        let log = self.unary(Unary::Log, &shifted.sum, call.span)?;
        let log = self.restore(&log, &shifted.difference, axis, call.span)?;
        self.combine(Binary::Sub, &shifted.difference, &log, call.span)
    }

    /// The arguments, which must be vectors.
    pub(super) fn vectors(&mut self, call: Call) -> Option<Vec<(Value, Extent)>> {
        let values = self.reals(call.arguments)?;
        let mut vectors = Vec::new();
        for (value, expr) in values.into_iter().zip(call.arguments) {
            let [extent] = value.extents.0.as_slice() else {
                return self.fault(errors::not_a_vector(call.name, &value, expr.span));
            };
            let extent = extent.clone();
            vectors.push((value, extent));
        }
        Some(vectors)
    }

    fn outer(&mut self, call: Call) -> Option<Value> {
        let vectors = self.vectors(call)?;
        let [(u, rows), (v, columns)] = vectors.as_slice() else { return None };
        let extents = self.bounded([rows.clone(), columns.clone()].into(), call.span)?;
        let id = self.emit(Op::Outer, &[u.id, v.id], call.span)?;
        Some(Value::real(id, extents))
    }

    fn dot(&mut self, call: Call) -> Option<Value> {
        let vectors = self.vectors(call)?;
        let [(u, length), (v, other)] = vectors.as_slice() else { return None };
        if length.size != other.size {
            return self.fault(errors::dot_lengths(u, v, call.span));
        }
        let product = self.combine(Binary::Mul, u, v, call.span)?;
        self.reduce(Reduction::Sum, &product, None, call.span)
    }

    fn transpose(&mut self, call: Call) -> Option<Value> {
        let matrix = self.real(&call.arguments[0])?;
        let [rows, columns] = matrix.extents.0.as_slice() else {
            return self.fault(errors::transpose_of_other(&matrix, call.arguments[0].span));
        };
        let extents = [columns.clone(), rows.clone()];
        let id = self.emit(Op::Transpose, &[matrix.id], call.span)?;
        Some(Value::real(id, extents))
    }
}

/// The parts of the functions that divide by, or take the logarithm of, a sum of exponentials.
struct Shifted {
    maximum: Value,
    difference: Value,
    exponential: Value,
    sum: Value,
}
