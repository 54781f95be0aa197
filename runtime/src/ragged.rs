//! Examples of several lengths side by side, and sequences from their end to their beginning.
//!
//! An example of length `L` is run over its first `L` steps. After them its states stand still and
//! its outputs are zero, so that the final states are those at each example's own end. In reverse,
//! the step `L - 1` comes first and the step 0 last: outputs stand at the steps whose inputs they
//! are of, and the final states are those at step 0.
//!
//! The cell is *frozen* (`cellc_compiler::freeze`): a mask holds its states where an example has
//! ended. There the cell is computed on the input of the example's last step once more, never on
//! what stands beyond its end, and the result is not used; an example without steps borrows one of
//! another. As of anything that is not selected, its derivative is multiplied by zero, which makes
//! NaN of one that is infinite.

use cellc_compiler::cell::{Cell, Initial};
use cellc_compiler::freeze::freeze;
use cellc_compiler::ir::graph::Graph;

use crate::kernels::Wide;
use crate::program::{Engine, Program, ProgramError, Settings};
use crate::segmented::{Segmented, Segments};
use crate::sequence::{Bytes, Extent, InputArray, InputMut, Interface, Port, RunError, Sequence};

/// A sequence whose examples may be of several lengths, and may be run in reverse, on any engine.
pub struct Ragged<T> {
    /// A run of the frozen cell, in the order in which steps are run. Its last input is the mask.
    inner: Segmented<T>,
    interface: Interface,
    lengths: Option<Vec<usize>>,
    reverse: bool,
    limit: Option<usize>,
    /// The arrays of the interface, in the order of the caller.
    inputs: Vec<InputArray<T>>,
    outputs: Vec<Vec<T>>,
    cotangents: Vec<Vec<T>>,
    gradients: Vec<Option<Vec<T>>>,
    /// For each row of the inner run, the caller's row; of a row beyond an example's end, that of
    /// its last step, or of another example if it has none.
    rows: Vec<Row>,
    /// Whether rows, inputs and lengths are as they were when the tape was made.
    tape: bool,
}

/// What a row of the inner run is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    /// A step of an example.
    Step(usize),
    /// A step after the end of an example, with the row that the cell is computed on instead.
    Ended(usize),
    /// A step of an example where no example has any.
    Nothing,
}

impl<T: Wide> Ragged<T> {
    /// Freezes a cell, whose states begin where it says, and makes it ready: for runs on as many
    /// threads as given, within a limit of memory if there is one.
    ///
    /// # Errors
    /// As of [`Program::with_settings`].
    pub fn of(
        cell: &Cell,
        engine: Engine,
        settings: &Settings<'_>,
        threads: usize,
        limit: Option<usize>,
    ) -> Result<Self, ProgramError> {
        let program = Program::with_settings(&freeze(&cell.graph)?, engine, settings)?;
        let program = program.beginning_at(&cell.initial);
        Ok(Self::running(&program, Interface::of(&cell.graph), threads, limit))
    }

    /// The same for a graph, whose states begin at 0.
    ///
    /// # Errors
    /// As of [`Program::with_settings`].
    pub fn new(
        graph: &Graph,
        engine: Engine,
        settings: &Settings<'_>,
        threads: usize,
        limit: Option<usize>,
    ) -> Result<Self, ProgramError> {
        let program = Program::with_settings(&freeze(graph)?, engine, settings)?;
        Ok(Self::running(&program, Interface::of(graph), threads, limit))
    }

    /// Runs of a frozen cell; the interface is of the cell itself.
    fn running(
        program: &Program<T>,
        interface: Interface,
        threads: usize,
        limit: Option<usize>,
    ) -> Self {
        let Interface { inputs, outputs, .. } = &interface;
        Self {
            inner: program.segmented(threads, Segments::Within(limit.unwrap_or(usize::MAX))),
            lengths: None,
            reverse: false,
            limit,
            inputs: inputs.iter().map(|p| InputArray::zeros(p, Extent::default())).collect(),
            outputs: vec![Vec::new(); outputs.len()],
            cotangents: vec![Vec::new(); outputs.len()],
            gradients: inputs.iter().map(|p| p.ty.is_real().then(Vec::new)).collect(),
            rows: Vec::new(),
            tape: false,
            interface,
        }
    }

    /// Sets the lengths of the examples of later runs, `[B]`, each at most `T`; `None` for all of
    /// `T` steps, as at first.
    pub fn set_lengths(&mut self, lengths: Option<&[usize]>) {
        self.lengths = lengths.map(<[usize]>::to_vec);
        self.tape = false;
    }

    /// Sets whether later runs go from each example's last step to its first.
    pub fn set_reverse(&mut self, reverse: bool) {
        self.reverse = reverse;
        self.tape = false;
    }

