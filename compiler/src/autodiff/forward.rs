//! Forward-mode differentiation, graph to graph (Griewank & Walther 2008, chapter 3).
//!
//! [`jvp`] makes of a graph one that has a *tangent* beside each real argument and each result: the
//! derivative along a direction that the tangents of the arguments are. It is the product of the
//! Jacobian with that direction, computed beside the values themselves. What comes of it is an
//! ordinary graph. The tangent of a state is a state, so looped over a sequence it is forward-mode
//! differentiation of the whole run.
//!
//! | argument or result | has beside it |
//! |---|---|
//! | param `W`, input `x`, state `h`, residual `v7` | `W.tangent`, `x.tangent`, `h.tangent`, `v7.tangent` |
//! | output `y`, next `h`, residual `v7`, sum `W` | `y.tangent`, `h.tangent`, `v7.tangent`, `W.tangent` |
//!
//! Each stands right behind what it is the tangent of. An index has no tangent, and no mask has. No name of the
//! language has a point in it; a graph that has such a name all the same, being the jvp of another,
//! gets tangents whose names end in underscores.
//!
//! [`Gradient::jvp`] applies this to both graphs of a gradient: *forward over reverse*. The backward
//! graph of it takes the residuals with their tangents, and gives beside each cotangent its
//! derivative along the direction: a row of the product of the Hessian with the direction
//! (Pearlmutter 1994). Such a gradient runs as any other does.

use super::expr::{Builder, Expr};
use super::rules::{self, Moved};
use super::{DifferentiateError, Gradient};
use crate::ir::graph::{Graph, Operands, OutputRole, ValueId};
use crate::ir::op::{Op, Role, TypeError};

/// The graph with tangents: from arguments and their tangents to results and theirs.
///
/// # Errors
/// Only by a bug: if a rule is ill-typed.
pub fn jvp(graph: &Graph) -> Result<Graph, DifferentiateError> {
    Ok(Tangents::new(graph, |_, _| true).finish(graph, |_| true)?)
}

impl Gradient {
    /// Both graphs with tangents: forward over reverse.
    ///
    /// A residual whose tangent is zero in every direction, as that of a comparison is, has none on
    /// either side.
    ///
    /// # Errors
    /// Only by a bug: if a rule is ill-typed, or the residuals do not match.
    pub fn jvp(&self) -> Result<Self, DifferentiateError> {
        let Self { forward, backward } = self;
        let of_forward = Tangents::new(forward, |_, _| true);
        let moves = |name: &str| {
            let mut residuals = forward.outputs_of(OutputRole::Residual);
            residuals.any(|output| output.name == name && of_forward.moves(output.value))
        };
        let moves = |role, name: &str| role != Role::Residual || moves(name);
        let backward = Tangents::new(backward, moves).finish(backward, |_| true)?;
        let kept = |role| role != OutputRole::Residual;
        let gradient = Self { forward: of_forward.finish(forward, kept)?, backward };
        gradient.check_residuals()?;
        Ok(gradient)
    }
}

/// A graph with tangents, while it is built.
struct Tangents {
    builder: Builder,
    /// The values of the first graph in this one.
    values: Vec<ValueId>,
    /// Their tangents; `None` where they are zero in every direction.
    tangents: Vec<Option<ValueId>>,
}

impl Tangents {
    /// All values of a graph with their tangents; `moves` says which arguments have one.
    fn new(graph: &Graph, moves: impl Fn(Role, &str) -> bool) -> Self {
        let builder = Builder::new(Graph::new(format!("{}.tangent", graph.name())));
        let mut values: Vec<ValueId> = Vec::with_capacity(graph.len());
        let mut tangents: Vec<Option<ValueId>> = Vec::with_capacity(graph.len());
        for id in graph.ids() {
            let ty = graph.ty(id);
            let (value, tangent) = match graph.op(id) {
                Op::Argument { role, name } => {
                    let leaf =
                        |name: &str| builder.with(|new| new.argument(*role, name, ty.clone()));
                    let value = leaf(name);
                    let tangent = (ty.is_real() && role.is_differentiable() && moves(*role, name))
                        .then(|| leaf(&tangent_name(name, &names(graph, Group::of(*role)))));
                    (value, tangent)
                }
                op => {
                    let operands = graph.operands(id).iter();
                    let operands: Operands = operands.map(|o| values[o.index()]).collect();
                    let y = builder.push(op.clone(), &operands);
                    let x = operands.iter().map(|&x| builder.expr(x)).collect();
                    let t = graph.operands(id).iter().map(|o| tangents[o.index()]);
                    let t = t.map(|t| t.map(|t| builder.expr(t))).collect();
                    let tangent = rules::jvp(op, &Moved { y, x, t });
                    (y.id(), tangent.map(Expr::id))
                }
            };
            values.push(value);
            tangents.push(tangent);
        }
        Self { builder, values, tangents }
    }

    /// Whether a value of the first graph has a tangent that is not zero in every direction.
    fn moves(&self, id: ValueId) -> bool {
        self.tangents[id.index()].is_some()
    }

