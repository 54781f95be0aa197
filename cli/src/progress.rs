//! How a training goes: a bar on a terminal, plain lines elsewhere, and what is kept in its folder.

use std::io::{IsTerminal, stderr};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cellc_train::checkpoint::CheckpointError;
use cellc_train::model::{Interface, Model, Readout, Reads, Score};
use cellc_train::run_folder::RunFolder;
use cellc_train::task::{Goal, Part};
use cellc_train::trainer::{Evaluation, Observer, Snapshot, Step};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::note;

/// Set when the user wants the training to end.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Makes Ctrl-C end a training after its step, and a second one end the program.
pub(crate) fn listen_for_interrupt() {
    // Where there can be no handler, Ctrl-C ends the program, and what was kept last is kept.
    let _ = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            #[allow(clippy::exit, reason = "who asks twice wants no more waiting")]
            std::process::exit(130);
        }
    });
}

/// Shows a training on standard error and keeps it in its run folder.
pub(crate) struct Progress {
    folder: RunFolder,
    goal: Goal,
    interface: Interface,
    shown: Shown,
    /// A mean of the last losses.
    loss: Option<f64>,
    done: usize,
    /// When this program began, in the time of the training.
    begun: Option<Duration>,
    last_line: Duration,
    evaluating: Duration,
    last_step: Duration,
    /// Why something could not be kept the last time.
    lost: Option<CheckpointError>,
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
    pub(crate) fn new(
        folder: RunFolder,
        interface: Interface,
        goal: Goal,
        steps: u64,
        quiet: bool,
    ) -> Self {
        let shown = match quiet {
            true => Shown::Nothing,
            false if stderr().is_terminal() => Shown::Bar(bar(steps)),
            false => Shown::Lines,
        };
        Self {
            folder,
            goal,
            interface,
            shown,
            loss: None,
            done: 0,
            begun: None,
            last_line: Duration::ZERO,
            evaluating: Duration::ZERO,
            last_step: Duration::ZERO,
            lost: None,
        }
    }

    /// Takes the bar off the terminal.
    ///
    /// # Errors
    /// If what there was to keep last could not be.
    pub(crate) fn finish(&mut self) -> Result<(), CheckpointError> {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
        self.lost.take().map_or(Ok(()), Err)
    }

    fn line(&self, text: &str) {
        match &self.shown {
            Shown::Bar(bar) => bar.println(text),
            Shown::Lines => note(text),
            Shown::Nothing => {}
        }
    }

    /// A full disk is no reason to lose a training: it goes on, and is kept as soon as it can be.
    fn kept(&mut self, result: Result<(), CheckpointError>) {
        if let Err(error) = &result {
            let first = self.lost.is_none();
            if first {
                note(format_args!("warning: {error}; the training goes on, and tries again later"));
            }
        }
        self.lost = result.err();
    }

    fn speed(&self, elapsed: Duration) -> String {
        let begun = self.begun.unwrap_or_default();
        let busy = elapsed.saturating_sub(self.evaluating).saturating_sub(begun);
        let unit = match (self.interface.readout, self.interface.reads) {
            (Readout::Last, _) => "examples",
            (Readout::Each, Reads::Symbols(_)) => "symbols",
            (Readout::Each, Reads::Reals(_)) => "steps",
        };
        format!("{:.0} {unit}/s", self.done as f64 / busy.as_secs_f64().max(1e-9))
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
    fn step(&mut self, step: &Step) -> Result<ControlFlow<()>, CheckpointError> {
        let noted = self.folder.note_step(step);
        if noted.is_err() {
            self.kept(noted);
        }
        let begun = *self.begun.get_or_insert(self.last_step.min(step.elapsed));
        self.done += match self.interface.readout {
            Readout::Each => step.read,
            Readout::Last => step.sequences,
        };
        self.last_step = step.elapsed;
        let loss =
            self.loss.map_or(step.loss, |loss| SMOOTHING * loss + (1.0 - SMOOTHING) * step.loss);
        self.loss = Some(loss);
        let rest = (step.elapsed - begun).mul_f64((step.steps - step.step) as f64)
            / u32::try_from(step.step).unwrap_or(u32::MAX);
        let (speed, eta) = (self.speed(step.elapsed), clock(rest));
        match &self.shown {
            Shown::Bar(bar) => {
                bar.set_position(step.step);
                bar.set_message(format!("loss {loss:.3}  {speed}  eta {eta}"));
            }
            Shown::Lines if step.elapsed.saturating_sub(self.last_line) >= LINE_EVERY => {
                self.last_line = step.elapsed;
                let Step { step, steps, epoch, .. } = step;
                note(format_args!(
                    "step {step}/{steps}  epoch {epoch:.1}  loss {loss:.3}  {speed}  eta {eta}"
                ));
            }
            Shown::Lines | Shown::Nothing => {}
        }
        match INTERRUPTED.load(Ordering::Relaxed) {
            true => Ok(ControlFlow::Break(())),
            false => Ok(ControlFlow::Continue(())),
        }
    }

    fn evaluated(&mut self, evaluation: &Evaluation) -> Result<(), CheckpointError> {
        let noted = self.folder.note_evaluation(evaluation, self.goal);
        if noted.is_err() {
            self.kept(noted);
        }
        let Evaluation { step, part, score, best, elapsed } = evaluation;
        self.evaluating += elapsed.saturating_sub(self.last_step);
        self.last_step = *elapsed;
        let part = match part {
            Part::Validation => "validation",
            Part::HeldOut => "held out",
        };
        let mark = if *best && part == "validation" { "  (best so far)" } else { "" };
        let (at, score) = (clock(*elapsed), said(score, self.goal));
        self.line(&format!("{at}  step {step:<5}  {part}: {score}{mark}"));
        Ok(())
    }

    fn best(&mut self, model: &Model<f32>, step: u64) -> Result<bool, CheckpointError> {
        let saved = self.folder.save_model(model, step);
        let kept = saved.is_ok();
        self.kept(saved);
        Ok(kept)
    }

    fn save(&mut self, snapshot: &Snapshot<'_>) -> Result<(), CheckpointError> {
        let saved = self.folder.save_training(snapshot);
        self.kept(saved);
        Ok(())
    }
}

/// A score in a few words.
pub(crate) fn said(score: &Score, goal: Goal) -> String {
    let mut text = format!("loss {:.3}", score.mean_loss());
    if goal == Goal::Accuracy {
        text += &format!("  accuracy {:.1} %", 100.0 * score.accuracy());
    }
    if score.numbers > 0 {
        let (mae, mse) = (score.mean_absolute_error(), score.mean_squared_error());
        text += &format!("  MAE {mae:.4}  RMSE {:.4}", mse.sqrt());
    }
    text
}

/// A time as minutes and seconds, or hours.
pub(crate) fn clock(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    match seconds / 3600 {
        0 => format!("{}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}
