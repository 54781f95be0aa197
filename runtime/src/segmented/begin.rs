//! Where the states of a fresh sequence begin, and what that adds to the gradients of params.

use cellc_compiler::cell::Initial;
use cellc_compiler::ir::eval::Real;

use crate::sequence::Interface;

/// The states of a sequence as its cell has them begin.
pub(super) struct Beginning<T> {
    initial: Vec<Initial>,
    /// For each state, whether the caller gave its values.
    given: Vec<bool>,
    /// The gradients of the params that states begin at.
    gradients: Vec<Option<Vec<T>>>,
}

impl<T: Real> Beginning<T> {
    pub(super) fn new(interface: &Interface, initial: Vec<Initial>) -> Self {
        let gradient = |(param, port): (usize, &crate::sequence::Port)| {
            let begins = initial.contains(&Initial::Param(param));
            begins.then(|| vec![T::default(); port.ty.size()])
        };
        let gradients = interface.params.iter().enumerate().map(gradient).collect();
        Self { given: vec![false; initial.len()], initial, gradients }
    }

    /// Takes back what all states were given.
    pub(super) fn reset(&mut self) {
        self.given.fill(false);
    }

    /// Notes whether a state is given, and says whether it was.
    pub(super) fn give(&mut self, state: usize, given: bool) -> bool {
        std::mem::replace(&mut self.given[state], given)
    }

    pub(super) fn initial(&self, state: usize) -> Initial {
        self.initial[state]
    }

    /// The states that are given nothing, each with where it begins.
    pub(super) fn fresh(&self) -> Vec<(usize, Initial)> {
        let states = self.initial.iter().copied().enumerate();
        states.filter(|(state, _)| !self.given[*state]).collect()
    }

    /// The gradient of a param, if states begin there.
    pub(super) fn gradient(&self, param: usize) -> Option<&[T]> {
        self.gradients[param].as_deref()
    }

    /// Sets the gradients of the params that states begin at: what the steps give, and the cotangents
    /// of the states before the first step, example by example.
    pub(super) fn set_gradients<'s>(
        &mut self,
        steps: impl Fn(usize) -> &'s [T],
        before: impl Fn(usize) -> &'s [T],
    ) where
        T: 's,
    {
        let fresh = self.fresh();
        for (param, gradient) in self.gradients.iter_mut().enumerate() {
            let Some(sum) = gradient else { continue };
            sum.copy_from_slice(steps(param));
            for (state, _) in fresh.iter().filter(|(_, begin)| *begin == Initial::Param(param)) {
                for example in before(*state).chunks_exact(sum.len()) {
                    sum.iter_mut().zip(example).for_each(|(sum, &term)| *sum = *sum + term);
                }
            }
        }
    }
}

/// Fills a state, `[B, ..]`, with what every example begins at.
pub(crate) fn fill<T: Real>(state: &mut [T], begin: Initial, params: &[Vec<T>]) {
    match begin {
        Initial::Constant(number) => state.fill(T::from_f64(number)),
        Initial::Param(param) => {
            let param = &params[param];
            state.chunks_exact_mut(param.len()).for_each(|example| example.copy_from_slice(param));
        }
    }
}
