//! Whether differences were taken across a kink.

use cellc_compiler::autodiff::branches;
use cellc_compiler::ir::graph::Graph;

use super::case::{Argument, Case};
use crate::program::{Engine, Program, ProgramError};
use crate::sequence::{RunError, Sequence};

/// Finds the kinks of a cell: of relu, abs, max, min, select and comparisons.
pub struct Kinks {
    /// A run that gives which smooth piece each element of a kinked operation is on.
    branches: Box<dyn Sequence<f64>>,
}

impl Kinks {
    /// The kinks of a verified graph, found by an engine.
    ///
    /// # Errors
    /// If there is no code generator for this machine, or by a bug.
    pub fn new(graph: &Graph, engine: Engine) -> Result<Self, ProgramError> {
        let branches = Program::new(&branches(graph)?, engine)?;
        Ok(Self { branches: branches.sequence(1) })
    }

    /// An operation that is on another smooth piece at some of the points than at the case's own.
    pub(super) fn between(
        &mut self,
        case: &Case,
        arguments: &[Argument],
        points: &[Vec<Vec<f64>>],
    ) -> Result<Option<String>, RunError> {
        let run = &mut *self.branches;
        if run.interface().outputs.is_empty() {
            return Ok(None);
        }
        case.load(run);
        let here = case.results_at(&case.values, arguments, run)?;
        for point in points {
            let there = case.results_at(point, arguments, run)?;
            let outputs = &run.interface().outputs;
            let mut pairs = outputs.iter().zip(here.iter().zip(&there));
            if let Some((output, _)) = pairs.find(|(_, (here, there))| here != there) {
                let operation = output.name.split('.').next().unwrap_or_default();
                return Ok(Some(operation.to_owned()));
            }
        }
        Ok(None)
    }
}
