//! Which operation of a model gives the first infinity or NaN.
//!
//! The interpreter runs a few sequences of a batch through the cells of the model, one by one: native
//! code tells what comes out of a cell, and not what it is made of.

use cellc_compiler::cell::{Cell, Initial};
use cellc_compiler::check::{Bindings, inspect};
use cellc_compiler::ir::eval::{Datum, eval};
use cellc_compiler::ir::graph::{OutputRole, ValueId};
use cellc_compiler::ir::op::{Op, Role};

use crate::batch::{Batch, Data, IGNORED, Targets};
use crate::blueprint::{Blueprint, CellText};
use crate::model::{Architecture, Feed, Model, Readout, Stage};

/// How many sequences of a batch are looked at.
const SEQUENCES: usize = 4;

/// An operation that gives what is no finite number, of operands that are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Culprit {
    /// The name of the stage that it is in.
    pub stage: String,
    /// The name of its cell.
    pub cell: String,
    /// The operation, as it is called in graphs.
    pub operation: &'static str,
    /// Whether it gives NaN, and not an infinity.
    pub nan: bool,
    /// The step of the sequence, from 1.
    pub step: usize,
    /// What is computed by it: the file, the line and the column.
    pub place: Option<(String, usize, usize)>,
}

/// Looks for the operation, in the first sequences of a batch that begins anew. `None` if all that is
/// computed for these is finite.
pub fn find(
    architecture: &Architecture,
    blueprint: &Blueprint,
    model: &Model<f32>,
    batch: &Batch,
) -> Option<Culprit> {
    let columns = 0..batch.extent.batch.min(SEQUENCES);
    let (stage, step, id, nan) = columns.into_iter().find_map(|column| {
        let mut outputs: Vec<Vec<Vec<f32>>> = Vec::new();
        for (i, stage) in architecture.stages.iter().enumerate() {
            let run = Run { architecture, stage, params: &model.stage_params()[i], batch, column };
            match run.outputs(&outputs) {
                Ok(own) => outputs.push(own),
                Err((step, id, nan)) => return Some((stage, step, id, nan)),
            }
        }
        None
    })?;
    Some(Culprit {
        stage: stage.name.clone(),
        cell: stage.cell.graph.name().to_owned(),
        operation: stage.cell.graph.op(id).name(),
        nan,
        step: step + 1,
        place: blueprint.cells.iter().find_map(|text| place(text, &stage.cell, id)),
    })
}

/// Where the first value is introduced that has a name and is made of that one.
fn place(text: &CellText, cell: &Cell, id: ValueId) -> Option<(String, usize, usize)> {
    let unit = text.unit().ok()?;
    if unit.root().cell.as_ref()?.name.text != cell.graph.name() {
        return None;
    }
    let bindings = Bindings { dims: cell.dims.clone(), hypers: cell.hypers.clone() };
    let made_of_it = cell.graph.descendants([id]);
    let mut places = inspect(&unit, &bindings).places.into_iter();
    let (_, span) = places.find(|(named, _)| made_of_it.get(named.index()) == Some(&true))?;
    let source = unit.sources.get(span.file)?;
    let (line, column) = source.position(span.start);
    Some((source.name.clone(), line, column))
}

/// A stage that runs over one sequence of a batch.
struct Run<'a> {
    architecture: &'a Architecture,
    stage: &'a Stage,
    params: &'a [Vec<f32>],
    batch: &'a Batch,
    column: usize,
}

