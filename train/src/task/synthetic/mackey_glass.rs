//! The Mackey-Glass series: a chaotic number, some steps ahead.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{MOST_HELD_OUT, MOST_STEPS, Problem, beyond, codec, interface, load, options};
use crate::batch::{Data, Example, Targets};
use crate::draws::rng;
use crate::model::{Answers, Interface, Readout};
use crate::task::{Figure, Goal, Kind};

/// The Mackey-Glass series (Mackey & Glass 1977),
///
/// ```text
/// dx/dt = 0.2 x(t - 17) / (1 + x(t - 17)^10) - 0.1 x(t)
/// ```
///
/// by Runge-Kutta of the fourth order in steps of 0.1, from a random constant past, after 1000 units
/// of time; what is read is x(t) at t = 0, 1, 2, .., shifted and scaled to mean 0 and deviation 1 of
/// the series that is learnt from. After each step, x(t + 84) is to be answered, but for the first
/// steps of a sequence, where too little was read.
///
/// The figure is the root of the mean squared error over the deviation of what was held out (NRMSE):
/// at 84 steps 0.118 for an LSTM (Gers, Eck & Schmidhuber 2001), and 6e-5 for an echo state network
/// of 1000 (Jaeger & Haas 2004).
pub const KIND: Kind = Kind {
    name: MackeyGlass::NAME,
    about: "the Mackey-Glass series: a chaotic number, 84 steps ahead",
    endings: &[],
    defaults: "
        [model]
        cell = 'lstm'
        hidden = 64
        [training]
        batch = 16
        learning_rate = 5e-3
        clip = 1.0
    ",
    options: options::<MackeyGlass>,
    load: |options, context| load::<MackeyGlass>(options, context),
    codec: |kept| codec::<MackeyGlass>(kept),
};

/// The steps of the integration in a unit of time, and those that the past is away.
const FINE: usize = 10;
const DELAY: usize = 17 * FINE;
/// The most steps of a series.
const MOST_POINTS: usize = 1_000_000;
/// What is not looked at before the series begins, in units of time.
const SETTLING: usize = 1000;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
struct MackeyGlass {
    /// How far ahead the number to be answered is.
    ahead: usize,
    /// How many steps a sequence has.
    length: usize,
    /// How many of them are not answered.
    silent: usize,
    /// How many steps of the series are learnt from, and as many are judged by.
    points: usize,
    /// How many sequences make an epoch.
    examples: usize,
    /// The series to be learnt from, and the one to be judged by.
    #[serde(skip)]
    series: [Vec<f32>; 2],
}

impl Default for MackeyGlass {
    fn default() -> Self {
        let series = [Vec::new(), Vec::new()];
        Self { ahead: 84, length: 300, silent: 100, points: 10_000, examples: 32_000, series }
    }
}

/// The series from a constant past, one number for each unit of time.
pub(super) fn integrate(past: f64, count: usize) -> Vec<f64> {
    let slope = |x: f64, delayed: f64| 0.2 * delayed / (1.0 + delayed.powi(10)) - 0.1 * x;
    let mut x = vec![past; DELAY + 2];
    for _ in 0..count * FINE {
        let (now, then) = (x[x.len() - 1], x.len() - 1 - DELAY);
        // In the middle of a step, the past is a cubic through its neighbours.
        let [a, b, c, d] = [x[then - 1], x[then], x[then + 1], x[then + 2]];
        let middle = (9.0 * (b + c) - a - d) / 16.0;
        let h = 1.0 / FINE as f64;
        let k1 = slope(now, b);
        let k2 = slope(now + h / 2.0 * k1, middle);
        let k3 = slope(now + h / 2.0 * k2, middle);
        let k4 = slope(now + h * k3, c);
        x.push(now + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4));
    }
    x.into_iter().skip(DELAY + 1).step_by(FINE).take(count).collect()
}

/// The mean of numbers and how far they deviate from it.
fn moments(x: impl Iterator<Item = f64> + Clone) -> [f64; 2] {
    let count = x.clone().count().max(1) as f64;
    let mean = x.clone().sum::<f64>() / count;
    [mean, (x.map(|x| (x - mean).powi(2)).sum::<f64>() / count).sqrt()]
}

impl MackeyGlass {
    /// The part of a series from a place, with what is to be answered.
    fn window(&self, series: &[f32], start: usize) -> Example {
        let read = &series[start..][..self.length];
        let mut targets = series[start + self.ahead..][..self.length].to_vec();
        targets[..self.silent].fill(f32::NAN);
        Example { data: Data::Reals(read.to_vec()), targets: Targets::Reals(targets) }
    }

    /// How many windows begin in a series.
    fn windows(&self) -> usize {
        self.points - self.length - self.ahead + 1
    }
}

