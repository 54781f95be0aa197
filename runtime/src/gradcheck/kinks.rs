//! Whether differences were taken across a kink.

use super::case::{Argument, Case};
use super::difference::{REACH, steps};
use crate::sequence::{RunError, Sequence};

/// Finds the kinks of a cell: of relu, abs, max, min, select and comparisons.
pub(super) struct Kinks {
    /// A run that gives which smooth piece each element of a kinked operation is on.
    pub(super) branches: Box<dyn Sequence<f64>>,
}

impl Kinks {
    /// The widest step whose differences reach across no kink (infinite if no step's do), given the points
    /// that steps lead to; if there is none, the operation whose kink the smallest reaches across.
    pub(super) fn widest(
        &mut self,
        case: &Case,
        arguments: &[Argument],
        point: impl Fn(f64) -> Vec<Vec<f64>>,
    ) -> Result<Widest, RunError> {
        let run = &mut *self.branches;
        case.load(run);
        let here = case.results_at(&case.values, arguments, run)?;
        let mut found = Widest::Step(f64::INFINITY);
        for step in steps(f64::INFINITY) {
            let mut crossed = None;
            for reach in [REACH * step, -REACH * step] {
                let there = case.results_at(&point(reach), arguments, run)?;
                let outputs = run.interface().outputs.iter().zip(here.iter().zip(&there));
                let differs = outputs.into_iter().find(|(_, (here, there))| here != there);
                crossed = crossed.or(differs.map(|(output, _)| output.name.clone()));
            }
            let Some(name) = crossed else {
                return Ok(match found {
                    Widest::Step(widest) => Widest::Step(widest),
                    Widest::None(_) => Widest::Step(step),
                });
            };
            found = Widest::None(name.split('.').next().unwrap_or_default().to_owned());
        }
        Ok(found)
    }
}

/// How wide differences may be.
pub(super) enum Widest {
    /// This is the widest step.
    Step(f64),
    /// The smallest reaches across a kink of this operation.
    None(String),
}
