//! What the tape keeps: which residuals the backward graph reads, and which it computes again.
//!
//! Differentiation makes a residual of every value that a derivative rule asks for. Two passes over
//! a [`Gradient`], each of the same meaning, make fewer of them:
//!
//! - [`drop_unread`] drops residuals that a simplified backward graph does not read;
//! - [`recompute`] has the backward graph compute cheap residuals again, from what it has anyway.
//!
//! # What keeping costs
//!
//! Costs are counted in elementwise operations on one element. To keep an element is to store it in
//! the forward loop and to load it in the backward loop, and takes memory for as long as the sequence
//! lasts. A run's tape does not fit into caches: at 10 GB/s a store or load of an f32 takes 0.4 ns, in
//! which vectors of 4 elements do more than 4 additions. So a load costs 4, a store as much, and the
//! memory is taken to be worth another 4, so that it decides between equals: 12 together.
//!
//! To compute an element again costs
//!
//! - 1 for each of add, sub, mul, neg, abs, relu, max, min, comparisons and select;
//! - nothing for a broadcast or a reshape of what is in memory, which are read in place, for a
//!   constant, and for what is the same for all rows;
//! - nothing for a residual that stays;
//! - a load for an input, a state, a next state or an output that was no residual before. As a
//!   residual it takes no memory: it is kept in any case, and read where it is;
//! - more than keeping it for anything else: transcendental functions, divisions, roots, products,
//!   reductions, and moves of data that must be written to memory.
//!
//! A residual is computed again if that costs less than 12 for each of its elements, and if the
//! backward loop would keep it in registers: if all that reads it is elementwise and runs in one
//! phase. What a product reads is in memory, and so is what one phase computes and another reads:
//! computing that again would store it again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::autodiff::{Gradient, residual_name};
use crate::ir::graph::{Graph, Operands, OutputRole, ValueId};
use crate::ir::op::{Binary, Class, Op, Role, TypeError, Unary};
use crate::opt::keep;
use crate::phases::{Loop, Phase, phases};

/// What it costs to read an element from memory.
const LOAD: usize = 4;
/// What it costs to keep an element: a store, a load, and memory.
const KEEP: usize = 12;

/// Drops the residuals that the backward graph does not read, from both graphs.
///
/// # Errors
/// None: kept operations keep their types.
pub fn drop_unread(gradient: &Gradient) -> Result<Gradient, TypeError> {
    let Gradient { forward, backward } = gradient;
    let read = |id: ValueId| {
        backward.users(id).next().is_some() || backward.outputs().iter().any(|o| o.value == id)
    };
    let unread = backward.arguments_of(Role::Residual).filter(|(id, _)| !read(*id));
    let unread: BTreeSet<&str> = unread.map(|(_, name)| name).collect();
    let mut dropped = Graph::new(backward.name());
    let mut placed: Vec<Option<ValueId>> = vec![None; backward.len()];
    for id in backward.ids() {
        if !is_argument(backward, id, |role, name| role == Role::Residual && unread.contains(name))
        {
            let operands: Vec<ValueId> =
                backward.operands(id).iter().filter_map(|o| placed[o.index()]).collect();
            placed[id.index()] = Some(keep(&mut dropped, backward, id, &operands)?);
        }
    }
    for output in backward.outputs() {
        if let Some(value) = placed[output.value.index()] {
            dropped.output(output.role, &output.name, value);
        }
    }
    let kept = forward.outputs_of(OutputRole::Residual);
    let kept: Vec<_> = kept.filter(|output| !unread.contains(output.name.as_str())).collect();
    let residuals = kept.into_iter().map(|output| (output.name.clone(), output.value)).collect();
    Ok(Gradient { forward: with_residuals(forward, residuals)?, backward: dropped })
}

/// Has the backward graph compute again what is cheaper than keeping it.
///
/// # Errors
/// Only by a bug: if the graphs are not verified.
pub fn recompute(gradient: &Gradient) -> Result<Gradient, TypeError> {
    let Gradient { forward, backward } = gradient;
    let mut tape = Tape::new(forward, backward);
    tape.choose(backward);
    let mut placed: Vec<ValueId> = Vec::with_capacity(backward.len());
    for id in backward.ids() {
        let value = match backward.op(id) {
            Op::Argument { role: Role::Residual, name } => tape.residual(name),
            Op::Argument { role: Role::Param, name } => forward.find_argument(Role::Param, name),
            _ => None,
        };
        let value = match value {
            Some(value) => tape.get(value)?,
            None => {
                let operands: Vec<_> =
                    backward.operands(id).iter().map(|o| placed[o.index()]).collect();
                keep(&mut tape.new, backward, id, &operands)?
            }
        };
        placed.push(value);
    }
    for output in backward.outputs() {
        tape.new.output(output.role, &output.name, placed[output.value.index()]);
    }
    Ok(Gradient { forward: with_residuals(forward, tape.residuals)?, backward: tape.new })
}

