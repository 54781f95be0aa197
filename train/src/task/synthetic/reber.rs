//! Strings of the embedded Reber grammar, symbol by symbol.

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::symbols::{any, continued, foreseen, read, to_be_continued, written};
use super::{Problem, codec, interface, load, options};
use crate::batch::Example;
use crate::model::{Answers, Interface, Readout};
use crate::task::{Figure, Goal, Kind};

/// The embedded Reber grammar (Reber 1967; Cleeremans, Servan-Schreiber & McClelland 1989; Hochreiter
/// & Schmidhuber 1997, experiment 1): the next symbol of a string, of which mostly two are possible.
/// Only the last but one depends on what is long ago: it is that at the second place.
///
/// A string is foreseen if at each of its places the symbols that may follow have the highest scores.
/// The problem is solved if all of 256 new strings are. The paper's LSTMs take 8440 sequences; an
/// LSTM of 8 that learns string by string by Adam takes about 4800. As in the
/// paper, the cell has no gate to forget by: nothing is to be forgotten before a string ends.
pub const KIND: Kind = Kind {
    name: Reber::NAME,
    about: "strings of the embedded Reber grammar, symbol by symbol",
    endings: &[],
    defaults: "
        [model]
        cell = 'lstm_nfg'
        hidden = 8
        [training]
        batch = 1
        learning_rate = 2e-2
        clip = 1.0
        schedule = 'constant'
        evaluate_every = 100
        until_solved = true
    ",
    options: options::<Reber>,
    load: |options, context| load::<Reber>(options, context),
    codec: |kept| codec::<Reber>(kept),
};

const ALPHABET: &str = "BTPSXVE";
const WIDTH: usize = ALPHABET.len();
const B: u32 = 0;
const T: u32 = 1;
const P: u32 = 2;
const S: u32 = 3;
const X: u32 = 4;
const V: u32 = 5;
const E: u32 = 6;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
struct Reber {
    /// How many strings make an epoch.
    examples: usize,
}

impl Default for Reber {
    fn default() -> Self {
        Self { examples: 20_000 }
    }
}

/// A place in the grammar, and the symbol that is to come again at the end.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    node: usize,
    outer: u32,
}

impl Place {
    /// The symbols that may follow, and the nodes that they lead to.
    fn edges(self) -> Vec<(u32, usize)> {
        match self.node {
            0 => vec![(B, 1)],
            1 => vec![(T, 2), (P, 2)],
            2 => vec![(B, 3)],
            // The grammar that is embedded.
            3 => vec![(T, 4), (P, 5)],
            4 => vec![(S, 4), (X, 6)],
            5 => vec![(T, 5), (V, 7)],
            6 => vec![(X, 5), (S, 8)],
            7 => vec![(P, 6), (V, 8)],
            8 => vec![(E, 9)],
            9 => vec![(self.outer, 10)],
            10 => vec![(E, 11)],
            _ => Vec::new(),
        }
    }

    pub(super) fn legal(self) -> Vec<u32> {
        self.edges().into_iter().map(|(symbol, _)| symbol).collect()
    }

    fn after(self, symbol: u32) -> Option<Self> {
        let (_, node) = self.edges().into_iter().find(|(edge, _)| *edge == symbol)?;
        Some(Self { node, outer: if self.node == 1 { symbol } else { self.outer } })
    }
}

pub(super) fn string(rng: &mut ChaCha8Rng) -> Vec<u32> {
    let (mut place, mut string) = (Place::default(), Vec::new());
    loop {
        let edges = place.edges();
        let Some(count) = (!edges.is_empty()).then_some(edges.len() as u32) else { return string };
        let (symbol, _) = edges[any(rng, count) as usize];
        string.push(symbol);
        place = place.after(symbol).unwrap_or_default();
    }
}

/// The places that a string goes through, one more than it has symbols; `Err` of the first symbol
/// that cannot follow.
pub(super) fn places(string: &[u32]) -> Result<Vec<Place>, usize> {
    let mut places = vec![Place::default()];
    for (i, &symbol) in string.iter().enumerate() {
        places.push(places[i].after(symbol).ok_or(i)?);
    }
    Ok(places)
}

impl Problem for Reber {
    const NAME: &'static str = "reber";
    const MEANINGS: &'static [(&'static str, &'static str)] =
        &[("examples", "How many strings make an epoch.")];

    fn fault(&self) -> Option<(&'static str, String)> {
        None
    }

    fn examples(&self) -> usize {
        self.examples
    }

    fn interface(&self) -> Interface {
        interface(WIDTH, Answers::Classes(WIDTH), Readout::Each)
    }

    fn example(&self, rng: &mut ChaCha8Rng) -> Example {
        to_be_continued(&string(rng), WIDTH)
    }

    fn held_out(&self, rng: &mut ChaCha8Rng) -> Vec<Example> {
        (0..256).map(|_| self.example(rng)).collect()
    }

    fn baseline(&self, _: &[Example]) -> Option<f64> {
        None
    }

    fn goal(&self) -> Goal {
        Goal::Loss
    }

    fn figures(&self, held_out: &[Example], answers: &[Vec<f32>]) -> Vec<Figure> {
        let (mut all, mut outer) = (0, 0);
        for (example, answer) in held_out.iter().zip(answers) {
            let string = continued(example, WIDTH);
            let places = places(&string).unwrap_or_default();
            let rows = answer.chunks_exact(WIDTH).zip(&places[1..]);
            let right: Vec<bool> = rows.map(|(row, place)| foreseen(row, &place.legal())).collect();
            all += usize::from(right.iter().all(|right| *right));
            outer += usize::from(right[right.len() - 2]);
        }
        let of = held_out.len();
        let figure = |name, count, what: &str| Figure {
            name,
            text: format!("{count} of {of} {what}"),
            value: count as f64 / of as f64,
        };
        vec![
            figure("foreseen", all, "strings foreseen"),
            figure("last_but_one", outer, "last symbols but one"),
        ]
    }

    fn solved(&self, figures: &[Figure]) -> bool {
        figures[0].value == 1.0
    }

    fn question(&self, line: &str) -> Result<Example, String> {
        let string = read(line, ALPHABET)?;
        let place = places(&string).map_err(|at| {
            let legal = |at: usize| places(&string[..at]).ok()?.last().map(|place| place.legal());
            let legal = written(&legal(at).unwrap_or_default(), ALPHABET);
            format!("symbol {} cannot follow: only one of `{legal}` can", at + 1)
        })?;
        match place.last() {
            Some(place) if place.legal().is_empty() => Ok(to_be_continued(&string, WIDTH)),
            _ => Err("the string is not complete".to_owned()),
        }
    }

    fn answer(&self, question: &Example, answers: &[f32]) -> Value {
        let string = continued(question, WIDTH);
        let rows =
            answers.chunks_exact(WIDTH).zip(places(&string).unwrap_or_default().split_off(1));
        let wrong = rows.enumerate().find(|(_, (row, place))| !foreseen(row, &place.legal()));
        json!({ "foreseen": wrong.is_none(), "not_after": wrong.map(|(i, _)| i + 1) })
    }
}
