//! The plan: which memory each value lives in, and the tasks of each phase in order.
//!
//! Memory is reached through *bindings*: a table of base addresses that the runtime fills. A value
//! that is the same for all rows has one copy; a value that only the body of one step needs has
//! one for each example; anything else has one for each step and example. The next value of a
//! state is computed in place, as the next entry of the state's history, and outputs and residuals
//! are found where their values live: nothing is copied that need not be.

use std::collections::BTreeMap;
use std::fmt;

use crate::fuse::{Kernel, Kernels, Map, SumTerm, reads, resolve};
use crate::ir::graph::{Graph, OutputRole, ValueId};
use crate::ir::op::{Element, Role};
use crate::phases::Phase;

/// What an entry of the table of base addresses stands for. Arguments and outputs are numbered
/// within their role, in the graph's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binding {
    /// A param.
    Param(usize),
    /// An input.
    Input(usize),
    /// A residual, as the forward graph left it.
    Residual(usize),
    /// A state before the step.
    Before(usize),
    /// A state after the step.
    After(usize),
    /// The sum over all rows of a sum output.
    Sum(usize),
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

/// How many copies of a local value there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Span {
    /// One.
    Once,
    /// One for each example: written again at each step.
    Step,
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

/// A task: one compiled function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Computes a run of elementwise values for each row.
    Map(Map),
    /// Computes one value for each row.
    Single(ValueId),
    /// Copies a value for each row.
    Copy {
        /// The value.
        from: ValueId,
        /// Where to.
        to: BindingId,
    },
    /// Adds a term, summed over all rows, to a sum.
    Sum {
        /// The sum.
        to: BindingId,
        /// The term.
        term: SumTerm,
    },
}

/// A loop with its memory.
#[derive(Clone, Debug)]
pub struct Plan {
    kernels: Kernels,
    bindings: Vec<Binding>,
    homes: Vec<Option<BindingId>>,
    locals: Vec<Local>,
    tasks: BTreeMap<Phase, Vec<Task>>,
    sums: Vec<Task>,
    outputs: Vec<BindingId>,
    residuals: Vec<BindingId>,
}

impl Plan {
    /// The graph.
    pub fn graph(&self) -> &Graph {
        self.kernels.graph()
    }

    /// The table of base addresses.
    pub fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// What a place of the table stands for.
    pub fn binding(&self, id: BindingId) -> Binding {
        self.bindings[id.0]
    }

    /// The number of elements from one row to the next: 0 if all rows share one copy.
    pub fn row_stride(&self, id: BindingId, size: usize) -> usize {
        match self.binding(id) {
            Binding::Param(_) | Binding::Sum(_) => 0,
            Binding::Local(local) if self.locals[local].span == Span::Once => 0,
            _ => size,
        }
    }

    /// Where a value lives; `None` if it is never in memory.
    pub fn home(&self, id: ValueId) -> Option<BindingId> {
        self.homes[resolve(self.graph(), id).index()]
    }

    /// Whether the kernel that computes a value writes it to memory.
    pub fn is_stored(&self, id: ValueId) -> bool {
        self.kernels.is_stored(id)
    }

    /// The program's own memory.
    pub fn locals(&self) -> &[Local] {
        &self.locals
    }

    /// The tasks of a phase, in order: each over rows.
    pub fn tasks(&self, phase: Phase) -> &[Task] {
        self.tasks.get(&phase).map_or(&[], Vec::as_slice)
    }

    /// The sums, after everything else: each over all rows, any part of its elements at a time.
    pub fn sums(&self) -> &[Task] {
        &self.sums
    }

