//! How a training goes: a bar on a terminal, plain lines elsewhere.

use std::io::{IsTerminal, stderr};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cellc_train::checkpoint::CheckpointError;
use cellc_train::model::{Interface, Readout, Reads, Score};
use cellc_train::run::{Run, RunResult, Watcher};
use cellc_train::task::{Goal, Part};
use cellc_train::trainer::{Evaluation, Step};
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
        note("ending after this step; Ctrl-C once more ends at once");
    });
}

/// Shows a training on standard error.
pub(crate) struct Progress {
    goal: Goal,
    /// Whether numbers are learnt on another scale than that of the data.
    scaled: bool,
    interface: Interface,
    shown: Shown,
    /// Where it stands among others, if it is one of several.
    among: Option<Among>,
    /// A mean of the last losses.
    loss: Option<f64>,
    /// The least that it was.
    least: f64,
    /// After how long a time the training ends in any case, until it was told how far it comes.
    minutes: Option<Duration>,
    done: usize,
    /// When this program began, in the time of the training, and after which step.
    begun: Option<(Duration, u64)>,
    last_line: Duration,
    evaluating: Duration,
    last_step: Duration,
}

/// Where a training stands among others.
pub(crate) struct Among {
    /// Which it is: `gru, seed 2`.
    pub(crate) name: String,
    /// How long those after it will take that were seen before.
    pub(crate) known: Duration,
    /// How many after it were not: they are thought to take as long as this one.
    pub(crate) unknown: u32,
}

enum Shown {
    Bar(ProgressBar),
    Lines,
    Nothing,
}

/// Plain lines come this often.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// How many times the least loss one is that rose.
const ROSE: f64 = 1.1;
/// The share of the time after which the speed is known, and the least steps that tell it.
const KNOWN: f64 = 0.05;
const LEAST: u64 = 5;
/// How much of the smoothed loss is kept at each step.
const SMOOTHING: f64 = 0.95;

impl Progress {
    pub(crate) fn new(run: &Run, among: Option<Among>, quiet: bool) -> Self {
        let shown = match quiet {
            true => Shown::Nothing,
            false if stderr().is_terminal() => Shown::Bar(bar(run.ready.experiment.training.steps)),
            false => Shown::Lines,
        };
        let before = run.resumed.as_ref().map_or(0.0, |resumed| resumed.progress.seconds);
        let before = seconds(before);
        let minutes = run.ready.experiment.training.minutes;
        let minutes = (minutes > 0.0 && among.is_none()).then(|| seconds(60.0 * minutes));
        Self {
            goal: run.ready.loaded.task.goal(),
            scaled: run.ready.loaded.codec.scales(),
            interface: *run.ready.model.interface(),
            shown,
            among,
            loss: None,
            least: f64::INFINITY,
            minutes,
            done: 0,
            begun: None,
            last_line: before,
            evaluating: Duration::ZERO,
            last_step: before,
        }
    }

    /// Whether the training loss is well above what it was at its best.
    pub(crate) fn rose(&self) -> bool {
        self.loss.is_some_and(|loss| loss > ROSE * self.least)
    }

    /// Says once, as soon as the speed is known, that the time will be over before all steps are taken.
    fn foresee(&mut self, step: &Step) {
        let (Some(minutes), Some((begun, first))) = (self.minutes, self.begun) else { return };
        let (taken, done) = (step.elapsed.saturating_sub(begun), step.step - first);
        let is_known = self.evaluating > Duration::ZERO || taken > minutes.mul_f64(KNOWN);
        if !is_known || done < LEAST {
            return;
        }
        self.minutes = None;
        let left = minutes.saturating_sub(step.elapsed).as_secs_f64();
        let fit = (left * done as f64 / taken.as_secs_f64().max(1e-9)).floor() as u64;
        let fit = step.step.saturating_add(fit);
        if fit < step.steps {
            self.line(&format!(
                "note: about {fit} of {} steps fit into the time of this training ({}): the schedule of \
                 its learning rate will not come to its end; with --steps {fit} it does",
                step.steps,
                clock(minutes)
            ));
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
        let (begun, _) = self.begun.unwrap_or_default();
        let busy = elapsed.saturating_sub(self.evaluating).saturating_sub(begun);
        let unit = match (self.interface.readout, self.interface.reads) {
            (Readout::Last, _) => "examples",
            (Readout::Each, Reads::Symbols(_)) => "symbols",
            (Readout::Each, Reads::Reals(_)) => "steps",
        };
        format!("{:.0} {unit}/s", self.done as f64 / busy.as_secs_f64().max(1e-9))
    }

    /// How long it will take to the end, and to that of all.
    fn eta(&self, step: &Step) -> String {
        let (begun, first) = self.begun.unwrap_or_default();
        let each =
            step.elapsed.saturating_sub(begun).as_secs_f64() / (step.step - first).max(1) as f64;
        let rest = seconds(each * (step.steps - step.step) as f64);
        let Some(Among { known, unknown, .. }) = &self.among else {
            return format!("eta {}", clock(rest));
        };
        let others = step.elapsed.saturating_add(rest).saturating_mul(*unknown);
        let all = rest.saturating_add(*known).saturating_add(others);
        format!("eta {}, of all {}", clock(rest), clock(all))
    }
}

/// A time, or the longest that there is.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

fn bar(steps: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len}  {msg}");
    // The template is written above: if it had a fault, the plain bar would do.
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸─"));
    bar
}

