//! How the learning rate changes in the course of a training.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use super::setting::{OutOfRange, Range, Span, checked_kinds};

/// What the learning rate is multiplied by, as a function of the step alone.
///
/// Each begins with a warm-up of `w` steps, in which the factor is `(step + 1) / (w + 1)`. The rest
/// is a function of the steps since then, `s`, or of the progress `x = s / (total - w)`, which is 0
/// at the first of them and would be 1 after the last, and stays 1 beyond it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", tag = "name", rename_all = "lowercase", deny_unknown_fields)]
pub enum Schedule {
    /// It stays as it is.
    Constant {
        /// How long it rises at first.
        #[serde(default = "none")]
        warmup: Span,
    },
    /// It falls in steps: `factor^⌊s / every⌋`.
    Step {
        /// How long it stays as it is; a step at least.
        #[serde(default = "thirty_percent")]
        every: Span,
        /// What it is multiplied by then.
        #[serde(default = "tenth")]
        factor: f64,
        /// How long it rises at first.
        #[serde(default = "none")]
        warmup: Span,
    },
    /// It falls by the same factor at each step: `end^x`.
    Exponential {
        /// What is left of it at the end.
        #[serde(default = "hundredth")]
        end: f64,
        /// How long it rises at first.
        #[serde(default = "none")]
        warmup: Span,
    },
    /// It falls by the same amount at each step: `1 - (1 - end) x`.
    Linear {
        /// What is left of it at the end.
        #[serde(default)]
        end: f64,
        /// How long it rises at first.
        #[serde(default = "none")]
        warmup: Span,
    },
    /// It falls along half a cosine wave: `end + (1 - end) (1 + cos πx) / 2` (Loshchilov & Hutter
    /// 2017). It rises for the first fiftieth of the steps, if nothing else is said.
    Cosine {
        /// What is left of it at the end.
        #[serde(default = "hundredth")]
        end: f64,
        /// How long it rises at first.
        #[serde(default = "fiftieth")]
        warmup: Span,
    },
    /// It rises from `start` and falls to `end`, each along half a cosine wave (Smith & Topin 2018,
    /// in the form of fastai and of PyTorch 2.15's `OneCycleLR`, from the first step to the last).
    OneCycle {
        /// The share of the steps in which it rises.
        #[serde(default = "three_tenths")]
        rise: f64,
        /// What it begins at.
        #[serde(default = "one_of_25")]
        start: f64,
        /// What is left of it at the last step.
        #[serde(default = "one_of_250_000")]
        end: f64,
        /// How long it rises before that, to `start`.
        #[serde(default = "none")]
        warmup: Span,
    },
    /// It falls with the root of the step: `√((w + 1) / (step + 1))` (Vaswani et al. 2017, who rise
    /// for 4 000 of 100 000 steps).
    #[serde(rename = "inverse_sqrt")]
    InverseSqrt {
        /// How long it rises at first.
        #[serde(default = "twenty_fifth")]
        warmup: Span,
    },
}

checked_kinds!(Schedule, "schedule");

fn none() -> Span {
    Span::Steps(0)
}
fn thirty_percent() -> Span {
    Span::Share(0.3)
}
fn fiftieth() -> Span {
    Span::Share(0.02)
}
fn twenty_fifth() -> Span {
    Span::Share(0.04)
}
fn tenth() -> f64 {
    0.1
}
fn hundredth() -> f64 {
    0.01
}
fn three_tenths() -> f64 {
    0.3
}
fn one_of_25() -> f64 {
    0.04
}
fn one_of_250_000() -> f64 {
    4e-6
}

impl Schedule {
    /// It stays as it is.
    pub const CONSTANT: Self = Self::Constant { warmup: Span::Steps(0) };
    /// To a tenth, after each 30 % of the steps.
    pub const STEP: Self =
        Self::Step { every: Span::Share(0.3), factor: 0.1, warmup: Span::Steps(0) };
    /// To a hundredth, exponentially.
    pub const EXPONENTIAL: Self = Self::Exponential { end: 0.01, warmup: Span::Steps(0) };
    /// To nothing, along a line.
    pub const LINEAR: Self = Self::Linear { end: 0.0, warmup: Span::Steps(0) };
    /// To a hundredth, along half a cosine wave, after a fiftieth of the steps.
    pub const COSINE: Self = Self::Cosine { end: 0.01, warmup: Span::Share(0.02) };
    /// One cycle with PyTorch's constants.
    pub const ONE_CYCLE: Self =
        Self::OneCycle { rise: 0.3, start: 0.04, end: 4e-6, warmup: Span::Steps(0) };
    /// With the root of the step, after a twenty-fifth of the steps.
    pub const INVERSE_SQRT: Self = Self::InverseSqrt { warmup: Span::Share(0.04) };

