use std::cell::Cell;

use super::*;
use crate::batch::{Data, Example, Targets};
use crate::blueprint::{Blueprint, ModelConfig};
use crate::fixtures::{architecture, interface};
use crate::model::Readout;
use crate::optimizer::{Averaging, Method, PlateauSettings, Schedule, Span};
use crate::task::Context;
use crate::task::examples::Examples;
use cellc_runtime::program::Engine;
use cellc_runtime::sequence::RunError;

/// The label is the first symbol, 1 or 2, whatever follows it.
fn task(validation: usize) -> Examples {
    let example = |i: u32| {
        let label = i % 2;
        let rest = (0..i % 4).map(|j| 1 + (i / 2 + j) % 5);
        let symbols = std::iter::once(1 + label).chain(rest).collect();
        Example { data: Data::Symbols(symbols), targets: Targets::Classes(vec![label]) }
    };
    let parts = [(0, 40), (40, 40 + validation as u32), (60, 80)];
    let parts = parts.map(|(from, to)| (from..to).map(example).collect());
    let interface = interface(6, 2, Readout::Last);
    let mut task = Examples::new(interface, Context { batch: 8, seed: 1 }, parts);
    task.goal = Goal::Accuracy;
    task
}

fn settings(steps: u64) -> Settings {
    Settings { learning_rate: 0.03, steps, evaluate_every: 10, ..Settings::default() }
}

/// What an observer is told, and a training as it was kept last.
#[derive(Default)]
struct Record {
    losses: Vec<f64>,
    evaluations: Vec<Evaluation>,
    saves: Vec<u64>,
    kept: Option<Resumed>,
    best: Vec<Vec<f32>>,
    /// After which step it is enough.
    stop: Option<u64>,
    /// How often there is no room for a model.
    full: u32,
}

fn params(model: &Model<f32>) -> Vec<Vec<f32>> {
    model.params().into_iter().map(<[f32]>::to_vec).collect()
}

impl Observer for Record {
    fn step(&mut self, step: &Step) -> Result<ControlFlow<()>, TrainError> {
        self.losses.push(step.loss);
        match self.stop == Some(step.step) {
            true => Ok(ControlFlow::Break(())),
            false => Ok(ControlFlow::Continue(())),
        }
    }

    fn evaluated(&mut self, evaluation: &Evaluation) -> Result<(), TrainError> {
        self.evaluations.push(*evaluation);
        Ok(())
    }

    fn best(&mut self, model: &Model<f32>, _: u64) -> Result<bool, TrainError> {
        if self.full > 0 {
            self.full -= 1;
            return Ok(false);
        }
        self.best = params(model);
        Ok(true)
    }

    fn save(&mut self, snapshot: &Snapshot<'_>) -> Result<(), TrainError> {
        let Snapshot { model, optimizer, average, states, progress } = snapshot;
        let moments = optimizer.moments().into_iter().map(<[_]>::to_vec).collect();
        let mean = |average: &Average<f32>| Some((average.updates(), average.averaged()?.to_vec()));
        self.saves.push(progress.step);
        self.kept = Some(Resumed {
            params: params(model),
            best: self.best.clone(),
            optimizer: (optimizer.steps(), moments),
            average: average.and_then(mean),
            states: (*states).clone(),
            progress: (*progress).clone(),
        });
        Ok(())
    }
}

/// A model of a cell that draws masks.
fn drawing() -> Model<f32> {
    let model = ModelConfig {
        cell: "lstm_zoneout".into(),
        layers: 2,
        hidden: 6,
        embedding: 3,
        dropout: 0.2,
        ..ModelConfig::default()
    };
    let blueprint = Blueprint::of_catalogue(model).unwrap();
    let architecture = blueprint.architecture(interface(6, 2, Readout::Last)).unwrap();
    Model::new(&architecture, Engine::default(), 1).unwrap()
}

