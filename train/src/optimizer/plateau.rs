//! A learning rate that falls where a loss does not.

use serde::{Deserialize, Serialize};

use super::setting::{OutOfRange, Range, checked};

/// When a learning rate falls, and how far. As PyTorch 2.15's `ReduceLROnPlateau`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
pub struct PlateauSettings {
    /// What the learning rate is multiplied by.
    pub factor: f64,
    /// How many losses without an improvement are borne.
    pub patience: u32,
    /// The share of the best loss by which a better one must be lower.
    pub threshold: f64,
    /// For how many losses after a fall none is counted.
    pub cooldown: u32,
    /// The share of the learning rate below which it does not fall.
    pub minimum: f64,
}

checked!(PlateauSettings, PlateauSettings::deserialize);

impl Default for PlateauSettings {
    fn default() -> Self {
        Self { factor: 0.1, patience: 10, threshold: 1e-4, cooldown: 0, minimum: 0.0 }
    }
}

impl PlateauSettings {
    /// Checks that its numbers are within their ranges, as reading a setting does.
    ///
    /// # Errors
    /// If one is not.
    pub fn check(&self) -> Result<(), OutOfRange> {
        Range::Inner.check("factor", self.factor)?;
        Range::Kept.check("threshold", self.threshold)?;
        Range::Share.check("minimum", self.minimum)
    }
}

/// What came of losses so far. It is kept in checkpoints as it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plateau {
    settings: PlateauSettings,
    factor: f64,
    best: Option<f64>,
    waited: u32,
    cooling: u32,
}

impl Plateau {
    /// Before the first loss.
    pub fn new(settings: PlateauSettings) -> Self {
        Self { settings, factor: 1.0, best: None, waited: 0, cooling: 0 }
    }

    /// What the learning rate is multiplied by.
    pub fn factor(&self) -> f64 {
        self.factor
    }

    /// Takes a loss into account, and gives the factor from now on. A loss that is NaN is no
    /// improvement.
    pub fn observe(&mut self, loss: f64) -> f64 {
        let PlateauSettings { factor, patience, threshold, cooldown, minimum } = self.settings;
        // A loss may be negative: the threshold is a share of its size.
        let better = match self.best {
            Some(best) => loss < best - threshold * best.abs(),
            None => loss < f64::INFINITY,
        };
        if better {
            self.best = Some(loss);
            self.waited = 0;
        } else {
            self.waited += 1;
        }
        if self.cooling > 0 {
            self.cooling -= 1;
            self.waited = 0;
        }
        if self.waited > patience {
            self.factor = (self.factor * factor).max(minimum);
            self.cooling = cooldown;
            self.waited = 0;
        }
        self.factor
    }
}
