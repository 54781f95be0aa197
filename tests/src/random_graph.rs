//! Random well-typed graphs, for property tests.
//!
//! A graph is made of a list of genes: each picks an operation and operands among the values there
//! are, and does nothing if none fit. Dropping genes gives a smaller graph, so failures shrink well.
//! Whatever a gene picks is kept away from where its operation is undefined or steep (logarithms,
//! roots, divisions, exponentials), so that results are finite and differences can be taken of them.

use cellc_compiler::ir::graph::{Graph, OutputRole, ValueId};
use cellc_compiler::ir::op::{
    Binary, Class, Element, Op, Reduction, Role, Scalar, Shape, Type, Unary,
};

use crate::compare::Numbers;

/// What a random graph is made of.
#[derive(Clone, Debug)]
pub struct Genome {
    /// The extents that arguments have, one for each letter of a shape.
    pub extents: [usize; 3],
    /// The genes.
    pub genes: Vec<[u16; 4]>,
    /// How many states the graph has.
    pub states: usize,
}

/// The extents that genomes are made of: 1, odd ones, and all sorts of remainders.
pub const EXTENTS: [usize; 11] = [1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17];

/// The number of kinds of operation that [`Genome::build`] can make.
pub const KINDS: usize = Unary::ALL.len() + Binary::ALL.len() + 19;

impl Genome {
    /// The genome of a seed: the same for ever.
    pub fn of_seed(seed: u64, genes: usize) -> Self {
        let mut numbers = Numbers(seed);
        let mut below = |bound: u64| numbers.next_bits() % bound;
        let extents = [(); 3].map(|()| EXTENTS[below(EXTENTS.len() as u64) as usize]);
        let genes = (0..genes).map(|_| [(); 4].map(|()| below(1 << 16) as u16)).collect();
        Self { extents, genes, states: below(3) as usize }
    }

    /// The graph. Its first state is bounded, its second may be anything.
    pub fn build(&self) -> Graph {
        build(self, false)
    }

    /// The graph with all states bounded: a cell that can be run over many steps.
    pub fn build_cell(&self) -> Graph {
        build(self, true)
    }
}

fn build(genome: &Genome, bound_all: bool) -> Graph {
    let [a, b, c] = genome.extents;
    let mut graph = Graph::new("random");
    let vector = |n: usize| Type::real([n].as_slice());
    let matrix = |m: usize, n: usize| Type::real([m, n].as_slice());
    graph.argument(Role::Input, "x", vector(a));
    graph.argument(Role::Input, "s", Type::scalar());
    graph.argument(Role::Input, "m", matrix(a, b));
    graph.argument(Role::Input, "i", Type::index(c));
    graph.argument(Role::Param, "W", matrix(b, a));
    graph.argument(Role::Param, "U", matrix(c, b));
    graph.argument(Role::Param, "v", vector(b));
    graph.argument(Role::Param, "w", vector(c));
    graph.argument(Role::Param, "k", Type::scalar());
    let states = [vector(a), vector(b)];
    for (i, ty) in states.iter().enumerate().take(genome.states) {
        graph.argument(Role::State, format!("h{i}"), ty.clone());
    }
    for gene in &genome.genes {
        express(&mut graph, *gene);
    }
    // The states' next values and the outputs are the youngest that fit.
    let youngest = |graph: &Graph, ty: &Type, skip: usize| {
        graph.ids().rev().filter(|&id| graph.ty(id) == ty).nth(skip)
    };
    for (i, ty) in states.iter().enumerate().take(genome.states) {
        let next = youngest(&graph, ty, i).or_else(|| youngest(&graph, ty, 0));
        // There is at least the state itself.
        if let Some(next) = next {
            let bounded = graph.push(Op::Unary(Unary::Tanh), &[next]);
            let next = if i == 0 || bound_all { bounded.unwrap_or(next) } else { next };
            graph.output(OutputRole::Next, format!("h{i}"), next);
        }
    }
    let real: Vec<ValueId> = graph.ids().filter(|&id| graph.ty(id).is_real()).collect();
    for (i, &id) in real.iter().rev().take(4).enumerate() {
        graph.output(OutputRole::Output, format!("y{i}"), id);
    }
    graph
}

/// The `pick`-th of the values that fit, if any does.
fn find(graph: &Graph, pick: u16, fits: impl Fn(&Type) -> bool) -> Option<ValueId> {
    choose(pick, graph.ids().filter(|&id| fits(graph.ty(id))).collect())
}