#[test]
fn masks_are_drawn_for_each_update_by_the_seed_and_not_in_evaluations() {
    let train = |settings: &Settings| {
        let (mut model, mut record) = (drawing(), Record::default());
        train(&task(20), &mut model, settings, None, &mut record).unwrap();
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
    let batch = task.part(Part::Validation).unwrap().next().unwrap().unwrap();
    let mut run = model.run(1);
    let expected = evaluate(&model, &mut run, [Ok(batch.clone())]).unwrap();
    let draw = |update| Masks::Drawn(Draw { seed: 1, update, stage: 0 });
    let scores = [draw(0), draw(1), draw(0), Masks::Expected].map(|masks| {
        run.set_masks(masks);
        run.forward(&model, &batch).unwrap()
    });
    assert!(scores[0] == scores[2] && scores[0] != scores[1] && scores[0] != expected);
    assert_eq!(scores[3], expected);
    run.set_masks(draw(0));
    assert_eq!(evaluate(&model, &mut run, [Ok(batch)]).unwrap(), expected);
}

/// The same batch, again and again.
struct Same(Batch);

impl Task for Same {
    fn batches_per_epoch(&self) -> usize {
        1
    }

    fn epoch(&self, _: u64, _: usize) -> Batches<'_> {
        Box::new([Ok(self.0.clone())].into_iter())
    }

    fn part(&self, _: Part) -> Option<Batches<'_>> {
        Some(self.epoch(0, 0))
    }

    fn goal(&self) -> Goal {
        Goal::Loss
    }
}

#[test]
fn each_update_has_masks_of_its_own() {
    let batch = task(20).epoch(0, 0).next().unwrap().unwrap();
    let still = Settings { learning_rate: 0.0, evaluate_every: 1, ..settings(6) };
    let (mut model, mut record) = (drawing(), Record::default());
    train(&Same(batch), &mut model, &still, None, &mut record).unwrap();
    let mut losses = record.losses;
    losses.sort_by(f64::total_cmp);
    losses.dedup();
    assert_eq!(losses.len(), 6, "{losses:?}");
    let first = record.evaluations[0].score;
    assert!(record.evaluations.iter().all(|evaluation| evaluation.score == first));
}

fn new_model(seed: u64) -> Model<f32> {
    Model::new(&architecture(6, 2, Readout::Last), Engine::default(), seed).unwrap()
}

fn trained(validation: usize, settings: &Settings) -> (Model<f32>, Record, Outcome) {
    let (mut model, mut record) = (new_model(settings.seed), Record::default());
    let outcome = train(&task(validation), &mut model, settings, None, &mut record).unwrap();
    (model, record, outcome)
}

#[test]
fn training_lowers_the_loss_and_the_same_seed_gives_the_same_numbers() {
    let (model, record, outcome) = trained(0, &settings(100));
    assert!(record.losses[0] > 0.4, "{:?}", record.losses);
    let score = outcome.held_out.unwrap();
    assert!(score.mean_loss() < 0.2, "{outcome:?}");
    assert_eq!((score.accuracy(), outcome.steps, outcome.end), (1.0, 100, End::Steps));
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
    assert_eq!((last.part, Some(last.score)), (Part::HeldOut, outcome.held_out));
    let best = validated.iter().min_by(|a, b| {
        let lower = a.score.mean_loss().total_cmp(&b.score.mean_loss());
        b.score.correct.cmp(&a.score.correct).then(lower)
    });
    assert_eq!(best.unwrap().step, outcome.best_step);
    assert_eq!(params(&model), record.best);
    let task = task(20);
    let batches = task.part(Part::Validation).unwrap();
    let score = evaluate(&model, &mut model.run(1), batches).unwrap();
    assert_eq!(score, best.unwrap().score);
}

