//! Runs of a cell beside the one that is checked, which tell what differences of that cannot.

use cellc_compiler::autodiff::{branches, factors, hold};
use cellc_compiler::cell::{Cell, Initial};
use cellc_compiler::ir::graph::Graph;
use cellc_compiler::ir::op::Role;

use super::case::{Argument, Case};
use super::kinks::Kinks;
use super::singular::Singularities;
use crate::program::{Engine, Program, ProgramError};
use crate::sequence::{RunError, Sequence};

/// What is known of a cell beside its results: where its kinks are, what is behind its stops, and what
/// becomes infinite or NaN.
pub struct Companions {
    pub(super) kinks: Kinks,
    pub(super) stops: Option<Stops>,
    pub(super) singularities: Singularities,
}

/// The parts of companions, as far as there are any.
type Parts<'c> = (Option<&'c mut Kinks>, Option<&'c mut Stops>, Option<&'c mut Singularities>);

impl Companions {
    /// The parts, to be used independently.
    pub(super) fn parts(companions: Option<&mut Self>) -> Parts<'_> {
        let Some(Self { kinks, stops, singularities }) = companions else {
            return (None, None, None);
        };
        (Some(kinks), stops.as_mut(), Some(singularities))
    }

    /// Those of a cell, whose states begin where it says, run by an engine.
    ///
    /// # Errors
    /// As for [`Companions::new`].
    pub fn of(cell: &Cell, engine: Engine) -> Result<Self, ProgramError> {
        Self::beginning_at(&cell.graph, &cell.initial, engine)
    }

    /// Those of a verified graph, whose states begin at 0, run by an engine.
    ///
    /// # Errors
    /// If there is no code generator for this machine, or by a bug.
    pub fn new(graph: &Graph, engine: Engine) -> Result<Self, ProgramError> {
        let initial: Vec<_> = graph.arguments_of(Role::State).map(|_| Initial::ZERO).collect();
        Self::beginning_at(graph, &initial, engine)
    }

    fn beginning_at(
        graph: &Graph,
        initial: &[Initial],
        engine: Engine,
    ) -> Result<Self, ProgramError> {
        let run = |graph: &Graph, engine| {
            let program = Program::new(graph, engine)?.beginning_at(initial);
            Ok::<_, ProgramError>(program.sequence(1))
        };
        let held = hold(graph)?;
        let smooth = held.as_ref().map_or(graph, |held| &held.held);
        Ok(Self {
            kinks: Kinks { branches: run(&branches(smooth)?, engine)? },
            singularities: Singularities {
                factors: run(&factors(graph)?, Engine::Interpreter)?,
                interpreted: run(graph, Engine::Interpreter)?,
            },
            stops: match &held {
                Some(held) => Some(Stops {
                    recorded: run(&held.recorded, engine)?,
                    held: run(&held.held, engine)?,
                }),
                None => None,
            },
        })
    }
}

/// Runs of a cell with `stop_gradient`, whose derivatives are those of a cell without, that takes what
/// is behind the stops as it was where the derivatives are taken.
pub(super) struct Stops {
    /// Gives what is behind the stops, behind the outputs.
    recorded: Box<dyn Sequence<f64>>,
    /// Takes it.
    held: Box<dyn Sequence<f64>>,
}

impl Stops {
    /// Holds what is behind the stops of a case, and gives the run that takes it, on the case.
    pub(super) fn hold(
        &mut self,
        case: &mut Case,
        arguments: &[Argument],
    ) -> Result<&mut dyn Sequence<f64>, RunError> {
        let Self { recorded, held } = self;
        case.load(&mut **recorded);
        case.results_at(&case.values, arguments, &mut **recorded)?;
        let outputs = held.interface().outputs.len()..recorded.interface().outputs.len();
        case.stops = outputs.map(|output| recorded.output(output).to_vec()).collect();
        case.load(&mut **held);
        case.results_at(&case.values, arguments, &mut **held)?;
        Ok(&mut **held)
    }
}
