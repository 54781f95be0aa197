//! Optimisers: how parameters follow their gradients.
//!
//! A [`Method`] is the rule, an [`Optimizer`] the rule and what it remembers. Around them:
//! [`Clip`] bounds gradients, a [`Schedule`] and a [`Plateau`] say by what the learning rate is
//! multiplied (by both, if there are both), an [`Average`] is the mean of the parameters on their way.
//!
//! All settings are read by serde. Where there are several kinds, a setting is a table with a
//! `name` or the bare name: `{ name = "adam", beta1 = 0.95 }`, `"adam"`. What is left out is as in
//! the paper. Numbers out of their range are an error that names the setting.
//!
//! Nothing here reads a clock, a file or a random number: the same gradients give the same bits, on
//! any number of threads, and in one go as after [`Optimizer::restore`].

mod average;
mod clip;
mod method;
mod orthogonal;
mod plateau;
mod schedule;
mod setting;
#[cfg(test)]
mod tests;
mod update;

use thiserror::Error;

pub use average::{Average, Averaging};
pub use clip::{Clip, Clipped, Scale, clip_scale, global_norm};
pub use method::Method;
pub use plateau::{Plateau, PlateauSettings};
pub use schedule::Schedule;
pub use setting::{BadSpan, OutOfRange, Span, UnknownName};
pub use update::Scalar;

use update::{Job, Rule};

/// What a parameter is to an optimiser, and what is remembered of its gradients.
#[derive(Clone, Debug, PartialEq)]
struct Slot<T> {
    shape: Vec<usize>,
    /// Rows and columns, if the method is to see a matrix.
    matrix: Option<(usize, usize)>,
    decays: bool,
    moments: Vec<Vec<T>>,
}

impl<T: Scalar> Slot<T> {
    fn new(method: Method, shape: &[usize], matrix: bool) -> Self {
        let matrix = match *shape {
            [rows, columns] if matrix && rows > 1 && columns > 1 => Some((rows, columns)),
            _ => None,
        };
        let zeros = || vec![T::default(); shape.iter().product()];
        let moments = (0..method.moments(matrix.is_some())).map(|_| zeros()).collect();
        Self { shape: shape.to_vec(), matrix, decays: true, moments }
    }
}

/// A method and what it remembers of past gradients.
#[derive(Clone, Debug, PartialEq)]
pub struct Optimizer<T> {
    method: Method,
    weight_decay: f64,
    threads: usize,
    steps: u64,
    slots: Vec<Slot<T>>,
}

impl<T: Scalar> Optimizer<T> {
    /// An optimiser of parameters of the given shapes, which has seen no gradient yet.
    ///
    /// The method says what `weight_decay` means: see [`Method::decoupled`]. 0 is none. All
    /// parameters decay, as in PyTorch; see [`without_decay`](Self::without_decay).
    pub fn new(method: Method, weight_decay: f64, shapes: &[Vec<usize>]) -> Self {
        let slots = shapes.iter().map(|shape| Slot::new(method, shape, true)).collect();
        Self { method, weight_decay, threads: 1, steps: 0, slots }
    }

    /// Takes these parameters for vectors, whatever their shape: those whose rows are looked up or
    /// are classes, as in embeddings and heads. Only [`Method::Muon`] knows the difference. It is
    /// said before the first step: what was remembered of them is lost.
    ///
    /// # Panics
    /// If there is no such parameter.
    #[must_use]
    pub fn with_vectors(mut self, params: impl IntoIterator<Item = usize>) -> Self {
        for i in params {
            let slot = &mut self.slots[i];
            *slot = Slot { decays: slot.decays, ..Slot::new(self.method, &slot.shape, false) };
        }
        self
    }

    /// Spares these parameters the weight decay: by custom biases, and gains of normalisations.
    ///
    /// # Panics
    /// If there is no such parameter.
    #[must_use]
    pub fn without_decay(mut self, params: impl IntoIterator<Item = usize>) -> Self {
        for i in params {
            self.slots[i].decays = false;
        }
        self
    }

    /// Shares the work of large steps among so many threads; 1 if it is not said. Results do not
    /// depend on it. One thread is near the bandwidth of memory but for [`Method::Muon`]; two were
    /// 1.4 times as fast for Adam, from some hundred thousand elements up.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// The method.
    pub fn method(&self) -> Method {
        self.method
    }