#[test]
fn a_training_that_is_gone_on_with_is_the_one_that_was_not_stopped() {
    for (validation, stop) in [(0, 3), (20, 7), (20, 8), (20, 19), (0, 1), (0, 7), (0, 8)] {
        let plateau = PlateauSettings { patience: 0, ..PlateauSettings::default() };
        let plateau = (validation > 0).then_some(plateau);
        let settings = Settings {
            evaluate_every: 4,
            accumulate: 2,
            optimizer: Method::MOMENTUM,
            plateau,
            average: Some(Averaging::EMA),
            ..settings(20)
        };
        let (mut whole, mut expected) = (drawing(), Record::default());
        train(&task(validation), &mut whole, &settings, None, &mut expected).unwrap();
        let mut first = Record { stop: Some(stop), ..Record::default() };
        let outcome = train(&task(validation), &mut drawing(), &settings, None, &mut first);
        let outcome = outcome.unwrap();
        assert_eq!((outcome.end, outcome.steps, outcome.held_out), (End::Interrupted, stop, None));
        // Another model: nothing but what was kept is gone on with.
        let (mut rest, mut second) = (drawing(), Record::default());
        let scratch = Settings { learning_rate: 1.0, ..settings.clone() };
        train(&task(validation), &mut rest, &Settings { steps: 2, ..scratch }, None, &mut second)
            .unwrap();
        let mut second = Record { best: first.best.clone(), ..Record::default() };
        train(&task(validation), &mut rest, &settings, first.kept, &mut second).unwrap();
        assert_eq!(params(&rest), params(&whole), "stopped at {stop}");
        assert_eq!([first.losses, second.losses].concat(), expected.losses);
    }
}

#[test]
fn a_training_that_goes_on_for_longer_can_be_stopped_again() {
    let tail = Averaging::Tail { last: Span::Steps(15) };
    let settings = |steps| Settings {
        evaluate_every: 5,
        average: Some(tail),
        schedule: Schedule::CONSTANT,
        ..settings(steps)
    };
    // All ten steps are in the mean of the first, and none of them before the fifth in that of twenty.
    let mut first = Record::default();
    train(&task(20), &mut drawing(), &settings(10), None, &mut first).unwrap();
    let go_on = |resumed: &Record, stop| {
        let (mut model, best) = (drawing(), resumed.best.clone());
        let mut record = Record { stop, best, ..Record::default() };
        train(&task(20), &mut model, &settings(20), resumed.kept.clone(), &mut record).unwrap();
        (record, model)
    };
    let (_, whole) = go_on(&first, None);
    for stop in [12, 14, 19] {
        let (stopped, _) = go_on(&first, Some(stop));
        let (_, rest) = go_on(&stopped, None);
        assert_eq!(params(&rest), params(&whole), "stopped at {stop}");
    }
}

/// Does not let a training go on for longer than so many steps.
struct Strict(u64);

impl Observer for Strict {
    fn step(&mut self, step: &Step) -> Result<ControlFlow<()>, TrainError> {
        if step.step < self.0 {
            return Ok(ControlFlow::Continue(()));
        }
        Err(TrainError::Observer("enough".into()))
    }
}

#[test]
fn an_observer_ends_a_training_with_an_error_of_its_own() {
    let mut strict = Strict(3);
    let error = train(&task(0), &mut new_model(1), &settings(20), None, &mut strict).unwrap_err();
    assert_eq!(error.to_string(), "enough");
}

#[test]
fn a_training_is_kept_at_each_evaluation_and_every_so_often() {
    let (_, record, _) = trained(20, &settings(25));
    assert_eq!(record.saves, [10, 20, 25]);
    let (_, record, _) = trained(20, &Settings { save_seconds: 0.0, ..settings(5) });
    assert_eq!(record.saves, [1, 2, 3, 4, 5]);
}

#[test]
fn several_batches_make_one_update_as_one_of_their_size_would() {
    let big = Settings { batch: 8, accumulate: 1, ..settings(6) };
    let mut record = Record::default();
    let batches: Vec<Batch> = task(0).epoch(0, 0).map(Result::unwrap).collect();
    let mut model = new_model(1);
    train(&Same(batches[0].clone()), &mut model, &big, None, &mut record).unwrap();
    // The same batch twice: the mean loss and its gradient are those of the batch.
    let mut twice = Record::default();
    let mut other = new_model(1);
    let double = Settings { accumulate: 2, ..big };
    train(&Same(batches[0].clone()), &mut other, &double, None, &mut twice).unwrap();
    for (a, b) in record.losses.iter().zip(&twice.losses) {
        assert!((a - b).abs() < 1e-5, "{a}, {b}");
    }
}

