//! Differentiation, graph to graph: by reverse mode, and by forward mode ([`jvp()`]).
//!
//! A cell's graph becomes two ordinary graphs: a *forward* graph, which is the cell's with
//! residuals as further outputs, and a *backward* graph, which takes the residuals and the
//! cotangents of the results and gives the cotangents of the arguments. Looped over a sequence in
//! reverse, the backward graph is backpropagation through time (Werbos 1990): the cotangent of a
//! state is itself a state, carried from each step to the one before.
//!
//! | backward argument | is |
//! |---|---|
//! | param `W` | the parameter itself |
//! | input `y` | the cotangent of output `y` at this step |
//! | state `s` | the cotangent of state `s` after this step, from the steps that follow |
//! | residual `v7` | value `%7` of the forward graph at this step |
//!
//! | backward output | is |
//! |---|---|
//! | output `x` | the cotangent of input `x` at this step |
//! | next `s` | the cotangent of state `s` before this step |
//! | sum `W` | this step's share of the gradient of parameter `W` |

mod expr;
mod factors;
mod forward;
mod hold;
mod kinks;
mod rules;

use std::cell::RefCell;

use thiserror::Error;

use self::expr::{Builder, Expr};
pub use self::factors::factors;
pub use self::forward::jvp;
pub use self::hold::{Held, hold};
pub use self::kinks::branches;
use crate::ir::graph::{Graph, OutputRole, ValueId};
use crate::ir::op::{Op, Role, Shape, TypeError};

/// A differentiated graph.
///
/// The residuals tie the two together: the residual outputs of `forward` are the residual
/// arguments of `backward`, by name, type and order. Arguments and outputs that stand for the
/// cell's own params, inputs, states and outputs are in the cell's order.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradient {
    /// The graph itself, with residuals as further outputs.
    pub forward: Graph,
    /// From residuals and cotangents of results to cotangents of arguments.
    pub backward: Graph,
}

impl Gradient {
    /// Checks the typed interface between the two graphs, from both sides.
    ///
    /// # Errors
    /// The first residual that differs.
    pub fn check_residuals(&self) -> Result<(), DifferentiateError> {
        let Self { forward, backward } = self;
        let given = forward.outputs_of(OutputRole::Residual);
        let given: Vec<_> = given.map(|o| (o.name.as_str(), forward.ty(o.value))).collect();
        let taken = backward.arguments_of(Role::Residual);
        let taken: Vec<_> = taken.map(|(id, name)| (name, backward.ty(id))).collect();
        let mut pairs = given.iter().zip(&taken);
        if let Some(((name, _), _)) = pairs.find(|(given, taken)| given != taken) {
            return Err(DifferentiateError::Residual((*name).to_owned()));
        }
        match given.iter().skip(taken.len()).chain(taken.iter().skip(given.len())).next() {
            Some((name, _)) => Err(DifferentiateError::Residual((*name).to_owned())),
            None => Ok(()),
        }
    }
}

/// A bug in a derivative rule, or residuals that do not match.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DifferentiateError {
    /// A rule built an ill-typed operation.
    #[error("a derivative rule is ill-typed: {0}")]
    Rule(#[from] TypeError),
    /// The residuals of the two graphs differ.
    #[error("residual `{0}` differs between the forward and the backward graph")]
    Residual(String),
}

/// Differentiates a verified graph by reverse mode.
///
/// Every param, real input and state gets a cotangent, if only zero; a mask gets none.
///
/// # Errors
/// Only by a bug: if a rule is ill-typed, or the residuals do not match.
pub fn differentiate(graph: &Graph) -> Result<Gradient, DifferentiateError> {
    let builder = Builder::new(Graph::new(format!("{}.backward", graph.name())));
    let tape = Tape::new(graph, &builder);
    let mut cotangents: Vec<Option<Expr<'_>>> = vec![None; graph.len()];
    // The backward graph's interface is complete and in order, whether or not a leaf is used.
    for (id, name) in graph.arguments_of(Role::Param) {
        tape.declare(id, Role::Param, name);
    }
    for output in graph.outputs_of(OutputRole::Output) {
        let g = tape.cotangent(Role::Input, &output.name, output.value);
        accumulate(&mut cotangents[output.value.index()], g);
    }
    for (_, state) in graph.arguments_of(Role::State) {
        let next = graph.outputs_of(OutputRole::Next).find(|output| output.name == state);
        let Some(output) = next else { continue };
        let g = tape.cotangent(Role::State, &output.name, output.value);
        accumulate(&mut cotangents[output.value.index()], g);
    }
    for id in graph.ids().rev() {
        let Some(g) = cotangents[id.index()] else { continue };
        let site = ValueSite { tape: &tape, graph, id, g };
        let terms = rules::vjp(graph.op(id), &site);
        for (&operand, term) in graph.operands(id).iter().zip(terms) {
            if let Some(term) = term {
                accumulate(&mut cotangents[operand.index()], term);
            }
        }
    }
    for (id, role, name) in graph.arguments() {
        let role = match role {
            Role::Param => OutputRole::Sum,
            Role::Input | Role::Residual => OutputRole::Output,
            Role::State => OutputRole::Next,
            Role::Mask(_) => continue,
        };
        if graph.ty(id).is_real() {
            let cotangent = cotangents[id.index()].unwrap_or_else(|| tape.zero(id));
            builder.with(|backward| backward.output(role, name, cotangent.id()));
        }
    }
    let kept = tape.into_kept();
    let backward = builder.finish()?;
    let mut forward = graph.clone();
    for id in kept {
        forward.output(OutputRole::Residual, residual_name(id), id);
    }
    let gradient = Gradient { forward, backward };
    gradient.check_residuals()?;
    Ok(gradient)
}

