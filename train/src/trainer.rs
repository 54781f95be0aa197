//! The training loop.

mod divergence;
mod estimate;
mod observer;
mod outcome;

use std::cmp::Ordering;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use cellc_runtime::masks::{Draw, Masks};
use cellc_runtime::segmented::Limit;

use crate::batch::Batch;
use crate::experiment::Settings;
use crate::model::{Model, ModelRun, Score, share_of_each};
use crate::optimizer::{Average, Clip, Optimizer, Plateau};
use crate::task::{Batches, DataError, Goal, Part, Task};

use self::divergence::{diverged, suspect};
pub use self::estimate::{Estimate, Needed, estimate};
pub use self::observer::{Evaluation, Observer, Progress, Resumed, Silent, Snapshot, Step};
pub use self::outcome::{End, Outcome, TrainError};

/// Scores a model on batches, with its masks as they are expected to be.
///
/// # Errors
/// If a symbol or an answer is out of its bound, or data cannot be read.
pub fn evaluate(
    model: &Model<f32>,
    run: &mut ModelRun<f32>,
    batches: impl IntoIterator<Item = Result<Batch, DataError>>,
) -> Result<Score, TrainError> {
    run.set_masks(Masks::Expected);
    let mut sum = Score::default();
    for batch in batches {
        sum += run.forward(model, &batch?)?;
    }
    Ok(sum)
}

/// Trains a model on a task, from the start or from where another training was left.
///
/// If the task has a validation part, the model is evaluated on it, and left as it was when it did
/// best there by the task's [`Goal`]. If not, it is evaluated on the held-out part, only to show how
/// it goes, and left as it is after the last step.
///
/// # Errors
/// If the loss diverges, the data do not fit, or the observer cannot keep something.
pub fn train(
    task: &dyn Task,
    model: &mut Model<f32>,
    settings: &Settings,
    resumed: Option<Resumed>,
    observer: &mut dyn Observer,
) -> Result<Outcome, TrainError> {
    Training::new(task, model, settings, resumed)?.run(observer)
}

/// The optimiser of a model, as it is before the first step.
pub(crate) fn optimizer(model: &Model<f32>, settings: &Settings) -> Optimizer<f32> {
    let parameters = model.parameters();
    let shapes: Vec<Vec<usize>> = parameters.iter().map(|p| p.shape.clone()).collect();
    // The rows of an embedding and of a head are symbols and classes: no matrix maps vectors there.
    let is_vectors = |name: &str| name.starts_with("embedding.") || name.starts_with("head.");
    let vectors = parameters.iter().enumerate().filter(|(_, p)| is_vectors(&p.name));
    Optimizer::new(settings.optimizer, settings.weight_decay, &shapes)
        .with_vectors(vectors.map(|(i, _)| i))
        .with_threads(settings.threads)
}

/// How many times there are as many numbers as parameters, beside gradients and what the optimiser
/// keeps: the parameters, those of the best model, sums of gradients, means on the way.
fn copies(settings: &Settings) -> usize {
    let summed = usize::from(settings.accumulate > 1);
    let averaged = usize::from(settings.average.is_some());
    2 + summed + averaged
}

struct Training<'a> {
    task: &'a dyn Task,
    model: &'a mut Model<f32>,
    settings: &'a Settings,
    optimizer: Optimizer<f32>,
    average: Option<Average<f32>>,
    run: ModelRun<f32>,
    /// An evaluation must not disturb the states that are carried from batch to batch.
    evaluation: ModelRun<f32>,
    /// What the best model is chosen by, and whether it is.
    watched: Part,
    progress: Progress,
    /// The best model, or the last whose loss was a number if none is chosen; and whether it is yet to be
    /// kept.
    best: Vec<Vec<f32>>,
    unkept: bool,
    /// Whether the last evaluation gave a number. If not, the training is lost, and what was kept
    /// before is worth more than what it has become.
    sound: bool,
    /// The parameter with the longest gradient of the last step, and its norm.
    longest: Option<(usize, f64)>,
    start: Instant,
    before: Duration,
    saved: Instant,
}