impl Watcher for Progress {
    fn step(&mut self, step: &Step) -> ControlFlow<()> {
        let begun = (self.last_step.min(step.elapsed), step.step - 1);
        self.begun.get_or_insert(begun);
        self.done += match self.interface.readout {
            Readout::Each => step.read,
            Readout::Last => step.sequences,
        };
        self.last_step = step.elapsed;
        let loss =
            self.loss.map_or(step.loss, |loss| SMOOTHING * loss + (1.0 - SMOOTHING) * step.loss);
        self.loss = Some(loss);
        self.least = self.least.min(loss);
        self.foresee(step);
        let (speed, eta) = (self.speed(step.elapsed), self.eta(step));
        match &self.shown {
            Shown::Bar(bar) => {
                bar.set_position(step.step);
                bar.set_message(format!("loss {loss:.3}  {speed}  {eta}"));
            }
            Shown::Lines if step.elapsed.saturating_sub(self.last_line) >= LINE_EVERY => {
                self.last_line = step.elapsed;
                let Step { step, steps, epoch, .. } = step;
                note(format_args!(
                    "step {step}/{steps}  epoch {epoch:.1}  loss {loss:.3}  {speed}  {eta}"
                ));
            }
            Shown::Lines | Shown::Nothing => {}
        }
        match INTERRUPTED.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn evaluated(&mut self, evaluation: &Evaluation) {
        let Evaluation { step, part, score, best, elapsed } = evaluation;
        self.evaluating += elapsed.saturating_sub(self.last_step);
        self.last_step = *elapsed;
        if self.among.is_some() {
            // Of many trainings, what each came to is enough.
            return;
        }
        let part = match part {
            Part::Validation => "validation",
            Part::HeldOut => "held out",
        };
        let mark = if *best && part == "validation" { "  (best so far)" } else { "" };
        let (at, score) = (clock(*elapsed), said(score, self.goal, self.scaled));
        self.line(&format!("{at}  step {step:<5}  {part}: {score}{mark}"));
    }

    fn not_kept(&mut self, error: &CheckpointError) {
        note(format_args!("warning: {error}; the training goes on, and tries again later"));
    }

    fn ended(&mut self, result: Option<&RunResult>) {
        if let (Some(Among { name, .. }), Some(result)) = (&self.among, result) {
            let parts = [("validation", result.validation), ("held out", result.held_out)];
            let parts = parts
                .into_iter()
                .filter_map(|(part, score)| Some((part, said(&score?, self.goal, self.scaled))))
                .map(|(part, score)| format!("{part}: {score}"));
            let said = match &result.failure {
                Some(failure) => format!("failed: {failure}"),
                None => parts.collect::<Vec<_>>().join(";  "),
            };
            self.line(&format!("{name}: {said}  ({:.1} s)", result.seconds));
        }
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

/// A score in a few words; `scaled` if its numbers are on another scale than that of the data.
pub(crate) fn said(score: &Score, goal: Goal, scaled: bool) -> String {
    let mut text = format!("loss {}", number(score.mean_loss(), 3));
    if goal == Goal::Accuracy {
        text += &format!("  accuracy {:.1} %", 100.0 * score.accuracy());
    }
    if score.numbers > 0 {
        let (mae, mse) = (score.mean_absolute_error(), score.mean_squared_error());
        let scaled = if scaled { "scaled " } else { "" };
        let (mae, rmse) = (number(mae, 4), number(mse.sqrt(), 4));
        text += &format!("  {scaled}MAE {mae}  {scaled}RMSE {rmse}");
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
    fn times_are_read_as_clocks() {
        let seconds = Duration::from_secs;
        assert_eq!(clock(seconds(3725)), "1:02:05");
        assert_eq!(clock(seconds(65)), "1:05");
    }
}
