//! The verifier: the invariants that every pass may assume and must keep.

use std::collections::HashSet;

use smallvec::SmallVec;
use thiserror::Error;

use super::graph::{Graph, OutputRole};
use super::op::{MAX_ELEMENTS, Op, Role, Scalar, Type};

/// A broken invariant: a bug in the compiler, or in hand-written graph text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("graph `{graph}`: {fault}")]
pub struct VerifyError {
    /// The graph's name.
    pub graph: String,
    /// What is wrong, and where.
    pub fault: String,
}

/// Checks that
/// - every operand comes before its user and every type follows from the operands' types;
/// - no extent is 0, no rank is above 2, and no value has more than [`MAX_ELEMENTS`];
/// - names are unique within their role;
/// - the probability of a mask is in 0..1;
/// - each state has exactly one next value, of its own type, and nothing else has;
/// - each sum is of the shape of the parameter whose gradient it is;
/// - results are real.
///
/// # Errors
/// The first invariant that does not hold.
pub fn verify(graph: &Graph) -> Result<(), VerifyError> {
    let fail = |fault: String| Err(VerifyError { graph: graph.name().to_owned(), fault });
    let mut names = HashSet::new();
    for id in graph.ids() {
        let node = graph.node(id);
        if let Some(operand) = node.operands.iter().find(|operand| **operand >= id) {
            return fail(format!("{id} uses {operand}, which comes after it"));
        }
        if node.ty.rank() > 2 || node.ty.size() == 0 || node.ty.size() > MAX_ELEMENTS {
            return fail(format!(
                "{id} is {}: ranks go to 2, no extent is 0, sizes go to 2^31",
                node.ty
            ));
        }
        if let Op::Argument { role, name } = &node.op {
            if !names.insert((role.name(), name)) {
                return fail(format!("there are two {}s `{name}`", role.name()));
            }
            if !node.operands.is_empty() {
                return fail(format!("{id} is a leaf with operands"));
            }
            if !node.ty.is_real() && !matches!(role, Role::Input | Role::Residual) {
                return fail(format!("{} `{name}` is an index; only inputs can be", role.name()));
            }
            if let Role::Mask(Scalar(p)) = role
                && !(0.0..=1.0).contains(p)
            {
                return fail(format!("mask `{name}` has the probability {p:?}"));
            }
            continue;
        }
        let types: SmallVec<[&Type; 3]> = node.operands.iter().map(|&o| graph.ty(o)).collect();
        match node.op.result_type(&types) {
            Err(error) => return fail(format!("{id}: {error}")),
            Ok(ty) if ty != node.ty => {
                return fail(format!("{id} is of type {ty}, but is said to be {}", node.ty));
            }
            Ok(_) => {}
        }
    }
    let mut names = HashSet::new();
    for output in graph.outputs() {
        let (role, name) = (output.role.name(), &output.name);
        if output.value.index() >= graph.len() {
            return fail(format!("{role} `{name}` is {}, which does not exist", output.value));
        }
        if !names.insert((output.role, name)) {
            return fail(format!("there are two {role}s `{name}`"));
        }
        let ty = graph.ty(output.value);
        if !ty.is_real() && output.role != OutputRole::Residual {
            return fail(format!("{role} `{name}` is an index; results are real"));
        }
        let like = match output.role {
            OutputRole::Next => Some(Role::State),
            OutputRole::Sum => Some(Role::Param),
            OutputRole::Output | OutputRole::Residual => None,
        };
        if let Some(like) = like {
            match graph.find_argument(like, name) {
                Some(argument) if graph.ty(argument) != ty => {
                    let declared = graph.ty(argument);
                    return fail(format!("{role} `{name}` is {ty}, but `{name}` is {declared}"));
                }
                // A gradient's parameter need not occur in it: d(W x)/dW does not mention W.
                None if like == Role::State => {
                    return fail(format!("{role} `{name}` names no {}", like.name()));
                }
                _ => {}
            }
        }
    }
    for (_, state) in graph.arguments_of(Role::State) {
        if !graph.outputs_of(OutputRole::Next).any(|output| output.name == state) {
            return fail(format!("state `{state}` has no next value"));
        }
    }
    Ok(())
}
