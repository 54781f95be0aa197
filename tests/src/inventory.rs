//! What a cell is compiled to: its kernels and plans, and counts of them.

use std::collections::BTreeMap;
use std::fmt::Write;

use cellc_compiler::fuse::{Kernel, Kernels, Machine, Sum, fuse};
use cellc_compiler::ir::graph::Graph;
use cellc_compiler::phases::{Phase, phases};
use cellc_compiler::pipeline::{Graphs, Plans};
use cellc_compiler::plan::{Options, Plan, Span, Task};

/// Machines with kernels of the runtime, and without.
pub const MACHINES: [Machine; 2] = [Machine { wide: true }, Machine { wide: false }];

/// One of a cell's three graphs as kernels, and with memory.
#[derive(Clone, Debug)]
pub struct Part {
    /// The kernels.
    pub kernels: Kernels,
    /// The plan.
    pub plan: Plan,
}

/// A cell's graphs compiled for a machine: forward, with a tape, and backward.
pub fn compile(graph: &Graph, machine: Machine) -> [Part; 3] {
    compile_with(graph, machine, |_| true)
}

/// The same with some passes; `reuse` is one.
pub fn compile_with(graph: &Graph, machine: Machine, enabled: impl Fn(&str) -> bool) -> [Part; 3] {
    let graphs = Graphs::new(graph, |pass| enabled(pass) && machine.has_use_of(pass))
        .expect("a graph can be compiled");
    let Plans { forward, taped, backward } =
        Plans::new(&graphs, Options { machine, reuse: enabled("reuse") });
    let part = |graph, plan| Part { kernels: fuse(&phases(graph), machine), plan };
    [part(&graphs.forward, forward), part(&graphs.taped, taped), part(&graphs.backward, backward)]
}

impl Part {
    /// A phase's kernels by name, as they run.
    pub fn names(&self, phase: Phase) -> Vec<&'static str> {
        let name = |kernel: &Kernel| match kernel {
            Kernel::Map(_) => "map",
            Kernel::Wide(_) => "wide",
            Kernel::Product(_) => "product",
            Kernel::Single(id) => self.kernels.graph().op(*id).name(),
        };
        self.kernels.phase(phase).iter().map(name).collect()
    }

    /// The number of a phase's kernels of a name.
    pub fn count(&self, phase: Phase, name: &str) -> usize {
        self.names(phase).iter().filter(|found| **found == name).count()
    }

    /// The tasks of a phase, in order.
    pub fn tasks(&self, phase: Phase) -> impl Iterator<Item = &Task> {
        self.plan.groups(phase).iter().flat_map(|group| &group.tasks)
    }

    /// The number of tasks that copy, in all phases.
    pub fn copies(&self) -> usize {
        let tasks = Phase::ALL.into_iter().flat_map(|phase| self.tasks(phase));
        tasks.filter(|task| matches!(task, Task::Copy { .. })).count()
    }

    /// The sizes of the locals of a span, sorted.
    pub fn locals(&self, span: Span) -> Vec<usize> {
        let locals = self.plan.locals().iter().filter(|local| local.span == span);
        let mut sizes: Vec<usize> = locals.map(|local| local.size).collect();
        sizes.sort_unstable();
        sizes
    }

    /// What there is: the kernels of each phase in order, sums, and sizes of locals.
    pub fn describe(&self) -> String {
        let mut text = String::new();
        for phase in Phase::ALL {
            let names = self.names(phase);
            if !names.is_empty() {
                let _ = writeln!(text, "  {}: {}", phase.name(), names.join(" "));
            }
        }
        let mut sums: BTreeMap<&str, usize> = BTreeMap::new();
        for sum in self.kernels.sums() {
            let name = match sum {
                Sum::Outer { .. } => "outer",
                Sum::Put { .. } => "put",
                Sum::Value { .. } => "value",
            };
            *sums.entry(name).or_default() += 1;
        }
        for (name, count) in sums {
            let _ = writeln!(text, "  sums: {count} {name}");
        }
        for span in [Span::Once, Span::Tile, Span::Step, Span::Chunk, Span::Sequence] {
            let sizes = self.locals(span);
            if !sizes.is_empty() {
                let _ = writeln!(text, "  {span:?}: {sizes:?}");
            }
        }
        text
    }
}

/// The description of a cell's three parts.
pub fn describe(parts: &[Part; 3]) -> String {
    let titles = ["forward", "taped", "backward"].iter().zip(parts);
    titles.map(|(title, part)| format!("{title}\n{}", part.describe())).collect()
}