impl<'a> Training<'a> {
    fn new(
        task: &'a dyn Task,
        model: &'a mut Model<f32>,
        settings: &'a Settings,
        resumed: Option<Resumed>,
    ) -> Result<Self, TrainError> {
        let mut optimizer = optimizer(model, settings);
        let sizes: Vec<_> = model.params().iter().map(|param| param.len()).collect();
        let mut average = settings.average.map(|averaging| Average::new(averaging, &sizes));
        let watched = match task.part(Part::Validation) {
            Some(_) => Part::Validation,
            None => Part::HeldOut,
        };
        if task.part(Part::HeldOut).is_none() {
            return Err(TrainError::NothingHeldOut);
        }
        if settings.plateau.is_some() && watched != Part::Validation {
            return Err(TrainError::NoValidation);
        }
        let limit = settings.memory.map(|bytes| {
            // The gradients are those of the run that is at rest.
            let copies = 1 + copies(settings);
            let numbers = copies * model.size() + optimizer.size();
            Limit { bytes, taken: numbers * size_of::<f32>() }
        });
        let mut run = model.run_within(settings.threads, limit);
        let evaluation = model.run_within(settings.threads, limit);
        let plateau = settings.plateau.map(Plateau::new);
        let (mut progress, mut best) = (Progress { plateau, ..Progress::default() }, Vec::new());
        if let Some(resumed) = resumed {
            set_params(model, &resumed.params);
            optimizer.restore(resumed.optimizer.0, resumed.optimizer.1)?;
            run.set_states(resumed.states);
            progress = resumed.progress;
            best = resumed.best;
            // A training that is to be longer than it was may have its last part elsewhere: what began
            // before that part is none of it.
            if let (Some(average), Some((updates, params))) = (&mut average, resumed.average)
                && updates <= average.averaging().updates(progress.step, settings.steps)
            {
                average.restore(updates, params)?;
            }
        }
        let before = Duration::try_from_secs_f64(progress.seconds).unwrap_or_default();
        let start = Instant::now();
        Ok(Self {
            task,
            model,
            settings,
            optimizer,
            average,
            run,
            evaluation,
            watched,
            progress,
            best,
            unkept: false,
            sound: true,
            longest: None,
            start,
            before,
            saved: start,
        })
    }

    fn elapsed(&self) -> Duration {
        self.before + self.start.elapsed()
    }

    fn run(mut self, observer: &mut dyn Observer) -> Result<Outcome, TrainError> {
        let end = self.updates(observer)?;
        if end == End::Interrupted {
            return Ok(self.outcome(end, None));
        }
        if !self.best.is_empty() {
            set_params(self.model, &self.best);
            if self.unkept {
                observer.best(self.model, self.best_step())?;
            }
        } else if let Some(averaged) = self.average.as_ref().and_then(Average::averaged) {
            set_params(self.model, averaged);
        }
        self.run.release();
        let held_out = match (self.watched, self.progress.best) {
            (Part::HeldOut, Some((_, score))) => score,
            _ => {
                let score = self.score(Part::HeldOut)?;
                let (step, elapsed) = (self.best_step(), self.elapsed());
                // The chosen model is kept already.
                let (part, best) = (Part::HeldOut, false);
                observer.evaluated(&Evaluation { step, part, score, best, elapsed })?;
                score
            }
        };
        Ok(self.outcome(end, Some(held_out)))
    }

    fn best_step(&self) -> u64 {
        self.progress.best.map_or(0, |(step, _)| step)
    }

    fn outcome(&self, end: End, held_out: Option<Score>) -> Outcome {
        let (steps, best_step, elapsed) = (self.progress.step, self.best_step(), self.elapsed());
        let validation = self.progress.best.filter(|_| self.watched == Part::Validation);
        let validation = validation.map(|(_, score)| score);
        Outcome { end, steps, best_step, validation, held_out, elapsed }
    }

