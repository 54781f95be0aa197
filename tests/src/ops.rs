//! A small graph for every operation, in each form that it has.

use cellc_compiler::ir::graph::{Graph, OutputRole};
use cellc_compiler::ir::op::{Binary, Element, Op, Reduction, Role, Type, Unary};

/// An operation on operands of some types.
#[derive(Clone, Debug)]
pub struct Case {
    /// The operation.
    pub op: Op,
    /// The types of its operands.
    pub operands: Vec<Type>,
}

/// Where the operands of a case come from. Params have one copy for all rows, inputs one for each
/// step and example, states one for each example that the loop carries.
pub const ROLES: [[Role; 2]; 5] = [
    [Role::Input, Role::Input],
    [Role::Param, Role::Input],
    [Role::Input, Role::Param],
    [Role::Param, Role::Param],
    [Role::State, Role::Input],
];

impl Case {
    /// The operation's form: its name, and what its attributes or shapes make of it.
    pub fn form(&self) -> String {
        form(&self.op, &self.operands.iter().collect::<Vec<_>>())
    }

    /// A graph of the operation alone, its operands by turns of the given roles. An operand that
    /// is a state drifts from step to step, by a factor, in the loop.
    pub fn graph(&self, roles: [Role; 2]) -> Graph {
        let mut graph = Graph::new(self.op.name());
        let mut operands = Vec::new();
        for (i, ty) in self.operands.iter().enumerate() {
            let role = if ty.is_real() { roles[i % 2] } else { Role::Input };
            operands.push(graph.argument(role, format!("x{i}"), ty.clone()));
        }
        for (i, &state) in operands.iter().enumerate() {
            if let Op::Argument { role: Role::State, .. } = graph.op(state) {
                let drift = graph.push(Op::constant(0.75), &[]).expect("a constant");
                let shape = graph.ty(state).shape.clone();
                let drift = graph.push(Op::Broadcast { shape }, &[drift]).expect("a broadcast");
                let next = graph.push(Op::Binary(Binary::Mul), &[state, drift]).expect("a product");
                graph.output(OutputRole::Next, format!("x{i}"), next);
            }
        }
        let y = graph.push(self.op.clone(), &operands).expect("the case is well-typed");
        graph.output(OutputRole::Output, "y", y);
        graph
    }
}

/// The form in which an operation occurs.
pub fn form(op: &Op, operands: &[&Type]) -> String {
    let name = op.name();
    let rank = |ty: &Type| match ty.shape.as_slice() {
        [] => "scalar".to_owned(),
        shape => {
            shape.iter().map(|&n| if n == 1 { "1" } else { "n" }).collect::<Vec<_>>().join("x")
        }
    };
    match op {
        Op::Reduce { axis: Some(axis), .. } => format!("{name} axis {axis}"),
        Op::Reduce { axis: None, .. } => format!("{name} of rank {}", operands[0].rank()),
        Op::Broadcast { shape } => {
            let to = Type::real(shape.clone());
            format!("{name} {} to rank {}", rank(operands[0]), to.rank())
        }
        Op::Concat { axis } => {
            let of = if operands[0].rank() == 1 { "vectors" } else { "matrices" };
            format!("{name} of {} {of}, axis {axis}", operands.len().min(3))
        }
        Op::Slice { axis, .. } | Op::Pad { axis, .. } => {
            format!("{name} of rank {}, axis {axis}", operands[0].rank())
        }
        Op::Take => format!("{name} of rank {}", operands[0].rank()),
        Op::Put { .. } => format!("{name} of rank {}", operands[1].rank()),
        _ => name.to_owned(),
    }
}

/// Extents on both sides of every register and tile: 1, odd ones, multiples and one more.
const EXTENTS: [usize; 10] = [1, 2, 3, 4, 5, 7, 9, 16, 17, 23];
/// Rows and columns of matrices.
const MATRICES: [[usize; 2]; 11] =
    [[1, 1], [1, 5], [5, 1], [2, 2], [3, 4], [4, 3], [5, 7], [7, 8], [9, 13], [16, 5], [3, 17]];

fn vector(n: usize) -> Type {
    Type::real([n].as_slice())
}

fn matrix([m, n]: [usize; 2]) -> Type {
    Type::real([m, n].as_slice())
}

fn index(bound: usize) -> Type {
    Type { element: Element::Index { bound }, ..Type::scalar() }
}

