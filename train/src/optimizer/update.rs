//! One step of a method over arrays, in pieces that threads can share.

use std::sync::{Mutex, PoisonError};

use cellc_compiler::ir::eval::Real;

use super::clip::{Scale, limited};
use super::method::Method;
use super::orthogonal::orthogonalize;

/// Real numbers whose root is one instruction in a loop.
///
/// `Real::unary` is a call for each element, which keeps loops from being vectorised.
pub trait Scalar: Real {
    /// The square root.
    #[must_use]
    fn root(self) -> Self;
}

impl Scalar for f32 {
    #[inline]
    fn root(self) -> Self {
        self.sqrt()
    }
}

impl Scalar for f64 {
    #[inline]
    fn root(self) -> Self {
        self.sqrt()
    }
}

/// A method's numbers for one step.
#[derive(Clone, Copy)]
pub(super) struct Rule<T> {
    method: Method,
    steps: f64,
    learning_rate: f64,
    /// What gradients are limited to, and multiplied by.
    limit: T,
    scale: T,
    /// What of a parameter is added to its gradient.
    coupled: T,
    /// What a parameter is multiplied by.
    keep: T,
}

impl<T: Scalar> Rule<T> {
    pub(super) fn new(
        method: Method,
        steps: u64,
        learning_rate: f64,
        decay: f64,
        scale: Scale,
    ) -> Self {
        let real = T::from_f64;
        let (coupled, apart) = if method.decoupled() { (0.0, decay) } else { (decay, 0.0) };
        Self {
            method,
            steps: steps as f64,
            learning_rate,
            limit: real(scale.limit),
            scale: real(scale.factor),
            coupled: real(coupled),
            keep: real(1.0 - learning_rate * apart),
        }
    }

    /// The gradient that the method sees.
    #[inline]
    fn gradient(&self, g: T, p: T) -> T {
        limited(g, -self.limit, self.limit) * self.scale + self.coupled * p
    }
}

/// What one thread does in one go.
pub(super) enum Job<'a, T> {
    /// Elements of one parameter.
    Piece { rule: &'a Rule<T>, param: &'a mut [T], gradient: &'a [T], moments: [&'a mut [T]; 2] },
    /// A matrix, whole.
    Matrix {
        rule: &'a Rule<T>,
        extents: (usize, usize),
        param: &'a mut [T],
        gradient: &'a [T],
        mean: &'a mut [T],
    },
}

/// How many elements are one piece: four arrays of it are in the cache of a core.
const PIECE: usize = 1 << 14;

/// How many elements a step must have for threads to pay: to start one takes as long as some
/// ten thousand elements of Adam.
const SHARED: usize = 1 << 18;

impl<'a, T: Scalar> Job<'a, T> {
    /// What is to be done for one parameter.
    pub(super) fn push(
        jobs: &mut Vec<Self>,
        rule: &'a Rule<T>,
        matrix: Option<(usize, usize)>,
        param: &'a mut [T],
        gradient: &'a [T],
        moments: &'a mut [Vec<T>],
    ) {
        if let (Method::Muon { .. }, Some(extents)) = (rule.method, matrix) {
            let mean = moments.first_mut().map(Vec::as_mut_slice).unwrap_or_default();
            jobs.push(Self::Matrix { rule, extents, param, gradient, mean });
            return;
        }
        let mut moments = moments.iter_mut().map(|moment| moment.chunks_mut(PIECE));
        let (mut first, mut second) = (moments.next(), moments.next());
        for (param, gradient) in param.chunks_mut(PIECE).zip(gradient.chunks(PIECE)) {
            let first = first.as_mut().and_then(Iterator::next).unwrap_or_default();
            let second = second.as_mut().and_then(Iterator::next).unwrap_or_default();
            jobs.push(Self::Piece { rule, param, gradient, moments: [first, second] });
        }
    }

    /// About how long it takes, in elements.
    fn work(&self) -> usize {
        match self {
            Self::Piece { param, .. } => param.len(),
            Self::Matrix { extents: (rows, columns), param, .. } => param.len() * rows.min(columns),
        }
    }