impl Problem for MackeyGlass {
    const NAME: &'static str = "mackey_glass";
    const MEANINGS: &'static [(&'static str, &'static str)] = &[
        ("ahead", "How far ahead the number to be answered is."),
        ("length", "How many steps a sequence has."),
        ("silent", "How many of them are not answered."),
        ("points", "How many steps of the series are learnt from, and as many are judged by."),
        ("examples", "How many sequences make an epoch."),
    ];

    fn fault(&self) -> Option<(&'static str, String)> {
        if self.silent >= self.length {
            let fault = format!("{} steps of {} leave no answer", self.silent, self.length);
            return Some(("silent", fault));
        }
        let most = beyond("length", self.length, MOST_STEPS)
            .or_else(|| beyond("points", self.points, MOST_POINTS));
        if most.is_some() {
            return most;
        }
        let needed = self.length.saturating_add(self.ahead);
        let fault = || ("points", format!("one sequence and what it predicts are {needed} steps"));
        if self.points < needed {
            return Some(fault());
        }
        // Each window answers what is not silent, and is read and answered whole.
        let windows = self.windows().div_ceil(self.length - self.silent);
        let numbers = 2 * windows * self.length;
        let fault = || {
            let fault = format!(
                "{} steps of {} leave so few answers that {numbers} numbers would be held out, of up \
                 to {MOST_HELD_OUT}; take less",
                self.silent, self.length
            );
            ("silent", fault)
        };
        (numbers > MOST_HELD_OUT).then(fault)
    }

    fn examples(&self) -> usize {
        self.examples
    }

    fn interface(&self) -> Interface {
        interface(1, Answers::Reals(1), Readout::Each)
    }

    fn prepare(&mut self, seed: u64) {
        let mut rng = rng(seed, "series", [0, 0]);
        let pasts = [rng.random_range(0.5..1.5), rng.random_range(0.5..1.5)];
        let [learnt, judged] =
            pasts.map(|past| integrate(past, SETTLING + self.points).split_off(SETTLING));
        let [mean, deviation] = moments(learnt.iter().copied());
        let scaled = |x: f64| ((x - mean) / deviation) as f32;
        self.series = [learnt, judged].map(|series| series.into_iter().map(scaled).collect());
    }

    fn example(&self, rng: &mut ChaCha8Rng) -> Example {
        self.window(&self.series[0], rng.random_range(0..self.windows()))
    }

    fn held_out(&self, _: &mut ChaCha8Rng) -> Vec<Example> {
        // Each number is answered once.
        let starts = (0..self.windows()).step_by(self.length - self.silent);
        starts.map(|start| self.window(&self.series[1], start)).collect()
    }

    fn baseline(&self, held_out: &[Example]) -> Option<f64> {
        let [_, deviation] = moments(answered(held_out));
        Some(deviation * deviation)
    }

    fn goal(&self) -> Goal {
        Goal::Loss
    }

    fn figures(&self, held_out: &[Example], answers: &[Vec<f32>]) -> Vec<Figure> {
        let [_, deviation] = moments(answered(held_out));
        let (mut sum, mut count) = (0.0, 0);
        for (example, answers) in held_out.iter().zip(answers) {
            let Targets::Reals(targets) = &example.targets else { continue };
            for (target, answer) in targets.iter().zip(answers).filter(|(t, _)| !t.is_nan()) {
                sum += f64::from(answer - target).powi(2);
                count += 1;
            }
        }
        let value = (sum / f64::from(count)).sqrt() / deviation;
        vec![Figure { name: "nrmse", text: format!("NRMSE {value:.4}"), value }]
    }

    fn question(&self, line: &str) -> Result<Example, String> {
        let expected = "expected numbers of the series, shifted and scaled, `[0.2, 0.3, ..]`";
        let read: Vec<f32> =
            serde_json::from_str(line).map_err(|error| format!("{expected}: {error}"))?;
        if read.is_empty() {
            return Err(expected.to_owned());
        }
        let mut targets: Vec<f32> = read.iter().skip(self.ahead).copied().collect();
        targets.resize(read.len(), f32::NAN);
        let silent = self.silent.min(read.len());
        targets[..silent].fill(f32::NAN);
        Ok(Example { data: Data::Reals(read), targets: Targets::Reals(targets) })
    }

    fn answer(&self, _: &Example, answers: &[f32]) -> Value {
        json!({ "ahead": self.ahead, "number": answers.last() })
    }
}

/// The numbers that are to be answered.
fn answered(examples: &[Example]) -> impl Iterator<Item = f64> + Clone {
    let targets = |example: &'_ Example| -> Vec<f64> {
        let Targets::Reals(targets) = &example.targets else { return Vec::new() };
        targets.iter().filter(|x| !x.is_nan()).map(|x| f64::from(*x)).collect()
    };
    examples.iter().flat_map(targets)
}
