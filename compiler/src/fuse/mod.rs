//! Fusion: from values to kernels.
//!
//! Within a phase, values are laid out in levels: a product or a movement of data stands one level
//! above what it reads, and elementwise values stand between. All elementwise values of one level
//! and shape become one kernel, a [`Map`], which keeps what it computes in registers; constants and
//! broadcasts are read in place by the maps that use them. Transcendental functions are kernels of
//! their own where the runtime has wider vectors than Cranelift.
//!
//! What only moves data costs nothing: a slice is a view of its operand, a product reads a
//! concatenated vector part by part, and its matrix is packed from wherever its blocks are. A
//! parameter's gradient is not a kernel of the loop but a [`Sum`] over all rows (steps and
//! examples), so that the outer products it is made of are never built.

mod access;
mod levels;
mod matrix;
mod sums;

use std::collections::BTreeMap;
use std::fmt;

pub use self::access::{Read, View, extents, map_operands, map_reads, reads, resolve, view};
use self::access::{is_view, parts, read, read_broadcast, starts};
use self::levels::{is_inline, levels, source};
pub use self::matrix::{Block, Matrix};
use self::sums::sums;
pub use self::sums::{Sum, Target};
use crate::ir::graph::{Graph, OutputRole, ValueId};
use crate::ir::op::{Binary, Class, Op};
use crate::phases::{Loop, Phase};

/// What kernels may count on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Whether the runtime has kernels of its own, for vectors wider than Cranelift's 128 bits:
    /// packed products, sums of outer products, transcendental functions. Without, all of it is
    /// compiled.
    pub wide: bool,
}

impl Machine {
    /// Whether a pass is of use for it, by the pass's name. Functions are put together for the
    /// runtime to call; compiled ones are better left in the maps that they are part of.
    pub fn has_use_of(self, pass: &str) -> bool {
        self.wide || pass != "functions"
    }
}

/// A kernel: what is computed for each row by one function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// A run of elementwise values.
    Map(Map),
    /// Transcendental functions, each of a value in memory.
    Wide(Vec<ValueId>),
    /// A product with a packed matrix.
    Product(Product),
    /// One value that is neither.
    Single(ValueId),
}

/// A run of elementwise values of one shape, computed element by element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    /// The shape as rows and columns: 1 row for a vector.
    pub extents: [usize; 2],
    /// The values, operands before users.
    pub values: Vec<ValueId>,
}

/// A product with a matrix that is the same for all rows, and packed once in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// The product, with what is added to it.
    pub value: ValueId,
    /// What is added to it, part by part: where the sums start; zeros if there is nothing.
    pub start: Vec<ValueId>,
    /// The vector that is multiplied, part by part.
    pub parts: Vec<ValueId>,
    /// The number of its matrix.
    pub matrix: usize,
}

/// A loop as kernels.
#[derive(Clone, Debug)]
pub struct Kernels {
    graph: Graph,
    phases: BTreeMap<Phase, Vec<Kernel>>,
    matrices: Vec<Matrix>,
    sums: Vec<Sum>,
    gathered: BTreeMap<ValueId, View>,
    stored: Vec<bool>,
}

impl Kernels {
    /// The graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The kernels of a phase, in order.
    pub fn phase(&self, phase: Phase) -> &[Kernel] {
        self.phases.get(&phase).map_or(&[], Vec::as_slice)
    }

    /// The matrices of the products.
    pub fn matrices(&self) -> &[Matrix] {
        &self.matrices
    }

    /// What is added to the sum outputs.
    pub fn sums(&self) -> &[Sum] {
        &self.sums
    }

    /// For each value that is computed in the memory of a concatenation, where in it.
    pub fn gathered(&self) -> &BTreeMap<ValueId, View> {
        &self.gathered
    }

    /// Whether a value is written to memory: whether anything but its own kernel reads it.
    pub fn is_stored(&self, id: ValueId) -> bool {
        self.stored[id.index()]
    }
}

