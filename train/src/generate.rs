//! Answers of a model, symbol by symbol.

use std::num::NonZero;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use thiserror::Error;

use crate::batch::{Batch, Data, IGNORED, Targets};
use crate::draws::rng;
use crate::model::{Model, ModelRun};
use crate::task::vocabulary::Vocabulary;
use cellc_runtime::sequence::{Extent, RunError};

/// The probabilities of classes from their logits, under a temperature above 0 (softmax).
pub fn probabilities(logits: &[f32], temperature: f64) -> Vec<f64> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    // The difference comes first: a quotient by a small temperature may be infinite, and the difference
    // of two of them no number.
    let weight = |&x: &f32| ((f64::from(x) - f64::from(most)) / temperature).exp();
    let weights: Vec<f64> = logits.iter().map(weight).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// The cross-entropy of a class by logits, in nats: finite, however unlikely the class is.
pub fn surprise(logits: &[f32], class: usize) -> f64 {
    let most = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = logits.iter().map(|&x| (f64::from(x) - most).exp()).sum();
    sum.ln() + (most - f64::from(logits[class]))
}

/// Why no symbol is drawn.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum DrawError {
    /// The model refuses what it reads.
    #[error(transparent)]
    Run(#[from] RunError),
    /// There is no symbol that could be drawn.
    #[error(
        "the model knows no symbol but the unknown one, so it has nothing to draw: train it on more \
         text, or know rarer symbols (task.least_count)"
    )]
    NothingKnown,
    /// What the model answers is infinite or NaN.
    #[error("the model's answer is not a number: its training diverged")]
    NotFinite,
}

/// How symbols are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// What logits are divided by: below 1 the likely gets likelier; 0 takes the likeliest.
    pub temperature: f64,
    /// Of how many symbols at most one is drawn, the likeliest (Fan et al., Hierarchical neural story
    /// generation, 2018); `None` for all.
    pub top_k: Option<NonZero<usize>>,
    /// The probability of the likeliest symbols that one is drawn from, above 0 and up to 1: there are
    /// as few of them as reach it, the *nucleus* (Holtzman et al., The curious case of neural text
    /// degeneration, 2020). 1 for all. Of those that `top_k` leaves.
    pub top_p: f64,
    /// What symbols are drawn from.
    pub seed: u64,
    /// Which of several samples of one seed it is, from 0.
    pub number: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { temperature: 1.0, top_k: None, top_p: 1.0, seed: 1, number: 0 }
    }
}

/// Leaves the likeliest of probabilities that sum to 1, and scales them to sum to 1 again. Of equally
/// likely ones the first are left. At least one is.
fn restrict(probabilities: &mut [f64], top_k: Option<NonZero<usize>>, top_p: f64) {
    if top_k.is_none() && top_p >= 1.0 {
        return;
    }
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
    let most = top_k.map_or(order.len(), NonZero::get).min(order.len());
    let all: f64 = order[..most].iter().map(|&i| probabilities[i]).sum();
    let (mut left, mut sum) = (0, 0.0);
    while left < most && (left == 0 || sum < top_p * all) {
        sum += probabilities[order[left]];
        left += 1;
    }
    order[left..].iter().for_each(|&i| probabilities[i] = 0.0);
    order[..left].iter().for_each(|&i| probabilities[i] /= sum);
}

/// A model that reads and continues one sequence, a step at a time, its states carried along.
pub struct Generator<'m> {
    model: &'m Model<f32>,
    run: ModelRun<f32>,
    sampling: Sampling,
    rng: ChaCha8Rng,
    /// States begin anew after this symbol.
    end: Option<u32>,
    batch: Batch,
}

impl<'m> Generator<'m> {
    /// A generator that has read nothing yet. States begin anew after the symbol `end`, if there is
    /// one, as they did in training ([`Codec::end`]).
    ///
    /// [`Codec::end`]: crate::task::Codec::end
    pub fn new(model: &'m Model<f32>, end: Option<u32>, sampling: Sampling) -> Self {
        let batch = Batch {
            extent: Extent { steps: 1, batch: 1 },
            data: Data::Symbols(vec![Vocabulary::UNKNOWN]),
            targets: Targets::Classes(vec![IGNORED]),
            ..Batch::default()
        };
        let rng = rng(sampling.seed, "sample", [sampling.number, 0]);
        Self { model, run: model.run(1), sampling, rng, end, batch }
    }

