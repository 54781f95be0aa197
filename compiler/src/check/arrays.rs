//! Functions that make arrays, and give them other shapes.

use super::functions::Call;
use super::value::{Extent, Extents, Value};
use super::{Checker, errors};
use crate::diagnostic::Span;
use crate::ir::op::{Binary, Op, Role, Scalar, Type};
use crate::syntax::ast::{Expr, ExprKind};

impl Checker<'_> {
    /// The shape that an argument is.
    pub(super) fn shape_of(&mut self, call: Call, argument: &Expr) -> Option<Extents> {
        match &argument.kind {
            ExprKind::Shape(extents) => self.shape(extents, argument.span),
            ExprKind::Error => None,
            _ => self.fault(errors::not_a_shape(call.name, argument)),
        }
    }

    pub(super) fn reshaped(&mut self, call: Call) -> Option<Value> {
        let x = self.real(&call.arguments[0]);
        let extents = self.shape_of(call, &call.arguments[1]);
        let (x, extents) = (x?, extents?);
        let size = |extents: &Extents| extents.shape().iter().product::<usize>();
        if size(&x.extents) != size(&extents) {
            return self.fault(errors::reshape_of_other_size(&x, &extents, call.span));
        }
        self.reshape(&x, extents, call.span)
    }

    /// Each element of a vector so many times in a row.
    pub(super) fn repeated(&mut self, call: Call) -> Option<Value> {
        let (argument, times) = (&call.arguments[0], &call.arguments[1]);
        let vector = self.real(argument);
        if let ExprKind::Shape(_) = times.kind {
            return self.fault(errors::not_a_count(times));
        }
        let times = self.extent(times);
        let (vector, times) = (vector?, times?);
        let [length] = vector.extents.0.as_slice() else {
            return self.fault(errors::not_a_vector(call.name, &vector, argument.span));
        };
        let length = length.clone();
        let names = [&length, &times].map(|extent| factor(extent.name()));
        // A size beyond all bounds is reported as any other that is too large.
        let size = length.size.saturating_mul(times.size);
        let result = self.bounded([Extent::new(size, names.join(" * "))].into(), call.span)?;
        let column = [length.clone(), Extent::number(1)].into();
        let column = self.reshape(&vector, column, call.span)?;
        let rows = self.broadcast(&column, &[length, times].into(), call.span)?;
        self.reshape(&rows, result, call.span)
    }

    /// An array of one number.
    pub(super) fn filled(&mut self, number: f64, to: &Extents, span: Span) -> Option<Value> {
        let number = self.constant(number, span)?;
        self.broadcast(&number, to, span)
    }

    /// A mask: each call is one of its own.
    pub(super) fn bernoulli(&mut self, call: Call) -> Option<Value> {
        let chance = &call.arguments[0];
        let extents = match call.arguments.get(1) {
            Some(shape) => self.shape_of(call, shape),
            None => Some(Extents::default()),
        };
        let p = self.number(chance)?;
        if !(0.0..=1.0).contains(&p) {
            return self.fault(errors::not_a_probability(chance, p));
        }
        let extents = self.bounded(extents?, call.span)?;
        if p == 0.0 || p == 1.0 {
            // What is certain is no mask; of a 0, the sign is lost.
            return self.filled(p.abs(), &extents, call.span);
        }
        let name = format!("m{}", self.graph.masks().count());
        let ty = Type::real(extents.shape());
        let id = self.graph.argument(Role::Mask(Scalar(p)), name, ty);
        Some(Value::real(id, extents))
    }

    /// The extent that an argument is.
    fn length(&mut self, call: Call) -> Option<Extent> {
        let argument = &call.arguments[0];
        if let ExprKind::Shape(_) = argument.kind {
            return self.fault(errors::not_a_length(call.name, argument));
        }
        let extent = self.extent(argument)?;
        self.bounded([extent.clone()].into(), call.span)?;
        Some(extent)
    }

    pub(super) fn arange(&mut self, call: Call) -> Option<Value> {
        let extent = self.length(call)?;
        let id = self.emit(Op::Range { len: extent.size }, &[], call.span)?;
        Some(Value::real(id, [extent]))
    }

    pub(super) fn eye(&mut self, call: Call) -> Option<Value> {
        let extent = self.length(call)?;
        let span = call.span;
        self.bounded([extent.clone(), extent.clone()].into(), span)?;
        let id = self.emit(Op::Range { len: extent.size }, &[], span)?;
        let column = Value::real(id, [extent.clone()]);
        let row = self.reshape(&column, [extent, Extent::number(1)].into(), span)?;
        self.elementwise(Op::Binary(Binary::Equal), &[row, column], span)
    }

    pub(super) fn stack(&mut self, call: Call) -> Option<Value> {
        let vectors = self.vectors(call)?;
        let mut rows = Vec::new();
        let first = vectors[0].1.clone();
        for ((vector, extent), expr) in vectors.iter().zip(call.arguments) {
            if extent.size != first.size {
                return self.fault(errors::joined_lengths(call.name, &first, extent, expr));
            }
            let row = [Extent::number(1), first.clone()].into();
            rows.push(self.reshape(vector, row, expr.span)?);
        }
        self.join(&rows, 0, call.span)
    }

    /// Matrices end to end along an axis.
    pub(super) fn joined(&mut self, axis: usize, call: Call) -> Option<Value> {
        let matrices = self.reals(call.arguments)?;
        let mut first: Option<Extent> = None;
        for (matrix, expr) in matrices.iter().zip(call.arguments) {
            if matrix.rank() != 2 {
                return self.fault(errors::join_of_other(call.name, matrix, expr));
            }
            let extent = &matrix.extents.0[1 - axis];
            let first = first.get_or_insert_with(|| extent.clone());
            if extent.size != first.size {
                let fault = errors::joined_lengths(call.name, first, extent, expr);
                return self.fault(fault);
            }
        }
        self.join(&matrices, axis, call.span)
    }

    /// Arrays end to end along an axis; in the other they agree.
    pub(super) fn join(&mut self, parts: &[Value], axis: usize, span: Span) -> Option<Value> {
        let along = || parts.iter().map(|part| &part.extents.0[axis]);
        let names: Vec<_> = along().map(Extent::name).collect();
        let numbers = names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
        // A size beyond all bounds is reported as any other that is too large.
        let size = along().try_fold(0_usize, |sum, extent| sum.checked_add(extent.size));
        let size = size.unwrap_or(usize::MAX);
        let joined = match numbers && parts[0].rank() == 2 {
            true => Extent::number(size),
            false => Extent::new(size, names.join(" + ")),
        };
        let mut extents = parts[0].extents.clone();
        extents.0[axis] = joined;
        let extents = self.bounded(extents, span)?;
        let ids: Vec<_> = parts.iter().map(|part| part.id).collect();
        let id = self.emit(Op::Concat { axis }, &ids, span)?;
        Some(Value::real(id, extents))
    }
}

/// The name of an extent as an operand of `*`.
fn factor(name: &str) -> String {
    if name.contains(' ') { format!("({name})") } else { name.to_owned() }
}
