//! What a run does, resolved as far as it can be without memory: for each task of a plan either
//! the function to be called or the kernel and where its operands are.

use cellc_compiler::fuse::{Product, Sum};
use cellc_compiler::ir::graph::ValueId;
use cellc_compiler::ir::op::{Op, Unary};
use cellc_compiler::jit::{Code, FunctionId};
use cellc_compiler::phases::Phase;
use cellc_compiler::plan::{Place, Plan, Task};

/// What a tile of rows may touch, to stay in the first-level cache with room to spare.
const TILE_BYTES: usize = 24 << 10;
/// The most rows of a tile.
const TILE_ROWS: usize = 64;

/// Where the rows of a value are: an entry of the table, and elements from there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    pub(super) binding: usize,
    pub(super) offset: usize,
    pub(super) stride: usize,
    pub(super) tiled: bool,
    pub(super) len: usize,
}

/// Something to be done for rows.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// A compiled function.
    Call(FunctionId),
    /// A transcendental function of each element.
    Wide { function: Unary, from: Spot, to: Spot },
    /// A product with a packed matrix.
    Product { start: Vec<Spot>, parts: Vec<Spot>, packed: usize, to: Spot },
}

/// Actions that are done one after the other on a tile of rows before the next tile is begun.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    /// The most rows of a tile; `None` for all rows at once.
    pub(super) tile: Option<usize>,
    pub(super) actions: Vec<Action>,
    /// What is read and written that may not be in the cache, to be called there a tile before.
    pub(super) reads: Vec<Spot>,
    pub(super) writes: Vec<Spot>,
}

/// A matrix to be packed.
#[derive(Clone, Debug)]
pub(super) struct Pack {
    pub(super) binding: usize,
    pub(super) inner: usize,
    pub(super) outer: usize,
    pub(super) blocks: Vec<PackBlock>,
}

/// A block of a matrix to be packed: where it is, and where it goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct PackBlock {
    pub(super) from: Spot,
    pub(super) inner_is_contiguous: bool,
    pub(super) inner: [usize; 2],
    pub(super) outer: [usize; 2],
}

/// A sum over all rows.
#[derive(Clone, Debug)]
pub(super) enum SumAction {
    /// A compiled function.
    Call(FunctionId),
    /// Outer products: each `u` with each `v`, to a place of a sum output with its row stride.
    Outer { u: Vec<Spot>, v: Vec<Spot>, to: Vec<Spot> },
    /// A value whose columns are added up.
    Columns { from: Spot, to: Spot },
}

/// All that a run does.
#[derive(Debug)]
pub(super) struct Script {
    phases: [Vec<Stage>; Phase::ALL.len()],
    pub(super) packs: Vec<Pack>,
    /// In rounds: those of one round add to different elements. Each with the extent by which it
    /// can be done in parts.
    pub(super) sums: Vec<Vec<(SumAction, usize)>>,
    /// The rows for which tiled memory has room.
    pub(super) tile_rows: usize,
    /// The most parts of a product's start and of the vector that is multiplied.
    pub(super) parts: usize,
}

