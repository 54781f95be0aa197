//! What a training will take, before it is started: memory by its arrays, time by a few updates.

use std::time::{Duration, Instant};

use cellc_runtime::sequence::Extent;

use super::{
    Settings, Silent, TrainError, Training, copied, copies, evaluate, optimizer, set_params,
};
use crate::model::{Model, ModelRun};
use crate::task::{Batches, DataError, Part, Task};

/// How many updates are timed at most, and how many at the least.
const UPDATES: std::ops::RangeInclusive<usize> = 3..=24;

/// How long updates are timed, and evaluations.
const TIMED: Duration = Duration::from_millis(600);

/// What a training will take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The memory of its arrays.
    pub memory: Needed,
    /// How long an update takes.
    pub update: Duration,
    /// How long an evaluation in its course takes.
    pub evaluation: Duration,
    /// How long the evaluation at its end takes, if that is another one.
    pub last: Duration,
}

/// The memory of the arrays of a training, in bytes, the data not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needed {
    /// Parameters, those of the best model, and sums and means of them.
    pub parameters: usize,
    /// Gradients.
    pub gradients: usize,
    /// What the optimiser keeps.
    pub optimizer: usize,
    /// The tape and all other arrays of a run on the training batch that takes most.
    pub tape: usize,
    /// The same of a run on the batch of an evaluation that takes most: this much at the most.
    pub evaluation: usize,
    /// The training batch that takes most.
    pub extent: Extent,
}

impl Needed {
    /// All of it.
    pub fn sum(&self) -> usize {
        let Self { parameters, gradients, optimizer, tape, evaluation, .. } = *self;
        [parameters, gradients, optimizer, tape, evaluation].into_iter().sum()
    }
}

impl Estimate {
    /// How long a training takes as a whole.
    pub fn total(&self, settings: &Settings) -> Duration {
        let every = settings.evaluate_every.max(1);
        let evaluations = settings.steps.div_ceil(every);
        seconds(
            self.update.as_secs_f64() * settings.steps as f64
                + self.evaluation.as_secs_f64() * evaluations as f64
                + self.last.as_secs_f64(),
        )
    }

    /// How many updates a training makes in a time; 0 if not even its evaluations fit in.
    pub fn steps_within(&self, time: Duration, settings: &Settings) -> u64 {
        let (update, evaluation) = (self.update.as_secs_f64(), self.evaluation.as_secs_f64());
        let left = time.as_secs_f64() - self.last.as_secs_f64();
        let steps = match settings.evaluate_every {
            0 => (left - evaluation * settings.evaluations.max(1) as f64) / update,
            every => left / (update + evaluation / every as f64),
        };
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "what is below 0 becomes 0, and what is too large the largest number"
        )]
        let steps = steps as u64;
        steps
    }
}

/// Finds out what a training will take. The model is left as it is.
///
/// # Errors
/// If the very first update gives what is no number, or the data do not fit.
pub fn estimate(
    task: &dyn Task,
    model: &mut Model<f32>,
    settings: &Settings,
) -> Result<Estimate, TrainError> {
    let before = copied(model);
    let estimate = measured(task, model, settings);
    set_params(model, &before);
    estimate
}