    /// Names the results; those of roles that `zeros` lets through have a tangent even if it is zero.
    fn finish(self, graph: &Graph, zeros: impl Fn(OutputRole) -> bool) -> Result<Graph, TypeError> {
        let Self { builder, values, tangents } = self;
        for output in graph.outputs() {
            let value = values[output.value.index()];
            let tangent = tangents[output.value.index()]
                .or_else(|| zeros(output.role).then(|| builder.expr(value).fill(0.0).id()));
            builder.with(|new| new.output(output.role, &output.name, value));
            if let Some(tangent) = tangent {
                let name = tangent_name(&output.name, &names(graph, Group::of_output(output.role)));
                builder.with(|new| new.output(output.role, name, tangent));
            }
        }
        builder.finish()
    }
}

/// Arguments and outputs that go by the same names, on whichever side of a loop or of a gradient.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    Params,
    Inputs,
    States,
    Residuals,
    Masks,
    Outputs,
}

impl Group {
    fn of(role: Role) -> Self {
        match role {
            Role::Param => Self::Params,
            Role::Input => Self::Inputs,
            Role::State => Self::States,
            Role::Residual => Self::Residuals,
            Role::Mask(_) => Self::Masks,
        }
    }

    fn of_output(role: OutputRole) -> Self {
        match role {
            OutputRole::Output => Self::Outputs,
            OutputRole::Next => Self::States,
            OutputRole::Residual => Self::Residuals,
            OutputRole::Sum => Self::Params,
        }
    }
}

/// The names of a group in a graph.
fn names(graph: &Graph, group: Group) -> Vec<&str> {
    let arguments = graph.arguments().filter(|(_, role, _)| Group::of(*role) == group);
    let outputs = graph.outputs().iter().filter(|output| Group::of_output(output.role) == group);
    arguments.map(|(.., name)| name).chain(outputs.map(|output| output.name.as_str())).collect()
}

/// What the tangent of a named value is called, among these names.
fn tangent_name(name: &str, taken: &[&str]) -> String {
    let mut tangent = format!("{name}.tangent");
    while taken.contains(&tangent.as_str()) {
        tangent.push('_');
    }
    tangent
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::autodiff::differentiate;
    use crate::ir::text::parse;
    use crate::ir::verify::verify;

    fn graph(text: &str) -> Graph {
        let graph = parse(text).unwrap();
        verify(&graph).unwrap();
        graph
    }

    #[test]
    fn each_argument_and_result_has_a_tangent_behind_it() {
        let decay = graph(
            "graph decay
            %0 = param w : [3]
            %1 = input i : index(3)
            %2 = state h : [3]
            %3 = take %0, %1 : []
            %4 = broadcast %3 : [3]
            %5 = mul %4, %2 : [3]
            %6 = less %5, %2 : [3]
            next h = %5
            output y = %6",
        );
        let tangent = jvp(&decay).unwrap();
        verify(&tangent).unwrap();
        let expected = graph(
            "graph decay.tangent
            %0 = param w : [3]
            %1 = param w.tangent : [3]
            %2 = input i : index(3)
            %3 = state h : [3]
            %4 = state h.tangent : [3]
            %5 = take %0, %2 : []
            %6 = take %1, %2 : []
            %7 = broadcast %5 : [3]
            %8 = broadcast %6 : [3]
            %9 = mul %7, %3 : [3]
            %10 = mul %8, %3 : [3]
            %11 = mul %8, %7 : [3]
            %12 = mul %4, %3 : [3]
            %13 = mul %4, %7 : [3]
            %14 = add %10, %13 : [3]
            %15 = less %9, %3 : [3]
            %16 = constant 0.0 : []
            %17 = broadcast %16 : [3]
            next h = %9
            next h.tangent = %14
            output y = %15
            output y.tangent = %17",
        );
        assert_eq!(tangent.to_string(), expected.to_string());
    }

    #[test]
    fn tangents_take_no_name_that_is_there() {
        let taken = graph(
            "graph g
            %0 = input x : []
            %1 = input x.tangent : []
            %2 = state x : []
            %3 = mul %0, %1 : []
            next x = %2
            output x = %3",
        );
        let tangent = jvp(&taken).unwrap();
        verify(&tangent).unwrap();
        let names: Vec<_> = tangent.arguments().map(|(_, _, name)| name).collect();
        let inputs = ["x", "x.tangent_", "x.tangent", "x.tangent.tangent"];
        assert_eq!(names, inputs.into_iter().chain(["x", "x.tangent"]).collect::<Vec<_>>());
        let twice = jvp(&tangent).unwrap();
        verify(&twice).unwrap();
        assert_eq!(parse(&twice.to_string()).as_ref(), Ok(&twice));
    }

    #[test]
    fn a_residual_that_never_moves_has_no_tangent() {
        let step = graph(
            "graph step
            %0 = input x : [2]
            %1 = input a : [2]
            %2 = less %0, %1 : [2]
            %3 = mul %2, %1 : [2]
            %4 = mul %3, %0 : [2]
            output y = %4",
        );
        let gradient = differentiate(&step).unwrap().jvp().unwrap();
        let residuals = gradient.forward.outputs_of(OutputRole::Residual);
        let residuals: Vec<_> = residuals.map(|output| output.name.as_str()).collect();
        assert!(residuals.contains(&"v2") && !residuals.contains(&"v2.tangent"), "{residuals:?}");
        assert!(residuals.contains(&"v0.tangent"), "{residuals:?}");
        verify(&gradient.backward).unwrap();
    }
}