    /// Reads a symbol.
    ///
    /// # Errors
    /// If the model does not know the symbol.
    pub fn read(&mut self, symbol: u32) -> Result<(), RunError> {
        let ends = |end| self.batch.continues && self.batch.data == Data::Symbols(vec![end]);
        self.batch.resets = vec![self.end.is_some_and(ends)];
        self.batch.data = Data::Symbols(vec![symbol]);
        self.run.forward(self.model, &self.batch)?;
        self.batch.continues = true;
        Ok(())
    }

    /// Draws the symbol that follows what was read, never the unknown one, and reads it.
    ///
    /// # Errors
    /// If the model knows no other symbol, or answers what is no number. If nothing was read yet and the
    /// model refuses its own symbol: a bug.
    pub fn draw(&mut self) -> Result<u32, DrawError> {
        let mut logits = self.run.logits().to_vec();
        if logits.len() <= 1 + Vocabulary::UNKNOWN as usize {
            return Err(DrawError::NothingKnown);
        }
        if logits.iter().any(|logit| !logit.is_finite()) {
            return Err(DrawError::NotFinite);
        }
        if let Some(unknown) = logits.get_mut(Vocabulary::UNKNOWN as usize) {
            *unknown = f32::NEG_INFINITY;
        }
        let symbol = if self.sampling.temperature > 0.0 {
            let mut probabilities = probabilities(&logits, self.sampling.temperature);
            restrict(&mut probabilities, self.sampling.top_k, self.sampling.top_p);
            self.choose(&probabilities)
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
    use crate::batch::Example;
    use crate::fixtures::architecture;
    use crate::model::Readout;
    use cellc_runtime::program::Engine;
    use rand::SeedableRng;

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
    fn temperatures_near_0_and_far_apart_logits_give_numbers() {
        for temperature in [1e-30, 1e-310, f64::from_bits(1)] {
            let sharp = probabilities(&[f32::NEG_INFINITY, 2.0, 7.0, 7.0, -3.0], temperature);
            assert_eq!(sharp, [0.0, 0.0, 0.5, 0.5, 0.0], "{temperature}");
        }
        let flat = probabilities(&[f32::NEG_INFINITY, 2.0, 7.0], f64::MAX);
        assert_eq!(flat, [0.0, 0.5, 0.5]);
        assert_eq!(probabilities(&[f32::MAX, f32::MIN], 1e-310), [1.0, 0.0]);
        assert!((surprise(&[1.0, 1.0], 0) - 2.0_f64.ln()).abs() < 1e-15);
        assert_eq!(surprise(&[0.0, 5000.0], 0), 5000.0);
    }

    #[test]
    fn cold_draws_the_likeliest_however_small_the_temperature() {
        let model = Model::new(&architecture(6, 6, Readout::Each), Engine::default(), 1).unwrap();
        let sample = |temperature| {
            let sampling = Sampling { temperature, ..Sampling::default() };
            let mut generator = Generator::new(&model, None, sampling);
            generator.read(1).unwrap();
            (0..50).map(|_| generator.draw().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(sample(1e-310), sample(0.0));
        assert!(sample(1e300).iter().all(|symbol| (1..6).contains(symbol)));
    }

    #[test]
    fn nothing_is_drawn_of_nothing_or_of_what_is_no_number() {
        let draw = |symbols, break_it: bool| {
            let architecture = architecture(symbols, symbols, Readout::Each);
            let mut model = Model::new(&architecture, Engine::default(), 1).unwrap();
            if break_it {
                model.update(|params| params[0].fill(f32::NAN));
            }
            let mut generator = Generator::new(&model, None, Sampling::default());
            generator.read(0).unwrap();
            generator.draw()
        };
        assert_eq!(draw(1, false), Err(DrawError::NothingKnown));
        assert_eq!(draw(3, true), Err(DrawError::NotFinite));
        assert!(draw(2, false).is_ok_and(|symbol| symbol == 1));
    }

    #[test]
    fn a_seed_repeats_its_sample_and_the_unknown_symbol_is_never_drawn() {
        let model = Model::new(&architecture(6, 6, Readout::Each), Engine::default(), 1).unwrap();
        let sample = |temperature, seed| {
            let mut generator =
                Generator::new(&model, None, Sampling { temperature, seed, ..Sampling::default() });
            generator.read(1).unwrap();
            (0..50).map(|_| generator.draw().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(sample(1.0, 1), sample(1.0, 1));
        assert_ne!(sample(1.0, 1), sample(1.0, 2));
        assert_eq!(sample(0.0, 1), sample(0.0, 2));
        assert!(sample(1.0, 3).iter().all(|symbol| (1..6).contains(symbol)));
    }

    #[test]
    fn states_begin_anew_after_the_end_as_in_a_whole_sequence() {
        let mut architecture = architecture(6, 6, Readout::Each);
        architecture.interface.resets = true;
        let model = Model::new(&architecture, Engine::default(), 1).unwrap();
        let symbols = [2, 1, 3, 2, 2, 4, 1, 5];
        let whole = |end: Option<u32>| {
            let example = Example {
                data: Data::Symbols(symbols.to_vec()),
                targets: Targets::Classes(vec![IGNORED; symbols.len()]),
            };
            let mut batch = Batch::padded([&example], 1, true, 1);
            end.into_iter().for_each(|end| batch.reset_after(end));
            let mut run = model.run(1);
            run.forward(&model, &batch).unwrap();
            run.logits().to_vec()
        };
        let by_steps = |end| {
            let mut generator = Generator::new(&model, end, Sampling::default());
            let mut read = |symbol| {
                generator.read(symbol).unwrap();
                generator.run.logits().to_vec()
            };
            symbols.iter().flat_map(|symbol| read(*symbol)).collect::<Vec<f32>>()
        };
        for end in [None, Some(2), Some(4)] {
            let both = by_steps(end).into_iter().zip(whole(end));
            assert!(both.into_iter().all(|(a, b)| (a - b).abs() < 1e-6), "{end:?}");
        }
        assert_ne!(whole(None), whole(Some(2)));
    }

    #[test]
    fn what_is_left_are_the_likeliest_and_as_few_as_reach_the_share() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..2000 {
            let len = rng.random_range(1..12);
            // Few different values, so that some are equal.
            let logits: Vec<f32> = (0..len).map(|_| rng.random_range(-3..4) as f32).collect();
            let before = probabilities(&logits, rng.random_range(0.2..2.0));
            let k = rng.random_range(1..14);
            let p = rng.random_range(0.01..1.0);
            let left = |top_k: Option<usize>, top_p| {
                let mut after = before.clone();
                restrict(&mut after, top_k.and_then(NonZero::new), top_p);
                after
            };
            assert_eq!(left(None, 1.0), before);
            for (top_k, top_p) in [(Some(k), 1.0), (None, p), (Some(k), p)] {
                let after = left(top_k, top_p);
                let kept: Vec<usize> = (0..len).filter(|&i| after[i] > 0.0).collect();
                let gone = (0..len).filter(|&i| after[i] == 0.0);
                let least = kept.iter().map(|&i| before[i]).fold(f64::INFINITY, f64::min);
                assert!(gone.map(|i| before[i]).all(|p| p <= least), "{before:?}: {after:?}");
                assert!((after.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                let sum: f64 = kept.iter().map(|&i| before[i]).sum();
                // What is left keeps its proportions.
                assert!(kept.iter().all(|&i| (after[i] * sum - before[i]).abs() < 1e-12));
                assert!(!kept.is_empty() && kept.len() <= top_k.unwrap_or(len));
                if top_k.is_none() {
                    assert!(sum >= p - 1e-12 && (kept.len() == 1 || sum - least < p + 1e-12));
                } else if top_p == 1.0 {
                    assert_eq!(kept.len(), k.min(len));
                }
            }
        }
        let mut equal = vec![0.25; 4];
        restrict(&mut equal, NonZero::new(2), 1.0);
        assert_eq!(equal, [0.5, 0.5, 0.0, 0.0]);
    }

    #[test]
    fn samples_of_one_seed_differ_and_the_likeliest_alone_is_what_cold_draws() {
        let model = Model::new(&architecture(6, 6, Readout::Each), Engine::default(), 1).unwrap();
        let sample = |sampling| {
            let mut generator = Generator::new(&model, None, sampling);
            generator.read(1).unwrap();
            (0..50).map(|_| generator.draw().unwrap()).collect::<Vec<_>>()
        };
        let plain = Sampling::default();
        assert_ne!(sample(plain), sample(Sampling { number: 1, ..plain }));
        let cold = sample(Sampling { temperature: 0.0, ..plain });
        assert_eq!(sample(Sampling { top_k: NonZero::new(1), ..plain }), cold);
        assert_eq!(sample(Sampling { top_p: 1e-9, ..plain }), cold);
    }
}
