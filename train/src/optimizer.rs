//! Optimisers: how parameters follow their gradients.

use cellc_compiler::ir::eval::Real;
use cellc_compiler::ir::op::Unary;
use serde::{Deserialize, Serialize};

/// A rule by which parameters follow their gradients `g` at a learning rate `lr`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase")]
pub enum Method {
    /// `p -= lr g`
    Sgd,
    /// `v = momentum v + g; p -= lr v` (Polyak 1964).
    Momentum {
        /// How much of the velocity is kept at each step.
        momentum: f64,
    },
    /// Steps scaled by running moments of the gradient, with correction of their bias
    /// (Kingma & Ba 2015).
    Adam {
        /// How much of the mean of the gradient is kept at each step.
        beta1: f64,
        /// How much of the mean of its square is kept at each step.
        beta2: f64,
        /// Added to the root of the mean square.
        epsilon: f64,
    },
}

impl Method {
    /// Momentum with its usual factor, 0.9.
    pub const MOMENTUM: Self = Self::Momentum { momentum: 0.9 };
    /// Adam with the paper's constants.
    pub const ADAM: Self = Self::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

    /// How many numbers it keeps for each parameter element.
    pub fn moments(self) -> usize {
        match self {
            Self::Sgd => 0,
            Self::Momentum { .. } => 1,
            Self::Adam { .. } => 2,
        }
    }
}

/// A method and what it remembers of past gradients.
#[derive(Clone, Debug, PartialEq)]
pub struct Optimizer<T> {
    method: Method,
    weight_decay: f64,
    steps: u64,
    moments: Vec<Vec<Vec<T>>>,
}

impl<T: Real> Optimizer<T> {
    /// An optimiser of parameters of the given sizes, which has seen no gradient yet.
    ///
    /// At each step parameters also shrink by the factor `1 - lr weight_decay`, apart from the
    /// gradient (decoupled weight decay, Loshchilov & Hutter 2019).
    pub fn new(method: Method, weight_decay: f64, sizes: &[usize]) -> Self {
        let zeros = |&size: &usize| vec![T::default(); size];
        let moments = (0..method.moments()).map(|_| sizes.iter().map(zeros).collect()).collect();
        Self { method, weight_decay, steps: 0, moments }
    }

    /// The method.
    pub fn method(&self) -> Method {
        self.method
    }

    /// How many steps were taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// What is remembered: for each moment of the method, one array for each parameter.
    pub fn moments(&self) -> &[Vec<Vec<T>>] {
        &self.moments
    }

    /// Takes up an optimisation where it was left.
    ///
    /// # Panics
    /// If `moments` are not as many or not as large as those it has.
    pub fn restore(&mut self, steps: u64, moments: Vec<Vec<Vec<T>>>) {
        let sizes = |moments: &[Vec<Vec<T>>]| -> Vec<Vec<usize>> {
            moments.iter().map(|moment| moment.iter().map(Vec::len).collect()).collect()
        };
        assert_eq!(sizes(&moments), sizes(&self.moments), "moments of another model");
        self.steps = steps;
        self.moments = moments;
    }

    /// Takes one step of size `learning_rate` along the gradients times `scale`.
    ///
    /// # Panics
    /// If params and gradients differ in number or size from those the optimiser was made for.
    pub fn step(
        &mut self,
        params: &mut [&mut [T]],
        gradients: &[&[T]],
        learning_rate: f64,
        scale: f64,
    ) {
        assert_eq!(params.len(), gradients.len(), "each param has one gradient");
        self.steps += 1;
        let real = T::from_f64;
        let (rate, scale) = (real(learning_rate), real(scale));
        let keep = real(1.0 - learning_rate * self.weight_decay);
        for (i, (param, gradient)) in params.iter_mut().zip(gradients).enumerate() {
            assert_eq!(param.len(), gradient.len(), "a gradient has its param's size");
            let gradient = gradient.iter().map(|&g| g * scale);
            if self.weight_decay != 0.0 {
                param.iter_mut().for_each(|p| *p = *p * keep);
            }
            match (self.method, self.moments.as_mut_slice()) {
                (Method::Momentum { momentum }, [velocity]) => {
                    let momentum = real(momentum);
                    for ((p, g), v) in param.iter_mut().zip(gradient).zip(&mut velocity[i]) {
                        *v = momentum * *v + g;
                        *p = *p - rate * *v;
                    }
                }
                (Method::Adam { beta1, beta2, epsilon }, [mean, square]) => {
                    let correct = |beta: f64| 1.0 - beta.powf(self.steps as f64);
                    // Both corrections are folded into the rate and the added constant:
                    // lr (m / c1) / (sqrt(s / c2) + e) = (lr sqrt(c2) / c1) m / (sqrt(s) + e sqrt(c2)).
                    let root = correct(beta2).sqrt();
                    let rate = real(learning_rate * root / correct(beta1));
                    let epsilon = real(epsilon * root);
                    let (b1, b2) = (real(beta1), real(beta2));
                    let (rest1, rest2) = (real(1.0 - beta1), real(1.0 - beta2));
                    let moments = mean[i].iter_mut().zip(&mut square[i]);
                    for ((p, g), (m, s)) in param.iter_mut().zip(gradient).zip(moments) {
                        *m = b1 * *m + rest1 * g;
                        *s = b2 * *s + rest2 * (g * g);
                        *p = *p - rate * *m / (T::unary(Unary::Sqrt, *s) + epsilon);
                    }
                }
                _ => {
                    for (p, g) in param.iter_mut().zip(gradient) {
                        *p = *p - rate * g;
                    }
                }
            }
        }
    }
}

