//! How a training goes: a bar on a terminal, plain lines elsewhere, and the run folder's metrics.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use cellc_train::checkpoint::CheckpointError;
use cellc_train::model::Model;
use cellc_train::optimizer::Optimizer;
use cellc_train::run_folder::RunFolder;
use cellc_train::task::Part;
use cellc_train::trainer::{Evaluation, Observer, Step};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::note;

/// What a training's speed is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Symbols,
    Examples,
}

/// Shows a training on standard error and keeps it in its run folder.
pub(crate) struct Progress {
    folder: RunFolder,
    unit: Unit,
    shown: Shown,
    /// A mean of the last losses, in nats.
    loss: Option<f64>,
    done: usize,
    last_line: Duration,
    evaluating: Duration,
    last_step: Duration,
}

enum Shown {
    Bar(ProgressBar),
    Lines,
    Nothing,
}

/// Plain lines come this often.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// How much of the smoothed loss is kept at each step.
const SMOOTHING: f64 = 0.95;

impl Progress {
    pub(crate) fn new(folder: RunFolder, unit: Unit, steps: u64, quiet: bool) -> Self {
        let shown = match quiet {
            true => Shown::Nothing,
            false if stderr().is_terminal() => Shown::Bar(bar(steps)),
            false => Shown::Lines,
        };
        Self {
            folder,
            unit,
            shown,
            loss: None,
            done: 0,
            last_line: Duration::ZERO,
            evaluating: Duration::ZERO,
            last_step: Duration::ZERO,
        }
    }

    /// Takes the bar off the terminal.
    pub(crate) fn finish(&self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }

    fn line(&self, text: &str) {
        match &self.shown {
            Shown::Bar(bar) => bar.println(text),
            Shown::Lines => note(text),
            Shown::Nothing => {}
        }
    }

    fn speed(&self, elapsed: Duration) -> String {
        let seconds = elapsed.saturating_sub(self.evaluating).as_secs_f64().max(1e-9);
        let unit = match self.unit {
            Unit::Symbols => "symbols",
            Unit::Examples => "examples",
        };
        format!("{:.0} {unit}/s", self.done as f64 / seconds)
    }
}

fn bar(steps: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len}  {msg}");
    // The template is written above: if it had a fault, the plain bar would do.
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸─"));
    bar
}

impl Observer for Progress {
    fn step(&mut self, step: &Step) -> Result<(), CheckpointError> {
        self.folder.note_step(step)?;
        self.done += match self.unit {
            Unit::Symbols => step.symbols,
            Unit::Examples => step.sequences,
        };
        self.last_step = step.elapsed;
        let loss =
            self.loss.map_or(step.loss, |loss| SMOOTHING * loss + (1.0 - SMOOTHING) * step.loss);
        self.loss = Some(loss);
        let rest = step.elapsed.mul_f64((step.steps - step.step) as f64 / step.step as f64);
        let (speed, eta) = (self.speed(step.elapsed), clock(rest));
        match &self.shown {
            Shown::Bar(bar) => {
                bar.set_position(step.step);
                bar.set_message(format!("loss {loss:.3}  {speed}  eta {eta}"));
            }
            Shown::Lines if step.elapsed - self.last_line >= LINE_EVERY => {
                self.last_line = step.elapsed;
                let Step { step, steps, epoch, .. } = step;
                note(format_args!(
                    "step {step}/{steps}  epoch {epoch:.1}  loss {loss:.3}  {speed}  eta {eta}"
                ));
            }
            Shown::Lines | Shown::Nothing => {}
        }
        Ok(())
    }

    fn evaluated(
        &mut self,
        evaluation: &Evaluation,
        model: &Model<f32>,
        optimizer: &Optimizer<f32>,
    ) -> Result<(), CheckpointError> {
        let labels = self.unit == Unit::Examples;
        self.folder.note_evaluation(evaluation, labels)?;
        if evaluation.best {
            self.folder.save(model, optimizer, evaluation.step)?;
        }
        let Evaluation { step, part, score, best, elapsed } = evaluation;
        self.evaluating += elapsed.saturating_sub(self.last_step);
        self.last_step = *elapsed;
        let part = match part {
            Part::Validation => "validation",
            Part::HeldOut => "held out",
        };
        let loss = score.mean_loss();
        let accuracy = match labels {
            true => format!("  accuracy {:.1} %", 100.0 * score.accuracy()),
            false => String::new(),
        };
        let mark = if *best && part == "validation" { "  (best so far)" } else { "" };
        let at = clock(*elapsed);
        self.line(&format!("{at}  step {step:<5}  {part}: loss {loss:.3}{accuracy}{mark}"));
        Ok(())
    }
}

/// A time as minutes and seconds.
pub(crate) fn clock(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    format!("{}:{:02}", seconds / 60, seconds % 60)
}