/// Every operation in every form, at many shapes.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |op: Op, operands: &[Type]| cases.push(Case { op, operands: operands.to_vec() });
    let types = std::iter::once(Type::scalar())
        .chain(EXTENTS.map(vector))
        .chain([[2, 2], [3, 5]].map(matrix))
        .collect::<Vec<_>>();
    for ty in &types {
        let of = |n| vec![ty.clone(); n];
        Unary::ALL.into_iter().for_each(|op| add(Op::Unary(op), &of(1)));
        Binary::ALL.into_iter().for_each(|op| add(Op::Binary(op), &of(2)));
        add(Op::Select, &of(3));
        add(Op::Stop, &of(1));
    }
    for n in EXTENTS {
        add(Op::Concat { axis: 0 }, &[vector(n)]);
        add(Op::Concat { axis: 0 }, &[vector(n), vector(3)]);
        add(Op::Concat { axis: 0 }, &[vector(2), vector(n), vector(1)]);
        let slices = [(0, n), (0, n.div_ceil(2)), (n / 2, n - n / 2), (n / 3, 1)];
        slices
            .into_iter()
            .for_each(|(start, len)| add(Op::Slice { axis: 0, start, len }, &[vector(n)]));
        for (before, after) in [(0, 0), (0, 3), (2, 0), (1, 5)] {
            add(Op::Pad { axis: 0, before, after }, &[vector(n)]);
        }
        for shape in [&[n][..], &[3, n], &[n, 3]] {
            add(Op::Broadcast { shape: shape.into() }, &[Type::scalar()]);
            add(Op::Broadcast { shape: shape.into() }, &[vector(1)]);
        }
        add(Op::Broadcast { shape: [3, n].as_slice().into() }, &[vector(n)]);
        for kind in Reduction::ALL {
            add(Op::Reduce { kind, axis: None }, &[vector(n)]);
        }
        add(Op::Range { len: n }, &[]);
        add(Op::Take, &[vector(n), index(n)]);
        add(Op::Put { len: n }, &[index(n), Type::scalar()]);
        for k in [1, 4, 6] {
            add(Op::Put { len: n }, &[index(n), vector(k)]);
        }
    }
    add(Op::Concat { axis: 0 }, &[3, 1, 4, 9, 2].map(vector));
    for [m, n] in MATRICES {
        let of = matrix([m, n]);
        add(Op::MatVec, &[of.clone(), vector(n)]);
        add(Op::MatVecT, &[of.clone(), vector(m)]);
        add(Op::Outer, &[vector(m), vector(n)]);
        for k in [1, 4, 7] {
            add(Op::MatMul, &[matrix([m, k]), matrix([k, n])]);
        }
        add(Op::Transpose, std::slice::from_ref(&of));
        for from in [[1, 1], [1, n], [m, 1], [m, n]] {
            add(Op::Broadcast { shape: [m, n].as_slice().into() }, &[matrix(from)]);
        }
        for shape in [&[m * n][..], &[n, m], &[1, m * n], &[m * n, 1]] {
            add(Op::Reshape { shape: shape.into() }, std::slice::from_ref(&of));
        }
        for (kind, axis) in
            Reduction::ALL.into_iter().flat_map(|kind| [None, Some(0), Some(1)].map(|a| (kind, a)))
        {
            add(Op::Reduce { kind, axis }, std::slice::from_ref(&of));
        }
        for axis in [0, 1] {
            let extent = of.shape[axis];
            add(Op::Concat { axis }, &[of.clone(), of.clone()]);
            let mut other = [m, n];
            other[axis] = 3;
            add(Op::Concat { axis }, &[of.clone(), matrix(other), of.clone()]);
            for (start, len) in [(0, extent), (extent / 2, extent - extent / 2), (extent / 3, 1)] {
                add(Op::Slice { axis, start, len }, std::slice::from_ref(&of));
            }
            for (before, after) in [(0, 3), (2, 0), (1, 5)] {
                add(Op::Pad { axis, before, after }, std::slice::from_ref(&of));
            }
        }
        add(Op::Take, &[of, index(m)]);
    }
    cases
}

/// Every form in which an operation can occur.
pub fn forms() -> Vec<String> {
    let mut forms: Vec<String> = cases().iter().map(Case::form).collect();
    forms.sort_unstable();
    forms.dedup();
    forms
}
