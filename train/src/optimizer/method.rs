//! The methods and their constants.

use serde::{Deserialize, Serialize};

use super::setting::{OutOfRange, Range, checked_kinds};

/// A rule by which parameters `p` follow their gradients `g` at a learning rate `lr`.
///
/// Conventions and constants are those of PyTorch 2.15, and tests hold the values against its own:
/// the constant `epsilon` is added outside the root, and moments begin at 0. `m`, `v` and `s` are
/// what is remembered between steps, in the order in which they are named here. Weight decay `w`
/// is added to gradients or shrinks parameters apart from them: see
/// [`decoupled`](Self::decoupled).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", tag = "name", rename_all = "lowercase", deny_unknown_fields)]
pub enum Method {
    /// Against the gradient: `p -= lr g` (Robbins & Monro 1951).
    Sgd {},
    /// With a velocity: `v = momentum v + g; p -= lr v` (Polyak 1964; `SGD` with `momentum`).
    Momentum {
        /// How much of the velocity is kept at each step.
        #[serde(default = "ninety_percent")]
        momentum: f64,
    },
    /// With a velocity, and along the gradient where it leads:
    /// `v = momentum v + g; p -= lr (g + momentum v)` (Nesterov 1983, in the form of Sutskever et
    /// al. 2013; `SGD` with `nesterov`).
    Nesterov {
        /// How much of the velocity is kept at each step.
        #[serde(default = "ninety_percent")]
        momentum: f64,
    },
    /// By the root of a running mean square: `s = alpha s + (1 - alpha) g²`, and
    /// `u = g / (√s + epsilon)`. Without momentum `p -= lr u`; with it `v = momentum v + u;
    /// p -= lr v`, and `v` is remembered too. Not centred (Tieleman & Hinton 2012).
    RmsProp {
        /// How much of the mean square is kept at each step.
        #[serde(default = "alpha")]
        alpha: f64,
        /// Added to the root of the mean square.
        #[serde(default = "epsilon")]
        epsilon: f64,
        /// How much of the velocity is kept at each step; 0 for none.
        #[serde(default)]
        momentum: f64,
    },
    /// By the root of the sum of all squares: `s += g²; p -= lr g / (√s + epsilon)` (Duchi et al.
    /// 2011).
    AdaGrad {
        /// Added to the root of the sum.
        #[serde(default = "adagrad_epsilon")]
        epsilon: f64,
    },
    /// By running moments: `m = beta1 m + (1 - beta1) g; s = beta2 s + (1 - beta2) g²`, and at step
    /// `t` `p -= lr (m / (1 - beta1^t)) / (√(s / (1 - beta2^t)) + epsilon)` (Kingma & Ba 2015).
    Adam {
        /// How much of the mean is kept at each step.
        #[serde(default = "ninety_percent")]
        beta1: f64,
        /// How much of the mean square is kept at each step.
        #[serde(default = "beta2")]
        beta2: f64,
        /// Added to the root of the mean square.
        #[serde(default = "epsilon")]
        epsilon: f64,
    },
    /// Adam with decoupled weight decay (Loshchilov & Hutter 2019).
    AdamW {
        /// How much of the mean is kept at each step.
        #[serde(default = "ninety_percent")]
        beta1: f64,
        /// How much of the mean square is kept at each step.
        #[serde(default = "beta2")]
        beta2: f64,
        /// Added to the root of the mean square.
        #[serde(default = "epsilon")]
        epsilon: f64,
    },
    /// By the sign alone: `p -= lr sign(beta1 m + (1 - beta1) g); m = beta2 m + (1 - beta2) g`
    /// (Chen et al. 2023). As each element moves by `lr`, it takes a third to a tenth of Adam's
    /// rate, and as much more weight decay.
    Lion {
        /// How much of the step is the running mean.
        #[serde(default = "ninety_percent")]
        beta1: f64,
        /// How much of the mean is kept at each step.
        #[serde(default = "lion_beta2")]
        beta2: f64,
    },
    /// Steps of matrices made orthogonal: `m = momentum m + (1 - momentum) g`,
    /// `u = momentum m + (1 - momentum) g`, and `p -= 0.2 √max(rows, columns) lr O`, where `O` is
    /// `u` with all singular values brought to about 1 by five Newton-Schulz iterations (Jordan et
    /// al. 2024). The factor is that of Liu et al. 2025, PyTorch's `match_rms_adamw`: by it steps
    /// are as large as AdamW's, so that one learning rate and one weight decay do for both.
    ///
    /// Matrices are the parameters with two axes, both longer than 1, but for those that
    /// [`with_vectors`](super::Optimizer::with_vectors) names: embeddings and heads should be. All
    /// others follow AdamW with `beta1`, `beta2` and `epsilon`.
    ///
    /// PyTorch iterates in bfloat16; here it is the precision of the parameters. A step of a
    /// matrix costs about `30 min² max` multiplications of its smaller and larger extent.
    Muon {
        /// How much of a matrix's mean is kept at each step.
        #[serde(default = "muon_momentum")]
        momentum: f64,
        /// Of the other parameters, how much of the mean is kept at each step.
        #[serde(default = "ninety_percent")]
        beta1: f64,
        /// Of the other parameters, how much of the mean square is kept at each step.
        #[serde(default = "beta2")]
        beta2: f64,
        /// Of the other parameters, what is added to the root of the mean square.
        #[serde(default = "epsilon")]
        epsilon: f64,
    },
}