fn measured(
    task: &dyn Task,
    model: &mut Model<f32>,
    settings: &Settings,
) -> Result<Estimate, TrainError> {
    let run = model.run(settings.threads);
    let rows = |batches| Rows::of(model, &run, batches);
    let training = rows(task.epoch(0, 0))?;
    let watched = match task.part(Part::Validation) {
        Some(_) => Part::Validation,
        None => Part::HeldOut,
    };
    let part = |part: Part| task.part(part).ok_or(TrainError::NothingHeldOut);
    let judged = rows(part(watched)?)?;
    let rest = match watched {
        Part::Validation => rows(part(Part::HeldOut)?)?,
        Part::HeldOut => Rows::default(),
    };
    let numbers = size_of::<f32>() * model.size();
    let memory = Needed {
        parameters: numbers * copies(settings),
        // Of the run in training and of that in evaluations.
        gradients: 2 * numbers,
        optimizer: optimizer(model, settings).size() * size_of::<f32>(),
        tape: training.bytes.saturating_sub(numbers),
        evaluation: judged.bytes.max(rest.bytes).saturating_sub(numbers),
        extent: training.extent,
    };
    // Nothing is learnt, so that nothing can diverge that would not do so at once.
    let still = Settings { learning_rate: 0.0, ..settings.clone() };
    let per_update = training.mean() * settings.accumulate.max(1) as f64;
    let update = seconds(per_update * time_of_updates(task, model, &still)?);
    let each = time_of_evaluation(model, &still, part(watched)?)?;
    let (evaluation, last) = (seconds(each * judged.all), seconds(each * rest.all));
    Ok(Estimate { memory, update, evaluation, last })
}

/// How much there is to compute for batches: rows, of which each sequence has one for each step.
#[derive(Default)]
struct Rows {
    all: f64,
    batches: usize,
    /// The most bytes that a batch takes, and its extent.
    bytes: usize,
    extent: Extent,
}

impl Rows {
    fn of(
        model: &Model<f32>,
        run: &ModelRun<f32>,
        batches: Batches<'_>,
    ) -> Result<Self, DataError> {
        let mut rows = Self::default();
        let mut seen = Vec::new();
        for batch in batches {
            let extent = batch?.extent;
            rows.all += count(extent);
            rows.batches += 1;
            if !seen.contains(&extent) {
                seen.push(extent);
            }
        }
        for extent in seen {
            let bytes = run.bytes(model, extent);
            if bytes > rows.bytes {
                (rows.bytes, rows.extent) = (bytes, extent);
            }
        }
        Ok(rows)
    }

    fn mean(&self) -> f64 {
        self.all / self.batches.max(1) as f64
    }
}

fn count(extent: Extent) -> f64 {
    (extent.steps * extent.batch) as f64
}

/// Seconds for each row of updates: the median, for the machine may have other things to do.
fn time_of_updates(
    task: &dyn Task,
    model: &mut Model<f32>,
    settings: &Settings,
) -> Result<f64, TrainError> {
    let mut training = Training::new(task, model, settings, None)?;
    let batches = task.batches_per_epoch();
    let mut times = Vec::new();
    let begin = Instant::now();
    for i in 0..=*UPDATES.end() {
        if times.len() >= *UPDATES.start() && begin.elapsed() > TIMED {
            break;
        }
        // From all over the epoch, however many there will be: by the golden ratio.
        let at = (0.618_033_988_75 * i as f64).fract() * batches as f64;
        let mut found = task.epoch(0, (at as usize).min(batches - 1));
        let start = Instant::now();
        let Some(batch) = found.next().transpose()? else { break };
        let several = vec![batch; settings.accumulate.max(1)];
        let rows: f64 = several.iter().map(|batch| count(batch.extent)).sum();
        let _ = training.update(&several, &mut Silent)?;
        // The first one has memory to be given.
        if i > 0 {
            times.push(start.elapsed().as_secs_f64() / rows.max(1.0));
        }
    }
    Ok(median(times))
}

/// Seconds for each row of evaluations.
fn time_of_evaluation(
    model: &Model<f32>,
    settings: &Settings,
    batches: Batches<'_>,
) -> Result<f64, TrainError> {
    let mut run = model.run(settings.threads);
    let mut times = Vec::new();
    let begin = Instant::now();
    for batch in batches {
        if !times.is_empty() && begin.elapsed() > TIMED {
            break;
        }
        let batch = batch?;
        let rows = count(batch.extent).max(1.0);
        if times.is_empty() {
            evaluate(model, &mut run, [Ok(batch.clone())])?;
        }
        let start = Instant::now();
        evaluate(model, &mut run, [Ok(batch)])?;
        times.push(start.elapsed().as_secs_f64() / rows);
    }
    Ok(median(times))
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(0.0)
}

/// A time that is not negative and no more than there can be.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}