    fn run(self) {
        match self {
            Self::Piece { rule, param, gradient, moments: [first, second] } => {
                update(rule, param, gradient, first, second);
            }
            Self::Matrix { rule, extents, param, gradient, mean } => {
                update_matrix(rule, extents, param, gradient, mean);
            }
        }
    }
}

/// Does all jobs. What each gives does not depend on which thread does it, nor when.
pub(super) fn run<T: Scalar>(jobs: Vec<Job<'_, T>>, threads: usize) {
    let threads = threads.min(jobs.len());
    if threads <= 1 || jobs.iter().map(Job::work).sum::<usize>() < SHARED {
        jobs.into_iter().for_each(Job::run);
        return;
    }
    let jobs = Mutex::new(jobs.into_iter());
    let next = || jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || std::iter::from_fn(next).for_each(Job::run);
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
}

/// One step of elements.
fn update<T: Scalar>(
    rule: &Rule<T>,
    param: &mut [T],
    gradient: &[T],
    first: &mut [T],
    second: &mut [T],
) {
    match rule.method {
        Method::Sgd {} => rule.sgd(param, gradient),
        Method::Momentum { momentum } => rule.momentum(momentum, param, gradient, first),
        Method::Nesterov { momentum } => rule.nesterov(momentum, param, gradient, first),
        Method::RmsProp { alpha, epsilon, momentum } if momentum > 0.0 => {
            let square = rule.rms_prop(alpha, epsilon);
            let (rate, momentum) = (T::from_f64(rule.learning_rate), T::from_f64(momentum));
            for (((p, &g), s), v) in param.iter_mut().zip(gradient).zip(first).zip(second) {
                *v = momentum * *v + square(*p, g, s);
                *p = *p - rate * *v;
            }
        }
        Method::RmsProp { alpha, epsilon, .. } => {
            let square = rule.rms_prop(alpha, epsilon);
            let rate = T::from_f64(rule.learning_rate);
            for ((p, &g), s) in param.iter_mut().zip(gradient).zip(first) {
                *p = *p - rate * square(*p, g, s);
            }
        }
        Method::AdaGrad { epsilon } => rule.ada_grad(epsilon, param, gradient, first),
        Method::Adam { beta1, beta2, epsilon }
        | Method::AdamW { beta1, beta2, epsilon }
        | Method::Muon { beta1, beta2, epsilon, .. } => {
            rule.adam([beta1, beta2], epsilon, param, gradient, [first, second]);
        }
        Method::Lion { beta1, beta2 } => rule.lion([beta1, beta2], param, gradient, first),
    }
}

/// The loops of the methods over elements of one parameter: what each remembers of them is `v`, `s` or
/// `m`, as in the formulas of [`Method`].
impl<T: Scalar> Rule<T> {
    fn sgd(&self, param: &mut [T], gradient: &[T]) {
        let rate = T::from_f64(self.learning_rate);
        for (p, &g) in param.iter_mut().zip(gradient) {
            *p = *p - rate * self.gradient(g, *p);
        }
    }

    fn momentum(&self, momentum: f64, param: &mut [T], gradient: &[T], velocity: &mut [T]) {
        let (rate, momentum) = (T::from_f64(self.learning_rate), T::from_f64(momentum));
        for ((p, &g), v) in param.iter_mut().zip(gradient).zip(velocity) {
            *v = momentum * *v + self.gradient(g, *p);
            *p = *p - rate * *v;
        }
    }

    fn nesterov(&self, momentum: f64, param: &mut [T], gradient: &[T], velocity: &mut [T]) {
        let (rate, momentum) = (T::from_f64(self.learning_rate), T::from_f64(momentum));
        for ((p, &g), v) in param.iter_mut().zip(gradient).zip(velocity) {
            let g = self.gradient(g, *p);
            *v = momentum * *v + g;
            *p = *p - rate * (g + momentum * *v);
        }
    }