impl fmt::Display for Kernels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let graph = &self.graph;
        let list = |ids: &[ValueId]| ids.iter().map(|id| format!(" {id}")).collect::<String>();
        writeln!(f, "kernels {}", graph.name())?;
        for (i, matrix) in self.matrices.iter().enumerate() {
            writeln!(f, "matrix {i}: {} x {}", matrix.outer, matrix.inner)?;
            for Block { source, outer: [top, bottom], inner: [left, right], .. } in &matrix.blocks {
                writeln!(f, "  {source} at {top}..{bottom}, {left}..{right}")?;
            }
        }
        for phase in Phase::ALL {
            for kernel in self.phase(phase) {
                write!(f, "{}: ", phase.name())?;
                match kernel {
                    Kernel::Map(map) => {
                        let [rows, columns] = map.extents;
                        writeln!(f, "map {rows} x {columns}")?;
                        for &id in &map.values {
                            let stored = if self.is_stored(id) { " stored" } else { "" };
                            writeln!(f, "  {id} = {}{stored}", graph.op(id).name())?;
                        }
                    }
                    Kernel::Wide(values) => {
                        writeln!(f, "wide")?;
                        for &id in values {
                            let (op, of) = (graph.op(id).name(), graph.operands(id)[0]);
                            writeln!(f, "  {id} = {op} {of} {}", graph.ty(id))?;
                        }
                    }
                    Kernel::Product(Product { value, start, parts, matrix }) => {
                        write!(f, "product {value} {}: ", graph.ty(*value))?;
                        let plus = if start.is_empty() { "" } else { " + " };
                        let start = list(start);
                        let start = start.trim_start();
                        writeln!(f, "{start}{plus}matrix {matrix} by{}", list(parts))?;
                    }
                    Kernel::Single(id) => {
                        writeln!(f, "{} {id} {}", graph.op(*id).name(), graph.ty(*id))?;
                    }
                }
            }
        }
        let names: Vec<_> = graph.outputs_of(OutputRole::Sum).map(|output| &output.name).collect();
        for sum in &self.sums {
            let mut to: Vec<_> = match sum {
                Sum::Outer { to, .. } => to.iter().map(|to| names[to.sum].as_str()).collect(),
                Sum::Put { to, .. } | Sum::Value { to, .. } => vec![names[to.sum].as_str()],
            };
            to.sort_unstable();
            to.dedup();
            writeln!(f, "sum {}: {sum}", to.join(", "))?;
        }
        Ok(())
    }
}

/// How a value is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Bound from outside.
    Leaf,
    /// By a map.
    Map,
    /// By the runtime's transcendental functions.
    Wide,
    /// By a product with a packed matrix: `product`, started with `start`.
    Product { product: ValueId, start: Option<ValueId> },
    /// As part of the product that starts with what is added to it.
    Started,
    /// As a concatenation whose parts are computed where they belong.
    Gathered,
    /// By a function of its own.
    Single,
}

/// How each value of a loop is computed.
fn forms(looped: &Loop, machine: Machine, sums: &[Sum]) -> Vec<Form> {
    let graph = looped.graph();
    let mut forms: Vec<Form> = graph.ids().map(|id| form(looped, machine, id)).collect();
    for sum in graph.ids() {
        let (Op::Binary(Binary::Add), &[a, b]) = (graph.op(sum), graph.operands(sum)) else {
            continue;
        };
        for (product, start) in [(a, b), (b, a)] {
            let whole = matches!(forms[product.index()], Form::Product { start: None, .. });
            let is_output = graph.outputs().iter().any(|output| output.value == product);
            // A sum over rows takes its terms apart.
            let is_summed = sums.iter().any(|sum| sum.reads().contains(&product));
            let only_here = graph.users(product).count() == 1 && !is_output && !is_summed;
            let in_memory = !matches!(graph.op(resolve(graph, start)), Op::Constant(_));
            if whole && only_here && in_memory && looped.phase(product) == looped.phase(sum) {
                forms[product.index()] = Form::Started;
                forms[sum.index()] = Form::Product { product, start: Some(start) };
                break;
            }
        }
    }
    forms
}

