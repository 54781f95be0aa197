//! The training loop.

use std::cmp::Ordering;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::batch::Batch;
use crate::checkpoint::CheckpointError;
use crate::model::{Model, ModelRun, Score};
use crate::optimizer::{Method, Optimizer, Schedule, clip_scale, global_norm};
use crate::task::{Part, Task};
use cellc_runtime::masks::{Draw, Masks};
use cellc_runtime::segmented::Limit;
use cellc_runtime::sequence::RunError;

/// How a model is trained.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// How parameters follow their gradients.
    pub optimizer: Method,
    /// The learning rate at its highest.
    pub learning_rate: f64,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// What the norm of all gradients together is clipped to; 0 for no clipping.
    pub clip: f64,
    /// How much parameters shrink at each step, times the learning rate.
    pub weight_decay: f64,
    /// How many batches are trained on.
    pub steps: u64,
    /// After how many steps the model is evaluated.
    pub evaluate_every: u64,
    /// How many evaluations without an improvement on the validation part end the training; 0 for
    /// never.
    pub patience: u32,
    /// What everything random is drawn from.
    pub seed: u64,
    /// How many threads share the work.
    pub threads: usize,
    /// The most bytes that the training may take, if there is a limit: for all arrays of its runs,
    /// parameters, gradients and what the optimiser keeps, but not for the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<usize>,
}

/// One step of a training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Its number, from 1.
    pub step: u64,
    /// How many steps the training has.
    pub steps: u64,
    /// How many times all training data were seen.
    pub epoch: f64,
    /// The mean loss of the batch's answers, in nats.
    pub loss: f64,
    /// The learning rate.
    pub learning_rate: f64,
    /// The norm of all gradients together, before clipping.
    pub gradient_norm: f64,
    /// How many symbols the batch had.
    pub symbols: usize,
    /// How many sequences the batch had.
    pub sequences: usize,
    /// The time since the start, evaluations included.
    pub elapsed: Duration,
}

/// An evaluation in the course of a training, or after it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// After which step.
    pub step: u64,
    /// On which part.
    pub part: Part,
    /// How well the model did.
    pub score: Score,
    /// Whether the model is the best so far. Always, where nothing is chosen.
    pub best: bool,
    /// The time since the start.
    pub elapsed: Duration,
}

/// Who is told how a training goes.
pub trait Observer {
    /// A step was taken.
    ///
    /// # Errors
    /// If the training is to end because something could not be kept.
    fn step(&mut self, step: &Step) -> Result<(), CheckpointError>;

    /// The model was evaluated: if it is the best so far, it is to be kept.
    ///
    /// # Errors
    /// If the training is to end because something could not be kept.
    fn evaluated(
        &mut self,
        evaluation: &Evaluation,
        model: &Model<f32>,
        optimizer: &Optimizer<f32>,
    ) -> Result<(), CheckpointError>;
}

/// What came of a training. The model is left as it was at its best.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// How many steps were taken.
    pub steps: u64,
    /// After which of them the model was at its best.
    pub best_step: u64,
    /// How well the chosen model does on the held-out part.
    pub held_out: Score,
    /// How long it took, evaluations included.
    pub elapsed: Duration,
}

/// Why a training ended early.
#[derive(Debug, Error)]
pub enum TrainError {
    /// The data do not fit the model: a bug, or data of another model.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The loss is no number any more.
    #[error(
        "the loss is no finite number at step {step}; {}",
        if *step == 1 {
            "nothing was learnt yet, so the cell itself gives infinities or NaN for these data"
        } else {
            "take a lower learning rate"
        }
    )]
    Diverged {
        /// The step.
        step: u64,
    },
    /// Something could not be kept.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The task holds nothing out.
    #[error("internal error: the task has no held-out part")]
    NothingHeldOut,
}

/// Scores a model on batches, with its masks as they are expected to be.
///
/// # Errors
/// If a symbol or an answer is out of its bound.
pub fn evaluate(
    model: &Model<f32>,
    run: &mut ModelRun<f32>,
    batches: impl IntoIterator<Item = Batch>,
) -> Result<Score, RunError> {
    run.set_masks(Masks::Expected);
    let mut sum = Score::default();
    for batch in batches {
        sum += run.forward(model, &batch)?;
    }
    Ok(sum)
}