    /// Whether runs go from each example's last step to its first.
    pub fn is_reverse(&self) -> bool {
        self.reverse
    }

    /// What is kept beside the inner run.
    fn own_bytes(&self, extent: Extent) -> usize {
        let rows = extent.steps.saturating_mul(extent.batch);
        let mut bytes = Bytes::default();
        for port in &self.interface.inputs {
            bytes.add_input::<T>(rows, port);
            if port.ty.is_real() {
                bytes.add::<T>(rows, port.ty.size());
            }
        }
        let outputs = self.interface.outputs.iter();
        outputs.for_each(|port| bytes.add::<T>(rows.saturating_mul(2), port.ty.size()));
        bytes.add::<Row>(rows, 1);
        bytes.sum()
    }

    /// Zeros for all arrays of the interface.
    fn allocate(&mut self, extent: Extent) {
        let rows = extent.rows();
        let zeros = |port: &Port| vec![T::default(); rows * port.ty.size()];
        let Interface { inputs, outputs, .. } = &self.interface;
        self.inputs = inputs.iter().map(|port| InputArray::zeros(port, extent)).collect();
        self.outputs = outputs.iter().map(zeros).collect();
        self.cotangents = outputs.iter().map(zeros).collect();
        self.gradients = inputs.iter().map(|port| port.ty.is_real().then(|| zeros(port))).collect();
        self.tape = false;
    }

    /// Finds the row of each step and example.
    fn find_rows(&mut self) -> Result<(), RunError> {
        let Extent { steps, batch } = self.inner.extent();
        if let Some(lengths) = &self.lengths {
            if lengths.len() != batch {
                return Err(RunError::Lengths { expected: batch, found: lengths.len() });
            }
            if let Some(example) = lengths.iter().position(|&length| length > steps) {
                return Err(RunError::Length { example, length: lengths[example], steps });
            }
        }
        self.rows.clear();
        // Zeros that nobody gave might be where a derivative is infinite: an example without steps
        // is computed on the first step of one that has some, which is in row `example`.
        let given = match &self.lengths {
            Some(lengths) => lengths.iter().position(|&length| length > 0),
            None => None,
        };
        for step in 0..steps {
            for example in 0..batch {
                let length = self.lengths.as_ref().map_or(steps, |lengths| lengths[example]);
                let nth = |step: usize| if self.reverse { length - 1 - step } else { step };
                let row = |step: usize| nth(step) * batch + example;
                self.rows.push(match length {
                    0 => given.map_or(Row::Nothing, Row::Ended),
                    _ if step < length => Row::Step(row(step)),
                    _ => Row::Ended(row(length - 1)),
                });
            }
        }
        Ok(())
    }

    fn run(&mut self, params: &[Vec<T>], taped: bool) -> Result<(), RunError> {
        self.tape = false;
        self.find_rows()?;
        for (i, (input, port)) in self.inputs.iter().zip(&self.interface.inputs).enumerate() {
            // Those beyond an example's end do not matter, but a caller should hear of them.
            input.check(port)?;
            match (input, self.inner.input_mut(i)) {
                (InputArray::Real(from), InputMut::Real(to)) => {
                    arrange(&self.rows, from, to, port.ty.size());
                }
                (InputArray::Index(from), InputMut::Index(to)) => arrange(&self.rows, from, to, 1),
                _ => unreachable!("a frozen cell has the inputs of the cell"),
            }
        }
        let InputMut::Real(mask) = self.inner.input_mut(self.inputs.len()) else {
            unreachable!("the mask is real");
        };
        for (mask, row) in mask.iter_mut().zip(&self.rows) {
            *mask = T::from_f64(if matches!(row, Row::Step(_)) { 1.0 } else { 0.0 });
        }
        if taped {
            self.inner.forward_with_tape(params)?;
        } else {
            self.inner.forward(params)?;
        }
        let ports = self.interface.outputs.iter();
        for (i, (output, port)) in self.outputs.iter_mut().zip(ports).enumerate() {
            restore(&self.rows, self.inner.output(i), output, port.ty.size());
        }
        self.tape = taped;
        Ok(())
    }
}

/// Brings rows of the caller into the order in which they are run.
fn arrange<E: Copy + Default>(rows: &[Row], from: &[E], to: &mut [E], size: usize) {
    for (to, row) in to.chunks_exact_mut(size).zip(rows) {
        match *row {
            Row::Step(row) | Row::Ended(row) => to.copy_from_slice(&from[row * size..][..size]),
            Row::Nothing => to.fill(E::default()),
        }
    }
}