/// The same among values that are the same bit for bit on every engine: the only ones that may be
/// compared, since a comparison makes much of a last bit.
fn find_exact(graph: &Graph, pick: u16, fits: impl Fn(&Type) -> bool) -> Option<ValueId> {
    let mut exact: Vec<bool> = Vec::with_capacity(graph.len());
    for id in graph.ids() {
        let op = graph.op(id);
        let rounded = match op {
            Op::Argument { role, .. } => *role == Role::State,
            Op::Unary(op) => !matches!(op, Unary::Neg | Unary::Abs | Unary::Relu | Unary::Floor),
            Op::Binary(op) => {
                matches!(op, Binary::Add | Binary::Sub | Binary::Mul | Binary::Div | Binary::Pow)
            }
            Op::Reduce { kind, .. } => *kind == Reduction::Sum,
            _ => op.class() == Class::Product,
        };
        exact.push(!rounded && graph.operands(id).iter().all(|operand| exact[operand.index()]));
    }
    choose(pick, graph.ids().filter(|&id| exact[id.index()] && fits(graph.ty(id))).collect())
}

fn choose(pick: u16, fitting: Vec<ValueId>) -> Option<ValueId> {
    // Young values are picked more often: graphs grow deep as well as wide.
    let back = usize::from(pick) % fitting.len().max(1);
    let back = if pick.is_multiple_of(3) { back } else { back % 4 };
    fitting.iter().rev().nth(back % fitting.len().max(1)).copied()
}

fn real(ty: &Type) -> bool {
    // Small enough for a test, however many genes there are.
    ty.is_real() && ty.size() <= 600
}

fn ranked(rank: usize) -> impl Fn(&Type) -> bool {
    move |ty| real(ty) && ty.rank() == rank
}

/// Whether there is an axis to cut or join.
fn along(ty: &Type) -> bool {
    real(ty) && ty.rank() > 0
}