#[test]
fn a_limit_of_memory_changes_nothing_or_is_refused() {
    let (_, expected, _) = trained(20, &settings(20));
    let (_, found, _) = trained(20, &Settings { memory: Some(1_000_000), ..settings(20) });
    assert_eq!((found.losses, found.evaluations.len()), (expected.losses, 3));
    let settings = Settings { memory: Some(2000), ..settings(20) };
    let refused = train(&task(20), &mut new_model(1), &settings, None, &mut Record::default());
    assert!(matches!(refused, Err(TrainError::Run(RunError::Memory { limit: 2000, .. }))));
}

#[test]
fn patience_ends_a_training_that_no_longer_improves() {
    let slow = Settings { learning_rate: 0.0, evaluate_every: 1, patience: 3, ..settings(50) };
    let (_, _, outcome) = trained(20, &slow);
    assert_eq!((outcome.steps, outcome.best_step, outcome.end), (4, 1, End::Patience));
}

#[test]
fn a_training_ends_when_its_time_is_over() {
    let (model, record, outcome) = trained(0, &Settings { minutes: 1e-4, ..settings(1_000_000) });
    assert_eq!(outcome.end, End::Time);
    assert!(outcome.steps > 0 && record.saves.last() == Some(&outcome.steps));
    assert_eq!(record.best, params(&model));
}

#[test]
fn what_is_no_number_ends_the_training_and_is_named() {
    let diverged = |with: f32| {
        let mut model = new_model(1);
        model.update(|params| params[0].fill(with));
        let ended = train(&task(0), &mut model, &settings(5), None, &mut Record::default());
        ended.unwrap_err().to_string()
    };
    assert_eq!(
        diverged(f32::NAN),
        "the loss is not a number (NaN) at step 1; the parameter `embedding.table` is NaN in 18 of its 18 \
         numbers"
    );
    let learnt_by = |learning_rate| {
        let settings = Settings { learning_rate, ..settings(5) };
        let ended = train(&task(0), &mut new_model(1), &settings, None, &mut Record::default());
        ended.unwrap_err()
    };
    // Parameters are finite, but what is made of them is not.
    let error = learnt_by(1e30);
    let said = error.to_string();
    let before = " at step 2; the longest gradient of the step before was that of `";
    assert!(said.contains(before) && said.contains(", of norm "), "{said}");
    assert!(matches!(error, TrainError::Diverged { batches, .. } if batches.len() == 1));
    // So large a step makes them infinite.
    let said = learnt_by(1e60).to_string();
    assert!(said.contains(" at step 2; the parameter `") && said.contains(" of its "), "{said}");
    let model = new_model(1);
    let mut gradients: Vec<Vec<f32>> = params(&model);
    let score = Score { loss: 1.0, count: 1, ..Score::default() };
    gradients[1][2] = f32::INFINITY;
    let said = |gradients: &[Vec<f32>], score| {
        super::diverged(&model, &gradients.iter().map(Vec::as_slice).collect::<Vec<_>>(), score)
    };
    assert_eq!(
        said(&gradients, score),
        "the gradient of `layer0.W` is infinite in 1 of its 12 numbers"
    );
    gradients[1][3] = f32::NAN;
    assert!(said(&gradients, score).ends_with("is NaN in 2 of its 12 numbers"));
    assert_eq!(said(&gradients, Score { loss: f64::INFINITY, ..score }), "the loss is infinite");
}

/// What is evaluated is no number.
struct Unsound(Same);

impl Task for Unsound {
    fn batches_per_epoch(&self) -> usize {
        1
    }