    /// Updates the model until there is a reason to end.
    fn updates(&mut self, observer: &mut dyn Observer) -> Result<End, TrainError> {
        let task = self.task;
        let per_epoch = task.batches_per_epoch();
        let mut batches: Option<Batches<'_>> = None;
        let mut next = |progress: &mut Progress| -> Result<Batch, DataError> {
            if progress.batch >= per_epoch {
                (progress.epoch, progress.batch, batches) = (progress.epoch + 1, 0, None);
            }
            let batches = batches.get_or_insert_with(|| task.epoch(progress.epoch, progress.batch));
            progress.batch += 1;
            batches.next().unwrap_or_else(|| unreachable!("an epoch has {per_epoch} batches"))
        };
        loop {
            // Here, and not after the update: a training that is interrupted is kept first, and
            // evaluated when it is gone on with.
            if self.is_due() {
                self.evaluate(observer)?;
                self.save(observer)?;
            }
            if let Some(end) = self.end() {
                if end == End::Time {
                    if self.progress.evaluated != self.progress.step {
                        self.evaluate(observer)?;
                    }
                    // With the time that is over now: who goes on with it is to find that out.
                    self.save(observer)?;
                }
                return Ok(end);
            }
            let several: Result<Vec<Batch>, DataError> =
                (0..self.settings.accumulate.max(1)).map(|_| next(&mut self.progress)).collect();
            let flow = self.update(&several?, observer)?;
            let rested = self.saved.elapsed().as_secs_f64() >= self.settings.save_seconds;
            if (rested && !self.is_due()) || flow.is_break() {
                self.save(observer)?;
            }
            if flow.is_break() {
                return Ok(End::Interrupted);
            }
        }
    }

    /// Why the training ends here, if it does.
    fn end(&self) -> Option<End> {
        let Settings { steps, minutes, .. } = *self.settings;
        if self.progress.solved {
            return Some(End::Solved);
        }
        if self.progress.step >= steps {
            return Some(End::Steps);
        }
        if self.settings.is_out_of_patience(&self.progress) {
            return Some(End::Patience);
        }
        let is_over = minutes > 0.0 && self.elapsed().as_secs_f64() > 60.0 * minutes;
        is_over.then_some(End::Time)
    }

    /// Whether the model is to be evaluated after the present step, and was not.
    fn is_due(&self) -> bool {
        let Settings { steps, evaluate_every, .. } = *self.settings;
        let Progress { step, evaluated, .. } = self.progress;
        let is_place = step.is_multiple_of(evaluate_every.max(1)) || step == steps;
        is_place && step > evaluated
    }

    fn save(&mut self, observer: &mut dyn Observer) -> Result<(), TrainError> {
        if !self.sound {
            return Ok(());
        }
        self.progress.seconds = self.elapsed().as_secs_f64();
        if self.unkept {
            let own = copied(self.model);
            set_params(self.model, &self.best);
            self.unkept = !observer.best(self.model, self.best_step())?;
            set_params(self.model, &own);
        }
        observer.save(&Snapshot {
            model: self.model,
            optimizer: &self.optimizer,
            average: self.average.as_ref(),
            states: self.run.states(),
            progress: &self.progress,
        })?;
        self.saved = Instant::now();
        Ok(())
    }

    /// Learns from batches.
    fn update(
        &mut self,
        batches: &[Batch],
        observer: &mut dyn Observer,
    ) -> Result<ControlFlow<()>, TrainError> {
        let begun = Instant::now();
        let Self { settings, model, run, progress, .. } = self;
        let seed = settings.seed;
        let width = model.interface().answers.width();
        let answers: f64 = batches.iter().map(|batch| batch.targets.count(width)).sum();
        let weight = share_of_each(answers);
        let mut score = Score::default();
        let mut sum: Vec<Vec<f32>> = Vec::new();
        for (i, batch) in batches.iter().enumerate() {
            // Batches of one update draw masks of their own.
            let update = progress.step * batches.len() as u64 + i as u64;
            run.set_masks(Masks::Drawn(Draw { seed, update, stage: 0 }));
            score += run.forward_backward(model, batch, Some(weight))?;
            if batches.len() > 1 {
                add_up(&mut sum, &run.gradients());
            }
        }
        let gradients: Vec<&[f32]> = match batches.len() {
            1 => run.gradients(),
            _ => sum.iter().map(Vec::as_slice).collect(),
        };
        let clipped = Clip { norm: settings.clip, value: settings.clip_value }.of(&gradients);
        let gradient_norm = clipped.norm;
        let plateau = progress.plateau.as_ref().map_or(1.0, Plateau::factor);
        let factor = plateau * settings.schedule.factor(progress.step, settings.steps);
        let learning_rate = settings.learning_rate * factor;
        if !score.loss.is_finite() || !gradient_norm.is_finite() {
            let (step, what) = (progress.step + 1, diverged(model, &gradients, score));
            let backward = score.loss.is_finite();
            let (suspect, batches) = (suspect(model, self.longest), batches.into());
            let diverged =
                TrainError::Diverged { step, what, suspect, batches, backward, learning_rate };
            return Err(diverged);
        }
        self.longest = clipped.longest;
        let optimizer = &mut self.optimizer;
        model.update(|params| optimizer.step(params, &gradients, learning_rate, clipped.scale));
        if let Some(average) = &mut self.average
            && average.averaging().includes(progress.step, settings.steps)
        {
            average.update(&model.params());
        }
        progress.step += 1;
        let seen = progress.epoch as f64;
        let epoch = seen + progress.batch as f64 / self.task.batches_per_epoch() as f64;
        let step = Step {
            step: progress.step,
            steps: settings.steps,
            epoch,
            loss: score.mean_loss(),
            learning_rate,
            gradient_norm,
            read: batches.iter().map(Batch::real_steps).sum(),
            sequences: batches.iter().map(|batch| batch.extent.batch).sum(),
            took: begun.elapsed(),
            elapsed: self.elapsed(),
        };
        observer.step(&step)
    }

