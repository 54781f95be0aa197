//! Directional derivatives of a run, and products with the Hessian of a loss.
//!
//! With `θ` all that a run of a cell depends on (params, real inputs, initial states), `r(θ)` its
//! results (outputs and final states) and `v` a direction, of the size of `θ`:
//!
//! - [`SecondOrder::forward`] computes `r` and `J v`, where `J = ∂r/∂θ`: forward mode, one loop with
//!   tangents beside the values;
//! - [`SecondOrder::backward`] computes for the loss `L(θ) = <c, r(θ)>`, with `c` the cotangents, its
//!   gradient `∇L = Jᵀ c` and the product `H v`, where `H = ∂²L/∂θ²`: forward over reverse, a
//!   loop with tangents and a tape, then the backward loop with tangents (Pearlmutter 1994).
//!
//! Each takes a small multiple of the time of the run, and of its gradient, without tangents; `H` is
//! never built. A loss that is no sum of cotangents and results is a cell of its own.
//!
//! ```
//! use cellc_compiler::{check::check, diagnostic::Source, syntax::parse};
//! use cellc_runtime::program::Engine;
//! use cellc_runtime::second::SecondOrder;
//! use cellc_runtime::sequence::Extent;
//!
//! let text = "cell cube(N) {
//!     param w: [N]
//!     output y = w * w * w
//! }";
//! let tree = parse(&Source::new("cube.cell", text)).expect("well-formed text");
//! let cell = check(&tree, &[("N".into(), 2)]).expect("shapes that agree");
//! let mut run = SecondOrder::<f64>::new(&cell.graph, Engine::Jit)?;
//! run.reshape(Extent { steps: 1, batch: 1 });
//! run.output_cotangent_mut(0).fill(1.0);
//! let (w, v) = (vec![2.0, 3.0], vec![1.0, 10.0]);
//! run.backward(&[w], &[v])?;
//! assert_eq!(run.param_gradient(0), [12.0, 27.0]); // 3 w²
//! assert_eq!(run.param_product(0), [12.0, 180.0]); // 6 w v
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use cellc_compiler::cell::{Cell, Initial};
use cellc_compiler::ir::graph::Graph;

use crate::kernels::Wide;
use crate::masks::Masks;
use crate::program::{Engine, Program, ProgramError, Settings};
use crate::sequence::{Extent, InputMut, Interface, Port, RunError, Sequence, check_params};

/// A run of a cell with tangents. Ports are numbered as in the cell's [`Interface`].
///
/// Reshape it, fill inputs and initial states and their tangents, go forward; for products with the
/// Hessian fill the cotangents too, and go backward. Params and their tangents are given to each.
pub struct SecondOrder<T> {
    interface: Interface,
    /// A run of the graph with tangents: each stands behind what it is the tangent of.
    sequence: Box<dyn Sequence<T>>,
    /// The params, each with its tangent behind it.
    params: Vec<Vec<T>>,
}

impl<T: Wide> SecondOrder<T> {
    /// A run of extent zero of a verified graph, on one thread.
    ///
    /// # Errors
    /// If the graph breaks an invariant, or there is no code generator for this machine.
    pub fn new(graph: &Graph, engine: Engine) -> Result<Self, ProgramError> {
        let program = Program::with_tangents(graph, engine, &Settings::default())?;
        Ok(Self::of(Interface::of(graph), program.sequence(1)))
    }

    /// The same of a cell, whose states begin where it says. Of one that begins at a param, the
    /// direction has what it has of that param.
    ///
    /// # Errors
    /// As for [`SecondOrder::new`].
    pub fn of_cell(cell: &Cell, engine: Engine) -> Result<Self, ProgramError> {
        let program = Program::with_tangents(&cell.graph, engine, &Settings::default())?;
        let pairs = cell.initial.iter().flat_map(|initial| match *initial {
            Initial::Constant(number) => [Initial::Constant(number), Initial::ZERO],
            Initial::Param(param) => [Initial::Param(2 * param), Initial::Param(2 * param + 1)],
        });
        let program = program.beginning_at(&pairs.collect::<Vec<_>>());
        Ok(Self::of(Interface::of(&cell.graph), program.sequence(1)))
    }

    /// A run by a sequence of [`Program::with_tangents`] of a graph with this interface: on several
    /// threads, or in segments.
    pub fn of(interface: Interface, sequence: Box<dyn Sequence<T>>) -> Self {
        let params = vec![Vec::new(); 2 * interface.params.len()];
        Self { interface, sequence, params }
    }

    /// What the cell takes and gives, without tangents.
    pub fn interface(&self) -> &Interface {
        &self.interface
    }

    /// The extent of the run.
    pub fn extent(&self) -> Extent {
        self.sequence.extent()
    }

    /// Sets the extent, as [`Sequence::reshape`] does.
    ///
    /// # Panics
    /// As [`Sequence::reshape`].
    pub fn reshape(&mut self, extent: Extent) {
        self.sequence.reshape(extent);
    }