/// Appends what a gene stands for, if anything fits.
fn express(graph: &mut Graph, [kind, p, q, r]: [u16; 4]) -> Option<ValueId> {
    let kind = usize::from(kind) % KINDS;
    if let Some(&op) = Unary::ALL.get(kind) {
        // A jump makes much of a last bit.
        let x = match op {
            Unary::Floor => find_exact(graph, p, real)?,
            _ => find(graph, p, real)?,
        };
        let x = match op {
            Unary::Log | Unary::Sqrt | Unary::Log1p => positive(graph, x)?,
            Unary::Exp | Unary::Expm1 | Unary::Sin | Unary::Cos => {
                graph.push(Op::Unary(Unary::Tanh), &[x]).ok()?
            }
            _ => x,
        };
        return graph.push(Op::Unary(op), &[x]).ok();
    }
    let kind = kind - Unary::ALL.len();
    if let Some(&op) = Binary::ALL.get(kind) {
        let compares = matches!(op, Binary::Less | Binary::LessEqual | Binary::Equal);
        let pick = |pick, fits: &dyn Fn(&Type) -> bool| match compares {
            true => find_exact(graph, pick, fits),
            false => find(graph, pick, fits),
        };
        let mut x = pick(p, &real)?;
        let ty = graph.ty(x).clone();
        let mut y = pick(q, &|other| *other == ty)?;
        match op {
            Binary::Div => y = positive(graph, y)?,
            Binary::Pow => {
                x = positive(graph, x)?;
                y = graph.push(Op::Unary(Unary::Tanh), &[y]).ok()?;
            }
            _ => {}
        }
        return graph.push(Op::Binary(op), &[x, y]).ok();
    }
    let wanted = |id: ValueId, graph: &Graph| graph.ty(id).shape.clone();
    match kind - Binary::ALL.len() {
        0 => {
            let a = find(graph, p, real)?;
            let ty = graph.ty(a).clone();
            let b = find(graph, q, |other| *other == ty)?;
            let c = find_exact(graph, r, |other| *other == ty)?;
            graph.push(Op::Select, &[c, a, b]).ok()
        }
        1 => {
            let w = find(graph, p, ranked(2))?;
            let n = wanted(w, graph)[1];
            let v = find(graph, q, |ty| real(ty) && ty.shape.as_slice() == [n])?;
            graph.push(Op::MatVec, &[w, v]).ok()
        }
        2 => {
            let w = find(graph, p, ranked(2))?;
            let m = wanted(w, graph)[0];
            let v = find(graph, q, |ty| real(ty) && ty.shape.as_slice() == [m])?;
            graph.push(Op::MatVecT, &[w, v]).ok()
        }
        3 => {
            let (u, v) = (find(graph, p, ranked(1))?, find(graph, q, ranked(1))?);
            graph.push(Op::Outer, &[u, v]).ok()
        }
        4 => {
            let first = find(graph, p, along)?;
            let rank = graph.ty(first).rank();
            let axis = usize::from(q) % rank;
            let like = wanted(first, graph);
            let fits = |ty: &Type| {
                let mut shape = ty.shape.clone();
                real(ty) && ty.rank() == rank && {
                    shape[axis] = like[axis];
                    shape == like
                }
            };
            let others = [q, r].map(|pick| find(graph, pick, fits));
            let parts: Vec<ValueId> =
                std::iter::once(first).chain(others.into_iter().flatten()).collect();
            let some = usize::from(p) % 3 + 1;
            graph.push(Op::Concat { axis }, parts.get(..some)?).ok()
        }
        5 => {
            let x = find(graph, p, along)?;
            let axis = usize::from(q / 16) % graph.ty(x).rank();
            let n = wanted(x, graph)[axis];
            let start = usize::from(q) % n;
            let len = usize::from(r) % (n - start) + 1;
            graph.push(Op::Slice { axis, start, len }, &[x]).ok()
        }
        6 => {
            let x = find(graph, p, along)?;
            let axis = usize::from(q / 16) % graph.ty(x).rank();
            let (before, after) = (usize::from(q) % 4, usize::from(r) % 4);
            graph.push(Op::Pad { axis, before, after }, &[x]).ok()
        }
        7 => {
            let small = |ty: &Type| ty.is_real() && ty.size() <= 17;
            // Axes of extent 1 are rare, and what broadcasting is about.
            let single = |ty: &Type| small(ty) && ty.shape.contains(&1);
            let x = q.is_multiple_of(2).then(|| find(graph, p, single)).flatten();
            let x = x.or_else(|| find(graph, p, small))?;
            let n = usize::from(q) / 2 % 4 + 1;
            let shape: Shape = match (wanted(x, graph).as_slice(), r % 2) {
                ([], 0) => [n].as_slice().into(),
                ([], _) => [n, 2].as_slice().into(),
                ([1], 0) => [n].as_slice().into(),
                ([1], _) => [n, 3].as_slice().into(),
                ([1, 1], 1) => [n, 2].as_slice().into(),
                ([m], _) => [n, *m].as_slice().into(),
                ([1, m], _) => [n, *m].as_slice().into(),
                ([m, 1], _) => [*m, n].as_slice().into(),
                (same, _) => same.into(),
            };
            graph.push(Op::Broadcast { shape }, &[x]).ok()
        }
        8 => {
            let x = find(graph, p, real)?;
            let size = graph.ty(x).size();
            let shape: Shape = match q % 4 {
                0 => [size].as_slice().into(),
                1 => [1, size].as_slice().into(),
                2 => [size, 1].as_slice().into(),
                _ if size.is_multiple_of(2) => [2, size / 2].as_slice().into(),
                _ => return None,
            };
            graph.push(Op::Reshape { shape }, &[x]).ok()
        }
        9 => {
            let x = find(graph, p, ranked(2))?;
            graph.push(Op::Transpose, &[x]).ok()
        }
        10 | 11 => {
            let x = find(graph, p, real)?;
            let axis = match (graph.ty(x).rank(), q % 3) {
                (2, axis @ (0 | 1)) => Some(usize::from(axis)),
                _ => None,
            };
            graph.push(Op::Reduce { kind: Reduction::ALL[kind % 2], axis }, &[x]).ok()
        }
        12 | 13 => {
            let i = find(graph, p, |ty| !ty.is_real())?;
            let Element::Index { bound } = graph.ty(i).element else { return None };
            if kind.is_multiple_of(2) {
                let a = find(graph, q, |ty| real(ty) && ty.shape.first() == Some(&bound))?;
                return graph.push(Op::Take, &[a, i]).ok();
            }
            let a = find(graph, q, |ty| real(ty) && ty.rank() < 2 && ty.size() <= 17)?;
            graph.push(Op::Put { len: bound }, &[i, a]).ok()
        }
        14 if q % 2 == 0 => graph.push(Op::Range { len: usize::from(p) % 17 + 1 }, &[]).ok(),
        14 => {
            let probability = Scalar(f64::from(r % 5) / 4.0);
            let like = find(graph, p, real)?;
            let (name, ty) = (format!("b{}", graph.len()), graph.ty(like).clone());
            Some(graph.argument(Role::Mask(probability), name, ty))
        }
        15 => {
            let a = find(graph, p, ranked(2))?;
            let k = wanted(a, graph)[1];
            let b = find(graph, q, |ty| real(ty) && ty.rank() == 2 && ty.shape[0] == k)?;
            graph.push(Op::MatMul, &[a, b]).ok()
        }
        16 => {
            let x = find(graph, p, real)?;
            graph.push(Op::Stop, &[x]).ok()
        }
        17 => graph.push(Op::constant(f64::from(p % 9) / 4.0 - 1.0), &[]).ok(),
        _ => {
            // Keeps values small in deep graphs.
            let x = find(graph, p, real)?;
            graph.push(Op::Unary(Unary::Sigmoid), &[x]).ok()
        }
    }
}

/// A value between 0.5 and 1.5 of the same shape.
fn positive(graph: &mut Graph, x: ValueId) -> Option<ValueId> {
    let shape = graph.ty(x).shape.clone();
    let half = graph.push(Op::constant(0.5), &[]).ok()?;
    let half = graph.push(Op::Broadcast { shape }, &[half]).ok()?;
    let bounded = graph.push(Op::Unary(Unary::Sigmoid), &[x]).ok()?;
    graph.push(Op::Binary(Binary::Add), &[bounded, half]).ok()
}
