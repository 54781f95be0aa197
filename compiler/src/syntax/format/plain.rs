//! Trees without places, to be compared.

use crate::diagnostic::Span;
use crate::syntax::ast::{
    Constant, Expr, ExprKind, File, Initializer, Item, Name, Subscript, TypeExpr, TypeKind,
};

/// The same tree, every part of which stands nowhere.
pub(super) fn plain(mut file: File) -> File {
    for import in &mut file.uses {
        import.names.iter_mut().for_each(name);
        import.span = Span::default();
    }
    file.constants.iter_mut().for_each(constant);
    for function in &mut file.functions {
        name(&mut function.name);
        for parameter in &mut function.parameters {
            name(&mut parameter.name);
            parameter.pattern.iter_mut().for_each(ty);
        }
        for (defined, value) in &mut function.definitions {
            name(defined);
            expr(value);
        }
        expr(&mut function.result);
    }
    if let Some(cell) = &mut file.cell {
        name(&mut cell.name);
        for dim in &mut cell.dims {
            name(&mut dim.name);
            dim.default.iter_mut().for_each(expr);
        }
        cell.items.iter_mut().for_each(item);
    }
    file
}

fn name(name: &mut Name) {
    name.span = Span::default();
}

fn constant(constant: &mut Constant) {
    name(&mut constant.name);
    expr(&mut constant.value);
}

fn item(item: &mut Item) {
    match item {
        Item::Declaration(declaration) => {
            declaration.names.iter_mut().for_each(name);
            ty(&mut declaration.ty);
            match &mut declaration.initializer {
                Some(Initializer::Constant(value)) => expr(value),
                Some(Initializer::Draw { name: drawn, arguments }) => {
                    name(drawn);
                    arguments.iter_mut().for_each(expr);
                }
                None => {}
            }
        }
        Item::Hyper(hyper) => constant(hyper),
        Item::Definition { name: defined, value } => {
            name(defined);
            expr(value);
        }
        Item::Next { keyword, state, value } => {
            *keyword = Span::default();
            name(state);
            expr(value);
        }
        Item::Output { name: output, value } => {
            name(output);
            value.iter_mut().for_each(expr);
        }
    }
}

fn ty(ty: &mut TypeExpr) {
    ty.span = Span::default();
    match &mut ty.kind {
        TypeKind::Real(extents) => extents.iter_mut().for_each(expr),
        TypeKind::Index(bound) => expr(bound),
    }
}

fn expr(whole: &mut Expr) {
    whole.span = Span::default();
    match &mut whole.kind {
        ExprKind::Number { .. } | ExprKind::Name(_) | ExprKind::Error => {}
        ExprKind::Next(state) => name(state),
        ExprKind::Neg(inner) => expr(inner),
        ExprKind::Binary { op: _, op_span, left, right } => {
            *op_span = Span::default();
            expr(left);
            expr(right);
        }
        ExprKind::Call { function, arguments } => {
            name(function);
            arguments.iter_mut().for_each(expr);
        }
        ExprKind::Index { base, index } => {
            expr(base);
            expr(index);
        }
        ExprKind::Slice { base, start, end } => {
            expr(base);
            [start, end].into_iter().flatten().for_each(|end| expr(end));
        }
        ExprKind::Part { base, axes } => {
            expr(base);
            axes.iter_mut().for_each(subscript);
        }
        ExprKind::Shape(extents) => extents.iter_mut().for_each(expr),
    }
}

fn subscript(subscript: &mut Subscript) {
    match subscript {
        Subscript::At(at) => expr(at),
        Subscript::Range { start, end } => [start, end].into_iter().flatten().for_each(expr),
    }
}
