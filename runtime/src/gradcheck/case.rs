//! A random case: what a cell is run on, and where its derivatives are taken.

use cellc_compiler::cell::Initial;
use cellc_compiler::ir::op::{Element, Role, Type};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::{GradcheckError, Options, Place, Subject};
use crate::masks::{Draw, Masks};
use crate::second::SecondOrder;
use crate::sequence::{Extent, InputMut, Interface, RunError, Sequence};

/// A leaf of the cell that carries a gradient.
#[derive(Clone, Debug)]
pub(super) struct Argument {
    pub(super) role: Role,
    pub(super) subject: Subject,
    /// Its place among the arguments of all roles.
    pub(super) index: usize,
    /// Its place among the leaves of its role.
    pub(super) port: usize,
    pub(super) name: String,
    pub(super) ty: Type,
}

impl Argument {
    /// Params, real inputs and states, in this order.
    pub(super) fn all(interface: &Interface) -> Vec<Self> {
        let Interface { params, inputs, states, .. } = interface;
        let subjects = [
            (Role::Param, Subject::Param, params),
            (Role::Input, Subject::Input, inputs),
            (Role::State, Subject::Initial, states),
        ];
        let ports = subjects.into_iter().flat_map(|(role, subject, ports)| {
            ports.iter().enumerate().map(move |(i, port)| (role, subject, i, port))
        });
        ports
            .filter(|(.., port)| port.ty.is_real())
            .enumerate()
            .map(|(index, (role, subject, port, leaf))| Self {
                role,
                subject,
                index,
                port,
                name: leaf.name.clone(),
                ty: leaf.ty.clone(),
            })
            .collect()
    }

    /// The shape of its array in a run.
    fn shape(&self, extent: Extent) -> Vec<usize> {
        shape(self.subject, &self.ty, extent)
    }

    /// Where a probe of it lies.
    pub(super) fn place(&self, probe: &Probe, extent: Extent) -> Place {
        match probe {
            Probe::Entry(entry) => entry_at(*entry, self.subject, &self.ty, extent),
            Probe::Direction(_) => Place::Direction,
        }
    }

    /// A direction through all its entries, of about unit length.
    pub(super) fn direction(&self, extent: Extent, rng: &mut ChaCha8Rng) -> Vec<f64> {
        let size: usize = self.shape(extent).iter().product();
        normal(size, 1.0 / (size as f64).sqrt(), rng)
    }

    /// Random numbers for it, of about unit size; a matrix keeps the size of a vector.
    fn draw(&self, extent: Extent, positive: bool, rng: &mut ChaCha8Rng) -> Vec<f64> {
        let deviation = match (self.role, self.ty.shape.as_slice()) {
            (Role::Param, [_, columns]) => 1.0 / (*columns as f64).sqrt(),
            (Role::Param, _) => 0.5,
            _ => 1.0,
        };
        let size = self.shape(extent).iter().product();
        let mut numbers = normal(size, deviation, rng);
        if positive {
            numbers.iter_mut().for_each(|x| *x = x.abs());
        }
        numbers
    }
}

/// The shape of an argument's or a result's array in a run.
fn shape(subject: Subject, ty: &Type, extent: Extent) -> Vec<usize> {
    let lead: &[usize] = match subject {
        Subject::Input | Subject::Output => &[extent.steps, extent.batch],
        Subject::Initial | Subject::Final => &[extent.batch],
        Subject::Param => &[],
    };
    lead.iter().chain(&ty.shape).copied().collect()
}

/// The coordinates of an entry of a flattened array.
pub(super) fn entry_at(entry: usize, subject: Subject, ty: &Type, extent: Extent) -> Place {
    let mut rest = entry;
    let shape = shape(subject, ty, extent);
    let mut coordinates: Vec<usize> = (shape.iter().rev())
        .map(|&extent| {
            let coordinate = rest % extent;
            rest /= extent;
            coordinate
        })
        .collect();
    coordinates.reverse();
    Place::Entry(coordinates)
}

fn normal(size: usize, deviation: f64, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let draw = |_| -> f64 { StandardNormal.sample(rng) };
    (0..size).map(draw).map(|x: f64| x * deviation).collect()
}

/// A derivative to be taken of an argument.
#[derive(Clone, Debug)]
pub(super) enum Probe {
    /// By the entry at this place of the argument's flattened array.
    Entry(usize),
    /// Along a vector of the argument's size, of about unit length.
    Direction(Vec<f64>),
}