/// Whether a value is a leaf of such a role and name.
fn is_argument(graph: &Graph, id: ValueId, wanted: impl Fn(Role, &str) -> bool) -> bool {
    matches!(graph.op(id), Op::Argument { role, name } if wanted(*role, name))
}

/// A forward graph with other residuals than it had.
fn with_residuals(forward: &Graph, residuals: Vec<(String, ValueId)>) -> Result<Graph, TypeError> {
    let mut new = Graph::new(forward.name());
    for id in forward.ids() {
        // Values are copied in order, so each keeps its number.
        keep(&mut new, forward, id, forward.operands(id))?;
    }
    for output in forward.outputs().iter().filter(|output| output.role != OutputRole::Residual) {
        new.output(output.role, &output.name, output.value);
    }
    for (name, value) in residuals {
        new.output(OutputRole::Residual, name, value);
    }
    Ok(new)
}

/// The values of the forward graph, as a new backward graph sees them.
struct Tape<'g> {
    forward: &'g Graph,
    /// The residuals by value, each with its name.
    named: BTreeMap<ValueId, String>,
    /// Whether a value is kept in any case.
    free: Vec<bool>,
    /// Whether a value is the same for all examples and steps.
    uniform: Vec<bool>,
    /// Whether a value is computed again.
    again: Vec<bool>,
    new: Graph,
    /// Where values are in the new graph.
    seen: Vec<Option<ValueId>>,
    /// The residuals of the new graph, in order.
    residuals: Vec<(String, ValueId)>,
}

impl<'g> Tape<'g> {
    fn new(forward: &'g Graph, backward: &Graph) -> Self {
        let varying = forward.arguments().filter(|(_, role, _)| *role != Role::Param);
        let varying = forward.descendants(varying.map(|(id, ..)| id));
        let mut free = vec![false; forward.len()];
        for (id, ..) in forward.arguments() {
            free[id.index()] = varying[id.index()];
        }
        for output in forward.outputs() {
            if matches!(output.role, OutputRole::Output | OutputRole::Next) {
                free[output.value.index()] = varying[output.value.index()];
            }
        }
        let residuals = forward.outputs_of(OutputRole::Residual);
        Self {
            forward,
            named: residuals.map(|output| (output.value, output.name.clone())).collect(),
            free,
            uniform: varying.iter().map(|varying| !varying).collect(),
            again: vec![false; forward.len()],
            new: Graph::new(backward.name()),
            seen: vec![None; forward.len()],
            residuals: Vec::new(),
        }
    }

    /// The value of a residual.
    fn residual(&self, name: &str) -> Option<ValueId> {
        let mut outputs = self.forward.outputs_of(OutputRole::Residual);
        outputs.find(|output| output.name == name).map(|output| output.value)
    }

    /// Chooses what is computed again: operands before users, so that each choice knows those
    /// before it.
    fn choose(&mut self, backward: &Graph) {
        let looped = phases(backward);
        let equal = self.equal(backward);
        let mut read: BTreeSet<ValueId> = self.named.keys().copied().collect();
        let residuals: Vec<ValueId> = read.iter().copied().collect();
        for id in residuals {
            if self.free[id.index()] || !in_registers(&looped, &equal[id.index()]) {
                continue;
            }
            let phases = |id: ValueId| reading_phases(&looped, &equal[id.index()]);
            let elsewhere = |part: ValueId| !phases(part).is_subset(&phases(id));
            if let Some(loaded) = self.cheap(id, &read, elsewhere) {
                self.again[id.index()] = true;
                read.remove(&id);
                read.extend(loaded);
            }
        }
    }

    /// For each value, the values of the backward graph that are equal to it: the residual itself,
    /// and what a derivative rule computes again.
    fn equal(&self, backward: &Graph) -> Vec<Vec<ValueId>> {
        let forward = self.forward;
        let key = |graph: &Graph, id: ValueId, operands| (graph.op(id).clone(), operands);
        let known: HashMap<(Op, Operands), ValueId> =
            forward.ids().map(|id| (key(forward, id, forward.operands(id).into()), id)).collect();
        let mut equal = vec![Vec::new(); forward.len()];
        let mut stands_for: Vec<Option<ValueId>> = Vec::with_capacity(backward.len());
        for id in backward.ids() {
            let value = match backward.op(id) {
                Op::Argument { role: Role::Residual, name } => self.residual(name),
                Op::Argument { role: Role::Param, .. } | Op::Constant(_) => {
                    known.get(&key(backward, id, Operands::new())).copied()
                }
                Op::Argument { .. } => None,
                _ => {
                    let operands = backward.operands(id).iter().map(|o| stands_for[o.index()]);
                    let operands = operands.collect::<Option<Operands>>();
                    operands.and_then(|operands| known.get(&key(backward, id, operands)).copied())
                }
            };
            if let Some(value) = value {
                equal[value.index()].push(id);
            }
            stands_for.push(value);
        }
        equal
    }

