//! The temporal order problem: which of several marks came first.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::symbols::{any, one_hot, read};
use super::{Problem, codec, interface, load, options};
use crate::batch::{Example, Targets};
use crate::model::{Answers, Interface, Readout, likeliest};
use crate::task::{Figure, Kind};

/// The temporal order problem (Hochreiter & Schmidhuber 1997, experiment 6): a sequence of 100 to 110
/// symbols begins with `E` and ends with `B`. In between stand `a`, `b`, `c` and `d` at random, but for
/// two marks, `X` or `Y`, of which the first is at a step from 10 to 20 and the second from 50 to 60
/// (task 6a), or three, at 10 to 20, 33 to 43 and 66 to 76 (6b). The class is which marks there were
/// in which order.
///
/// The paper's LSTMs need 31 390 sequences (6a) and 571 100 (6b), and then get 1 and 2 of 2560 new
/// sequences wrong. An answer is right if all outputs are off by less than 0.3 of 1 for the class
/// and 0 for the others: here, of the probabilities. As in the paper, the cell has no gate to
/// forget by; with one, it has to be told to remember (`--cell lstm --set
/// forget_bias=4,input_bias=-2`, `--cell gru --set update_bias=3`; Tallec & Ollivier 2018).
pub const KIND: Kind = Kind {
    name: TemporalOrder::NAME,
    about: "the temporal order problem: which marks came in which order",
    endings: &[],
    defaults: "
        [model]
        cell = 'lstm_nfg'
        hidden = 8
        [training]
        batch = 8
        learning_rate = 1e-2
        clip = 1.0
        schedule = 'constant'
        evaluate_every = 50
        until_solved = true
    ",
    options: options::<TemporalOrder>,
    load: |options, context| load::<TemporalOrder>(options, context),
    codec: |kept| codec::<TemporalOrder>(kept),
};

const ALPHABET: &str = "EBabcdXY";
const BEGIN: u32 = 0;
const END: u32 = 1;
const NOISE: [u32; 4] = [2, 3, 4, 5];
/// The first mark; the second is the next symbol.
const MARK: u32 = 6;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct TemporalOrder {
    /// How many marks there are: 2 or 3.
    marks: usize,
    /// How many sequences make an epoch.
    examples: usize,
}

impl Default for TemporalOrder {
    fn default() -> Self {
        Self { marks: 2, examples: 31_390 }
    }
}

impl TemporalOrder {
    /// The steps, from 1, at which the marks may be.
    fn places(&self) -> &'static [(usize, usize)] {
        if self.marks == 2 { &[(10, 20), (50, 60)] } else { &[(10, 20), (33, 43), (66, 76)] }
    }

    fn of(&self, symbols: &[u32]) -> Result<Example, String> {
        let marks = symbols.iter().filter(|symbol| **symbol >= MARK);
        let (found, class) =
            marks.fold((0, 0), |(count, class), mark| (count + 1, 2 * class + mark - MARK));
        if found != self.marks {
            return Err(format!("expected {} marks, `X` or `Y`, found {found}", self.marks));
        }
        let data = one_hot(symbols, ALPHABET.len());
        Ok(Example { data, targets: Targets::Classes(vec![class]) })
    }
}

/// Whether the probabilities of logits are off by less than 0.3 from certainty of a class.
fn certain(logits: &[f32], class: u32) -> bool {
    let probabilities = crate::generate::probabilities(logits, 1.0);
    let off = |(i, p): (usize, &f64)| (p - f64::from(u8::from(i == class as usize))).abs();
    probabilities.iter().enumerate().map(off).all(|off| off < 0.3)
}

impl Problem for TemporalOrder {
    const NAME: &'static str = "temporal_order";
    const MEANINGS: &'static [(&'static str, &'static str)] = &[
        ("marks", "How many marks there are: 2 or 3."),
        ("examples", "How many sequences make an epoch."),
    ];

    fn fault(&self) -> Option<(&'static str, String)> {
        let fault = || ("marks", format!("there are 2 marks or 3, not {}", self.marks));
        (![2, 3].contains(&self.marks)).then(fault)
    }

    fn examples(&self) -> usize {
        self.examples
    }

    fn interface(&self) -> Interface {
        let answers = Answers::Classes(1 << self.marks);
        Interface { masked: true, ..interface(ALPHABET.len(), answers, Readout::Last) }
    }

    fn labels(&self) -> Vec<String> {
        let mark = |class: usize, place: usize| if class >> place & 1 == 0 { 'X' } else { 'Y' };
        let label = |class| (0..self.marks).rev().map(|place| mark(class, place)).collect();
        (0..1 << self.marks).map(label).collect()
    }

    fn example(&self, rng: &mut ChaCha8Rng) -> Example {
        let length = rng.random_range(100..=110);
        let mut symbols: Vec<_> = (0..length).map(|_| NOISE[any(rng, 4) as usize]).collect();
        (symbols[0], symbols[length - 1]) = (BEGIN, END);
        for &(first, last) in self.places() {
            symbols[rng.random_range(first..=last) - 1] = MARK + any(rng, 2);
        }
        self.of(&symbols).unwrap_or_else(|fault| unreachable!("{fault}"))
    }

    fn held_out(&self, rng: &mut ChaCha8Rng) -> Vec<Example> {
        (0..2560).map(|_| self.example(rng)).collect()
    }

    fn baseline(&self, held_out: &[Example]) -> Option<f64> {
        Some(crate::task::examples::majority(held_out))
    }

    fn figures(&self, held_out: &[Example], answers: &[Vec<f32>]) -> Vec<Figure> {
        let wrong = held_out.iter().zip(answers).filter(|(example, answer)| {
            let Targets::Classes(classes) = &example.targets else { return true };
            !certain(answer, classes[0])
        });
        let (wrong, of) = (wrong.count(), held_out.len());
        let text = format!("{wrong} of {of} wrong or not certain");
        vec![Figure { name: "wrong", text, value: wrong as f64 }]
    }

    fn solved(&self, figures: &[Figure]) -> bool {
        figures[0].value <= if self.marks == 2 { 1.0 } else { 2.0 }
    }

    fn question(&self, line: &str) -> Result<Example, String> {
        self.of(&read(line, ALPHABET)?)
    }

    fn answer(&self, _: &Example, answers: &[f32]) -> Value {
        json!({ "label": self.labels()[likeliest(answers)] })
    }
}