impl Probe {
    /// Random entries and directions of an argument of `size` elements.
    pub(super) fn draw(size: usize, options: &Options, rng: &mut ChaCha8Rng) -> Vec<Self> {
        let entries = if size <= options.entries {
            (0..size).collect()
        } else {
            rand::seq::index::sample(rng, size, options.entries).into_vec()
        };
        let mut probes: Vec<Self> = entries.into_iter().map(Self::Entry).collect();
        if size > options.entries {
            let deviation = 1.0 / (size as f64).sqrt();
            let direction = |_| Self::Direction(normal(size, deviation, rng));
            probes.extend((0..options.directions).map(direction));
        }
        probes
    }

    /// The derivative that a gradient gives.
    pub(super) fn derivative(&self, gradient: &[f64]) -> f64 {
        match self {
            Self::Entry(entry) => gradient[*entry],
            Self::Direction(direction) => direction.iter().zip(gradient).map(|(d, g)| d * g).sum(),
        }
    }

    /// Numbers moved by `step` along the probe.
    pub(super) fn walk(&self, from: &[f64], step: f64) -> Vec<f64> {
        let mut to = from.to_vec();
        match self {
            Self::Entry(entry) => to[*entry] += step,
            Self::Direction(direction) => {
                to.iter_mut().zip(direction).for_each(|(to, d)| *to += step * d);
            }
        }
        to
    }
}

/// How often arguments are drawn before a cell is given up on.
const ATTEMPTS: usize = 20;

/// What a cell is run on.
pub(super) struct Case {
    pub(super) extent: Extent,
    /// The inputs that are indices: each with its number.
    indices: Vec<(usize, Vec<u32>)>,
    /// How many inputs the cell has.
    inputs: usize,
    /// What is behind the cell's stops, for runs that take it as further inputs.
    pub(super) stops: Vec<Vec<f64>>,
    /// What the masks are: the same numbers in all runs of the case.
    masks: Masks,
    /// Whether the states of which the cell says where they begin do begin there.
    fresh: bool,
    /// The numbers of each argument.
    pub(super) values: Vec<Vec<f64>>,
    /// The cotangents of all outputs, then of all final states.
    pub(super) cotangents: Vec<Vec<f64>>,
}

