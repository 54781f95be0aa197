//! Answers of a model, symbol by symbol.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::batch::{Batch, Data, IGNORED, Targets};
use crate::model::{Model, ModelRun};
use crate::task::vocabulary::Vocabulary;
use cellc_runtime::sequence::{Extent, RunError};

/// The probabilities of classes from their logits, under a temperature above 0 (softmax).
pub fn probabilities(logits: &[f32], temperature: f64) -> Vec<f64> {
    let scaled: Vec<f64> = logits.iter().map(|&x| f64::from(x) / temperature).collect();
    let most = scaled.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = scaled.iter().map(|x| (x - most).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// How symbols are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// What logits are divided by: below 1 the likely gets likelier; 0 takes the likeliest.
    pub temperature: f64,
    /// What symbols are drawn from.
    pub seed: u64,
}

/// A model that reads and continues one sequence, a step at a time, its states carried along.
pub struct Generator<'m> {
    model: &'m Model<f32>,
    run: ModelRun<f32>,
    sampling: Sampling,
    rng: ChaCha8Rng,
    batch: Batch,
}

impl<'m> Generator<'m> {
    /// A generator that has read nothing yet.
    pub fn new(model: &'m Model<f32>, sampling: Sampling) -> Self {
        let batch = Batch {
            extent: Extent { steps: 1, batch: 1 },
            data: Data::Symbols(vec![Vocabulary::UNKNOWN]),
            targets: Targets::Classes(vec![IGNORED]),
            ..Batch::default()
        };
        let rng = ChaCha8Rng::seed_from_u64(sampling.seed);
        Self { model, run: model.run(1), sampling, rng, batch }
    }

    /// Reads a symbol.
    ///
    /// # Errors
    /// If the model does not know the symbol.
    pub fn read(&mut self, symbol: u32) -> Result<(), RunError> {
        self.batch.data = Data::Symbols(vec![symbol]);
        self.run.forward(self.model, &self.batch)?;
        self.batch.continues = true;
        Ok(())
    }

    /// Draws the symbol that follows what was read, never the unknown one, and reads it.
    ///
    /// # Errors
    /// If nothing was read yet and the model refuses its own symbol: a bug.
    pub fn draw(&mut self) -> Result<u32, RunError> {
        let mut logits = self.run.logits().to_vec();
        if let Some(unknown) = logits.get_mut(Vocabulary::UNKNOWN as usize) {
            *unknown = f32::NEG_INFINITY;
        }
        let symbol = if self.sampling.temperature > 0.0 {
            self.choose(&probabilities(&logits, self.sampling.temperature))
        } else {
            (0..logits.len()).rev().max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap_or(0)
        };
        let symbol = symbol as u32;
        self.read(symbol)?;
        Ok(symbol)
    }

    fn choose(&mut self, probabilities: &[f64]) -> usize {
        let mut rest: f64 = self.rng.random();
        let mut chosen = 0;
        for (i, &probability) in probabilities.iter().enumerate() {
            if probability > 0.0 {
                chosen = i;
                if rest < probability {
                    break;
                }
            }
            rest -= probability;
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::architecture;
    use crate::model::Readout;
    use cellc_runtime::program::Engine;

    #[test]
    fn probabilities_sum_to_one_and_sharpen_with_cold() {
        let even = probabilities(&[1.0, 1.0], 1.0);
        assert_eq!(even, [0.5, 0.5]);
        let warm = probabilities(&[1000.0, 1001.0], 1.0);
        assert!((warm[1] - 1.0 / (1.0 + (-1.0_f64).exp())).abs() < 1e-12);
        assert!(probabilities(&[0.0, 1.0], 0.1)[1] > 0.9999);
        assert_eq!(probabilities(&[f32::NEG_INFINITY, 0.0], 1.0), [0.0, 1.0]);
    }

    #[test]
    fn a_seed_repeats_its_sample_and_the_unknown_symbol_is_never_drawn() {
        let model = Model::new(&architecture(6, 6, Readout::Each), Engine::default(), 1).unwrap();
        let sample = |temperature, seed| {
            let mut generator = Generator::new(&model, Sampling { temperature, seed });
            generator.read(1).unwrap();
            (0..50).map(|_| generator.draw().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(sample(1.0, 1), sample(1.0, 1));
        assert_ne!(sample(1.0, 1), sample(1.0, 2));
        assert_eq!(sample(0.0, 1), sample(0.0, 2));
        assert!(sample(1.0, 3).iter().all(|symbol| (1..6).contains(symbol)));
    }
}
