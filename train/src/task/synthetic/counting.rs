//! Languages that have to be counted: as many b's (and c's) as a's.

use std::marker::PhantomData;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::symbols::{of_one_hot, one_hot, read};
use super::{MOST_HELD_OUT, MOST_STEPS, Problem, beyond, codec, interface, load, options};
use crate::batch::{Example, Targets};
use crate::model::{Answers, Interface, Readout};
use crate::task::{Figure, Goal, Kind};

/// The language a^n b^n, which is free of context (Gers & Schmidhuber 2001): after each symbol, the
/// symbols that may follow, 1 for each of them and else 0. A string begins with `S` and ends with `T`.
///
/// A string is accepted if all answers are on the right side of one half. The paper trains two cells
/// with peepholes on strings with n up to 10, and accepts all with n up to 65 (the mean of 10 runs).
pub const AB: Kind = Kind {
    name: Counting::<Ab>::NAME,
    about: "the language a^n b^n: the symbols that may follow",
    endings: &[],
    defaults: "
        [model]
        cell = 'lstm_peephole'
        hidden = 2
        [training]
        batch = 10
        learning_rate = 1e-2
        clip = 0.1
        evaluate_every = 1000
    ",
    options: options::<Counting<Ab>>,
    load: |options, context| load::<Counting<Ab>>(options, context),
    codec: |kept| codec::<Counting<Ab>>(kept),
};

/// The language a^n b^n c^n, which is not free of context, as [`AB`] (Gers & Schmidhuber 2001). The
/// paper's three cells, trained with n up to 10, accept all strings with n up to 29 (the mean of 10 runs).
///
/// The learning rate is constant, and strings are four times as many as of [`AB`]: by its set-up, strings
/// are accepted with n up to 26 on the mean, by this one 36 (`docs/results.md`).
pub const ABC: Kind = Kind {
    name: Counting::<Abc>::NAME,
    about: "the language a^n b^n c^n: the symbols that may follow",
    endings: &[],
    defaults: "
        [model]
        cell = 'lstm_peephole'
        hidden = 3
        [training]
        batch = 10
        learning_rate = 1e-2
        clip = 0.1
        schedule = 'constant'
        evaluate_every = 4000
    ",
    options: options::<Counting<Abc>>,
    load: |options, context| load::<Counting<Abc>>(options, context),
    codec: |kept| codec::<Counting<Abc>>(kept),
};

const ALPHABET: &str = "STabc";
const BEGIN: u32 = 0;
const END: u32 = 1;
/// The first letter; the others follow.
const A: u32 = 2;

/// How many letters a language has, each as often in a row as the others.
trait Language: Clone + 'static {
    const NAME: &'static str;
    const LETTERS: u32;
    /// How many strings make an epoch, if nothing is said.
    const EXAMPLES: usize;
}

#[derive(Clone, Debug)]
struct Ab;

impl Language for Ab {
    const NAME: &'static str = "anbn";
    const LETTERS: u32 = 2;
    const EXAMPLES: usize = 40_000;
}

#[derive(Clone, Debug)]
struct Abc;

impl Language for Abc {
    const NAME: &'static str = "anbncn";
    const LETTERS: u32 = 3;
    const EXAMPLES: usize = 160_000;
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, bound = "")]
struct Counting<L: Language> {
    /// The largest n that is learnt from.
    most: usize,
    /// The largest n that is judged by.
    judged: usize,
    /// How many strings make an epoch.
    examples: usize,
    #[serde(skip)]
    language: PhantomData<L>,
}

impl<L: Language> Default for Counting<L> {
    fn default() -> Self {
        Self { most: 10, judged: 200, examples: L::EXAMPLES, language: PhantomData }
    }
}

/// The string of a number, and the symbols that may follow each of its symbols.
fn string(n: usize, letters: u32) -> Vec<(u32, Vec<u32>)> {
    let mut string = vec![(BEGIN, vec![A])];
    for letter in A..A + letters {
        for i in 1..=n {
            let next = if letter + 1 == A + letters { END } else { letter + 1 };
            let legal = match i == n {
                // After any number of the first letter, the second may come.
                _ if letter == A => vec![letter, next],
                true => vec![next],
                false => vec![letter],
            };
            string.push((letter, legal));
        }
    }
    string
}