impl Script {
    /// The script of compiled code, for elements of so many bytes.
    pub(super) fn new(code: &Code, bytes: usize) -> Self {
        let plan = code.plan();
        let phases = Phase::ALL.map(|phase| {
            let groups = plan.groups(phase).iter().enumerate();
            groups
                .map(|(g, group)| {
                    let tasks = group.tasks.iter().enumerate();
                    let actions = tasks.flat_map(|(t, task)| match code.task(phase, g, t) {
                        Some(function) => vec![Action::Call(function)],
                        None => actions(plan, task),
                    });
                    let rows = TILE_BYTES / (group.row_elements(plan.graph()) * bytes).max(1);
                    let is_product = group.tasks.iter().any(|t| matches!(t, Task::Product(_)));
                    let tile = (!is_product).then(|| rows.clamp(1, TILE_ROWS));
                    let far = |ids: &[ValueId]| {
                        let spots = ids.iter().map(|&id| spot(plan, id));
                        spots.filter(|spot| tile.is_some() && !spot.tiled).collect::<Vec<_>>()
                    };
                    let (reads, writes) = (far(&group.reads), far(&group.writes));
                    Stage { tile, actions: actions.collect(), reads, writes }
                })
                .collect::<Vec<_>>()
        });
        let packs = plan.matrices().iter().enumerate().map(|(i, matrix)| Pack {
            binding: plan.packed(i).index(),
            inner: matrix.inner,
            outer: matrix.outer,
            blocks: (matrix.blocks.iter())
                .map(|block| {
                    let home = plan.home(block.source).expect("matrices are in memory");
                    let from = Place { offset: home.offset + block.offset, ..home };
                    PackBlock {
                        from: Spot { stride: block.stride, ..spot_at(from, 0) },
                        inner_is_contiguous: block.inner_is_contiguous,
                        inner: block.inner,
                        outer: block.outer,
                    }
                })
                .collect(),
        });
        let action = |i: usize| match code.sum(i) {
            Some(function) => SumAction::Call(function),
            None => sum_action(plan, &plan.sums()[i]),
        };
        let sums = rounds(plan).into_iter().map(|round| {
            let round = round.into_iter();
            round.map(|i| (action(i), plan.sums()[i].extent(plan.graph()))).collect()
        });
        Self {
            packs: packs.collect(),
            sums: sums.collect(),
            parts: (phases.iter().flatten().flat_map(|stage| &stage.actions))
                .map(|action| match action {
                    Action::Product { start, parts, .. } => start.len() + parts.len(),
                    Action::Call(_) | Action::Wide { .. } => 0,
                })
                .max()
                .unwrap_or(0),
            tile_rows: phases.iter().flatten().filter_map(|stage| stage.tile).max().unwrap_or(0),
            phases,
        }
    }

    /// The stages of a phase, in order.
    pub(super) fn phase(&self, phase: Phase) -> &[Stage] {
        &self.phases[phase as usize]
    }
}

/// The sums by number, in rounds that add to different elements.
fn rounds(plan: &Plan) -> Vec<Vec<usize>> {
    let mut rounds: Vec<Vec<usize>> = Vec::new();
    for (i, sum) in plan.sums().iter().enumerate() {
        let clash = |other: &usize| sum.overlaps(&plan.sums()[*other], plan.graph());
        match rounds.last_mut() {
            Some(round) if !round.iter().any(clash) => round.push(i),
            _ => rounds.push(vec![i]),
        }
    }
    rounds
}

fn spot_at(place: Place, len: usize) -> Spot {
    let Place { binding, offset, stride, tiled } = place;
    Spot { binding: binding.index(), offset, stride, tiled, len }
}

fn spot(plan: &Plan, id: ValueId) -> Spot {
    let place = plan.home(id).expect("what a task reads or writes is in memory");
    spot_at(place, plan.graph().ty(id).size())
}

/// What the runtime's kernels do for a task.
fn actions(plan: &Plan, task: &Task) -> Vec<Action> {
    let graph = plan.graph();
    match task {
        Task::Wide(values) => {
            let action = |&id: &ValueId| {
                let Op::Unary(function) = *graph.op(id) else {
                    unreachable!("a transcendental function has one operand")
                };
                let from = spot(plan, graph.operands(id)[0]);
                Action::Wide { function, from, to: spot(plan, id) }
            };
            values.iter().map(action).collect()
        }
        Task::Product(Product { value, start, parts, matrix }) => {
            let [start, parts] =
                [start, parts].map(|ids| ids.iter().map(|&id| spot(plan, id)).collect());
            let packed = plan.packed(*matrix).index();
            vec![Action::Product { start, parts, packed, to: spot(plan, *value) }]
        }
        Task::Map(_) | Task::Single(_) | Task::Copy { .. } => {
            unreachable!("`{}` is compiled", plan.describe(task))
        }
    }
}

/// What the runtime's kernels do for a sum.
fn sum_action(plan: &Plan, sum: &Sum) -> SumAction {
    let target = |to: &cellc_compiler::fuse::Target| Spot {
        binding: plan.sum_output(to.sum).index(),
        offset: to.offset,
        stride: to.stride,
        tiled: false,
        len: 0,
    };
    match sum {
        Sum::Outer { u, v, to } => SumAction::Outer {
            u: u.iter().map(|&u| spot(plan, u)).collect(),
            v: v.iter().map(|&v| spot(plan, v)).collect(),
            to: to.iter().map(target).collect(),
        },
        Sum::Value { value, to } => SumAction::Columns { from: spot(plan, *value), to: target(to) },
        Sum::Put { .. } => unreachable!("`{sum}` is compiled"),
    }
}
