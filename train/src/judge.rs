//! What a model's answers to data are worth, in the terms of its task.

use cellc_runtime::masks::Masks;

use crate::batch::{Batch, Data, Targets};
use crate::metrics::classification::Confusion;
use crate::metrics::regression::Regression;
use crate::model::{Answers, Model, ModelRun, Score, likeliest};
use crate::task::vocabulary::Vocabulary;
use crate::task::{Codec, DataError};
use crate::trainer::TrainError;

/// What answers are worth.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// The losses, and what is counted in a training.
    pub score: Score,
    /// Of labels: which were taken for which.
    pub confusion: Option<Confusion>,
    /// Of numbers: how far off they are.
    pub errors: Option<Regression>,
    /// How many symbols were read.
    pub symbols: usize,
    /// Of these, how many it does not know.
    pub unknown: usize,
}

impl Judgement {
    /// The share of the most frequent label, 0 to 1: what is reached without reading. `None` without
    /// labels, or answers.
    pub fn majority(&self) -> Option<f64> {
        let scores = self.confusion.as_ref()?.scores()?;
        let most = scores.classes.iter().map(|class| class.support).max()?;
        Some(most as f64 / scores.examples as f64)
    }
}

/// Judges a model by batches, with its masks as they are expected to be.
///
/// # Errors
/// If a symbol or an answer is out of its bound, or data cannot be read.
pub fn judge(
    model: &Model<f32>,
    run: &mut ModelRun<f32>,
    codec: &dyn Codec,
    batches: impl IntoIterator<Item = Result<Batch, DataError>>,
) -> Result<Judgement, TrainError> {
    run.set_masks(Masks::Expected);
    let labels = codec.labels();
    let numbers = matches!(model.interface().answers, Answers::Reals(_));
    let mut judgement = Judgement {
        score: Score::default(),
        confusion: (!labels.is_empty()).then(|| Confusion::new(labels.to_vec())),
        errors: numbers.then(|| codec.errors()),
        symbols: 0,
        unknown: 0,
    };
    for batch in batches {
        let batch = batch?;
        judgement.score += run.forward(model, &batch)?;
        judgement.count_symbols(&batch, codec.continues());
        let width = model.interface().answers.width().max(1);
        for (i, answer) in run.logits().chunks(width).enumerate() {
            match &batch.targets {
                Targets::Classes(classes) if batch.targets.is_answer(i, 1) => {
                    if let Some(confusion) = &mut judgement.confusion {
                        confusion.add(classes[i] as usize, likeliest(answer));
                    }
                }
                Targets::Reals(reals) if batch.targets.is_answer(i, width) => {
                    if let Some(errors) = &mut judgement.errors {
                        let truth = codec.measured(&batch, i, &reals[i * width..][..width]);
                        errors.add(&truth, &codec.measured(&batch, i, answer));
                    }
                }
                Targets::Classes(_) | Targets::Reals(_) => {}
            }
        }
    }
    Ok(judgement)
}

impl Judgement {
    /// Counts what is read. Where a text goes on without a mask, what has no next symbol is padding.
    fn count_symbols(&mut self, batch: &Batch, continues: bool) {
        let Data::Symbols(symbols) = &batch.data else { return };
        let padding = |i: usize| continues && !batch.targets.is_answer(i, 1);
        let begun = |i: usize| batch.mask.get(i).copied().unwrap_or_else(|| !padding(i));
        for (_, &symbol) in symbols.iter().enumerate().filter(|(i, _)| begun(*i)) {
            self.symbols += 1;
            self.unknown += usize::from(symbol == Vocabulary::UNKNOWN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Example;
    use crate::fixtures::architecture;
    use crate::model::{Interface, Readout};
    use crate::task::examples::together;
    use crate::task::{Judged, TaskError};
    use cellc_runtime::program::Engine;
    use serde_json::Value;

    /// Two labels of sequences of six symbols.
    struct Labels([String; 2], Interface);

    impl Codec for Labels {
        fn interface(&self) -> Interface {
            self.1
        }
        fn kept(&self) -> Value {
            Value::Null
        }
        fn labels(&self) -> &[String] {
            &self.0
        }
        fn step(&self) -> &'static str {
            "word"
        }
        fn judged(&self, _: &toml::Table) -> Result<Box<dyn Judged>, TaskError> {
            Ok(Box::new(Vec::new()))
        }
        fn question(&self, _: &str) -> Result<Example, String> {
            Err(String::new())
        }
        fn answer(&self, _: &Example, _: &[f32]) -> Value {
            Value::Null
        }
    }

    #[test]
    fn padding_of_a_text_is_no_unknown_symbol() {
        let model = Model::new(&architecture(6, 2, Readout::Each), Engine::default(), 1).unwrap();
        let interface = *model.interface();
        let targets = Targets::Classes(vec![1, crate::batch::IGNORED]);
        let example = Example { data: Data::Symbols(vec![3, 0]), targets };
        let mut batch = together(&[example], &interface);
        batch.mask = Vec::new();
        for (continues, counts) in [(true, (1, 0)), (false, (2, 1))] {
            let codec = Labels(["no", "yes"].map(String::from), interface);
            let mut judgement = judge(&model, &mut model.run(1), &codec, []).unwrap();
            judgement.count_symbols(&batch, continues);
            assert_eq!((judgement.symbols, judgement.unknown), counts);
        }
    }

    #[test]
    fn every_answer_is_counted_with_its_truth() {
        let model = Model::new(&architecture(6, 2, Readout::Last), Engine::default(), 1).unwrap();
        let interface = *model.interface();
        let codec = Labels(["no", "yes"].map(String::from), interface);
        let example = |i: u32| Example {
            data: Data::Symbols(vec![i % 6; 1 + i as usize % 3]),
            targets: Targets::Classes(vec![u32::from(i.is_multiple_of(3))]),
        };
        let examples: Vec<Example> = (0..70).map(example).collect();
        let mut run = model.run(1);
        let all = examples.chunks(64).map(|some| Ok(together(some, &interface)));
        let judgement = judge(&model, &mut run, &codec, all).unwrap();
        let confusion = judgement.confusion.as_ref().unwrap();
        assert!((judgement.majority().unwrap() - 46.0 / 70.0).abs() < 1e-15);
        assert_eq!(confusion.count(0, 0) + confusion.count(1, 1), judgement.score.correct as u64);
        let steps: usize = (0..70).map(|i| 1 + i % 3).sum();
        assert_eq!((judgement.symbols, judgement.score.count), (steps, 70));
        let unknown: usize = (0..70).filter(|i| i % 6 == 0).map(|i| 1 + i % 3).sum();
        assert_eq!(judgement.unknown, unknown);
    }
}