checked_kinds!(Method, "optimiser");

fn ninety_percent() -> f64 {
    0.9
}
fn alpha() -> f64 {
    0.99
}
fn beta2() -> f64 {
    0.999
}
fn lion_beta2() -> f64 {
    0.99
}
fn muon_momentum() -> f64 {
    0.95
}
fn epsilon() -> f64 {
    1e-8
}
fn adagrad_epsilon() -> f64 {
    1e-10
}

impl Method {
    /// The gradient alone.
    pub const SGD: Self = Self::Sgd {};
    /// Momentum with its usual factor, 0.9.
    pub const MOMENTUM: Self = Self::Momentum { momentum: 0.9 };
    /// Nesterov's momentum with its usual factor, 0.9.
    pub const NESTEROV: Self = Self::Nesterov { momentum: 0.9 };
    /// RMSprop with PyTorch's constants.
    pub const RMSPROP: Self = Self::RmsProp { alpha: 0.99, epsilon: 1e-8, momentum: 0.0 };
    /// Adagrad with PyTorch's constant.
    pub const ADAGRAD: Self = Self::AdaGrad { epsilon: 1e-10 };
    /// Adam with the paper's constants.
    pub const ADAM: Self = Self::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
    /// AdamW with the paper's constants.
    pub const ADAMW: Self = Self::AdamW { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
    /// Lion with the paper's constants.
    pub const LION: Self = Self::Lion { beta1: 0.9, beta2: 0.99 };
    /// Muon with its author's momentum, and the constants of AdamW.
    pub const MUON: Self = Self::Muon { momentum: 0.95, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

    /// All methods with their usual constants.
    pub const ALL: [Self; 9] = [
        Self::SGD,
        Self::MOMENTUM,
        Self::NESTEROV,
        Self::RMSPROP,
        Self::ADAGRAD,
        Self::ADAM,
        Self::ADAMW,
        Self::LION,
        Self::MUON,
    ];

    /// Their names.
    pub const NAMES: [&'static str; 9] =
        ["sgd", "momentum", "nesterov", "rmsprop", "adagrad", "adam", "adamw", "lion", "muon"];

    /// The method of a name, with its usual constants.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sgd {} => "sgd",
            Self::Momentum { .. } => "momentum",
            Self::Nesterov { .. } => "nesterov",
            Self::RmsProp { .. } => "rmsprop",
            Self::AdaGrad { .. } => "adagrad",
            Self::Adam { .. } => "adam",
            Self::AdamW { .. } => "adamw",
            Self::Lion { .. } => "lion",
            Self::Muon { .. } => "muon",
        }
    }

    /// Whether weight decay is decoupled, as PyTorch has it for each.
    ///
    /// If so, parameters shrink by the factor `1 - lr w` at each step, apart from the gradient
    /// (Loshchilov & Hutter 2019). If not, `w p` is added to the gradient, scaled and clipped as it
    /// is by then, which is the gradient of `w p² / 2`. For `sgd` both are the same.
    pub fn decoupled(&self) -> bool {
        match self {
            Self::Sgd {}
            | Self::Momentum { .. }
            | Self::Nesterov { .. }
            | Self::RmsProp { .. }
            | Self::AdaGrad { .. }
            | Self::Adam { .. } => false,
            Self::AdamW { .. } | Self::Lion { .. } | Self::Muon { .. } => true,
        }
    }

    /// How many numbers it keeps for each element of a parameter that is or is not a matrix.
    pub fn moments(&self, matrix: bool) -> usize {
        match *self {
            Self::Sgd {} => 0,
            Self::Momentum { .. } | Self::Nesterov { .. } => 1,
            Self::RmsProp { momentum, .. } => 1 + usize::from(momentum > 0.0),
            Self::AdaGrad { .. } | Self::Lion { .. } => 1,
            Self::Adam { .. } | Self::AdamW { .. } => 2,
            Self::Muon { .. } => 2 - usize::from(matrix),
        }
    }

    /// Checks that its constants are within their ranges, as reading a setting does.
    ///
    /// # Errors
    /// If one is not.
    pub fn check(&self) -> Result<(), OutOfRange> {
        let kept = |setting, value| Range::Kept.check(setting, value);
        let epsilon = |value| Range::Epsilon.check("epsilon", value);
        match *self {
            Self::Sgd {} => Ok(()),
            Self::Momentum { momentum } | Self::Nesterov { momentum } => kept("momentum", momentum),
            Self::RmsProp { alpha, epsilon: e, momentum } => {
                kept("alpha", alpha)?;
                kept("momentum", momentum)?;
                epsilon(e)
            }
            Self::AdaGrad { epsilon: e } => epsilon(e),
            Self::Adam { beta1, beta2, epsilon: e } | Self::AdamW { beta1, beta2, epsilon: e } => {
                kept("beta1", beta1)?;
                kept("beta2", beta2)?;
                epsilon(e)
            }
            Self::Lion { beta1, beta2 } => {
                kept("beta1", beta1)?;
                kept("beta2", beta2)
            }
            Self::Muon { momentum, beta1, beta2, epsilon: e } => {
                kept("momentum", momentum)?;
                kept("beta1", beta1)?;
                kept("beta2", beta2)?;
                epsilon(e)
            }
        }
    }
}