/// How a value of a loop is computed.
fn form(looped: &Loop, machine: Machine, id: ValueId) -> Form {
    let graph = looped.graph();
    match graph.op(id) {
        Op::Argument { .. } => Form::Leaf,
        Op::Unary(function) if machine.wide && function.is_wide() => Form::Wide,
        Op::MatVec | Op::MatVecT
            if looped.phase(graph.operands(id)[0]) == Phase::Once
                && looped.phase(id) != Phase::Once =>
        {
            Form::Product { product: id, start: None }
        }
        op if op.class() == Class::Elementwise || is_inline(op) => Form::Map,
        _ => Form::Single,
    }
}

/// Finds concatenations whose parts can be computed where they belong: each in the same phase, by
/// a kernel, and part of nothing else that has its place.
fn gather(looped: &Loop, forms: &mut [Form]) -> BTreeMap<ValueId, View> {
    let graph = looped.graph();
    let mut gathered: BTreeMap<ValueId, View> = BTreeMap::new();
    for base in graph.ids() {
        let Op::Concat { axis: 0 } = graph.op(base) else { continue };
        let parts = graph.operands(base);
        let has_place = |part: ValueId| {
            let placed = |role| role == OutputRole::Next || role == OutputRole::Output;
            let outputs = graph.outputs().iter().filter(|output| placed(output.role));
            outputs.map(|output| view(graph, output.value).base).any(|base| base == part)
        };
        let fits = parts.iter().enumerate().all(|(i, part)| {
            let by_kernel = matches!(
                forms[part.index()],
                Form::Map | Form::Wide | Form::Product { .. } | Form::Single
            );
            by_kernel
                && !is_view(graph, *part)
                && !is_inline(graph.op(*part))
                && looped.phase(*part) == looped.phase(base)
                && !has_place(*part)
                && !gathered.contains_key(part)
                && !parts[..i].contains(part)
        });
        if fits && looped.phase(base) != Phase::Once {
            forms[base.index()] = Form::Gathered;
            let mut offset = 0;
            for &part in parts {
                gathered.insert(part, View { base, offset });
                offset += graph.ty(part).size();
            }
        }
    }
    gathered
}

/// Makes kernels of a loop.
pub fn fuse(looped: &Loop, machine: Machine) -> Kernels {
    let graph = looped.graph();
    let sums = sums(graph, machine.wide);
    let mut forms = forms(looped, machine, &sums);
    let mut gathered = gather(looped, &mut forms);
    let needed = needed(looped, &forms, &sums);
    // Where only products and sums read a concatenation, they read its parts.
    gathered.retain(|_, place| needed[place.base.index()] != Need::None);
    let level = levels(looped, &forms, &needed);
    // Kernels in order of level; within one, maps by shape, then functions, then the rest by age.
    type Key = (Phase, usize, Option<[usize; 2]>, Option<ValueId>);
    let mut kernels: BTreeMap<Key, Kernel> = BTreeMap::new();
    let mut matrices: Vec<Matrix> = Vec::new();
    for id in graph.ids() {
        let (phase, level, need) = (looped.phase(id), level[id.index()], needed[id.index()]);
        let op = graph.op(id);
        if need == Need::None || is_view(graph, id) || (is_inline(op) && need != Need::Stored) {
            continue;
        }
        match forms[id.index()] {
            Form::Leaf | Form::Started | Form::Gathered => {}
            Form::Map => {
                let extents = extents(graph, id);
                let map = kernels.entry((phase, level, Some(extents), None));
                let map = map.or_insert(Kernel::Map(Map { extents, values: Vec::new() }));
                if let Kernel::Map(map) = map {
                    map.values.push(id);
                }
            }
            Form::Wide => {
                let wide = kernels.entry((phase, level, None, None));
                if let Kernel::Wide(values) = wide.or_insert(Kernel::Wide(Vec::new())) {
                    values.push(id);
                }
            }
            Form::Product { product, start } => {
                let &[matrix, vector] = graph.operands(product) else { continue };
                let found = Matrix::new(graph, matrix, *graph.op(product) == Op::MatVecT);
                let matrix = matrices.iter().position(|matrix| *matrix == found);
                let matrix = matrix.unwrap_or_else(|| {
                    matrices.push(found);
                    matrices.len() - 1
                });
                let (start, parts) = (starts(looped, start), parts(graph, vector));
                let product = Product { value: id, start, parts, matrix };
                kernels.insert((phase, level, None, Some(id)), Kernel::Product(product));
            }
            Form::Single => {
                kernels.insert((phase, level, None, Some(id)), Kernel::Single(id));
            }
        }
    }
    let mut phases: BTreeMap<Phase, Vec<Kernel>> = BTreeMap::new();
    for ((phase, ..), kernel) in kernels {
        phases.entry(phase).or_default().push(kernel);
    }
    let stored = stored(graph, &phases, &needed);
    Kernels { graph: graph.clone(), phases, matrices, sums, gathered, stored }
}