    /// All schedules with their usual constants.
    pub const ALL: [Self; 7] = [
        Self::CONSTANT,
        Self::STEP,
        Self::EXPONENTIAL,
        Self::LINEAR,
        Self::COSINE,
        Self::ONE_CYCLE,
        Self::INVERSE_SQRT,
    ];

    /// Their names.
    pub const NAMES: [&'static str; 7] =
        ["constant", "step", "exponential", "linear", "cosine", "onecycle", "inverse_sqrt"];

    /// The schedule of a name, with its usual constants.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|schedule| schedule.name() == name)
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Constant { .. } => "constant",
            Self::Step { .. } => "step",
            Self::Exponential { .. } => "exponential",
            Self::Linear { .. } => "linear",
            Self::Cosine { .. } => "cosine",
            Self::OneCycle { .. } => "onecycle",
            Self::InverseSqrt { .. } => "inverse_sqrt",
        }
    }

    /// How long it rises at first.
    pub fn warmup(&self) -> Span {
        match *self {
            Self::Constant { warmup }
            | Self::Step { warmup, .. }
            | Self::Exponential { warmup, .. }
            | Self::Linear { warmup, .. }
            | Self::Cosine { warmup, .. }
            | Self::OneCycle { warmup, .. }
            | Self::InverseSqrt { warmup } => warmup,
        }
    }

    /// The same with another warm-up.
    #[must_use]
    pub fn with_warmup(mut self, span: Span) -> Self {
        match &mut self {
            Self::Constant { warmup }
            | Self::Step { warmup, .. }
            | Self::Exponential { warmup, .. }
            | Self::Linear { warmup, .. }
            | Self::Cosine { warmup, .. }
            | Self::OneCycle { warmup, .. }
            | Self::InverseSqrt { warmup } => *warmup = span,
        }
        self
    }

    /// What the learning rate is multiplied by at `step` of `total`, both from 0: a number from 0
    /// to 1, for steps beyond the last too.
    pub fn factor(&self, step: u64, total: u64) -> f64 {
        let total = total.max(1);
        let warm = self.warmup().steps(total);
        let risen = if step < warm { (step + 1) as f64 / (warm as f64 + 1.0) } else { 1.0 };
        let left = total.saturating_sub(warm).max(1);
        let since = step.saturating_sub(warm);
        let progress = (since as f64 / left as f64).min(1.0);
        risen
            * match *self {
                Self::Constant { .. } => 1.0,
                Self::Step { every, factor, .. } => {
                    factor.powf((since / every.steps(left).max(1)) as f64)
                }
                Self::Exponential { end, .. } => end.powf(progress),
                Self::Linear { end, .. } => 1.0 - (1.0 - end) * progress,
                Self::Cosine { end, .. } => end + (1.0 - end) * 0.5 * (1.0 + (PI * progress).cos()),
                Self::OneCycle { rise, start, end, .. } => {
                    one_cycle(since as f64, left as f64, rise, start, end)
                }
                Self::InverseSqrt { .. } => {
                    ((warm as f64 + 1.0) / (step.max(warm) as f64 + 1.0)).sqrt()
                }
            }
    }

    /// Checks that its numbers are within their ranges, as reading a setting does.
    ///
    /// # Errors
    /// If one is not.
    pub fn check(&self) -> Result<(), OutOfRange> {
        let share = |setting, value| Range::Share.check(setting, value);
        if let Span::Share(warmup) = self.warmup() {
            Range::Kept.check("warmup", warmup)?;
        }
        match *self {
            Self::Constant { .. } | Self::InverseSqrt { .. } => Ok(()),
            Self::Step { every, factor, .. } => {
                if let Span::Share(every) = every {
                    Range::Kept.check("every", every)?;
                }
                share("factor", factor)
            }
            Self::Exponential { end, .. } => Range::Positive.check("end", end),
            Self::Linear { end, .. } | Self::Cosine { end, .. } => share("end", end),
            Self::OneCycle { rise, start, end, .. } => {
                Range::Inner.check("rise", rise)?;
                share("start", start)?;
                share("end", end)
            }
        }
    }
}

/// The factor at step `since` of `steps`: it is 1 at `rise * steps - 1` and `end` at the last.
fn one_cycle(since: f64, steps: f64, rise: f64, start: f64, end: f64) -> f64 {
    let top = rise * steps - 1.0;
    let wave = |from: f64, to: f64, x: f64| to + (from - to) / 2.0 * (1.0 + (PI * x).cos());
    if since < top {
        wave(start, 1.0, since / top)
    } else {
        wave(1.0, end, ((since - top) / (steps - 1.0 - top)).min(1.0))
    }
}