/// Brings rows back into the caller's order; those beyond an example's end are zero.
fn restore<E: Copy + Default>(rows: &[Row], from: &[E], to: &mut [E], size: usize) {
    to.fill(E::default());
    for (from, row) in from.chunks_exact(size).zip(rows) {
        if let Row::Step(row) = *row {
            to[row * size..][..size].copy_from_slice(from);
        }
    }
}

impl<T: Wide> Sequence<T> for Ragged<T> {
    fn interface(&self) -> &Interface {
        &self.interface
    }

    fn extent(&self) -> Extent {
        self.inner.extent()
    }

    /// # Panics
    /// Also if the run does not fit into the limit; [`try_reshape`](Sequence::try_reshape) says so.
    fn reshape(&mut self, extent: Extent) {
        if let Err(error) = self.try_reshape(extent) {
            panic!("{error}");
        }
    }

    fn try_reshape(&mut self, extent: Extent) -> Result<(), RunError> {
        if self.inner.extent() == extent {
            return Ok(());
        }
        if let Some(limit) = self.limit {
            let own = self.own_bytes(extent);
            let needed = self.inner.needs(extent).least.saturating_add(own);
            if needed > limit {
                return Err(RunError::Memory { extent, needed, limit });
            }
            self.inner.set_limit(limit - own);
        }
        self.inner.try_reshape(extent)?;
        self.allocate(extent);
        Ok(())
    }

    fn bytes(&self, extent: Extent) -> usize {
        self.inner.bytes(extent).saturating_add(self.own_bytes(extent))
    }

    fn release(&mut self) {
        self.inner.release();
        self.allocate(Extent::default());
        self.rows = Vec::new();
    }

    fn input_mut(&mut self, input: usize) -> InputMut<'_, T> {
        self.tape = false;
        self.inputs[input].as_mut()
    }

    /// In the order in which steps are run: one behind an example's end is drawn, and not used.
    fn mask_mut(&mut self, mask: usize) -> &mut [T] {
        self.tape = false;
        self.inner.mask_mut(mask)
    }

    fn initial_mut(&mut self, state: usize) -> &mut [T] {
        self.tape = false;
        self.inner.initial_mut(state)
    }

    fn begin(&mut self, state: usize) {
        self.tape = false;
        self.inner.begin(state);
    }

    fn initial(&self, state: usize) -> Initial {
        self.inner.initial(state)
    }

    /// # Errors
    /// Also if the lengths are not as many as the examples, or one is larger than `T`.
    fn forward(&mut self, params: &[Vec<T>]) -> Result<(), RunError> {
        self.run(params, false)
    }

    /// # Errors
    /// Also if the lengths are not as many as the examples, or one is larger than `T`.
    fn forward_with_tape(&mut self, params: &[Vec<T>]) -> Result<(), RunError> {
        self.run(params, true)
    }

    fn output(&self, output: usize) -> &[T] {
        &self.outputs[output]
    }

    fn final_state(&self, state: usize) -> &[T] {
        self.inner.final_state(state)
    }

    fn output_cotangent_mut(&mut self, output: usize) -> &mut [T] {
        &mut self.cotangents[output]
    }

    fn fill_output_cotangent(&mut self, output: usize, fill: &mut dyn FnMut(&[T], &mut [T])) {
        fill(&self.outputs[output], &mut self.cotangents[output]);
    }

    fn final_cotangent_mut(&mut self, state: usize) -> &mut [T] {
        self.inner.final_cotangent_mut(state)
    }

    fn backward(&mut self, params: &[Vec<T>]) -> Result<(), RunError> {
        if !self.tape {
            return Err(RunError::NoTape);
        }
        let Interface { inputs, outputs, .. } = &self.interface;
        for (i, (cotangent, port)) in self.cotangents.iter().zip(outputs).enumerate() {
            let (size, to) = (port.ty.size(), self.inner.output_cotangent_mut(i));
            arrange(&self.rows, cotangent, to, size);
            // What was zero, whatever the parameters, has no gradient.
            for (to, row) in to.chunks_exact_mut(size).zip(&self.rows) {
                if !matches!(row, Row::Step(_)) {
                    to.fill(T::default());
                }
            }
        }
        self.inner.backward(params)?;
        for (i, (gradient, port)) in self.gradients.iter_mut().zip(inputs).enumerate() {
            if let (Some(to), Some(from)) = (gradient, self.inner.input_gradient(i)) {
                restore(&self.rows, from, to, port.ty.size());
            }
        }
        Ok(())
    }

    fn param_gradient(&self, param: usize) -> &[T] {
        self.inner.param_gradient(param)
    }

    fn input_gradient(&self, input: usize) -> Option<&[T]> {
        self.gradients[input].as_deref()
    }

    fn initial_gradient(&self, state: usize) -> &[T] {
        self.inner.initial_gradient(state)
    }
}
