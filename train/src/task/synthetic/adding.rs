//! The adding problem: the sum of two marked numbers among many.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{MOST_STEPS, Problem, beyond, codec, interface, load, options, share};
use crate::batch::{Data, Example, Targets};
use crate::model::{Answers, Interface, Readout};
use crate::task::{Figure, Goal, Kind};

/// The adding problem (Hochreiter & Schmidhuber 1997, experiment 4), in the form of Le, Jaitly &
/// Hinton 2015: each step has a number, uniform in 0..1, and a marker, which is 1 at one step of
/// either half and else 0. After the last step, the sum of both marked numbers is to be answered.
///
/// To answer 1 always has a mean squared error of 1/6; an LSTM of 8 reaches 0.0007 at 100 steps.
/// The paper calls an answer right that is off by less than 0.04.
pub const KIND: Kind = Kind {
    name: Adding::NAME,
    about: "the adding problem: the sum of two marked numbers of 100",
    endings: &[],
    defaults: "
        [model]
        cell = 'lstm'
        hidden = 8
        [training]
        batch = 32
        learning_rate = 1e-2
        clip = 1.0
    ",
    options: options::<Adding>,
    load: |options, context| load::<Adding>(options, context),
    codec: |kept| codec::<Adding>(kept),
};

/// What an answer may be off by.
const TOLERANCE: f32 = 0.04;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Adding {
    /// How many steps a sequence has.
    length: usize,
    /// How many sequences make an epoch.
    examples: usize,
}

impl Default for Adding {
    fn default() -> Self {
        Self { length: 100, examples: 256_000 }
    }
}

/// A sequence of numbers with their markers.
fn example(pairs: &[[f32; 2]]) -> Example {
    let sum = pairs.iter().map(|[number, marker]| number * marker).sum();
    Example { data: Data::Reals(pairs.concat()), targets: Targets::Reals(vec![sum]) }
}

impl Problem for Adding {
    const NAME: &'static str = "adding";
    const MEANINGS: &'static [(&'static str, &'static str)] = &[
        ("length", "How many steps a sequence has."),
        ("examples", "How many sequences make an epoch."),
    ];

    fn fault(&self) -> Option<(&'static str, String)> {
        let fault = || ("length", "two numbers are added: 2 steps are the least".to_owned());
        (self.length < 2).then(fault).or_else(|| beyond("length", self.length, MOST_STEPS))
    }

    fn examples(&self) -> usize {
        self.examples
    }

    fn interface(&self) -> Interface {
        interface(2, Answers::Reals(1), Readout::Last)
    }

    fn example(&self, rng: &mut ChaCha8Rng) -> Example {
        let mut pairs: Vec<_> = (0..self.length).map(|_| [rng.random::<f32>(), 0.0]).collect();
        let half = self.length / 2;
        pairs[rng.random_range(..half)][1] = 1.0;
        pairs[rng.random_range(half..self.length)][1] = 1.0;
        example(&pairs)
    }

    fn baseline(&self, held_out: &[Example]) -> Option<f64> {
        let square = |example: &Example| match &example.targets {
            Targets::Reals(sum) => f64::from(sum[0] - 1.0).powi(2),
            Targets::Classes(_) => 0.0,
        };
        Some(held_out.iter().map(square).sum::<f64>() / held_out.len() as f64)
    }

    fn goal(&self) -> Goal {
        Goal::Loss
    }

    fn figures(&self, held_out: &[Example], answers: &[Vec<f32>]) -> Vec<Figure> {
        let wrong = held_out.iter().zip(answers).filter(|(example, answer)| {
            let Targets::Reals(sum) = &example.targets else { return true };
            // What is no number is not right either.
            let right = (answer[0] - sum[0]).abs() < TOLERANCE;
            !right
        });
        vec![share("wrong", wrong.count(), held_out.len(), "off by 0.04 or more")]
    }

    fn question(&self, line: &str) -> Result<Example, String> {
        let expected = "expected numbers with their markers, `[[0.3, 0], [0.5, 1], ..]`";
        let pairs: Vec<[f32; 2]> =
            serde_json::from_str(line).map_err(|error| format!("{expected}: {error}"))?;
        if pairs.is_empty() { Err(expected.to_owned()) } else { Ok(example(&pairs)) }
    }

    fn answer(&self, _: &Example, answers: &[f32]) -> Value {
        json!({ "sum": answers[0] })
    }
}