    fn score(&mut self, part: Part) -> Result<Score, TrainError> {
        let batches = self.task.part(part).ok_or(TrainError::NothingHeldOut)?;
        if self.settings.memory.is_some() {
            self.run.release();
        }
        let score = evaluate(self.model, &mut self.evaluation, batches)?;
        if self.settings.memory.is_some() {
            self.evaluation.release();
        }
        Ok(score)
    }

    /// Evaluates the model, or the mean of its parameters on their way, and keeps it if it is the
    /// best.
    fn evaluate(&mut self, observer: &mut dyn Observer) -> Result<(), TrainError> {
        self.swap_average();
        self.evaluate_as_it_is(observer)?;
        self.swap_average();
        Ok(())
    }

    fn swap_average(&mut self) {
        if let Some(average) = &mut self.average {
            self.model.update(|params| average.swap(params));
        }
    }

    fn evaluate_as_it_is(&mut self, observer: &mut dyn Observer) -> Result<(), TrainError> {
        let score = self.score(self.watched)?;
        let best = self.progress.best;
        let better = best.is_none_or(|(_, best)| improves(self.task.goal(), score, best));
        // What is no number is no model to keep, even if there is no other.
        let chosen = score.mean_loss().is_finite() && (self.watched == Part::HeldOut || better);
        let (step, part, elapsed) = (self.progress.step, self.watched, self.elapsed());
        self.progress.evaluated = step;
        if let (Some(plateau), Part::Validation) = (&mut self.progress.plateau, self.watched) {
            plateau.observe(score.mean_loss());
        }
        observer.evaluated(&Evaluation { step, part, score, best: chosen, elapsed })?;
        self.sound = score.mean_loss().is_finite();
        if chosen {
            self.progress.best = Some((step, score));
            self.best = copied(self.model);
            let kept = observer.best(self.model, step)?;
            self.unkept = !kept;
        }
        if self.settings.until_solved {
            let Self { task, model, evaluation, .. } = self;
            self.progress.solved = task.solved(&mut |batch| {
                evaluation.forward(model, batch)?;
                Ok(evaluation.logits().to_vec())
            })?;
        }
        Ok(())
    }
}

fn copied(model: &Model<f32>) -> Vec<Vec<f32>> {
    model.params().into_iter().map(<[f32]>::to_vec).collect()
}

/// Whether a score is better than the best so far.
fn improves(goal: Goal, score: Score, best: Score) -> bool {
    let lower = score.mean_loss() < best.mean_loss() || !best.mean_loss().is_finite();
    match score.correct.cmp(&best.correct) {
        Ordering::Greater if goal == Goal::Accuracy => true,
        Ordering::Less if goal == Goal::Accuracy => false,
        _ => lower,
    }
}

fn add_up(sum: &mut Vec<Vec<f32>>, gradients: &[&[f32]]) {
    if sum.is_empty() {
        *sum = gradients.iter().map(|gradient| gradient.to_vec()).collect();
        return;
    }
    for (sum, gradient) in sum.iter_mut().zip(gradients) {
        sum.iter_mut().zip(*gradient).for_each(|(sum, g)| *sum += g);
    }
}

fn set_params(model: &mut Model<f32>, from: &[Vec<f32>]) {
    model.update(|params| {
        for (param, from) in params.iter_mut().zip(from) {
            param.copy_from_slice(from);
        }
    });
}

#[cfg(test)]
mod tests;