/// Trains a model on a task.
///
/// If the task has a validation part, the model is evaluated on it, and left as it was when it did
/// best there: of labels, when most were right; of symbols, when the loss was least. If not, it is
/// evaluated on the held-out part, only to show how it goes, and left as it is after the last step.
///
/// # Errors
/// If the loss diverges, the data do not fit, or the observer cannot keep something.
pub fn train(
    task: &mut dyn Task,
    model: &mut Model<f32>,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<Outcome, TrainError> {
    let start = Instant::now();
    let shapes: Vec<_> = model.parameters().into_iter().map(|param| param.shape).collect();
    let mut optimizer = Optimizer::new(settings.optimizer, settings.weight_decay, &shapes);
    let watched = match task.part(Part::Validation) {
        Some(_) => Part::Validation,
        None => Part::HeldOut,
    };
    let limit = settings.memory.map(|bytes| {
        // The parameters, those of the best model, and the gradients of the run that is at rest.
        let copies = 2 + usize::from(watched == Part::Validation);
        let numbers = copies * model.size() + optimizer.size();
        Limit { bytes, taken: numbers * size_of::<f32>() }
    });
    let mut run = model.run_within(settings.threads, limit);
    // An evaluation must not disturb the states that are carried from batch to batch.
    let mut evaluation_run = model.run_within(settings.threads, limit);
    let epoch = task.batches_per_epoch() as f64;
    let mut best = Best::default();
    let mut step = 0;
    while step < settings.steps {
        let batch = task.next_batch();
        run.set_masks(Masks::Drawn(Draw { seed: settings.seed, update: step, stage: 0 }));
        let score = run.forward_backward(model, &batch)?;
        let gradients = run.gradients();
        let gradient_norm = global_norm(&gradients);
        if !score.loss.is_finite() || !gradient_norm.is_finite() {
            return Err(TrainError::Diverged { step: step + 1 });
        }
        let factor = settings.schedule.factor(step, settings.steps);
        let learning_rate = settings.learning_rate * factor;
        let scale = clip_scale(gradient_norm, settings.clip);
        optimizer.step(&mut model.params_mut(), &gradients, learning_rate, scale);
        step += 1;
        observer.step(&Step {
            step,
            steps: settings.steps,
            epoch: step as f64 / epoch,
            loss: score.mean_loss(),
            learning_rate,
            gradient_norm,
            symbols: batch.symbol_count(),
            sequences: batch.extent.batch,
            elapsed: start.elapsed(),
        })?;
        if step % settings.evaluate_every.max(1) == 0 || step == settings.steps {
            let batches = task.part(watched).ok_or(TrainError::NothingHeldOut)?;
            if limit.is_some() {
                run.release();
            }
            let score = evaluate(model, &mut evaluation_run, batches)?;
            if limit.is_some() {
                evaluation_run.release();
            }
            let labels = task.majority().is_some();
            let chosen = watched == Part::HeldOut || best.improves(score, labels);
            if chosen {
                best.keep(step, score, model, watched == Part::Validation);
            }
            let elapsed = start.elapsed();
            let evaluation = Evaluation { step, part: watched, score, best: chosen, elapsed };
            observer.evaluated(&evaluation, model, &optimizer)?;
            let waited = (step - best.step) / settings.evaluate_every.max(1);
            if settings.patience > 0 && waited >= settings.patience.into() {
                break;
            }
        }
    }
    best.restore(model);
    run.release();
    let held_out = match watched {
        Part::HeldOut if best.step > 0 => best.score,
        _ => {
            let batches = task.part(Part::HeldOut).ok_or(TrainError::NothingHeldOut)?;
            let score = evaluate(model, &mut evaluation_run, batches)?;
            let (part, elapsed) = (Part::HeldOut, start.elapsed());
            // The chosen model is kept already, and with the optimiser of its own step.
            let evaluation = Evaluation { step: best.step, part, score, best: false, elapsed };
            observer.evaluated(&evaluation, model, &optimizer)?;
            score
        }
    };
    Ok(Outcome { steps: step, best_step: best.step, held_out, elapsed: start.elapsed() })
}

/// The best model so far.
#[derive(Default)]
struct Best {
    step: u64,
    score: Score,
    params: Vec<Vec<f32>>,
}

impl Best {
    /// A classifier's loss rises as it grows too sure of its few mistakes, while it still gets more
    /// labels right: so of labels the loss only decides between equals.
    fn improves(&self, score: Score, labels: bool) -> bool {
        let lower = score.mean_loss() < self.score.mean_loss();
        match score.correct.cmp(&self.score.correct) {
            _ if self.step == 0 || !self.score.mean_loss().is_finite() => true,
            Ordering::Greater if labels => true,
            Ordering::Less if labels => false,
            _ => lower,
        }
    }

    fn keep(&mut self, step: u64, score: Score, model: &Model<f32>, params: bool) {
        self.step = step;
        self.score = score;
        if params {
            self.params = model.params().into_iter().map(<[f32]>::to_vec).collect();
        }
    }

    fn restore(&self, model: &mut Model<f32>) {
        for (param, best) in model.params_mut().into_iter().zip(&self.params) {
            param.copy_from_slice(best);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blueprint::Blueprint;
    use crate::fixtures::architecture;
    use crate::model::Readout;
    use crate::task::labelled::{Example, Labelled, Options};
    use cellc_runtime::program::Engine;

    /// The label is the first symbol, 1 or 2, whatever follows it.
    fn task(validation: usize) -> Labelled {
        let example = |i: u32| {
            let label = i % 2;
            let rest = (0..i % 4).map(|j| 1 + (i / 2 + j) % 5);
            Example { symbols: std::iter::once(1 + label).chain(rest).collect(), label }
        };
        let parts = [(0, 40), (40, 40 + validation as u32), (60, 80)];
        let parts = parts.map(|(from, to)| (from..to).map(example).collect());
        Labelled::new((6, 2), parts, Options { batch: 8, word_dropout: 0.0, seed: 1 })
    }

    fn settings(steps: u64) -> Settings {
        Settings {
            optimizer: Method::ADAM,
            learning_rate: 0.03,
            schedule: Schedule::COSINE,
            clip: 1.0,
            weight_decay: 0.0,
            steps,
            evaluate_every: 10,
            patience: 0,
            seed: 1,
            threads: 1,
            memory: None,
        }
    }

    #[derive(Default)]
    struct Record {
        losses: Vec<f64>,
        evaluations: Vec<Evaluation>,
    }

    impl Observer for Record {
        fn step(&mut self, step: &Step) -> Result<(), CheckpointError> {
            self.losses.push(step.loss);
            Ok(())
        }

        fn evaluated(
            &mut self,
            evaluation: &Evaluation,
            _: &Model<f32>,
            _: &Optimizer<f32>,
        ) -> Result<(), CheckpointError> {
            self.evaluations.push(*evaluation);
            Ok(())
        }
    }

    /// A model of a cell that draws masks.
    fn drawing() -> Model<f32> {
        let entry = cellc_cells::find("lstm_zoneout").unwrap();
        let blueprint = Blueprint {
            cell: "lstm_zoneout.cell".into(),
            text: entry.source.into(),
            layers: 2,
            hidden: 6,
            embedding: 3,
            ..Blueprint::default()
        };
        let architecture = blueprint.architecture(6, 2, task(20).readout()).unwrap();
        Model::new(&architecture, Engine::default(), 1).unwrap()
    }

    #[test]
    fn masks_are_drawn_for_each_update_by_the_seed_and_not_in_evaluations() {
        let train = |settings: &Settings| {
            let (mut model, mut record) = (drawing(), Record::default());
            train(&mut task(20), &mut model, settings, &mut record).unwrap();
            (record.losses, record.evaluations.iter().map(|e| e.score).collect::<Vec<_>>(), model)
        };
        let (losses, scores, model) = train(&settings(20));
        for other in [
            Settings { threads: 2, ..settings(20) },
            Settings { threads: 3, ..settings(20) },
            Settings { memory: Some(1_000_000), ..settings(20) },
        ] {
            let (found, again, _) = train(&other);
            assert_eq!((&found, &again), (&losses, &scores), "{other:?}");
        }
        // A training that ended early went the same way up to there, as far as the rate is the same.
        let constant = |steps| Settings { schedule: Schedule::CONSTANT, ..settings(steps) };
        let (whole, ..) = train(&constant(20));
        let (early, ..) = train(&constant(7));
        assert_eq!(early, whole[..7]);
        // The model begins as before, and only what is drawn differs.
        let (other, ..) = train(&Settings { seed: 2, ..settings(20) });
        assert_ne!(other[0], losses[0]);
        // Where nothing is learnt and nothing drawn, the same batch has the same loss.
        let task = task(20);
        let batch = task.part(Part::Validation).unwrap().next().unwrap();
        let mut run = model.run(1);
        let expected = evaluate(&model, &mut run, [batch.clone()]).unwrap();
        let draw = |update| Masks::Drawn(Draw { seed: 1, update, stage: 0 });
        let scores = [draw(0), draw(1), draw(0), Masks::Expected].map(|masks| {
            run.set_masks(masks);
            run.forward_backward(&model, &batch).unwrap()
        });
        assert!(scores[0] == scores[2] && scores[0] != scores[1] && scores[0] != expected);
        assert_eq!(scores[3], expected);
        run.set_masks(draw(0));
        assert_eq!(evaluate(&model, &mut run, [batch]).unwrap(), expected);
    }

    /// The same batch, again and again.
    struct Same(Batch);

    impl Task for Same {
        fn readout(&self) -> Readout {
            Readout::Last
        }

        fn symbols(&self) -> usize {
            6
        }

        fn classes(&self) -> usize {
            2
        }

        fn batches_per_epoch(&self) -> usize {
            1
        }

        fn next_batch(&mut self) -> Batch {
            self.0.clone()
        }

        fn part(&self, _: Part) -> Option<Box<dyn Iterator<Item = Batch> + '_>> {
            Some(Box::new([self.0.clone()].into_iter()))
        }

        fn majority(&self) -> Option<f64> {
            None
        }
    }

    #[test]
    fn each_update_has_masks_of_its_own() {
        let mut same = Same(task(20).next_batch());
        let still = Settings { learning_rate: 0.0, evaluate_every: 1, ..settings(6) };
        let (mut model, mut record) = (drawing(), Record::default());
        train(&mut same, &mut model, &still, &mut record).unwrap();
        let mut losses = record.losses;
        losses.sort_by(f64::total_cmp);
        losses.dedup();
        assert_eq!(losses.len(), 6, "{losses:?}");
        let first = record.evaluations[0].score;
        assert!(record.evaluations.iter().all(|evaluation| evaluation.score == first));
    }

    fn trained(validation: usize, settings: &Settings) -> (Model<f32>, Record, Outcome) {
        let mut task = task(validation);
        let architecture = architecture(6, 2, task.readout());
        let mut model = Model::new(&architecture, Engine::default(), settings.seed).unwrap();
        let mut record = Record::default();
        let outcome = train(&mut task, &mut model, settings, &mut record).unwrap();
        (model, record, outcome)
    }

    #[test]
    fn training_lowers_the_loss_and_the_same_seed_gives_the_same_numbers() {
        let (model, record, outcome) = trained(0, &settings(100));
        assert!(record.losses[0] > 0.4, "{:?}", record.losses);
        assert!(outcome.held_out.mean_loss() < 0.2, "{outcome:?}");
        assert_eq!((outcome.held_out.accuracy(), outcome.steps), (1.0, 100));
        let (again, again_record, _) = trained(0, &settings(100));
        assert_eq!((record.losses, model.params()), (again_record.losses, again.params()));
        let (other, ..) = trained(0, &Settings { seed: 2, ..settings(100) });
        assert_ne!(model.params(), other.params());
    }

    #[test]
    fn the_model_is_left_as_it_was_best_on_the_validation_part() {
        // So high a rate that the loss goes up and down.
        let settings = Settings { learning_rate: 0.5, evaluate_every: 2, ..settings(30) };
        let (model, record, outcome) = trained(20, &settings);
        let (last, validated) = record.evaluations.split_last().unwrap();
        assert_eq!((last.part, last.score), (Part::HeldOut, outcome.held_out));
        let best = validated.iter().min_by(|a, b| {
            let lower = a.score.mean_loss().total_cmp(&b.score.mean_loss());
            b.score.correct.cmp(&a.score.correct).then(lower)
        });
        assert_eq!(best.unwrap().step, outcome.best_step);
        let task = task(20);
        let batches = task.part(Part::Validation).unwrap();
        let score = evaluate(&model, &mut model.run(1), batches).unwrap();
        assert_eq!(score, best.unwrap().score);
    }

    #[test]
    fn a_limit_of_memory_changes_nothing_or_is_refused() {
        let (_, expected, _) = trained(20, &settings(20));
        let (_, found, _) = trained(20, &Settings { memory: Some(1_000_000), ..settings(20) });
        assert_eq!((found.losses, found.evaluations.len()), (expected.losses, 3));
        let mut model =
            Model::new(&architecture(6, 2, Readout::Last), Engine::default(), 1).unwrap();
        let settings = Settings { memory: Some(2000), ..settings(20) };
        let refused = train(&mut task(20), &mut model, &settings, &mut Record::default());
        assert!(matches!(refused, Err(TrainError::Run(RunError::Memory { limit: 2000, .. }))));
    }

    #[test]
    fn patience_ends_a_training_that_no_longer_improves() {
        let slow = Settings { learning_rate: 0.0, evaluate_every: 1, patience: 3, ..settings(50) };
        let (_, _, outcome) = trained(20, &slow);
        assert_eq!((outcome.steps, outcome.best_step), (4, 1));
    }

    #[test]
    fn a_loss_that_is_no_number_ends_the_training() {
        let mut task = task(0);
        let architecture = architecture(6, 2, task.readout());
        let mut model = Model::new(&architecture, Engine::default(), 1).unwrap();
        model.params_mut()[0].fill(f32::NAN);
        let ended = train(&mut task, &mut model, &settings(5), &mut Record::default());
        assert!(matches!(ended, Err(TrainError::Diverged { step: 1 })));
    }
}
