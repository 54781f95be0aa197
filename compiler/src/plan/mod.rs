//! Plans: where every stored value lives, and which tasks compute it.
//!
//! A task reads and writes memory through a table of base addresses that the runtime fills. A value
//! that is the same for all rows has one copy; one that only a few neighbouring tasks need has a
//! copy for each row of a tile, which stays in the first-level cache; one that only the body of one
//! step needs has one for each example; one that passes from phase to phase has one for each row of
//! a chunk of steps; what outlives the loop has one for each step and example. The next
//! value of a state is computed in place, as the next entry of the state's history; slices, outputs
//! and residuals are found where their values live: nothing is copied that need not be.

mod memory;

use std::collections::BTreeMap;
use std::fmt;

use crate::fuse::{Kernel, Kernels, Machine, Map, Matrix, Product, Sum, view};
use crate::ir::graph::{Graph, ValueId};
use crate::phases::Phase;

/// What an entry of the table of base addresses stands for. Arguments and outputs are numbered
/// within their role, in the graph's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binding {
    /// A param.
    Param(usize),
    /// An input.
    Input(usize),
    /// A mask.
    Mask(usize),
    /// A residual, as the forward graph left it.
    Residual(usize),
    /// A state before the step.
    Before(usize),
    /// A state after the step.
    After(usize),
    /// The sum over all rows of a sum output.
    Sum(usize),
    /// A packed matrix.
    Packed(usize),
    /// Memory of the program's own.
    Local(usize),
}

/// A place in the table of base addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BindingId(usize);

impl BindingId {
    /// Its place, from 0.
    pub fn index(self) -> usize {
        self.0
    }
}

/// Where the rows of a value are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The entry of the table that has the base address.
    pub binding: BindingId,
    /// The number of elements from there to the value's first.
    pub offset: usize,
    /// The number of elements from one row to the next: 0 if all rows share one copy.
    pub stride: usize,
    /// Whether rows are counted from the first of the tile, not of all.
    pub tiled: bool,
}

/// How many copies of a local value there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Span {
    /// One.
    Once,
    /// One for each row of a tile, and each thread: written again at each tile.
    Tile,
    /// One for each example: written again at each step.
    Step,
    /// One for each example and each step of a chunk of steps, through all phases of which a run
    /// goes before the next: written again in each chunk.
    Chunk,
    /// One for each step and example.
    Sequence,
}

/// Memory of the program's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local {
    /// The number of elements of one copy.
    pub size: usize,
    /// How many copies there are.
    pub span: Span,
}

/// A task over rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Computes a run of elementwise values.
    Map(Map),
    /// Computes transcendental functions of values in memory. Done by the runtime.
    Wide(Vec<ValueId>),
    /// Computes a product with a packed matrix. Done by the runtime if the machine is wide.
    Product(Product),
    /// Computes one value.
    Single(ValueId),
    /// Copies a value.
    Copy {
        /// The value.
        from: ValueId,
        /// Where to.
        to: Place,
    },
}

/// Tasks that run one after the other on a tile of rows before the next tile is begun; a product
/// is alone, and runs on all rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// The tasks, in order.
    pub tasks: Vec<Task>,
    /// The values that they read and that have a copy for each row, each once.
    pub reads: Vec<ValueId>,
    /// The values that they write, each once.
    pub writes: Vec<ValueId>,
}

impl Group {
    /// The elements that the tasks touch in each row.
    pub fn row_elements(&self, graph: &Graph) -> usize {
        self.reads.iter().chain(&self.writes).map(|&id| graph.ty(id).size()).sum()
    }
}

/// How a plan is made.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What the runtime has.
    pub machine: Machine,
    /// Whether memory is used again for another value.
    pub reuse: bool,
}

/// A loop with its memory.
#[derive(Clone, Debug)]
pub struct Plan {
    kernels: Kernels,
    machine: Machine,
    bindings: Vec<Binding>,
    homes: Vec<Option<Place>>,
    locals: Vec<Local>,
    groups: BTreeMap<Phase, Vec<Group>>,
    packed: Vec<BindingId>,
    sums: Vec<BindingId>,
    outputs: Vec<Place>,
    residuals: Vec<Place>,
}

impl Plan {
    /// The graph.
    pub fn graph(&self) -> &Graph {
        self.kernels.graph()
    }

    /// What the plan counts on.
    pub fn machine(&self) -> Machine {
        self.machine
    }

    /// The table of base addresses.
    pub fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// What a place of the table stands for.
    pub fn binding(&self, id: BindingId) -> Binding {
        self.bindings[id.0]
    }

    /// Where a value lives; `None` if it is never in memory.
    pub fn home(&self, id: ValueId) -> Option<Place> {
        let view = view(self.graph(), id);
        let home = self.homes[view.base.index()]?;
        Some(Place { offset: home.offset + view.offset, ..home })
    }

    /// Whether the kernel that computes a value writes it to memory.
    pub fn is_stored(&self, id: ValueId) -> bool {
        self.kernels.is_stored(id)
    }

    /// The program's own memory.
    pub fn locals(&self) -> &[Local] {
        &self.locals
    }