impl Case {
    /// Draws a case on which the cell's results are finite, and sets the sequence to it.
    pub(super) fn draw(
        arguments: &[Argument],
        sequence: &mut dyn Sequence<f64>,
        options: &Options,
        number: usize,
        fresh: bool,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, GradcheckError> {
        let steps = rng.random_range(1..=options.max_steps.max(1));
        let batch = rng.random_range(1..=options.max_batch.max(1));
        let extent = Extent { steps, batch };
        let indices = sequence.interface().inputs.iter().enumerate().filter_map(|(i, port)| {
            let Element::Index { bound } = port.ty.element else { return None };
            let bound = u32::try_from(bound).unwrap_or(u32::MAX);
            Some((i, (0..extent.rows()).map(|_| rng.random_range(0..bound)).collect()))
        });
        let indices: Vec<_> = indices.collect();
        let masks = Masks::Drawn(Draw { seed: options.seed, update: number as u64, stage: 0 });
        let inputs = sequence.interface().inputs.len();
        let (stops, values, cotangents) = (Vec::new(), Vec::new(), Vec::new());
        let mut case = Self { extent, indices, inputs, stops, masks, fresh, values, cotangents };
        case.load(sequence);
        for attempt in 0..ATTEMPTS {
            // Logarithms and square roots may want positive arguments.
            let positive = attempt >= ATTEMPTS / 2;
            let draw = |argument: &Argument| argument.draw(extent, positive, rng);
            case.values = arguments.iter().map(draw).collect();
            let results = case.results_at(&case.values, arguments, sequence)?;
            if results.iter().flatten().all(|x| x.is_finite()) {
                case.cotangents = results.iter().map(|data| normal(data.len(), 1.0, rng)).collect();
                return Ok(case);
            }
        }
        Err(GradcheckError::NotFinite { attempts: ATTEMPTS, extent })
    }

    /// Gives a run of the same inputs the extent, the masks and the indices of this case, and what is
    /// behind its stops.
    pub(super) fn load(&self, sequence: &mut dyn Sequence<f64>) {
        sequence.reshape(self.extent);
        sequence.set_masks(self.masks);
        for (input, from) in (self.inputs..sequence.interface().inputs.len()).zip(&self.stops) {
            if let InputMut::Real(to) = sequence.input_mut(input) {
                to.copy_from_slice(from);
            }
        }
        for (input, from) in &self.indices {
            if let InputMut::Index(to) = sequence.input_mut(*input) {
                to.copy_from_slice(from);
            }
        }
    }

    /// The same for a run with tangents of the same cell, with the values and the cotangents too.
    pub(super) fn load_second(
        &self,
        arguments: &[Argument],
        sequence: &dyn Sequence<f64>,
        run: &mut SecondOrder<f64>,
    ) {
        run.reshape(self.extent);
        run.set_masks(self.masks);
        for (input, from) in &self.indices {
            if let InputMut::Index(to) = run.input_mut(*input) {
                to.copy_from_slice(from);
            }
        }
        for (argument, data) in arguments.iter().zip(&self.values) {
            let Argument { role, port, .. } = argument;
            match role {
                Role::State if !self.gives(argument, sequence) => run.begin(*port),
                Role::State => run.initial_mut(*port).copy_from_slice(data),
                Role::Input => {
                    if let InputMut::Real(to) = run.input_mut(*port) {
                        to.copy_from_slice(data);
                    }
                }
                Role::Param | Role::Residual | Role::Mask(_) => {}
            }
        }
        let outputs = run.interface().outputs.len();
        for (i, cotangent) in self.cotangents.iter().enumerate() {
            let to = match i.checked_sub(outputs) {
                None => run.output_cotangent_mut(i),
                Some(state) => run.final_cotangent_mut(state),
            };
            to.copy_from_slice(cotangent);
        }
    }

    /// Sets all inputs and initial states.
    fn set_all(
        &self,
        values: &[Vec<f64>],
        arguments: &[Argument],
        sequence: &mut dyn Sequence<f64>,
    ) {
        for (argument, data) in arguments.iter().zip(values) {
            if self.gives(argument, sequence) {
                set(argument, data, sequence);
            } else {
                sequence.begin(argument.port);
            }
        }
    }

    /// Whether an argument is given, rather than begun by the cell.
    pub(super) fn gives(&self, argument: &Argument, sequence: &dyn Sequence<f64>) -> bool {
        let says = || sequence.initial(argument.port) != Initial::ZERO;
        !(self.fresh && argument.role == Role::State && says())
    }

    /// The case's own params in the order of the cell's interface.
    pub(super) fn params(&self, arguments: &[Argument]) -> Vec<Vec<f64>> {
        params(&self.values, arguments)
    }

    /// The results of a run at other values: all outputs, then all final states.
    pub(super) fn results_at(
        &self,
        values: &[Vec<f64>],
        arguments: &[Argument],
        sequence: &mut dyn Sequence<f64>,
    ) -> Result<Vec<Vec<f64>>, RunError> {
        self.set_all(values, arguments, sequence);
        sequence.forward(&params(values, arguments))?;
        Ok(results(sequence))
    }

    /// The gradient of each argument by backpropagation, at other values.
    pub(super) fn gradients_at(
        &self,
        values: &[Vec<f64>],
        arguments: &[Argument],
        sequence: &mut dyn Sequence<f64>,
    ) -> Result<Vec<Vec<f64>>, RunError> {
        self.set_all(values, arguments, sequence);
        let params = params(values, arguments);
        sequence.forward_with_tape(&params)?;
        let outputs = sequence.interface().outputs.len();
        for (i, cotangent) in self.cotangents.iter().enumerate() {
            let to = match i.checked_sub(outputs) {
                None => sequence.output_cotangent_mut(i),
                Some(state) => sequence.final_cotangent_mut(state),
            };
            to.copy_from_slice(cotangent);
        }
        sequence.backward(&params)?;
        let gradient = |argument: &Argument| match argument.role {
            Role::Param => sequence.param_gradient(argument.port),
            Role::State => sequence.initial_gradient(argument.port),
            Role::Input | Role::Residual | Role::Mask(_) => {
                sequence.input_gradient(argument.port).unwrap_or_default()
            }
        };
        Ok(arguments.iter().map(|argument| gradient(argument).to_vec()).collect())
    }
}

/// The params among the values of arguments, in the order of the cell's interface.
pub(super) fn params(values: &[Vec<f64>], arguments: &[Argument]) -> Vec<Vec<f64>> {
    let params = arguments.iter().zip(values);
    let params = params.filter(|(argument, _)| argument.role == Role::Param);
    params.map(|(_, data)| data.clone()).collect()
}

/// Sets an input or an initial state; params are given to each run.
pub(super) fn set(argument: &Argument, data: &[f64], sequence: &mut dyn Sequence<f64>) {
    match argument.role {
        Role::State => sequence.initial_mut(argument.port).copy_from_slice(data),
        Role::Input => {
            if let InputMut::Real(to) = sequence.input_mut(argument.port) {
                to.copy_from_slice(data);
            }
        }
        Role::Param | Role::Residual | Role::Mask(_) => {}
    }
}

/// All outputs, then all final states.
pub(super) fn results(sequence: &dyn Sequence<f64>) -> Vec<Vec<f64>> {
    let interface = sequence.interface();
    let outputs = (0..interface.outputs.len()).map(|i| sequence.output(i).to_vec());
    let finals = (0..interface.states.len()).map(|i| sequence.final_state(i).to_vec());
    outputs.chain(finals).collect()
}
