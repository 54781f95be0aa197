//! The copying problem: symbols to be repeated after a delay.

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::symbols::{any, of_one_hot, one_hot, read, written};
use super::{MOST_STEPS, Problem, beyond, codec, interface, load, options, share};
use crate::batch::{Example, Targets};
use crate::model::{Answers, Interface, Readout, likeliest};
use crate::task::{Figure, Goal, Kind};

/// The copying problem (Hochreiter & Schmidhuber 1997; in this form Arjovsky, Shah & Bengio 2016): a
/// sequence begins with 10 symbols of 8, goes on with blanks, and after a delay of T steps, of which
/// the last shows a sign, the 10 symbols are to be repeated; before that, blanks are to be answered.
///
/// Who remembers nothing and guesses has a loss of 10 ln 8 / (T + 20) nats. In the paper, LSTMs stay
/// close to it: gates have to be told to keep something for so long (Tallec & Ollivier 2018). So here
/// the update gates of a GRU are nearly closed in the beginning.
pub const KIND: Kind = Kind {
    name: Copy::NAME,
    about: "the copying problem: 10 symbols, to be repeated after a delay",
    endings: &[],
    defaults: "
        [model]
        cell = 'gru'
        hidden = 64
        set = { update_bias = 5.0 }
        [training]
        epochs = 2.0
        batch = 20
        learning_rate = 2e-2
        clip = 1.0
    ",
    options: options::<Copy>,
    load: |options, context| load::<Copy>(options, context),
    codec: |kept| codec::<Copy>(kept),
};

/// The symbols to be kept, the blank and the sign.
const ALPHABET: &str = "12345678_!";
const KINDS: u32 = 8;
const BLANK: u32 = 8;
const SIGN: u32 = 9;
const WIDTH: usize = 10;
/// How many symbols are to be kept.
const KEPT: usize = 10;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
struct Copy {
    /// How many steps there are between the last symbol and its first repetition.
    delay: usize,
    /// How many sequences make an epoch.
    examples: usize,
}

impl Default for Copy {
    fn default() -> Self {
        Self { delay: 100, examples: 100_000 }
    }
}

impl Copy {
    fn of(&self, kept: &[u32]) -> Example {
        let mut symbols = kept.to_vec();
        symbols.resize(KEPT + self.delay - 1, BLANK);
        symbols.push(SIGN);
        symbols.resize(self.delay + 2 * KEPT, BLANK);
        let mut targets = vec![BLANK; self.delay + KEPT];
        targets.extend_from_slice(kept);
        Example { data: one_hot(&symbols, WIDTH), targets: Targets::Classes(targets) }
    }

    /// The symbols that a model repeats.
    fn repeated(&self, answers: &[f32]) -> Vec<u32> {
        let classes = WIDTH - 1;
        let rows = answers.chunks_exact(classes).skip(self.delay + KEPT);
        rows.map(|row| likeliest(row) as u32).collect()
    }
}

impl Problem for Copy {
    const NAME: &'static str = "copy";
    const MEANINGS: &'static [(&'static str, &'static str)] = &[
        ("delay", "How many steps there are between the last symbol and its first repetition."),
        ("examples", "How many sequences make an epoch."),
    ];

    fn fault(&self) -> Option<(&'static str, String)> {
        let fault =
            || ("delay", "the sign comes before the answer: 1 step is the least".to_owned());
        (self.delay == 0).then(fault).or_else(|| beyond("delay", self.delay, MOST_STEPS))
    }

    fn examples(&self) -> usize {
        self.examples
    }

    fn interface(&self) -> Interface {
        // The sign is never an answer.
        interface(WIDTH, Answers::Classes(WIDTH - 1), Readout::Each)
    }

    fn example(&self, rng: &mut ChaCha8Rng) -> Example {
        self.of(&[(); KEPT].map(|()| any(rng, KINDS)))
    }

    fn baseline(&self, _: &[Example]) -> Option<f64> {
        // The share of blanks says little of what is kept.
        None
    }

    fn goal(&self) -> Goal {
        Goal::Loss
    }

    fn figures(&self, held_out: &[Example], answers: &[Vec<f32>]) -> Vec<Figure> {
        let pairs = held_out.iter().zip(answers);
        let right = pairs.map(|(example, answer)| {
            let kept = of_one_hot(&example.data, WIDTH);
            kept.iter().zip(self.repeated(answer)).filter(|(kept, again)| **kept == *again).count()
        });
        let right = share("repeated", right.sum(), KEPT * held_out.len(), "of symbols repeated");
        let value = KEPT as f64 * f64::from(KINDS).ln() / (self.delay + 2 * KEPT) as f64;
        let text = format!("{value:.4} nats without memory");
        vec![right, Figure { name: "memoryless_loss", text, value }]
    }

    fn solved(&self, figures: &[Figure]) -> bool {
        figures[0].value == 1.0
    }

    fn question(&self, line: &str) -> Result<Example, String> {
        let kept = read(line, &ALPHABET[..KINDS as usize])?;
        match kept.len() {
            KEPT => Ok(self.of(&kept)),
            found => Err(format!("expected {KEPT} symbols to keep, found {found}")),
        }
    }

    fn answer(&self, _: &Example, answers: &[f32]) -> Value {
        json!({ "repeated": written(&self.repeated(answers), ALPHABET) })
    }
}