/// A value used twice has the sum of the cotangents of its uses.
fn accumulate<'b>(sum: &mut Option<Expr<'b>>, term: Expr<'b>) {
    *sum = Some(sum.map_or(term, |sum| sum + term));
}

/// The values of the forward graph, as the backward graph sees them.
struct Tape<'b> {
    graph: &'b Graph,
    builder: &'b Builder,
    /// Whether a value is the same for all examples and steps: it is computed again, not kept.
    uniform: Vec<bool>,
    state: RefCell<TapeState<'b>>,
}

struct TapeState<'b> {
    seen: Vec<Option<Expr<'b>>>,
    kept: Vec<ValueId>,
}

impl<'b> Tape<'b> {
    fn new(graph: &'b Graph, builder: &'b Builder) -> Self {
        let varying = graph.arguments().filter(|(_, role, _)| *role != Role::Param);
        let varying = graph.descendants(varying.map(|(id, ..)| id));
        let state = TapeState { seen: vec![None; graph.len()], kept: Vec::new() };
        let uniform = varying.iter().map(|varying| !varying).collect();
        Self { graph, builder, uniform, state: RefCell::new(state) }
    }

    /// Declares a leaf of the backward graph that stands for a value of the forward graph.
    fn declare(&self, id: ValueId, role: Role, name: &str) -> Expr<'b> {
        let ty = self.graph.ty(id).clone();
        let leaf = self.builder.with(|backward| backward.argument(role, name, ty));
        let leaf = self.builder.expr(leaf);
        self.state.borrow_mut().seen[id.index()] = Some(leaf);
        leaf
    }

    /// Declares a leaf of the backward graph that is the cotangent of a value.
    fn cotangent(&self, role: Role, name: &str, of: ValueId) -> Expr<'b> {
        let ty = self.graph.ty(of).clone();
        self.builder.expr(self.builder.with(|backward| backward.argument(role, name, ty)))
    }

    fn zero(&self, like: ValueId) -> Expr<'b> {
        let zero = self.builder.push(Op::constant(0.0), &[]);
        zero.broadcast(&self.graph.ty(like).shape)
    }

    /// A value of the forward graph: computed again if that costs no more than reading it would,
    /// else kept as a residual.
    fn get(&self, id: ValueId) -> Expr<'b> {
        if let Some(seen) = self.state.borrow().seen[id.index()] {
            return seen;
        }
        let op = self.graph.op(id);
        // What is stopped stays so in second derivatives.
        let moves = matches!(
            op,
            Op::Concat { .. }
                | Op::Slice { .. }
                | Op::Broadcast { .. }
                | Op::Reshape { .. }
                | Op::Stop
        );
        if !moves && !self.uniform[id.index()] {
            self.state.borrow_mut().kept.push(id);
            return self.declare(id, Role::Residual, &residual_name(id));
        }
        let operands: Vec<_> = self.graph.operands(id).iter().map(|&o| self.get(o).id()).collect();
        let again = self.builder.push(op.clone(), &operands);
        self.state.borrow_mut().seen[id.index()] = Some(again);
        again
    }

    fn into_kept(self) -> Vec<ValueId> {
        self.state.into_inner().kept
    }
}

/// What a value of the forward graph is called as a residual.
pub(crate) fn residual_name(id: ValueId) -> String {
    format!("v{}", id.index())
}

/// An operation of the forward graph, as its derivative rule sees it.
struct ValueSite<'a, 'b> {
    tape: &'a Tape<'b>,
    graph: &'b Graph,
    id: ValueId,
    g: Expr<'b>,
}

impl<'b> rules::Site<'b> for ValueSite<'_, 'b> {
    fn g(&self) -> Expr<'b> {
        self.g
    }

    fn y(&self) -> Expr<'b> {
        self.tape.get(self.id)
    }

    fn x(&self, operand: usize) -> Expr<'b> {
        self.tape.get(self.graph.operands(self.id)[operand])
    }

    fn shape(&self, operand: usize) -> Shape {
        self.graph.ty(self.graph.operands(self.id)[operand]).shape.clone()
    }

    fn arity(&self) -> usize {
        self.graph.operands(self.id).len()
    }
}