impl<L: Language> Counting<L> {
    const WIDTH: usize = 2 + L::LETTERS as usize;

    fn of(n: usize) -> Example {
        let string = string(n, L::LETTERS);
        let symbols: Vec<u32> = string.iter().map(|(symbol, _)| *symbol).collect();
        let mut targets = vec![0.0; string.len() * Self::WIDTH];
        for (row, (_, legal)) in targets.chunks_exact_mut(Self::WIDTH).zip(&string) {
            legal.iter().for_each(|&symbol| row[symbol as usize] = 1.0);
        }
        let data = one_hot(&symbols, Self::WIDTH);
        Example { data, targets: Targets::Reals(targets) }
    }
}

/// Whether all answers are on the right side.
fn accepted(example: &Example, answers: &[f32]) -> bool {
    let Targets::Reals(targets) = &example.targets else { return false };
    targets.iter().zip(answers).all(|(target, answer)| (*target > 0.5) == (*answer > 0.5))
}

impl<L: Language> Problem for Counting<L> {
    const NAME: &'static str = L::NAME;
    const MEANINGS: &'static [(&'static str, &'static str)] = &[
        ("most", "The largest n that is learnt from."),
        ("judged", "The largest n that is judged by."),
        ("examples", "How many strings make an epoch."),
    ];

    fn fault(&self) -> Option<(&'static str, String)> {
        let least = |option| move || (option, "n is 1 at the least".to_owned());
        let judged = || (self.judged == 0).then(least("judged"));
        let letters = L::LETTERS as usize;
        // One string for each n, read and answered: the square of the largest, times the letters.
        let judged_most = (MOST_HELD_OUT / (letters * Self::WIDTH)).isqrt();
        let fault = (self.most == 0).then(least("most")).or_else(judged);
        fault
            .or_else(|| beyond("most", self.most, MOST_STEPS / letters))
            .or_else(|| beyond("judged", self.judged, judged_most))
    }

    fn examples(&self) -> usize {
        self.examples
    }

    fn interface(&self) -> Interface {
        interface(Self::WIDTH, Answers::Reals(Self::WIDTH), Readout::Each)
    }

    fn example(&self, rng: &mut ChaCha8Rng) -> Example {
        Self::of(rng.random_range(1..=self.most))
    }

    fn held_out(&self, _: &mut ChaCha8Rng) -> Vec<Example> {
        (1..=self.judged).map(Self::of).collect()
    }

    fn baseline(&self, _: &[Example]) -> Option<f64> {
        None
    }

    fn goal(&self) -> Goal {
        Goal::Loss
    }

    fn figures(&self, held_out: &[Example], answers: &[Vec<f32>]) -> Vec<Figure> {
        let strings = held_out.iter().zip(answers);
        let n = strings.take_while(|(example, answers)| accepted(example, answers)).count();
        let text = format!("all strings accepted with n up to {n}");
        vec![Figure { name: "accepted_to", text, value: n as f64 }]
    }

    fn question(&self, line: &str) -> Result<Example, String> {
        let symbols = read(line, &ALPHABET[..Self::WIDTH])?;
        let n = symbols.iter().filter(|symbol| **symbol == A).count();
        let whole = string(n, L::LETTERS).into_iter().map(|(symbol, _)| symbol).chain([END]);
        if n == 0 || !symbols.iter().copied().eq(whole) {
            let last = if L::LETTERS == 2 { "Saabb" } else { "Saabbcc" };
            return Err(format!("it is no string of the language, such as `{last}T`"));
        }
        Ok(Self::of(n))
    }

    fn answer(&self, question: &Example, answers: &[f32]) -> Value {
        let symbols = of_one_hot(&question.data, Self::WIDTH);
        let n = symbols.iter().filter(|symbol| **symbol == A).count();
        json!({ "n": n, "accepted": accepted(question, answers) })
    }
}
