//! How long a cell takes: forward, and a training step.
//!
//! A [`Workload`] is a cell with everything it needs to run, of numbers drawn by a fixed seed. What
//! is timed is the work and nothing else: nothing is drawn but masks in training, and no array is made after the first call.

use std::time::Instant;

use cellc_compiler::cell::{Cell, Initializer};
use cellc_compiler::ir::graph::Graph;
use cellc_compiler::ir::op::{Element, Op, Role};

use crate::initialize::draw;
use crate::kernels::Wide;
use crate::masks::{Draw, Masks};
use crate::program::Program;
use crate::sequence::{Extent, InputMut, Interface, Port, RunError, Sequence};

/// What params and inputs are drawn from.
const SEED: u64 = 1;
/// So small that no params grow without bound, however often the step is repeated.
const LEARNING_RATE: f64 = 1e-6;
/// A sample that is shorter, in seconds, is made of several calls: the clock is read twice for it.
const SHORT: f64 = 1e-3;

/// How many samples a median is of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// At least so many.
    pub samples: usize,
    /// And for at least so many seconds.
    pub seconds: f64,
}

impl Sampling {
    /// The median time of one call, in seconds. The first calls, which touch new memory, are not
    /// counted; of calls that take less than a millisecond, several are one sample.
    ///
    /// # Errors
    /// The first error of the work.
    pub fn median<E>(self, mut work: impl FnMut() -> Result<(), E>) -> Result<f64, E> {
        let mut sample = |calls: u64| {
            let start = Instant::now();
            for _ in 0..calls {
                work()?;
            }
            Ok(start.elapsed().as_secs_f64())
        };
        sample(1)?;
        let mut calls = 1;
        while sample(calls)? < SHORT {
            calls *= 2;
        }
        let start = Instant::now();
        let mut times = Vec::new();
        while times.len() < self.samples.max(1) || start.elapsed().as_secs_f64() < self.seconds {
            times.push(sample(calls)? / calls as f64);
        }
        Ok(median(times))
    }
}

/// The median of one number or more.
///
/// # Panics
/// If there is no number.
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let (low, high) = (numbers[(numbers.len() - 1) / 2], numbers[numbers.len() / 2]);
    low.midpoint(high)
}

/// A cell's params, drawn by its own initialisers.
fn params<T: Wide>(interface: &Interface, initializers: &[Initializer]) -> Vec<Vec<T>> {
    let ports = interface.params.iter().zip(initializers);
    ports.zip(0..).map(|((port, &how), i)| draw(how, &port.ty.shape, SEED, i)).collect()
}

/// Fills all inputs: numbers in -1..1, and indices that go round below their bound.
fn fill_inputs<T: Wide>(sequence: &mut dyn Sequence<T>) {
    let ports = sequence.interface().inputs.clone();
    for (i, port) in ports.iter().enumerate() {
        fill(sequence.input_mut(i), port, i as u64);
    }
}

/// Draws an input.
fn fill<T: Wide>(input: InputMut<'_, T>, port: &Port, stream: u64) {
    match (input, port.ty.element) {
        (InputMut::Index(data), Element::Index { bound }) => {
            let bound = u32::try_from(bound).unwrap_or(u32::MAX);
            data.iter_mut().zip((0..bound).cycle()).for_each(|(index, next)| *index = next);
        }
        (InputMut::Index(_), Element::Real) => unreachable!("a real input has real numbers"),
        (InputMut::Real(data), _) => {
            let uniform = Initializer::Uniform { low: -1.0, high: 1.0 };
            data.copy_from_slice(&draw::<T>(uniform, &[data.len()], SEED + 1, stream));
        }
    }
}

/// A cell ready to run over an extent, with params and inputs.
pub struct Workload<T: Wide> {
    sequence: Box<dyn Sequence<T>>,
    params: Vec<Vec<T>>,
    /// How many numbers all outputs are.
    outputs: usize,
    /// How many training steps were taken.
    updates: u64,
}

