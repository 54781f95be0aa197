//! Stops as inputs: what is differentiated no further, held where it is.
//!
//! A derivative takes what is behind a `stop` for a constant. Differences of the graph itself do not:
//! they agree with it if every stop keeps the value it has at the point where they are taken. So one
//! graph gives these values, and another takes them.

use super::DifferentiateError;
use super::expr::Builder;
use crate::ir::graph::{Graph, Operands, OutputRole, ValueId};
use crate::ir::op::{Op, Role};

/// A graph whose stops are inputs, and where their values come from.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// The graph with the value of each stop as a further output, behind all others.
    pub recorded: Graph,
    /// The graph with an input in place of each stop, behind all others: of the same name, type and
    /// order as those outputs.
    pub held: Graph,
}

/// Holds the stops of a graph; `None` if it has none.
///
/// # Errors
/// Only by a bug: if the graph is not verified.
pub fn hold(graph: &Graph) -> Result<Option<Held>, DifferentiateError> {
    let stops: Vec<ValueId> = graph.ids().filter(|&id| *graph.op(id) == Op::Stop).collect();
    if stops.is_empty() {
        return Ok(None);
    }
    let name = |stop: ValueId| format!("stop.v{}", stop.index());
    let mut recorded = graph.clone();
    stops.iter().for_each(|&stop| recorded.output(OutputRole::Output, name(stop), stop));

    let builder = Builder::new(Graph::new(format!("{}.held", graph.name())));
    let mut values: Vec<Option<ValueId>> = vec![None; graph.len()];
    for (id, role, name) in graph.arguments() {
        let ty = graph.ty(id).clone();
        values[id.index()] = Some(builder.with(|new| new.argument(role, name, ty)));
    }
    for &stop in &stops {
        let ty = graph.ty(stop).clone();
        let input = builder.with(|new| new.argument(Role::Input, name(stop), ty));
        values[stop.index()] = Some(input);
    }
    for id in graph.ids() {
        if values[id.index()].is_none() {
            let operands = graph.operands(id).iter();
            let operands: Operands = operands.filter_map(|o| values[o.index()]).collect();
            values[id.index()] = Some(builder.push(graph.op(id).clone(), &operands).id());
        }
    }
    for output in graph.outputs() {
        if let Some(value) = values[output.value.index()] {
            builder.with(|new| new.output(output.role, &output.name, value));
        }
    }
    Ok(Some(Held { recorded, held: builder.finish()? }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::text::parse;
    use crate::ir::verify::verify;

    #[test]
    fn each_stop_is_an_output_of_one_graph_and_an_input_of_the_other() {
        let graph = parse(
            "graph g
            %0 = input x : [2]
            %1 = stop %0 : [2]
            %2 = state h : [2]
            %3 = mul %1, %2 : [2]
            %4 = stop %3 : [2]
            %5 = mul %4, %3 : [2]
            next h = %5
            output y = %4",
        )
        .unwrap();
        let Held { recorded, held } = hold(&graph).unwrap().unwrap();
        verify(&recorded).unwrap();
        verify(&held).unwrap();
        let outputs: Vec<_> = recorded.outputs_of(OutputRole::Output).collect();
        let outputs: Vec<_> = outputs.iter().map(|output| output.name.as_str()).collect();
        assert_eq!(outputs, ["y", "stop.v1", "stop.v4"]);
        let expected = parse(
            "graph g.held
            %0 = input x : [2]
            %1 = state h : [2]
            %2 = input stop.v1 : [2]
            %3 = input stop.v4 : [2]
            %4 = mul %2, %1 : [2]
            %5 = mul %3, %4 : [2]
            next h = %5
            output y = %3",
        );
        assert_eq!(Ok(held), expected);
        assert_eq!(hold(&expected.unwrap()), Ok(None));
    }
}
