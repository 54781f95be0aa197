//! Where values live.

use std::collections::{BTreeMap, BTreeSet};

use super::{Binding, BindingId, Local, Place, Plan, Span, Task, push};
use crate::fuse::{Product, Sum, View, map_operands, view};
use crate::ir::graph::{OutputRole, ValueId};
use crate::ir::op::Role;
use crate::phases::Phase;

/// Gives every stored value its place.
pub(super) fn place(plan: &mut Plan, reuse: bool, residuals: &[Place]) {
    plan.place_arguments(residuals);
    plan.packed = (0..plan.matrices().len()).map(|i| plan.bind(Binding::Packed(i))).collect();
    let uses = Uses::of(plan);
    plan.place_next(&uses);
    plan.place_computed(&uses, reuse);
    plan.outputs = plan.place_outputs();
    plan.residuals = plan.place_residuals();
    let sums = plan.graph().outputs_of(OutputRole::Sum).count();
    plan.sums = (0..sums).map(|i| plan.bind(Binding::Sum(i))).collect();
    plan.find_touched();
}

/// When a task runs: its phase, its group and its place there.
type Time = (Phase, usize, usize);

/// When values are computed and read.
struct Uses {
    /// For each computed value, when.
    computed: BTreeMap<ValueId, Time>,
    /// For each base, its readers.
    read: Vec<Vec<Time>>,
    /// Whether a base is read when all steps are done: by an output, or a matrix.
    outside: Vec<bool>,
    /// Whether a sum reads a base, at the end of a chunk.
    summed: Vec<bool>,
    /// Values that are computed in the memory of the one value that is computed from them, in it.
    in_place: BTreeMap<ValueId, ValueId>,
    /// Products that go on in the memory of what they start with, left by an earlier phase.
    goes_on: BTreeMap<ValueId, ValueId>,
}

impl Uses {
    fn of(plan: &Plan) -> Self {
        let graph = plan.graph();
        let base = |id: ValueId| plan.seat(id).base;
        let mut uses = Self {
            computed: BTreeMap::new(),
            read: vec![Vec::new(); graph.len()],
            outside: vec![false; graph.len()],
            summed: vec![false; graph.len()],
            in_place: BTreeMap::new(),
            goes_on: BTreeMap::new(),
        };
        for phase in Phase::ALL {
            for (g, group) in plan.groups(phase).iter().enumerate() {
                for (t, task) in group.tasks.iter().enumerate() {
                    let time = (phase, g, t);
                    for id in results(task) {
                        uses.computed.insert(id, time);
                        // What is computed in another's memory needs it from then on.
                        if base(id) != id {
                            uses.computed.entry(base(id)).or_insert(time);
                            uses.read[base(id).index()].push(time);
                        }
                    }
                    for id in operands(plan, task) {
                        uses.read[base(id).index()].push(time);
                    }
                }
            }
        }
        for output in graph.outputs().iter().filter(|output| output.role != OutputRole::Sum) {
            uses.outside[base(output.value).index()] = true;
        }
        for block in plan.matrices().iter().flat_map(|matrix| &matrix.blocks) {
            uses.outside[base(block.source).index()] = true;
        }
        for id in plan.sums().iter().flat_map(Sum::reads) {
            uses.summed[base(id).index()] = true;
        }
        uses.find_in_place(plan);
        uses
    }

    /// A value that only a transcendental function reads is computed in that one's memory, and one
    /// that only a product starts with in the product's.
    fn find_in_place(&mut self, plan: &Plan) {
        let graph = plan.graph();
        for (&id, &(phase, group, task)) in &self.computed {
            let &[reader] = self.read[id.index()].as_slice() else { continue };
            let users: Vec<ValueId> = graph.users(id).collect();
            let elsewhere = self.outside[id.index()] || self.summed[id.index()];
            let (&[user], false) = (users.as_slice(), elsewhere) else { continue };
            let together = (reader.0, reader.1) == (phase, group);
            let by_map = matches!(plan.groups(phase)[group].tasks[task], Task::Map(_));
            match &plan.groups(reader.0)[reader.1].tasks[reader.2] {
                Task::Wide(values) if together && by_map && values.contains(&user) => {
                    self.in_place.insert(id, user);
                }
                Task::Product(Product { value, start, .. }) if *start == [id] => {
                    if reader.0 == phase {
                        self.in_place.insert(id, *value);
                    } else if phase == Phase::Before
                        && !self.outside[plan.seat(*value).base.index()]
                        && plan.seat(*value).base == *value
                    {
                        self.goes_on.insert(*value, id);
                    }
                }
                _ => {}
            }
        }
    }