    /// Divides gradients by the root of the mean of their squares, and brings that mean up to date.
    fn rms_prop(&self, alpha: f64, epsilon: f64) -> impl Fn(T, T, &mut T) -> T + '_ {
        let real = T::from_f64;
        let (alpha, rest, epsilon) = (real(alpha), real(1.0 - alpha), real(epsilon));
        move |p, g, s| {
            let g = self.gradient(g, p);
            *s = alpha * *s + rest * (g * g);
            g / (s.root() + epsilon)
        }
    }

    fn ada_grad(&self, epsilon: f64, param: &mut [T], gradient: &[T], squares: &mut [T]) {
        let (rate, epsilon) = (T::from_f64(self.learning_rate), T::from_f64(epsilon));
        for ((p, &g), s) in param.iter_mut().zip(gradient).zip(squares) {
            let g = self.gradient(g, *p);
            *s = *s + g * g;
            *p = *p - rate * g / (s.root() + epsilon);
        }
    }

    fn adam(
        &self,
        [beta1, beta2]: [f64; 2],
        epsilon: f64,
        param: &mut [T],
        gradient: &[T],
        [means, squares]: [&mut [T]; 2],
    ) {
        let (real, keep) = (T::from_f64, self.keep);
        let correct = |beta: f64| 1.0 - beta.powf(self.steps);
        // Both corrections are folded into the rate and the added constant:
        // lr (m / c1) / (sqrt(s / c2) + e) = (lr sqrt(c2) / c1) m / (sqrt(s) + e sqrt(c2)).
        let root = correct(beta2).sqrt();
        let rate = real(self.learning_rate * root / correct(beta1));
        let epsilon = real(epsilon * root);
        let (b1, b2) = (real(beta1), real(beta2));
        let (rest1, rest2) = (real(1.0 - beta1), real(1.0 - beta2));
        for (((p, &g), m), s) in param.iter_mut().zip(gradient).zip(means).zip(squares) {
            let g = self.gradient(g, *p);
            *m = b1 * *m + rest1 * g;
            *s = b2 * *s + rest2 * (g * g);
            *p = *p * keep - rate * *m / (s.root() + epsilon);
        }
    }

    fn lion(&self, [beta1, beta2]: [f64; 2], param: &mut [T], gradient: &[T], means: &mut [T]) {
        let (real, keep) = (T::from_f64, self.keep);
        let rate = real(self.learning_rate);
        let (b1, b2) = (real(beta1), real(beta2));
        let (rest1, rest2) = (real(1.0 - beta1), real(1.0 - beta2));
        for ((p, &g), m) in param.iter_mut().zip(gradient).zip(means) {
            let g = self.gradient(g, *p);
            *p = *p * keep - rate * sign(b1 * *m + rest1 * g);
            *m = b2 * *m + rest2 * g;
        }
    }
}

/// -1, 0 or 1; NaN for NaN.
#[inline]
fn sign<T: Scalar>(x: T) -> T {
    let one = T::from_f64(1.0);
    if x > T::default() {
        one
    } else if x < T::default() {
        -one
    } else {
        x
    }
}

/// One step of a matrix by Muon.
fn update_matrix<T: Scalar>(
    rule: &Rule<T>,
    extents: (usize, usize),
    param: &mut [T],
    gradient: &[T],
    mean: &mut [T],
) {
    let Method::Muon { momentum, .. } = rule.method else { return };
    let (momentum, rest) = (T::from_f64(momentum), T::from_f64(1.0 - momentum));
    let step = param.iter().zip(gradient).zip(mean).map(|((&p, &g), m)| {
        let g = rule.gradient(g, p);
        *m = momentum * *m + rest * g;
        momentum * *m + rest * g
    });
    let step = orthogonalize(&step.collect::<Vec<_>>(), extents);
    let extent = extents.0.max(extents.1) as f64;
    let rate = T::from_f64(0.2 * extent.sqrt() * rule.learning_rate);
    for (p, o) in param.iter_mut().zip(step) {
        *p = *p * rule.keep - rate * o;
    }
}
