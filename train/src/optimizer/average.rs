//! Means of the parameters on their way, which often do better than the last of them.

use cellc_compiler::ir::eval::Real;
use serde::{Deserialize, Serialize};

use super::StateError;
use super::setting::{OutOfRange, Range, Span, checked_kinds};

/// Which mean.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", tag = "name", rename_all = "lowercase", deny_unknown_fields)]
pub enum Averaging {
    /// The exponential moving average: after `t` updates the weights of the parameters are as
    /// `decay^0` for the last, `decay^1` for the one before, and so on to the first, and sum to 1
    /// (Polyak & Juditsky 1992; with the correction of bias of Kingma & Ba 2015, so that where the
    /// parameters began has no weight of its own).
    Ema {
        /// How much of the mean is kept at each update, in the long run.
        #[serde(default = "decay")]
        decay: f64,
    },
    /// The plain mean of the parameters after each step of the last part of the training
    /// (stochastic weight averaging, Izmailov et al. 2018). A training that ends before has none.
    Tail {
        /// How long this part is.
        #[serde(default = "quarter")]
        last: Span,
    },
}

checked_kinds!(Averaging, "average");

fn decay() -> f64 {
    0.999
}
fn quarter() -> Span {
    Span::Share(0.25)
}

impl Averaging {
    /// A mean over about the last thousand updates.
    pub const EMA: Self = Self::Ema { decay: 0.999 };
    /// The mean of the last quarter.
    pub const TAIL: Self = Self::Tail { last: Span::Share(0.25) };
    /// Both.
    pub const ALL: [Self; 2] = [Self::EMA, Self::TAIL];
    /// Their names.
    pub const NAMES: [&'static str; 2] = ["ema", "tail"];

    /// The mean of a name, with its usual constants.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|averaging| averaging.name() == name)
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ema { .. } => "ema",
            Self::Tail { .. } => "tail",
        }
    }

    /// Whether the parameters after `step` of `total`, both from 0, are part of the mean.
    pub fn includes(&self, step: u64, total: u64) -> bool {
        self.updates(step.saturating_add(1), total) > 0
    }

    /// How many parameters are part of the mean after so many steps of `total`.
    pub fn updates(&self, steps: u64, total: u64) -> u64 {
        match self {
            Self::Ema { .. } => steps,
            Self::Tail { last } => {
                steps.saturating_sub(total.saturating_sub(last.steps(total).max(1)))
            }
        }
    }

    /// Checks that its number is within its range, as reading a setting does.
    ///
    /// # Errors
    /// If it is not.
    pub fn check(&self) -> Result<(), OutOfRange> {
        match *self {
            Self::Ema { decay } => Range::Kept.check("decay", decay),
            Self::Tail { last: Span::Share(last) } => Range::Kept.check("last", last),
            Self::Tail { last: Span::Steps(_) } => Ok(()),
        }
    }

    /// The weight of the last of so many parameters.
    fn weight(&self, updates: u64) -> f64 {
        match *self {
            Self::Ema { decay } => (1.0 - decay) / (1.0 - decay.powf(updates as f64)),
            Self::Tail { .. } => 1.0 / updates as f64,
        }
    }
}

/// A mean of parameters, and of how many.
#[derive(Clone, Debug, PartialEq)]
pub struct Average<T> {
    averaging: Averaging,
    updates: u64,
    params: Vec<Vec<T>>,
}

impl<T: Real> Average<T> {
    /// The mean of nothing yet, of parameters of the given sizes.
    pub fn new(averaging: Averaging, sizes: &[usize]) -> Self {
        let params = sizes.iter().map(|&size| vec![T::default(); size]).collect();
        Self { averaging, updates: 0, params }
    }

    /// Which mean it is.
    pub fn averaging(&self) -> Averaging {
        self.averaging
    }

    /// How many times the parameters were taken in.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// Takes in the parameters after one step, if it [`includes`](Averaging::includes) the step.
    ///
    /// # Panics
    /// If the parameters differ in number or size from those it was made for.
    pub fn update(&mut self, params: &[&[T]]) {
        assert_eq!(params.len(), self.params.len(), "params are those the average was made for");
        self.updates += 1;
        let weight = T::from_f64(self.averaging.weight(self.updates));
        for (mean, param) in self.params.iter_mut().zip(params) {
            assert_eq!(mean.len(), param.len(), "params are of the size the average was made for");
            if self.updates == 1 {
                mean.copy_from_slice(param);
                continue;
            }
            for (mean, &p) in mean.iter_mut().zip(*param) {
                *mean = *mean + weight * (p - *mean);
            }
        }
    }

    /// The mean, for each parameter; nothing before the first update.
    pub fn averaged(&self) -> Option<&[Vec<T>]> {
        (self.updates > 0).then_some(&self.params)
    }

    /// Puts the mean in the place of parameters and these in its own; done twice, nothing has changed.
    /// Before the first update nothing is done.
    ///
    /// # Panics
    /// If the parameters differ in number or size from those it was made for.
    pub fn swap(&mut self, params: &mut [&mut [T]]) {
        assert_eq!(params.len(), self.params.len(), "params are those the average was made for");
        if self.updates > 0 {
            self.params
                .iter_mut()
                .zip(params)
                .for_each(|(mean, param)| mean.swap_with_slice(param));
        }
    }

    /// Takes up a mean where it was left: what [`updates`](Self::updates) and
    /// [`averaged`](Self::averaged) were.
    ///
    /// # Errors
    /// If the parameters are not as many or not as large as its own; it is then unchanged.
    pub fn restore(&mut self, updates: u64, params: Vec<Vec<T>>) -> Result<(), StateError> {
        StateError::check_count(self.params.len(), params.len())?;
        for (parameter, (expected, found)) in self.params.iter().zip(&params).enumerate() {
            StateError::check_size(parameter, expected, found)?;
        }
        self.updates = updates;
        self.params = params;
        Ok(())
    }
}