    /// How many steps were taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// What is remembered: for each parameter its moments, in the order of the method's
    /// documentation, each of the parameter's shape.
    pub fn moments(&self) -> Vec<&[Vec<T>]> {
        self.slots.iter().map(|slot| slot.moments.as_slice()).collect()
    }

    /// How many numbers are remembered in all.
    pub fn size(&self) -> usize {
        self.slots.iter().flat_map(|slot| &slot.moments).map(Vec::len).sum()
    }

    /// Takes up an optimisation where it was left.
    ///
    /// # Errors
    /// If `moments` are not as many or not as large as those it has; it is then unchanged.
    pub fn restore(&mut self, steps: u64, moments: Vec<Vec<Vec<T>>>) -> Result<(), StateError> {
        StateError::check_count(self.slots.len(), moments.len())?;
        for (parameter, (slot, moments)) in self.slots.iter().zip(&moments).enumerate() {
            let (expected, found) = (slot.moments.len(), moments.len());
            if expected != found {
                return Err(StateError::Moments { parameter, expected, found });
            }
            for (expected, found) in slot.moments.iter().zip(moments) {
                StateError::check_size(parameter, expected, found)?;
            }
        }
        self.steps = steps;
        for (slot, moments) in self.slots.iter_mut().zip(moments) {
            slot.moments = moments;
        }
        Ok(())
    }

    /// Takes one step of size `learning_rate` along the gradients, which are scaled first: by a
    /// number, or by what [`Clip::of`] gives.
    ///
    /// A gradient that is not finite makes what it touches so too, in the parameter and in what is
    /// remembered: look at the norm first.
    ///
    /// # Panics
    /// If params and gradients differ in number or size from those the optimiser was made for.
    pub fn step(
        &mut self,
        params: &mut [&mut [T]],
        gradients: &[&[T]],
        learning_rate: f64,
        scale: impl Into<Scale>,
    ) {
        assert_eq!(params.len(), self.slots.len(), "params are those the optimiser was made for");
        assert_eq!(params.len(), gradients.len(), "each param has one gradient");
        self.steps += 1;
        let scale = scale.into();
        let rule = |decay| Rule::new(self.method, self.steps, learning_rate, decay, scale);
        let (decaying, lasting) = (rule(self.weight_decay), rule(0.0));
        let mut jobs = Vec::new();
        for ((slot, param), gradient) in self.slots.iter_mut().zip(params).zip(gradients) {
            let size = slot.shape.iter().product();
            assert_eq!((param.len(), gradient.len()), (size, size), "sizes are those of the shape");
            let rule = if slot.decays { &decaying } else { &lasting };
            Job::push(&mut jobs, rule, slot.matrix, param, gradient, &mut slot.moments);
        }
        update::run(jobs, self.threads);
    }
}

/// Why a state that was kept is of something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StateError {
    /// Of another number of parameters.
    #[error("the state is of {found} parameters; the model has {expected}")]
    Parameters {
        /// How many there are.
        expected: usize,
        /// How many the state is of.
        found: usize,
    },
    /// Of a method that remembers more or less.
    #[error(
        "the state has {found} arrays for parameter {parameter}; the optimiser keeps {expected}"
    )]
    Moments {
        /// Which parameter, from 0.
        parameter: usize,
        /// How many arrays the method keeps for it.
        expected: usize,
        /// How many the state has.
        found: usize,
    },
    /// Of a parameter of another size.
    #[error("the state has {found} numbers for parameter {parameter}, which has {expected}")]
    Size {
        /// Which parameter, from 0.
        parameter: usize,
        /// How many elements it has.
        expected: usize,
        /// How many the state has.
        found: usize,
    },
}

impl StateError {
    fn check_count(expected: usize, found: usize) -> Result<(), Self> {
        if expected == found { Ok(()) } else { Err(Self::Parameters { expected, found }) }
    }

    fn check_size<T>(parameter: usize, expected: &[T], found: &[T]) -> Result<(), Self> {
        let (expected, found) = (expected.len(), found.len());
        if expected == found { Ok(()) } else { Err(Self::Size { parameter, expected, found }) }
    }
}