impl Run<'_> {
    /// Its first outputs at each step, empty where it does not run; or the step, the value and whether
    /// it is NaN, if one is no finite number.
    fn outputs(&self, before: &[Vec<Vec<f32>>]) -> Result<Vec<Vec<f32>>, (usize, ValueId, bool)> {
        let Self { stage, batch, column, .. } = *self;
        let (graph, steps) = (&stage.cell.graph, batch.extent.steps);
        let begun =
            |step: &usize| batch.mask.get(step * batch.extent.batch + column).is_none_or(|m| *m);
        let once = stage.answers && self.architecture.interface.readout == Readout::Last;
        let mut order: Vec<usize> = (0..steps).filter(begun).collect();
        let first = order.first().copied().unwrap_or(0);
        if once {
            order = order.last().copied().into_iter().collect();
        } else if stage.reverse {
            order.reverse();
        }
        let initial = || -> Vec<Vec<f32>> {
            let states = stage.cell.initial.iter().zip(graph.arguments_of(Role::State));
            let state = |(initial, (id, _)): (&Initial, (ValueId, _))| match *initial {
                Initial::Constant(x) => vec![x as f32; graph.ty(id).size()],
                Initial::Param(param) => self.params[param].clone(),
            };
            states.map(state).collect()
        };
        let mut states = initial();
        let number = |role: Role, id| graph.arguments_of(role).position(|(other, _)| other == id);
        let mut outputs = vec![Vec::new(); steps];
        for step in order {
            if batch.resets.get(step * batch.extent.batch + column) == Some(&true) {
                states = initial();
            }
            let values = eval(graph, |id| {
                let mask = graph.masks().find(|(other, ..)| *other == id);
                if let Some((_, _, probability)) = mask {
                    return Datum::Real(vec![probability as f32; graph.ty(id).size()]);
                }
                if let Some(i) = number(Role::Param, id) {
                    return Datum::Real(self.params[i].clone());
                }
                if let Some(i) = number(Role::State, id) {
                    return Datum::Real(states[i].clone());
                }
                let i = number(Role::Input, id).unwrap_or_default();
                self.input(&stage.feeds[i], step, once, before)
            });
            let bad = |id: ValueId| match &values[id.index()] {
                Datum::Real(value) => value.iter().copied().find(|x| !x.is_finite()),
                Datum::Index(_) => None,
            };
            for id in graph.ids() {
                // An infinity that is written down is meant, and so may be what is made of it.
                let made = !matches!(graph.op(id), Op::Constant(_));
                if let (true, Some(x)) = (made, bad(id))
                    && graph.operands(id).iter().all(|&operand| bad(operand).is_none())
                {
                    return Err((step - first, id, x.is_nan()));
                }
            }
            let of = |value: ValueId| values[value.index()].real().to_vec();
            states = graph.outputs_of(OutputRole::Next).map(|next| of(next.value)).collect();
            let output = graph.outputs_of(OutputRole::Output).next();
            outputs[step] = output.map_or_else(Vec::new, |output| of(output.value));
        }
        Ok(outputs)
    }

    fn input(&self, feed: &Feed, step: usize, once: bool, before: &[Vec<Vec<f32>>]) -> Datum<f32> {
        let row = step * self.batch.extent.batch + self.column;
        match feed {
            Feed::Stages(stages) => {
                let parts = stages.iter().map(|&stage| before[stage][step].as_slice());
                Datum::Real(parts.collect::<Vec<_>>().concat())
            }
            Feed::Data => match &self.batch.data {
                Data::Symbols(symbols) => Datum::Index(symbols[row] as usize),
                Data::Reals(reals) => {
                    let rows = self.batch.extent.steps * self.batch.extent.batch;
                    let width = reals.len() / rows.max(1);
                    Datum::Real(reals[row * width..][..width].to_vec())
                }
            },
            Feed::Targets => {
                let row = if once { self.column } else { row };
                match &self.batch.targets {
                    Targets::Classes(classes) if classes[row] == IGNORED => Datum::Index(0),
                    Targets::Classes(classes) => Datum::Index(classes[row] as usize),
                    Targets::Reals(reals) => {
                        let width = self.architecture.interface.answers.width();
                        let own = reals[row * width..][..width].iter();
                        Datum::Real(own.map(|x| if x.is_nan() { 0.0 } else { *x }).collect())
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Example;
    use crate::blueprint::{LossConfig, ModelConfig};
    use crate::fixtures::interface;
    use crate::task::examples::together;
    use cellc_compiler::diagnostic::Source;
    use cellc_compiler::unit::Unit;
    use cellc_runtime::program::Engine;

    #[test]
    fn the_first_operation_that_gives_no_number_is_named_with_its_place() {
        let text = "cell odd(I, H) {\n    input x: [I]\n    state h: [H], n: [H]\n    \
                    param W: [H, I] ~ uniform(0.1)\n    \
                    small = log(2 - n)\n    next n = n + 1\n    \
                    next h = small + W @ x\n    output h\n}\n";
        let source = Source::new("odd.cell", text);
        let unit = Unit::load(source, &mut |_, _| Err("nothing is imported".to_owned())).unwrap();
        let model = ModelConfig { cell: "odd.cell".into(), hidden: 3, ..ModelConfig::default() };
        let cells = vec![CellText::new("odd.cell", &unit)];
        let blueprint = Blueprint { model, loss: LossConfig::default(), cells };
        let interface = interface(6, 2, Readout::Last);
        let architecture = blueprint.architecture(interface).unwrap();
        let model = Model::new(&architecture, Engine::default(), 1).unwrap();
        let example = |len: usize| Example {
            data: Data::Symbols(vec![1; len]),
            targets: Targets::Classes(vec![0]),
        };
        let found = |examples: &[Example]| {
            find(&architecture, &blueprint, &model, &together(examples, &interface))
        };
        assert_eq!(found(&[example(1), example(2)]), None);
        let culprit = found(&[example(2), example(3), example(5)]).unwrap();
        assert_eq!(
            (culprit.stage.as_str(), culprit.operation, culprit.nan),
            ("layer0", "log", false)
        );
        // Of the second sequence, which begins later than the third.
        assert_eq!(culprit.step, 3);
        assert_eq!(culprit.place, Some(("odd.cell".to_owned(), 5, 5)));
        // Nothing is wrong where states begin anew before they get there.
        let mut batch = together(&[example(5)], &interface);
        batch.reset_after(1);
        assert_eq!(find(&architecture, &blueprint, &model, &batch), None);
    }
}