/// What a value is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    /// Nothing: it lies between what reads it and what it is made of.
    None,
    /// Elementwise values, which may read it in place.
    Maps,
    /// Something that reads it from memory.
    Stored,
}

/// What each value is needed for. A need of a view is one of its base.
fn needed(looped: &Loop, forms: &[Form], sums: &[Sum]) -> Vec<Need> {
    let graph = looped.graph();
    let mut needed = vec![Need::None; graph.len()];
    let need = |needed: &mut Vec<Need>, id: ValueId, how: Need| {
        let slot = &mut needed[source(graph, id).index()];
        *slot = how.max(*slot);
    };
    for output in graph.outputs().iter().filter(|output| output.role != OutputRole::Sum) {
        need(&mut needed, output.value, Need::Stored);
    }
    for id in sums.iter().flat_map(Sum::reads) {
        need(&mut needed, id, Need::Stored);
    }
    for id in graph.ids().rev() {
        let operands = graph.operands(id);
        if needed[id.index()] == Need::None || is_view(graph, id) {
            continue;
        }
        match (graph.op(id), forms[id.index()]) {
            (_, Form::Leaf | Form::Started) => {}
            (Op::Broadcast { .. }, _) => match read_broadcast(graph, extents(graph, id), id) {
                Read::Constant(_) => {}
                Read::Elements(from) | Read::Repeated { from, .. } => {
                    need(&mut needed, from, Need::Stored);
                }
            },
            (_, Form::Map) => {
                for &operand in operands {
                    match read(graph, extents(graph, id), operand) {
                        Read::Elements(broadcast) if is_inline(graph.op(broadcast)) => {
                            need(&mut needed, broadcast, Need::Stored);
                        }
                        // A part of a value cannot be had from its register.
                        Read::Elements(slice) if is_view(graph, slice) => {
                            need(&mut needed, slice, Need::Stored);
                        }
                        _ => need(&mut needed, operand, Need::Maps),
                    }
                }
            }
            (_, Form::Product { product, start }) => {
                let (op, operands) = (graph.op(product), graph.operands(product));
                let matrix = Matrix::new(graph, operands[0], *op == Op::MatVecT);
                let blocks = matrix.blocks.iter().map(|block| block.source);
                let parts = parts(graph, operands[1]);
                for id in parts.into_iter().chain(blocks).chain(starts(looped, start)) {
                    need(&mut needed, id, Need::Stored);
                }
            }
            (_, Form::Wide | Form::Single | Form::Gathered) => {
                for &operand in operands {
                    need(&mut needed, operand, Need::Stored);
                }
            }
        }
    }
    needed
}

/// Which values are read by anything but the map that computes them.
fn stored(graph: &Graph, phases: &BTreeMap<Phase, Vec<Kernel>>, needed: &[Need]) -> Vec<bool> {
    let mut stored: Vec<bool> = needed.iter().map(|need| *need == Need::Stored).collect();
    for id in phases.values().flatten().flat_map(|kernel| reads(graph, kernel)) {
        stored[source(graph, id).index()] = true;
    }
    stored
}