    /// An input, `[T, B, ..]`.
    pub fn input_mut(&mut self, input: usize) -> InputMut<'_, T> {
        self.sequence.input_mut(place(&self.interface.inputs, input))
    }

    /// The direction's part for an input, `[T, B, ..]`; `None` for an index.
    pub fn input_tangent_mut(&mut self, input: usize) -> Option<&mut [T]> {
        if !self.interface.inputs[input].ty.is_real() {
            return None;
        }
        match self.sequence.input_mut(place(&self.interface.inputs, input) + 1) {
            InputMut::Real(tangent) => Some(tangent),
            InputMut::Index(_) => None,
        }
    }

    /// Fills all masks of later runs of this extent. They have no tangents.
    pub fn set_masks(&mut self, masks: Masks) {
        self.sequence.set_masks(masks);
    }

    /// A state before the first step, `[B, ..]`.
    pub fn initial_mut(&mut self, state: usize) -> &mut [T] {
        self.sequence.initial_mut(2 * state)
    }

    /// The direction's part for a state before the first step, `[B, ..]`.
    pub fn initial_tangent_mut(&mut self, state: usize) -> &mut [T] {
        self.sequence.initial_mut(2 * state + 1)
    }

    /// Takes back what a state and its direction were given, as [`Sequence::begin`] does.
    pub fn begin(&mut self, state: usize) {
        self.sequence.begin(2 * state);
        self.sequence.begin(2 * state + 1);
    }

    /// Runs over all steps with tangents: `r` and `J v`.
    ///
    /// # Errors
    /// If params or their tangents do not fit the cell, or an index is out of its bound.
    pub fn forward(&mut self, params: &[Vec<T>], tangents: &[Vec<T>]) -> Result<(), RunError> {
        self.pair(params, tangents)?;
        self.sequence.forward(&self.params)
    }

    /// An output, `[T, B, ..]`.
    pub fn output(&self, output: usize) -> &[T] {
        self.sequence.output(2 * output)
    }

    /// The derivative of an output along the direction, `[T, B, ..]`.
    pub fn output_tangent(&self, output: usize) -> &[T] {
        self.sequence.output(2 * output + 1)
    }

    /// A state after the last step, `[B, ..]`.
    pub fn final_state(&self, state: usize) -> &[T] {
        self.sequence.final_state(2 * state)
    }

    /// The derivative of a state after the last step along the direction, `[B, ..]`.
    pub fn final_tangent(&self, state: usize) -> &[T] {
        self.sequence.final_state(2 * state + 1)
    }

    /// The cotangent of an output, `[T, B, ..]`.
    pub fn output_cotangent_mut(&mut self, output: usize) -> &mut [T] {
        self.sequence.output_cotangent_mut(2 * output)
    }

    /// The cotangent of a state after the last step, `[B, ..]`.
    pub fn final_cotangent_mut(&mut self, state: usize) -> &mut [T] {
        self.sequence.final_cotangent_mut(2 * state)
    }

    /// Runs over all steps with tangents and a tape, then backpropagates the cotangents and their
    /// derivatives along the direction: `r`, `J v`, `∇L` and `H v`.
    ///
    /// # Errors
    /// If params or their tangents do not fit the cell, or an index is out of its bound.
    pub fn backward(&mut self, params: &[Vec<T>], tangents: &[Vec<T>]) -> Result<(), RunError> {
        self.pair(params, tangents)?;
        self.sequence.forward_with_tape(&self.params)?;
        // The cotangents of `L` are constants: their tangents stay zero, as they are after `reshape`.
        self.sequence.backward(&self.params)
    }

    /// The gradient of a param.
    pub fn param_gradient(&self, param: usize) -> &[T] {
        self.sequence.param_gradient(2 * param)
    }

    /// The part of `H v` that belongs to a param, in the param's own shape.
    pub fn param_product(&self, param: usize) -> &[T] {
        self.sequence.param_gradient(2 * param + 1)
    }

    /// The gradient of an input, `[T, B, ..]`; `None` for an index.
    pub fn input_gradient(&self, input: usize) -> Option<&[T]> {
        self.sequence.input_gradient(place(&self.interface.inputs, input))
    }

    /// The part of `H v` that belongs to an input, `[T, B, ..]`; `None` for an index.
    pub fn input_product(&self, input: usize) -> Option<&[T]> {
        let real = self.interface.inputs[input].ty.is_real();
        let tangent = place(&self.interface.inputs, input) + 1;
        real.then(|| self.sequence.input_gradient(tangent)).flatten()
    }

    /// The gradient of a state before the first step, `[B, ..]`.
    pub fn initial_gradient(&self, state: usize) -> &[T] {
        self.sequence.initial_gradient(2 * state)
    }

    /// The part of `H v` that belongs to a state before the first step, `[B, ..]`.
    pub fn initial_product(&self, state: usize) -> &[T] {
        self.sequence.initial_gradient(2 * state + 1)
    }

    /// Lays params and tangents out as the graph with tangents takes them.
    fn pair(&mut self, params: &[Vec<T>], tangents: &[Vec<T>]) -> Result<(), RunError> {
        check_params(&self.interface, params)?;
        check_params(&self.interface, tangents)?;
        let pairs = params.iter().zip(tangents).flat_map(|(param, tangent)| [param, tangent]);
        self.params.iter_mut().zip(pairs).for_each(|(to, from)| to.clone_from(from));
        Ok(())
    }
}

/// Where an input is among inputs and their tangents: an index has none.
fn place(inputs: &[Port], input: usize) -> usize {
    input + inputs[..input].iter().filter(|port| port.ty.is_real()).count()
}