    /// What must be loaded to compute a value again, if that is cheaper than keeping it. `read` is
    /// what the backward graph reads anyway, and `elsewhere` tells what it computes for another
    /// phase: that would be stored from the one to the other.
    fn cheap(
        &self,
        root: ValueId,
        read: &BTreeSet<ValueId>,
        elsewhere: impl Fn(ValueId) -> bool,
    ) -> Option<Vec<ValueId>> {
        let size = |id: ValueId| self.forward.ty(id).size();
        let mut cost = 0;
        let mut loaded = Vec::new();
        let mut reached = BTreeSet::new();
        let mut todo = vec![root];
        while let Some(id) = todo.pop() {
            if !reached.insert(id) || self.uniform[id.index()] {
                continue;
            }
            let stays = id != root && !self.again[id.index()];
            if stays && read.contains(&id) {
                continue;
            }
            if stays && self.free[id.index()] {
                cost += LOAD * size(id);
                loaded.push(id);
            } else {
                let operations = operations(self.forward.op(id))?;
                // What costs nothing is read in place: no phase stores it for another.
                if operations > 0 && elsewhere(id) {
                    return None;
                }
                cost += operations * size(id);
                todo.extend(self.forward.operands(id));
            }
            if cost >= KEEP * size(root) {
                return None;
            }
            // What is repeated is read from memory: it must be there.
            if let Op::Broadcast { .. } | Op::Reshape { .. } = self.forward.op(id) {
                let operand = self.forward.operands(id)[0];
                let there = self.uniform[operand.index()]
                    || !self.again[operand.index()]
                        && (read.contains(&operand) || self.free[operand.index()]);
                if !there {
                    return None;
                }
            }
        }
        Some(loaded)
    }

    /// A value in the new graph: a residual, or computed again.
    fn get(&mut self, id: ValueId) -> Result<ValueId, TypeError> {
        if let Some(seen) = self.seen[id.index()] {
            return Ok(seen);
        }
        let forward = self.forward;
        let residual = self.free[id.index()] || self.named.contains_key(&id);
        let value = if residual && !self.again[id.index()] {
            let name = self.name(id);
            self.residuals.push((name.clone(), id));
            self.new.argument(Role::Residual, name, forward.ty(id).clone())
        } else {
            let operands: Vec<_> =
                forward.operands(id).iter().map(|&o| self.get(o)).collect::<Result<_, _>>()?;
            keep(&mut self.new, forward, id, &operands)?
        };
        self.seen[id.index()] = Some(value);
        Ok(value)
    }

    /// The name of a residual, made up if it is a new one.
    fn name(&self, id: ValueId) -> String {
        if let Some(name) = self.named.get(&id) {
            return name.clone();
        }
        let mut name = residual_name(id);
        while self
            .named
            .values()
            .chain(self.residuals.iter().map(|(name, _)| name))
            .any(|n| *n == name)
        {
            name.push('_');
        }
        name
    }
}

/// Whether a value that the backward graph has at these places would be kept in registers if it were
/// computed once, as common subexpressions are.
fn in_registers(looped: &Loop, places: &[ValueId]) -> bool {
    let graph = looped.graph();
    let elementwise = |user| graph.op(user).class() == Class::Elementwise;
    let output = graph.outputs().iter().any(|output| places.contains(&output.value));
    !output
        && reading_phases(looped, places).len() == 1
        && places.iter().flat_map(|&id| graph.users(id)).all(elementwise)
}

/// The phases in which something reads a value that the backward graph has at these places.
fn reading_phases(looped: &Loop, places: &[ValueId]) -> BTreeSet<Phase> {
    let users = places.iter().flat_map(|&id| looped.graph().users(id));
    users.map(|user| looped.phase(user)).collect()
}

/// How much an operation costs for each element of its result; `None` if more than to keep it.
fn operations(op: &Op) -> Option<usize> {
    match op {
        Op::Unary(Unary::Neg | Unary::Abs | Unary::Relu) | Op::Select => Some(1),
        Op::Binary(op) if !matches!(op, Binary::Div | Binary::Pow) => Some(1),
        Op::Constant(_) | Op::Broadcast { .. } | Op::Reshape { .. } | Op::Stop => Some(0),
        _ => None,
    }
}
