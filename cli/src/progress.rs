//! How a training goes: a bar on a terminal, plain lines elsewhere, and what is kept in its folder.

use std::io::{IsTerminal, stderr};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cellc_train::checkpoint::CheckpointError;
use cellc_train::experiment::Settings;
use cellc_train::metrics::log::LogError;
use cellc_train::model::{Interface, Model, Readout, Reads, Score};
use cellc_train::run_folder::RunFolder;
use cellc_train::task::{Goal, Part};
use cellc_train::trainer::{Evaluation, Observer, Resumed, Snapshot, Step};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::number::number;
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
    /// What this program began with: after how many steps, and when in the time of the training.
    first: u64,
    begun: Duration,
    /// When the training ends in any case.
    most: Option<Duration>,
    last_line: Duration,
    evaluating: Duration,
    last_step: Duration,
    /// How many steps were taken.
    steps: u64,
    /// Whether the course could not be noted at some time.
    unnoted: bool,
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
        settings: &Settings,
        resumed: Option<&Resumed>,
        quiet: bool,
    ) -> Self {
        let steps = settings.steps;
        let (first, seconds) =
            resumed.map_or((0, 0.0), |resumed| (resumed.progress.step, resumed.progress.seconds));
        let begun = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let most = Duration::try_from_secs_f64(60.0 * settings.minutes).ok();
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
            first,
            begun,
            most: most.filter(|most| !most.is_zero()),
            last_line: begun,
            evaluating: Duration::ZERO,
            last_step: begun,
            steps: first,
            unnoted: false,
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

    /// Removes the run folder of a training that failed before anything of it was kept.
    pub(crate) fn remove_if_empty(&self) {
        self.folder.remove_if_empty();
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

    /// The same of its course, which is not needed to go on: it is said once.
    fn noted(&mut self, result: Result<(), LogError>) {
        if let Err(error) = result
            && !std::mem::replace(&mut self.unnoted, true)
        {
            let text = format!("warning: {error}; the training goes on, and tries again later");
            match &self.shown {
                Shown::Bar(bar) => bar.println(text),
                Shown::Lines | Shown::Nothing => note(text),
            }
        }
    }

    fn speed(&self, elapsed: Duration) -> String {
        let busy = elapsed.saturating_sub(self.evaluating).saturating_sub(self.begun);
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
        self.noted(noted);
        self.steps = step.step;
        self.done += match self.interface.readout {
            Readout::Each => step.read,
            Readout::Last => step.sequences,
        };
        self.last_step = step.elapsed;
        let loss =
            self.loss.map_or(step.loss, |loss| SMOOTHING * loss + (1.0 - SMOOTHING) * step.loss);
        self.loss = Some(loss);
        let here = step.elapsed.saturating_sub(self.begun);
        let rest = rest(here, step.step - self.first, step.steps - step.step);
        let most = self.most.map(|most| most.saturating_sub(step.elapsed));
        let eta = clock(most.map_or(rest, |most| most.min(rest)));
        let (speed, loss) = (self.speed(step.elapsed), number(loss, 3));
        match &self.shown {
            Shown::Bar(bar) => {
                bar.set_position(step.step);
                bar.set_message(format!("loss {loss}  {speed}  eta {eta}"));
            }
            Shown::Lines if step.elapsed.saturating_sub(self.last_line) >= LINE_EVERY => {
                self.last_line = step.elapsed;
                let Step { step, steps, epoch, .. } = step;
                note(format_args!(
                    "step {step}/{steps}  epoch {epoch:.1}  loss {loss}  {speed}  eta {eta}"
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
        let noted = self.folder.note_evaluation(evaluation, self.steps, self.goal);
        self.noted(noted);
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

    fn best(&mut self, model: &Model<f32>, step: u64) -> Result<(), CheckpointError> {
        let saved = self.folder.save_model(model, step);
        self.kept(saved);
        Ok(())
    }

    fn save(&mut self, snapshot: &Snapshot<'_>) -> Result<(), CheckpointError> {
        let saved = self.folder.save_training(snapshot);
        self.kept(saved);
        Ok(())
    }
}

/// How long the rest takes, if so many steps took so long.
fn rest(took: Duration, steps: u64, rest: u64) -> Duration {
    let seconds = took.as_secs_f64() * rest as f64 / steps.max(1) as f64;
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

/// A score in a few words.
pub(crate) fn said(score: &Score, goal: Goal) -> String {
    let mut text = format!("loss {}", number(score.mean_loss(), 3));
    if goal == Goal::Accuracy {
        text += &format!("  accuracy {:.1} %", 100.0 * score.accuracy());
    }
    if score.numbers > 0 {
        let (mae, mse) = (score.mean_absolute_error(), score.mean_squared_error());
        text += &format!("  MAE {}  RMSE {}", number(mae, 4), number(mse.sqrt(), 4));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_as_slow_as_what_this_program_has_done() {
        let seconds = Duration::from_secs;
        // Whatever was done before it began does not count.
        assert_eq!(rest(seconds(10), 5, 20), seconds(40));
        assert_eq!(rest(seconds(10), 0, 2), seconds(20));
        assert_eq!(rest(Duration::MAX, 1, u64::MAX), Duration::MAX);
        assert_eq!(clock(seconds(3725)), "1:02:05");
        assert_eq!(clock(seconds(65)), "1:05");
    }
}