    /// The extent of the leading axis of a sum's result, by which it can be done in parts.
    pub fn sum_extent(&self, sum: usize) -> usize {
        match &self.sums[sum] {
            Task::Sum { term: SumTerm::Outer(u, _), .. } => self.graph().ty(*u).size(),
            Task::Sum { term: SumTerm::Put { index, .. }, .. } => {
                match self.graph().ty(*index).element {
                    Element::Index { bound } => bound,
                    Element::Real => 1,
                }
            }
            Task::Sum { term: SumTerm::Value(value), .. } => self.graph().ty(*value).size(),
            Task::Map(_) | Task::Single(_) | Task::Copy { .. } => 1,
        }
    }

    /// Where each output is found, in order.
    pub fn outputs(&self) -> &[BindingId] {
        &self.outputs
    }

    /// Where each residual is found, in order.
    pub fn residuals(&self) -> &[BindingId] {
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
                writeln!(f, "{id} {} {}: {:?}", node.op.name(), node.ty, self.binding(home))?;
            }
        }
        for phase in Phase::ALL {
            for task in self.tasks(phase) {
                writeln!(f, "{}: {}", phase.name(), self.describe(task))?;
            }
        }
        self.sums.iter().try_for_each(|task| writeln!(f, "sum: {}", self.describe(task)))
    }
}

impl Plan {
    /// A task in a line.
    pub fn describe(&self, task: &Task) -> String {
        let list = |ids: &[ValueId]| ids.iter().map(|id| format!(" {id}")).collect::<String>();
        match task {
            Task::Map(map) => {
                let [rows, columns] = map.extents;
                format!("map {rows} x {columns}:{}", list(&map.values))
            }
            Task::Single(id) => {
                let operands = list(self.graph().operands(*id));
                format!("{id} = {}{operands}", self.graph().op(*id).name())
            }
            Task::Copy { from, to } => format!("copy {from} to {:?}", self.binding(*to)),
            Task::Sum { to, term: SumTerm::Outer(u, v) } => {
                format!("{:?} += outer {u} {v}", self.binding(*to))
            }
            Task::Sum { to, term: SumTerm::Put { index, entry } } => {
                format!("{:?} += put {index} {entry}", self.binding(*to))
            }
            Task::Sum { to, term: SumTerm::Value(value) } => {
                format!("{:?} += {value}", self.binding(*to))
            }
        }
    }
}

/// Plans the memory of a loop.
pub fn plan(kernels: &Kernels) -> Plan {
    let graph = kernels.graph();
    let mut plan = Plan {
        kernels: kernels.clone(),
        bindings: Vec::new(),
        homes: vec![None; graph.len()],
        locals: Vec::new(),
        tasks: BTreeMap::new(),
        sums: Vec::new(),
        outputs: Vec::new(),
        residuals: Vec::new(),
    };
    plan.place_arguments();
    let computed = computed(kernels);
    let copied = plan.place_next(&computed);
    plan.place_computed(&computed);
    for phase in Phase::ALL {
        let tasks = kernels.phase(phase).iter().map(|kernel| match kernel {
            Kernel::Map(map) => Task::Map(map.clone()),
            Kernel::Single(id) => Task::Single(*id),
        });
        plan.tasks.insert(phase, tasks.collect());
    }
    for (from, to) in copied {
        plan.push_task(Phase::Body, Task::Copy { from, to });
    }
    plan.outputs = plan.place_ports(graph, OutputRole::Output);
    plan.residuals = plan.place_ports(graph, OutputRole::Residual);
    for (i, terms) in kernels.sums().iter().enumerate() {
        let to = plan.bind(Binding::Sum(i));
        plan.sums.extend(terms.iter().map(|&term| Task::Sum { to, term }));
    }
    plan
}

impl Plan {
    fn bind(&mut self, binding: Binding) -> BindingId {
        self.bindings.push(binding);
        BindingId(self.bindings.len() - 1)
    }

    fn local(&mut self, size: usize, span: Span) -> BindingId {
        self.locals.push(Local { size, span });
        self.bind(Binding::Local(self.locals.len() - 1))
    }

    fn push_task(&mut self, phase: Phase, task: Task) {
        self.tasks.entry(phase).or_default().push(task);
    }