/// The Euclidean norm of all gradients together.
///
/// Summed in f64 and in order, so that it is the same on every run.
pub fn global_norm<T: Real>(gradients: &[&[T]]) -> f64 {
    let square = |g: &T| g.to_f64() * g.to_f64();
    gradients.iter().map(|gradient| gradient.iter().map(square).sum::<f64>()).sum::<f64>().sqrt()
}

/// What gradients of a norm are to be multiplied by so that the norm is `limit` at the most
/// (Pascanu et al. 2013). A `limit` of 0 is none.
pub fn clip_scale(norm: f64, limit: f64) -> f64 {
    if limit > 0.0 && norm > limit { limit / norm } else { 1.0 }
}

/// How the learning rate changes in the course of a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// It stays as it is.
    Constant,
    /// It rises for the first fiftieth of the steps, then falls to a hundredth of its height along
    /// half a cosine wave (Loshchilov & Hutter 2017).
    Cosine,
}

impl Schedule {
    /// What the learning rate is multiplied by at `step` of `total`, both from 0.
    pub fn factor(self, step: u64, total: u64) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Cosine => {
                let (step, total) = (step as f64, total.max(1) as f64);
                let warm = (total / 50.0).ceil();
                if step < warm {
                    return (step + 1.0) / (warm + 1.0);
                }
                let progress = ((step - warm) / (total - warm).max(1.0)).min(1.0);
                0.01 + 0.99 * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Params after each of three steps along the gradients 1, -2 and 0.5 at lr 0.1, from 1.
    fn path(method: Method, weight_decay: f64) -> Vec<f64> {
        let mut optimizer = Optimizer::<f64>::new(method, weight_decay, &[1]);
        let mut param = [1.0];
        let mut step = |g: f64| {
            optimizer.step(&mut [&mut param], &[&[g]], 0.1, 1.0);
            param[0]
        };
        vec![step(1.0), step(-2.0), step(0.5)]
    }

    fn check(found: &[f64], expected: &[f64]) {
        let close = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-12;
        assert!(found.iter().zip(expected).all(close), "{found:?}, not {expected:?}");
    }

    #[test]
    fn sgd_follows_the_gradient() {
        check(&path(Method::Sgd, 0.0), &[0.9, 1.1, 1.05]);
    }

    #[test]
    fn momentum_keeps_its_velocity() {
        // v = 1; 0.9 - 2 = -1.1; -0.99 + 0.5 = -0.49
        check(&path(Method::MOMENTUM, 0.0), &[0.9, 1.01, 1.059]);
    }

    #[test]
    fn adam_corrects_its_moments() {
        // m = 0.1, -0.11, -0.049; s = 0.001, 0.004999, 0.005244001, each by hand.
        let by_hand = |m: f64, s: f64, t: i32| {
            let (m, s) = (m / (1.0 - 0.9_f64.powi(t)), s / (1.0 - 0.999_f64.powi(t)));
            0.1 * m / (s.sqrt() + 1e-8)
        };
        let one = 1.0 - by_hand(0.1, 0.001, 1);
        let two = one - by_hand(-0.11, 0.004_999, 2);
        let three = two - by_hand(-0.049, 0.005_244_001, 3);
        assert!((one - 0.9).abs() < 1e-8, "the first step is lr, whatever the gradient");
        check(&path(Method::ADAM, 0.0), &[one, two, three]);
    }

    #[test]
    fn weight_decay_shrinks_parameters_apart_from_the_gradient() {
        check(&path(Method::Sgd, 0.5)[..2], &[0.95 - 0.1, 0.85 * 0.95 + 0.2]);
    }

    #[test]
    fn the_scale_multiplies_gradients() {
        let mut optimizer = Optimizer::<f64>::new(Method::Sgd, 0.0, &[2]);
        let mut param = [1.0, 2.0];
        optimizer.step(&mut [&mut param], &[&[1.0, -1.0]], 1.0, 0.5);
        assert_eq!(param, [0.5, 2.5]);
    }

    #[test]
    fn a_restored_optimizer_goes_on_as_if_nothing_had_happened() {
        let mut whole = Optimizer::<f64>::new(Method::ADAM, 0.0, &[1]);
        let mut a = [1.0];
        whole.step(&mut [&mut a], &[&[1.0]], 0.1, 1.0);
        let mut restored = Optimizer::<f64>::new(Method::ADAM, 0.0, &[1]);
        restored.restore(whole.steps(), whole.moments().to_vec());
        let mut b = a;
        whole.step(&mut [&mut a], &[&[-3.0]], 0.1, 1.0);
        restored.step(&mut [&mut b], &[&[-3.0]], 0.1, 1.0);
        assert_eq!((a, whole), (b, restored));
    }

    #[test]
    fn the_norm_is_of_all_gradients_and_clipping_brings_it_to_the_limit() {
        let gradients: [&[f32]; 2] = [&[3.0], &[0.0, 4.0]];
        assert_eq!(global_norm(&gradients), 5.0);
        assert_eq!(clip_scale(5.0, 1.0), 0.2);
        assert_eq!(clip_scale(0.5, 1.0), 1.0);
        assert_eq!(clip_scale(5.0, 0.0), 1.0, "no limit");
    }

    #[test]
    fn the_cosine_schedule_rises_then_falls_to_a_hundredth() {
        let factor = |step| Schedule::Cosine.factor(step, 1000);
        assert!(factor(0) < 0.1 && (factor(20) - 1.0).abs() < 1e-3);
        assert!((factor(510) - 0.505).abs() < 1e-2 && factor(999) < 0.011);
        assert!((1..1000).all(|step| factor(step) <= 1.0 && factor(step) > 0.0));
        assert_eq!(Schedule::Constant.factor(5, 10), 1.0);
    }
}
