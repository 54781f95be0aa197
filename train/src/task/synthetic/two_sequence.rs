//! The 2-sequence problem: the sign of what a long noisy sequence began with.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{MOST_STEPS, Problem, beyond, codec, interface, load, options, share};
use crate::batch::{Data, Example, Targets};
use crate::draws::normal;
use crate::model::{Answers, Interface, Readout};
use crate::task::{Figure, Goal, Kind};

/// The 2-sequence problem (Bengio, Simard & Frasconi 1994; the variants Hochreiter & Schmidhuber 1997,
/// experiment 3): a sequence of T to T + T/10 numbers, of which the first N tell its class, and the
/// others are normal with variance 0.2. After the last step the class is to be answered.
///
/// | variant | the first numbers | the answer |
/// |---|---|---|
/// | `a` | 1 or -1 | 1 or 0 |
/// | `b` | 1 or -1, with noise of variance 0.2 | 1 or 0 |
/// | `c` | as in `b` | 0.2 for 1, 0.8 for -1, with noise of variance 0.1 while it is learnt |
///
/// An answer is wrong that is off by 0.2 or more (in `c`, 0.1 from the mean). The problem is solved
/// if none of 256 is wrong and they are off by less than 0.01 (0.015) on the mean: the paper's LSTMs
/// take 39 850 sequences for `a`, 43 250 for `b` and 269 650 for `c`, at T = 100 and N = 3. As in
/// the paper, the cell has no gate to forget by.
pub const KIND: Kind = Kind {
    name: TwoSequence::NAME,
    about: "the 2-sequence problem: the sign of what a long noisy sequence began with",
    endings: &[],
    defaults: "
        [model]
        cell = 'lstm_nfg'
        hidden = 3
        [training]
        batch = 8
        learning_rate = 1e-2
        clip = 1.0
        schedule = 'constant'
        evaluate_every = 50
        until_solved = true
    ",
    options: options::<TwoSequence>,
    load: |options, context| load::<TwoSequence>(options, context),
    codec: |kept| codec::<TwoSequence>(kept),
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Variant {
    A,
    B,
    C,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct TwoSequence {
    /// What is disturbed: `a`, `b` or `c`.
    variant: Variant,
    /// The least length, T.
    length: usize,
    /// How many numbers tell the class, N.
    informative: usize,
    /// How many sequences make an epoch.
    examples: usize,
}

impl Default for TwoSequence {
    fn default() -> Self {
        Self { variant: Variant::A, length: 100, informative: 3, examples: 40_000 }
    }
}

impl TwoSequence {
    /// The answer to a class without noise.
    fn target(&self, positive: bool) -> f32 {
        match (self.variant, positive) {
            (Variant::A | Variant::B, true) => 1.0,
            (Variant::A | Variant::B, false) => 0.0,
            (Variant::C, true) => 0.2,
            (Variant::C, false) => 0.8,
        }
    }

    /// What an answer may be off by, and all of them on the mean.
    fn tolerances(&self) -> [f64; 2] {
        if self.variant == Variant::C { [0.1, 0.015] } else { [0.2, 0.01] }
    }

    /// A sequence whose answer is disturbed by noise.
    fn disturbed(&self, noise: f32, rng: &mut ChaCha8Rng) -> Example {
        let positive = rng.random::<bool>();
        let sign = if positive { 1.0 } else { -1.0 };
        let length = rng.random_range(self.length..=self.length + self.length / 10);
        let deviation = 0.2_f32.sqrt();
        let number = |i| match (i < self.informative, self.variant) {
            (true, Variant::A) => sign,
            (true, Variant::B | Variant::C) => sign + deviation * normal(rng),
            (false, _) => deviation * normal(rng),
        };
        let data = Data::Reals((0..length).map(number).collect());
        let target = self.target(positive) + noise * normal(rng);
        Example { data, targets: Targets::Reals(vec![target]) }
    }
}

impl Problem for TwoSequence {
    const NAME: &'static str = "two_sequence";
    const MEANINGS: &'static [(&'static str, &'static str)] = &[
        ("variant", "What is disturbed: `a`, `b` or `c`."),
        ("length", "The least length, T."),
        ("informative", "How many numbers tell the class, N."),
        ("examples", "How many sequences make an epoch."),
    ];

    fn fault(&self) -> Option<(&'static str, String)> {
        let (told, length) = (self.informative, self.length);
        let fault = || ("informative", format!("{told} numbers of {length} cannot tell the class"));
        let fault = (told == 0 || told > length).then(fault);
        fault.or_else(|| beyond("length", length, MOST_STEPS))
    }

    fn examples(&self) -> usize {
        self.examples
    }

    fn interface(&self) -> Interface {
        Interface { masked: true, ..interface(1, Answers::Reals(1), Readout::Last) }
    }

    fn example(&self, rng: &mut ChaCha8Rng) -> Example {
        let noise = if self.variant == Variant::C { 0.1_f32.sqrt() } else { 0.0 };
        self.disturbed(noise, rng)
    }

    fn held_out(&self, rng: &mut ChaCha8Rng) -> Vec<Example> {
        (0..256).map(|_| self.disturbed(0.0, rng)).collect()
    }

    fn baseline(&self, _: &[Example]) -> Option<f64> {
        let half = f64::from(self.target(true) - self.target(false)) / 2.0;
        Some(half * half)
    }

    fn goal(&self) -> Goal {
        Goal::Loss
    }

    fn figures(&self, held_out: &[Example], answers: &[Vec<f32>]) -> Vec<Figure> {
        let off = held_out.iter().zip(answers).map(|(example, answer)| match &example.targets {
            Targets::Reals(target) => f64::from((answer[0] - target[0]).abs()),
            Targets::Classes(_) => f64::INFINITY,
        });
        let [tolerance, _] = self.tolerances();
        let wrong = off.clone().filter(|off| *off >= tolerance).count();
        let value = off.sum::<f64>() / held_out.len() as f64;
        let text = format!("off by {value:.4} on the mean");
        vec![
            share("wrong", wrong, held_out.len(), &format!("off by {tolerance} or more")),
            Figure { name: "mean_off", text, value },
        ]
    }

    fn solved(&self, figures: &[Figure]) -> bool {
        figures[0].value == 0.0 && figures[1].value < self.tolerances()[1]
    }

    fn question(&self, line: &str) -> Result<Example, String> {
        let expected = "expected the numbers of a sequence, `[1, 1, 1, 0.2, ..]`";
        let numbers: Vec<f32> =
            serde_json::from_str(line).map_err(|error| format!("{expected}: {error}"))?;
        if numbers.len() < self.informative {
            return Err(format!("the first {} numbers tell the class", self.informative));
        }
        let positive = numbers[..self.informative].iter().sum::<f32>() > 0.0;
        let targets = Targets::Reals(vec![self.target(positive)]);
        Ok(Example { data: Data::Reals(numbers), targets })
    }

    fn answer(&self, _: &Example, answers: &[f32]) -> Value {
        let near = |positive| (answers[0] - self.target(positive)).abs();
        let class = if near(true) < near(false) { 1 } else { 2 };
        json!({ "class": class, "number": answers[0] })
    }
}