    /// The tasks of a phase, in order.
    pub fn groups(&self, phase: Phase) -> &[Group] {
        self.groups.get(&phase).map_or(&[], Vec::as_slice)
    }

    /// The matrices to be packed when the phase [`Phase::Once`] has run.
    pub fn matrices(&self) -> &[Matrix] {
        self.kernels.matrices()
    }

    /// Where a matrix is once it is packed.
    pub fn packed(&self, matrix: usize) -> BindingId {
        self.packed[matrix]
    }

    /// The sums, after everything else: each over all rows, any part of its extent at a time.
    pub fn sums(&self) -> &[Sum] {
        self.kernels.sums()
    }

    /// Where a sum output is.
    pub fn sum_output(&self, output: usize) -> BindingId {
        self.sums[output]
    }

    /// Where each output is found, in order: rows follow each other.
    pub fn outputs(&self) -> &[Place] {
        &self.outputs
    }

    /// Where each residual is found, in order.
    pub fn residuals(&self) -> &[Place] {
        &self.residuals
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "plan {}", self.graph().name())?;
        for (i, local) in self.locals.iter().enumerate() {
            writeln!(f, "local {i}: {} x {:?}", local.size, local.span)?;
        }
        for id in self.graph().ids() {
            if let Some(home) = self.homes[id.index()] {
                let node = self.graph().node(id);
                writeln!(f, "{id} {} {}: {}", node.op.name(), node.ty, self.describe_place(home))?;
            }
        }
        for (i, matrix) in self.matrices().iter().enumerate() {
            let blocks: String = matrix.blocks.iter().map(|b| format!(" {}", b.source)).collect();
            writeln!(f, "pack: matrix {i}, {} x {}, from{blocks}", matrix.outer, matrix.inner)?;
        }
        for phase in Phase::ALL {
            for group in self.groups(phase) {
                let begins = if group.tasks.len() > 1 { " tile" } else { "" };
                writeln!(f, "{}:{begins}", phase.name())?;
                for task in &group.tasks {
                    writeln!(f, "  {}", self.describe(task))?;
                }
            }
        }
        self.sums().iter().try_for_each(|sum| writeln!(f, "sum: {sum}"))
    }
}

impl Plan {
    fn describe_place(&self, place: Place) -> String {
        let binding = self.binding(place.binding);
        match place.offset {
            0 => format!("{binding:?}"),
            offset => format!("{binding:?} + {offset}"),
        }
    }

    /// A task in a line.
    pub fn describe(&self, task: &Task) -> String {
        let graph = self.graph();
        let list = |ids: &[ValueId]| ids.iter().map(|id| format!(" {id}")).collect::<String>();
        match task {
            Task::Map(map) => {
                let [rows, columns] = map.extents;
                format!("map {rows} x {columns}:{}", list(&map.values))
            }
            Task::Wide(values) => {
                let each = |id: &ValueId| {
                    format!("{id} = {} {}", graph.op(*id).name(), graph.operands(*id)[0])
                };
                format!("wide: {}", values.iter().map(each).collect::<Vec<_>>().join(", "))
            }
            Task::Product(Product { value, start, parts, matrix }) => {
                let plus = if start.is_empty() { "" } else { " +" };
                format!("{value} ={}{plus} matrix {matrix} by{}", list(start), list(parts))
            }
            Task::Single(id) => {
                format!("{id} = {}{}", graph.op(*id).name(), list(graph.operands(*id)))
            }
            Task::Copy { from, to } => format!("copy {from} to {}", self.describe_place(*to)),
        }
    }
}

/// Plans the memory of a loop. `residuals` are the places at which the forward plan leaves what a
/// backward graph takes.
pub fn plan(kernels: &Kernels, options: Options, residuals: &[Place]) -> Plan {
    let mut plan = Plan {
        kernels: kernels.clone(),
        machine: options.machine,
        bindings: Vec::new(),
        homes: vec![None; kernels.graph().len()],
        locals: Vec::new(),
        groups: Phase::ALL.map(|phase| (phase, groups(kernels.phase(phase)))).into(),
        packed: Vec::new(),
        sums: Vec::new(),
        outputs: Vec::new(),
        residuals: Vec::new(),
    };
    memory::place(&mut plan, options.reuse, residuals);
    plan
}

/// Puts tasks into groups: a product is alone.
fn groups(kernels: &[Kernel]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for kernel in kernels {
        let task = match kernel {
            Kernel::Map(map) => Task::Map(map.clone()),
            Kernel::Wide(values) => Task::Wide(values.clone()),
            Kernel::Product(product) => Task::Product(product.clone()),
            Kernel::Single(id) => Task::Single(*id),
        };
        push(&mut groups, task);
    }
    groups
}

fn push(groups: &mut Vec<Group>, task: Task) {
    let is_product = |task: &Task| matches!(task, Task::Product(_));
    match groups.last_mut() {
        Some(group) if !is_product(&task) && !group.tasks.iter().any(is_product) => {
            group.tasks.push(task);
        }
        _ => groups.push(Group { tasks: vec![task], ..Group::default() }),
    }
}