impl<T: Wide> Workload<T> {
    /// A run of `program`, which was made of `cell`, on up to so many threads.
    ///
    /// # Panics
    /// If the extent has more than 2^29 rows.
    pub fn new(program: &Program<T>, cell: &Cell, extent: Extent, threads: usize) -> Self {
        let interface = program.interface();
        let params = params(interface, &cell.initializers);
        let mut sequence = program.sequence(threads);
        sequence.reshape(extent);
        fill_inputs(&mut *sequence);
        let width: usize = interface.outputs.iter().map(|port| port.ty.size()).sum();
        Self { sequence, params, outputs: extent.steps * extent.batch * width, updates: 0 }
    }

    /// Forward over all steps, without a tape.
    ///
    /// # Errors
    /// None for a cell that checks: params and inputs fit.
    pub fn forward(&mut self) -> Result<(), RunError> {
        self.sequence.forward(&self.params)
    }

    /// Draws of the masks, forward with the tape, the mean of the squares of all outputs as the loss, backward to all
    /// params, inputs and initial states, and an update of the params by gradient descent. Gives
    /// the loss before the update.
    ///
    /// # Errors
    /// None for a cell that checks: params and inputs fit.
    pub fn training_step(&mut self) -> Result<f64, RunError> {
        let Self { sequence, params, outputs, updates } = self;
        sequence.set_masks(Masks::Drawn(Draw { seed: SEED, update: *updates, stage: 0 }));
        *updates += 1;
        sequence.forward_with_tape(params)?;
        let mut squares = 0.0;
        for output in 0..sequence.interface().outputs.len() {
            let scale = T::from_f64(2.0 / *outputs as f64);
            sequence.fill_output_cotangent(output, &mut |y, cotangent| {
                squares += square_and_scale(y, cotangent, scale);
            });
        }
        sequence.backward(params)?;
        let rate = T::from_f64(LEARNING_RATE);
        for (i, param) in params.iter_mut().enumerate() {
            for (p, &g) in param.iter_mut().zip(sequence.param_gradient(i)) {
                *p = *p - rate * g;
            }
        }
        Ok(squares / *outputs as f64)
    }

    /// The memory of the run; after a training step, what that takes at its peak. See
    /// [`Sequence::bytes`].
    pub fn tape_bytes(&self) -> usize {
        self.sequence.bytes(self.sequence.extent())
    }
}

/// `scaled = scale y`, and the sum of the squares of `y`, in one pass.
fn square_and_scale<T: Wide>(y: &[T], scaled: &mut [T], scale: T) -> f64 {
    // As many sums as a few vectors have elements, so that no addition waits for the one before.
    const LANES: usize = 32;
    let mut sums = [T::default(); LANES];
    for (y, scaled) in y.chunks(LANES).zip(scaled.chunks_mut(LANES)) {
        for ((&y, scaled), sum) in y.iter().zip(scaled).zip(&mut sums) {
            *scaled = scale * y;
            *sum = *sum + y * y;
        }
    }
    sums.iter().map(|sum| sum.to_f64()).sum()
}

/// The seconds of one step of one example, as when numbers come in one by one.
///
/// # Errors
/// None for a cell that checks: params and inputs fit.
pub fn time_step<T: Wide>(
    program: &Program<T>,
    cell: &Cell,
    sampling: Sampling,
) -> Result<f64, RunError> {
    let params = params(program.interface(), &cell.initializers);
    let mut step = program.step(&params, 1)?;
    for (i, port) in program.interface().inputs.iter().enumerate() {
        fill(step.input_mut(i), port, i as u64);
    }
    sampling.median(|| step.step())
}