    fn epoch(&self, epoch: u64, skipped: usize) -> Batches<'_> {
        self.0.epoch(epoch, skipped)
    }

    fn part(&self, _: Part) -> Option<Batches<'_>> {
        // Without an answer, the mean loss is none.
        let batch =
            Batch { targets: Targets::Classes(vec![crate::batch::IGNORED; 8]), ..self.0.0.clone() };
        Some(Box::new([Ok(batch)].into_iter()))
    }

    fn goal(&self) -> Goal {
        Goal::Loss
    }
}

#[test]
fn a_training_is_not_kept_where_it_has_lost_its_numbers() {
    let batch = task(20).epoch(0, 0).next().unwrap().unwrap();
    let (mut model, mut record) = (new_model(1), Record::default());
    let settings = Settings { evaluate_every: 2, ..settings(4) };
    let settings = Settings { save_seconds: 0.0, ..settings };
    train(&Unsound(Same(batch)), &mut model, &settings, None, &mut record).unwrap();
    // Before the first evaluation nobody knows.
    assert_eq!(record.saves, [1]);
    // JSON has no such number, and it comes back all the same.
    let progress = Progress {
        best: Some((2, Score { loss: f64::NAN, count: 1, ..Score::default() })),
        ..Progress::default()
    };
    let kept = serde_json::to_string(&progress).unwrap();
    let again: Progress = serde_json::from_str(&kept).unwrap();
    assert!(again.best.unwrap().1.loss.is_nan(), "{kept}");
}

/// A task without a validation part, of whose evaluations the first alone is a number.
struct Loses(Unsound, Cell<u32>);

impl Task for Loses {
    fn batches_per_epoch(&self) -> usize {
        1
    }

    fn epoch(&self, epoch: u64, skipped: usize) -> Batches<'_> {
        self.0.epoch(epoch, skipped)
    }

    fn part(&self, part: Part) -> Option<Batches<'_>> {
        if part == Part::Validation {
            return None;
        }
        // At first it is only asked whether there is one.
        self.1.set(self.1.get() + 1);
        if self.1.get() <= 2 { Some(self.epoch(0, 0)) } else { self.0.part(part) }
    }

    fn goal(&self) -> Goal {
        Goal::Loss
    }
}

#[test]
fn the_model_is_left_as_it_was_kept_if_it_loses_its_numbers_later() {
    let batch = task(0).epoch(0, 0).next().unwrap().unwrap();
    let (mut model, mut record) = (new_model(1), Record::default());
    let settings = Settings { evaluate_every: 2, ..settings(4) };
    let task = Loses(Unsound(Same(batch)), Cell::new(0));
    let outcome = train(&task, &mut model, &settings, None, &mut record).unwrap();
    assert!(record.evaluations[1].score.mean_loss().is_nan());
    assert_eq!((outcome.steps, outcome.best_step), (4, 2));
    assert_eq!(outcome.held_out, Some(record.evaluations[0].score));
    assert_eq!(params(&model), record.best);
}

#[test]
fn a_model_that_could_not_be_kept_is_handed_over_again() {
    let settings = Settings { learning_rate: 0.5, evaluate_every: 2, ..settings(30) };
    let (expected, ..) = trained(20, &settings);
    let mut model = new_model(1);
    for full in [1, 4, 1000] {
        model = new_model(1);
        let mut record = Record { full, ..Record::default() };
        train(&task(20), &mut model, &settings, None, &mut record).unwrap();
        assert_eq!(record.best.is_empty(), full == 1000);
        assert!(full == 1000 || record.best == params(&expected));
    }
    assert_eq!(params(&model), params(&expected));
}

#[test]
fn a_plateau_is_seen_on_the_validation_part_alone() {
    let settings = Settings { plateau: Some(PlateauSettings::default()), ..settings(5) };
    let refused = train(&task(0), &mut new_model(1), &settings, None, &mut Record::default());
    assert!(matches!(refused, Err(TrainError::NoValidation)));
}