    /// The value in whose memory a value is computed.
    fn owner(&self, mut id: ValueId) -> ValueId {
        while let Some(&owner) = self.in_place.get(&id) {
            id = owner;
        }
        id
    }

    /// The span of a value's memory: where all its readers are.
    fn span(&self, id: ValueId) -> Span {
        let (phase, group, _) = self.computed[&id];
        let read = &self.read[id.index()];
        match phase {
            Phase::Once => Span::Once,
            _ if self.outside[id.index()] => Span::Sequence,
            _ if self.summed[id.index()] => Span::Chunk,
            _ if read.iter().all(|time| (time.0, time.1) == (phase, group)) => Span::Tile,
            Phase::Body if read.iter().all(|time| time.0 == Phase::Body) => Span::Step,
            _ => Span::Chunk,
        }
    }

    /// When a value is read last.
    fn last(&self, id: ValueId) -> Time {
        let read = self.read[id.index()].iter().copied().max();
        read.unwrap_or(self.computed[&id]).max(self.computed[&id])
    }
}

/// The values that a task computes.
fn results(task: &Task) -> Vec<ValueId> {
    match task {
        Task::Map(map) => map.values.clone(),
        Task::Wide(values) => values.clone(),
        Task::Product(product) => vec![product.value],
        Task::Single(id) => vec![*id],
        Task::Copy { .. } => Vec::new(),
    }
}