/// How many elements of params stand in matrix products, each counted once for each product.
///
/// A product counts if its matrix is made of params alone (a param, or one transposed, reshaped or
/// otherwise computed from params) and its vector depends on an input or a state: one multiplication
/// and one addition for each element, at each step of each example. Backward does that twice, for
/// the cotangents of the vector and of the matrix.
pub fn matmul_params(graph: &Graph) -> usize {
    let mut varies = vec![false; graph.len()];
    let mut elements: usize = 0;
    for id in graph.ids() {
        let operand = |i: usize| graph.operands(id)[i];
        varies[id.index()] = match graph.op(id) {
            Op::Argument { role, .. } => *role != Role::Param,
            _ => graph.operands(id).iter().any(|operand| varies[operand.index()]),
        };
        let is_product = matches!(graph.op(id), Op::MatVec | Op::MatVecT);
        if is_product && !varies[operand(0).index()] && varies[operand(1).index()] {
            elements = elements.saturating_add(graph.ty(operand(0)).size());
        }
    }
    elements
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use cellc_compiler::ir::text::parse;

    use super::*;
    use crate::fixtures::{embedding, rnn};
    use crate::program::Engine;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn samples_are_as_many_as_asked_for_and_errors_come_through() {
        let mut calls = 0;
        let sampling = Sampling { samples: 7, seconds: 0.0 };
        let time = sampling.median(|| {
            calls += 1;
            std::thread::sleep(std::time::Duration::from_millis(2));
            Ok::<(), Infallible>(())
        });
        assert!(calls == 9 && time.is_ok_and(|time| time >= 2e-3), "{calls}, {time:?}");
        assert_eq!(sampling.median(|| Err("no")), Err("no"));
    }

    #[test]
    fn matrices_of_params_count_once_for_each_product() {
        assert_eq!(matmul_params(&rnn(3, 4).graph), 4 * 3 + 4 * 4);
        assert_eq!(matmul_params(&embedding(9, 2).graph), 0);
        let graph = parse(
            "graph products
            %0 = param W : [4, 3]
            %1 = input x : [3]
            %2 = state A : [4, 4]
            %3 = param b : [3]
            %4 = matvec %0, %1 : [4]
            %5 = matvec_t %0, %4 : [3]
            %6 = transpose %0 : [3, 4]
            %7 = matvec %6, %4 : [3]
            %8 = matvec %2, %4 : [4]
            %9 = matvec %0, %3 : [4]
            next A = %2
            output y = %7
            output z = %5
            output u = %8
            output v = %9",
        );
        // Neither the product with a state's matrix, nor the one of two params.
        assert_eq!(matmul_params(&graph.unwrap()), 3 * 12);
    }

    #[test]
    fn a_training_step_lowers_the_loss_and_holds_its_memory() {
        for engine in [Engine::Jit, Engine::Interpreter] {
            let cell = rnn(3, 4);
            let program = Program::<f64>::new(&cell.graph, engine).unwrap();
            let extent = Extent { steps: 5, batch: 2 };
            let mut workload = Workload::new(&program, &cell, extent, 1);
            workload.forward().unwrap();
            let outputs = workload.sequence.output(0).to_vec();
            let mean = outputs.iter().map(|y| y * y).sum::<f64>() / outputs.len() as f64;
            let before = workload.training_step().unwrap();
            assert!((before - mean).abs() < 1e-12 && before > 0.0, "{before}, not {mean}");
            let gradients = workload.sequence.param_gradient(0).to_vec();
            assert!(gradients.iter().any(|gradient| *gradient != 0.0));
            assert!(workload.training_step().unwrap() < before);
            // At the least the inputs, the outputs and their cotangents.
            let numbers = extent.steps * extent.batch * (3 + 4 + 4);
            assert!(workload.tape_bytes() >= numbers * size_of::<f64>());
        }
    }

    #[test]
    fn indices_stay_below_their_bound() {
        let cell = embedding(3, 2);
        let program = Program::<f32>::new(&cell.graph, Engine::Jit).unwrap();
        let mut workload = Workload::new(&program, &cell, Extent { steps: 4, batch: 2 }, 1);
        workload.training_step().unwrap();
        let sampling = Sampling { samples: 1, seconds: 0.0 };
        assert!(time_step(&program, &cell, sampling).unwrap() > 0.0);
    }

    #[test]
    fn squares_are_summed_and_scaled_in_one_pass() {
        let y: Vec<f64> = (0..70).map(f64::from).collect();
        let mut scaled = vec![0.0; 70];
        let sum = square_and_scale(&y, &mut scaled, 0.5);
        assert_eq!(sum, (0..70).map(|i| f64::from(i * i)).sum::<f64>());
        assert!(y.iter().zip(&scaled).all(|(y, scaled)| *scaled == 0.5 * y));
    }
}