    fn place_arguments(&mut self) {
        for role in Role::ALL {
            let ids: Vec<_> = self.graph().arguments_of(role).map(|(id, _)| id).collect();
            for (i, id) in ids.into_iter().enumerate() {
                let binding = match role {
                    Role::Param => Binding::Param(i),
                    Role::Input => Binding::Input(i),
                    Role::State => Binding::Before(i),
                    Role::Residual => Binding::Residual(i),
                };
                self.homes[id.index()] = Some(self.bind(binding));
            }
        }
    }

    /// Places each next value that the body computes in its state's history. What is computed
    /// elsewhere, or already is another state's next value, must be copied there.
    fn place_next(&mut self, computed: &BTreeMap<ValueId, Phase>) -> Vec<(ValueId, BindingId)> {
        let mut copied = Vec::new();
        let states: Vec<_> =
            self.graph().arguments_of(Role::State).map(|(_, name)| name.to_owned()).collect();
        for (i, state) in states.iter().enumerate() {
            let next = self.graph().outputs_of(OutputRole::Next).find(|next| next.name == *state);
            let Some(value) = next.map(|next| resolve(self.graph(), next.value)) else { continue };
            let to = self.bind(Binding::After(i));
            let home = &mut self.homes[value.index()];
            if computed.get(&value) == Some(&Phase::Body) && home.is_none() {
                *home = Some(to);
            } else {
                copied.push((value, to));
            }
        }
        copied
    }

    fn place_computed(&mut self, computed: &BTreeMap<ValueId, Phase>) {
        let outside = self.read_outside_body();
        for (&id, phase) in computed {
            if !self.kernels.is_stored(id) || self.homes[id.index()].is_some() {
                continue;
            }
            let span = match phase {
                Phase::Once => Span::Once,
                Phase::Body if !outside[id.index()] => Span::Step,
                _ => Span::Sequence,
            };
            let size = self.graph().ty(id).size();
            self.homes[id.index()] = Some(self.local(size, span));
        }
    }

    /// For each value, whether anything outside the body reads it.
    fn read_outside_body(&self) -> Vec<bool> {
        let graph = self.graph();
        let mut outside = vec![false; graph.len()];
        for output in graph.outputs().iter().filter(|output| output.role != OutputRole::Next) {
            outside[resolve(graph, output.value).index()] = true;
        }
        let terms = self.kernels.sums().iter().flatten();
        for id in terms.flat_map(|term| term.reads()) {
            outside[resolve(graph, id).index()] = true;
        }
        for phase in [Phase::Once, Phase::Before, Phase::After] {
            for kernel in self.kernels.phase(phase) {
                for id in reads(graph, kernel) {
                    outside[id.index()] = true;
                }
            }
        }
        outside
    }

    /// Where outputs of a role are found: where their values live if each row has a copy there.
    fn place_ports(&mut self, graph: &Graph, role: OutputRole) -> Vec<BindingId> {
        let mut ports = Vec::new();
        for output in graph.outputs_of(role) {
            let value = resolve(graph, output.value);
            let size = graph.ty(value).size();
            let port = match self.homes[value.index()] {
                Some(home) if self.row_stride(home, size) > 0 => home,
                _ => {
                    let to = self.local(size, Span::Sequence);
                    self.push_task(Phase::After, Task::Copy { from: value, to });
                    to
                }
            };
            ports.push(port);
        }
        ports
    }
}

/// The values that kernels compute, each with its phase.
fn computed(kernels: &Kernels) -> BTreeMap<ValueId, Phase> {
    let mut computed = BTreeMap::new();
    for phase in Phase::ALL {
        for kernel in kernels.phase(phase) {
            match kernel {
                Kernel::Map(map) => computed.extend(map.values.iter().map(|&id| (id, phase))),
                Kernel::Single(id) => {
                    computed.insert(*id, phase);
                }
            }
        }
    }
    computed
}