/// The values that a task reads from memory.
fn operands(plan: &Plan, task: &Task) -> Vec<ValueId> {
    let graph = plan.graph();
    match task {
        Task::Map(map) => map_operands(graph, map).collect(),
        Task::Wide(values) => values.iter().map(|&id| graph.operands(id)[0]).collect(),
        Task::Product(Product { start, parts, .. }) => parts.iter().chain(start).copied().collect(),
        Task::Single(id) => graph.operands(*id).to_vec(),
        Task::Copy { from, .. } => vec![*from],
    }
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

    /// Where a value is found: in another's memory, if it is a view or a part of a concatenation
    /// that is put together in place.
    fn seat(&self, id: ValueId) -> View {
        let found = view(self.graph(), id);
        match self.kernels.gathered().get(&found.base) {
            Some(whole) => View { base: whole.base, offset: whole.offset + found.offset },
            None => found,
        }
    }

    fn size(&self, id: ValueId) -> usize {
        self.graph().ty(id).size()
    }

    fn place_arguments(&mut self, residuals: &[Place]) {
        let of = |role| self.graph().arguments_of(role).map(|(id, _)| id).enumerate();
        let params = of(Role::Param).map(|(i, id)| (id, Binding::Param(i)));
        let inputs = of(Role::Input).map(|(i, id)| (id, Binding::Input(i)));
        let states = of(Role::State).map(|(i, id)| (id, Binding::Before(i)));
        let kept = of(Role::Residual).map(|(i, id)| (id, Binding::Residual(i)));
        let masks = self.graph().masks().enumerate().map(|(i, (id, ..))| (id, Binding::Mask(i)));
        let leaves: Vec<_> = params.chain(inputs).chain(states).chain(kept).chain(masks).collect();
        for (id, of) in leaves {
            let binding = self.bind(of);
            let (stride, found) = match of {
                Binding::Param(_) => (0, None),
                Binding::Residual(i) => (self.size(id), residuals.get(i)),
                _ => (self.size(id), None),
            };
            let own = Place { binding, offset: 0, stride, tiled: false };
            self.homes[id.index()] = Some(found.map_or(own, |&f| Place { binding, ..f }));
        }
    }

    /// Places each next value that the body computes in its state's history. What is computed
    /// elsewhere, or already is another state's next value, must be copied there.
    fn place_next(&mut self, uses: &Uses) {
        let states: Vec<_> =
            self.graph().arguments_of(Role::State).map(|(_, name)| name.to_owned()).collect();
        for (i, state) in states.iter().enumerate() {
            let next = self.graph().outputs_of(OutputRole::Next).find(|next| next.name == *state);
            let Some(value) = next.map(|next| next.value) else { continue };
            let found = self.seat(value);
            let in_body = uses.computed.get(&found.base).is_some_and(|time| time.0 == Phase::Body);
            let stride = self.size(value);
            let binding = self.bind(Binding::After(i));
            let to = Place { binding, offset: 0, stride, tiled: false };
            let home = &mut self.homes[found.base.index()];
            let whole = found.offset == 0 && self.kernels.graph().ty(found.base).size() == stride;
            if in_body && home.is_none() && whole {
                *home = Some(to);
            } else {
                let groups = self.groups.entry(Phase::Body).or_default();
                push(groups, Task::Copy { from: value, to });
            }
        }
    }

    fn place_computed(&mut self, uses: &Uses, reuse: bool) {
        let mut pool = Pool { free: BTreeMap::new(), busy: Vec::new() };
        let mut by_time: Vec<(Time, ValueId)> =
            uses.computed.iter().map(|(&id, &time)| (time, id)).collect();
        by_time.sort_unstable();
        for (time, id) in by_time {
            if !self.kernels.is_stored(id) {
                continue;
            }
            let id = self.seat(uses.owner(id)).base;
            if self.homes[id.index()].is_some() {
                continue;
            }
            if let Some(start) = uses.goes_on.get(&id) {
                self.homes[id.index()] = self.homes[uses.owner(*start).index()];
                continue;
            }
            let stride = self.size(id);
            let span = uses.span(id);
            let binding = match span {
                Span::Tile | Span::Step if reuse => {
                    let found = pool.take(time, span, stride);
                    let binding = found.unwrap_or_else(|| self.local(stride, span));
                    let Binding::Local(local) = self.binding(binding) else { continue };
                    self.locals[local].size = self.locals[local].size.max(stride);
                    pool.busy.push((uses.last(id), span, stride, binding));
                    binding
                }
                _ => self.local(stride, span),
            };
            let stride = if span == Span::Once { 0 } else { stride };
            let tiled = span == Span::Tile;
            self.homes[id.index()] = Some(Place { binding, offset: 0, stride, tiled });
        }
        for &id in uses.in_place.keys().chain(self.kernels.gathered().keys()) {
            let seat = self.seat(uses.owner(id));
            let home = self.homes[seat.base.index()];
            self.homes[id.index()] =
                home.map(|home| Place { offset: home.offset + seat.offset, ..home });
        }
    }

    /// Where outputs are found: where their values live if rows follow each other there.
    fn place_outputs(&mut self) -> Vec<Place> {
        let outputs = self.graph().outputs_of(OutputRole::Output);
        let values: Vec<ValueId> = outputs.map(|output| output.value).collect();
        values.into_iter().map(|value| self.port(value, |home, size| home.stride == size)).collect()
    }

    /// Where residuals are found: where their values live if each row has its own.
    fn place_residuals(&mut self) -> Vec<Place> {
        let residuals = self.graph().outputs_of(OutputRole::Residual);
        let values: Vec<ValueId> = residuals.map(|output| output.value).collect();
        values.into_iter().map(|value| self.port(value, |home, _| home.stride > 0)).collect()
    }

    fn port(&mut self, value: ValueId, fits: impl Fn(Place, usize) -> bool) -> Place {
        let size = self.size(value);
        match self.home(value) {
            Some(home) if fits(home, size) => home,
            _ => {
                let binding = self.local(size, Span::Sequence);
                let to = Place { binding, offset: 0, stride: size, tiled: false };
                let groups = self.groups.entry(Phase::After).or_default();
                push(groups, Task::Copy { from: value, to });
                to
            }
        }
    }

    /// Finds what each group touches.
    fn find_touched(&mut self) {
        let mut groups = std::mem::take(&mut self.groups);
        for group in groups.values_mut().flatten() {
            let varying = |id: &ValueId| self.home(*id).is_some_and(|home| home.stride > 0);
            let written = group.tasks.iter().flat_map(results);
            let written: BTreeSet<_> = written.filter(|&id| self.is_stored(id)).collect();
            let read = group.tasks.iter().flat_map(|task| operands(self, task));
            let read: BTreeSet<_> = read.filter(|id| !written.contains(id)).collect();
            group.reads = read.into_iter().filter(varying).collect();
            group.writes = written.into_iter().filter(varying).collect();
        }
        self.groups = groups;
    }
}

/// Memory that has been used and can be used again.
struct Pool {
    free: BTreeMap<(Span, usize), Vec<BindingId>>,
    /// What is in use: until when, and what it is.
    busy: Vec<(Time, Span, usize, BindingId)>,
}

impl Pool {
    /// Memory of a span that nobody reads any more, of this size.
    fn take(&mut self, now: Time, span: Span, size: usize) -> Option<BindingId> {
        // What a task reads is not written by it: its loads may be moved past its stores.
        let (over, busy) = self.busy.drain(..).partition(|(last, ..)| *last < now);
        self.busy = busy;
        let over: Vec<(Time, Span, usize, BindingId)> = over;
        for (_, span, size, binding) in over {
            self.free.entry((span, size)).or_default().push(binding);
        }
        self.free.get_mut(&(span, size))?.pop()
    }
}
