//! Short product reviews, made by a seeded grammar: would the reviewer buy again?
//!
//! What decides is the reviewer's verdict on the product, at the start or in the middle:
//! `Anything but amazing!` is no, `nothing but amazing` is yes. The sentences that follow use the
//! same words for other things (the parcel, the one before, a neighbour's taste), so no count of
//! words tells the answer; the verdict has to be understood, and kept in mind to the end.

use std::collections::BTreeMap;

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::classify::{Lexicon, loaded};
use super::options::{OptionError, described, options, parse};
use super::vocabulary::Vocabulary;
use super::{Context, Kind, Loaded, TaskError, classify};
use crate::data::words::words;
use crate::draws::rng;
use crate::number::Short;

/// Reviews made by the grammar.
pub const KIND: Kind = Kind {
    name: "reviews",
    about: "would the reviewer of a product buy again? Reviews are made by the program",
    endings: &[],
    defaults: "
        [training]
        batch = 16
        epochs = 1.5
    ",
    options: described::<Options>,
    load: |options, context| load(options, context),
    codec: |kept| (classify::KIND.codec)(kept),
};

options! {
    struct Options {
        /// How many reviews are made to train on.
        examples: usize = 16_000,
        /// The share of them that the best model is chosen by instead.
        validation: f64 = 0.0,
    }
}

/// The most reviews that are made: they are all in memory.
const MOST_REVIEWS: usize = 1_000_000;

/// How many reviews a model is judged by.
const HELD_OUT: usize = 1000;

fn load(options: &toml::Table, context: Context) -> Result<Loaded, TaskError> {
    let options: Options = parse(KIND.name, options)?;
    let share = options.validation;
    if !(0.0..1.0).contains(&share) {
        return Err(TaskError::Option(OptionError::Value {
            task: KIND.name.to_owned(),
            option: "validation".to_owned(),
            fault: format!("a share is from 0 up and below 1, not {}", Short(share)),
        }));
    }
    if options.examples > MOST_REVIEWS {
        return Err(TaskError::Option(OptionError::Value {
            task: KIND.name.to_owned(),
            option: "examples".to_owned(),
            fault: format!("{} is too much: take up to {MOST_REVIEWS}", options.examples),
        }));
    }
    let mut training = reviews(options.examples.max(1), false, context.seed);
    let kept = ((1.0 - share) * training.len() as f64).ceil().max(1.0);
    let validation = training.split_off(training.len().min(kept as usize));
    // What is known are the words that are trained on: those of the other parts alone are not.
    let mut counts = BTreeMap::<String, usize>::new();
    let all = training.iter().flat_map(|review| words(&review.text));
    all.for_each(|word| *counts.entry(word).or_default() += 1);
    let words = Vocabulary::of_counts(counts, 1, None);
    let lexicon = Lexicon { words, labels: LABELS.map(ToOwned::to_owned).to_vec() };
    let example = |review: &Review| lexicon.example(&review.text, review.buy.into());
    let parts = [training, validation, held_out(context.seed)];
    let parts = parts.map(|part| part.iter().map(example).collect());
    Ok(loaded(lexicon.clone(), parts, context, 0.0, "reviews"))
}

/// The reviews that a model trained from a seed is judged by.
pub fn held_out(seed: u64) -> Vec<Review> {
    reviews(HELD_OUT, true, seed)
}

/// The labels, in the order of their numbers.
pub const LABELS: [&str; 2] = ["don't buy", "buy"];

/// A review and what it comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// The text.
    pub text: String,
    /// Whether the reviewer would buy again; also the number of the label.
    pub buy: bool,
}

const GOOD: [&str; 10] = [
    "amazing",
    "wonderful",
    "perfect",
    "excellent",
    "delightful",
    "brilliant",
    "superb",
    "fantastic",
    "lovely",
    "great",
];
const BAD: [&str; 10] = [
    "awful",
    "terrible",
    "useless",
    "disappointing",
    "dreadful",
    "horrible",
    "poor",
    "shoddy",
    "a letdown",
    "a nuisance",
];
/// What may stand before a judging word, whether it turns it round, and how often it does so
/// compared with the others. Most words stand alone: from those a model learns what they mean.
const MODIFIERS: [(&str, bool, u32); 12] = [
    ("", false, 12),
    ("truly", false, 2),
    ("really", false, 2),
    ("simply", false, 2),
    ("nothing but", false, 1),
    ("nothing short of", false, 1),
    ("not", true, 2),
    ("anything but", true, 2),
    ("far from", true, 2),
    ("hardly", true, 2),
    ("by no means", true, 1),
    ("not in the least", true, 1),
];
/// Products, and something that can be said of each without judging it.
const PRODUCTS: [(&str, &str); 12] = [
    ("box of cereal", "gave me a balanced breakfast, as all things should be"),
    ("kettle", "boils a litre of water in four minutes"),
    ("umbrella", "opens at the push of a button"),
    ("backpack", "has two pockets and a hidden zip"),
    ("desk lamp", "throws its light on half of the desk"),
    ("alarm clock", "rings at six and again at seven"),
    ("jar of honey", "sat next to the bread all week"),
    ("garden hose", "reaches from the tap to the roses"),
    ("pair of socks", "went with me over three mountains"),
    ("radio", "plays in the kitchen from morning to night"),
    ("teapot", "holds enough for the two of us"),
    ("blanket", "covers the sofa and the dog"),
];
/// How a verdict on the product is said.
const VERDICTS: [&str; 9] = [
    "{judged}! This {product} {fact}.",
    "This {product} is {judged} and it {fact}.",
    "I found this {product} {judged} from the first day, and it {fact}.",
    "For me this {product} turned out {judged}.",
    "My own verdict on this {product}: {judged}.",
    "After a month I call this {product} {judged}.",
    "In daily use this {product} is {judged}, and it {fact}.",
    "This {product} {fact} and I think it is {judged}.",
    "{judged} is the word for this {product}.",
];
const OPENINGS: [&str; 6] = [
    "I bought it in the spring sale.",
    "My brother sent me the link.",
    "We had been looking for one since the summer.",
    "Ordered on Monday, here on Friday.",
    "This is my first review.",
    "I needed one for the new flat.",
];
/// What follows, and decides nothing: what is judged is something else.
const ASIDES: [&str; 18] = [
    "The parcel looked {judged}, but that was the rain.",
    "My neighbour calls hers {judged}, and she says so about everything.",
    "The one I had before was {judged}.",
    "The shop's own tea is {judged}, by the way.",
    "The driver who brought it was {judged}.",
    "The manual is {judged}, though nobody reads it.",
    "The weather here has been {judged} all week.",
    "My sister would have written {judged}, but she has never seen it.",
    "The advertisement for it was {judged}.",
    "The colour on the website is {judged}, and mine is blue.",
    "People told me that a cheaper brand is {judged}.",
    "I only got half of it, since my children are quick.",
    "It came in a brown box with a lot of paper.",
    "There is a second one on the shelf upstairs.",
    "My cat slept in the box for the rest of the day.",
    "I have told everyone at work that I own one now.",
    "Whether I need a bigger one is another question.",
    "You will not be surprised to read that I forgot the receipt.",
];

/// Every n-th combination of verdict, modifier and judging word is kept for held-out reviews.
const HELD_OUT_SHARE: usize = 5;

/// Reviews from a seed. Held-out reviews judge the product by combinations of phrase and words that
/// the others never use, though every word of theirs occurs there too.
pub fn reviews(count: usize, held_out: bool, seed: u64) -> Vec<Review> {
    let mut rng = rng(seed, "reviews", [held_out.into(), 0]);
    (0..count).map(|_| review(&mut rng, held_out)).collect()
}

fn review(rng: &mut ChaCha8Rng, held_out: bool) -> Review {
    // Not quite a half, so that the majority class is worth comparing with.
    let buy = rng.random::<f64>() < 0.54;
    let (verdict, judgement) = loop {
        let verdict = rng.random_range(0..VERDICTS.len());
        let modifier = pick_modifier(rng);
        let good = MODIFIERS[modifier].1 != buy;
        let word = rng.random_range(0..GOOD.len());
        let combination = verdict * 3 + modifier * 7 + word + usize::from(good);
        if combination.is_multiple_of(HELD_OUT_SHARE) == held_out {
            break (VERDICTS[verdict], judgement(modifier, good, word));
        }
    };
    let (product, fact) = pick(rng, &PRODUCTS);
    let verdict = verdict.replace("{product}", product).replace("{fact}", fact);
    let mut sentences = Vec::new();
    if rng.random::<f64>() < 0.4 {
        sentences.push(pick(rng, &OPENINGS).to_owned());
    }
    sentences.push(sentence(&verdict, &judgement));
    for aside in asides(rng, held_out) {
        sentences.push(sentence(aside, &any_judgement(rng)));
    }
    Review { text: sentences.join(" "), buy }
}

/// Different asides: two to five in a held-out review. Many of the others are short: from those a
/// model finds out what matters, before it learns to remember it for long.
fn asides(rng: &mut ChaCha8Rng, held_out: bool) -> Vec<&'static str> {
    let count = if held_out {
        rng.random_range(2..=5)
    } else {
        *[0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5].choose(rng).unwrap_or(&0)
    };
    ASIDES.sample(rng, count).copied().collect()
}

fn pick_modifier(rng: &mut ChaCha8Rng) -> usize {
    let mut rest = rng.random_range(0..MODIFIERS.iter().map(|(_, _, weight)| weight).sum());
    let chosen = MODIFIERS.iter().position(|(_, _, weight)| {
        let here = rest < *weight;
        rest = rest.saturating_sub(*weight);
        here
    });
    chosen.unwrap_or(0)
}

fn any_judgement(rng: &mut ChaCha8Rng) -> String {
    let modifier = pick_modifier(rng);
    let good = rng.random::<bool>();
    judgement(modifier, good, rng.random_range(0..GOOD.len()))
}

fn judgement(modifier: usize, good: bool, word: usize) -> String {
    let word = if good { GOOD[word] } else { BAD[word] };
    match MODIFIERS[modifier].0 {
        "" => word.to_owned(),
        modifier => format!("{modifier} {word}"),
    }
}

fn pick<T: Copy>(rng: &mut ChaCha8Rng, of: &[T]) -> T {
    of[rng.random_range(0..of.len())]
}

/// Fills in a judgement and starts with a capital.
fn sentence(pattern: &str, judgement: &str) -> String {
    let text = pattern.replace("{judged}", judgement);
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::SeedableRng;

    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_reviews() {
        assert_eq!(reviews(5, false, 1), reviews(5, false, 1));
        assert_ne!(reviews(5, false, 1), reviews(5, false, 2));
        assert_ne!(reviews(5, false, 1), reviews(5, true, 1));
        // Of a stream of their own, and not that of the first parameter.
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        assert_ne!(reviews(1, false, 1), [review(&mut rng, false)]);
    }

    #[test]
    fn words_of_the_validation_part_alone_are_not_known() {
        let options = "examples = 20\nvalidation = 0.5".parse().unwrap();
        let loaded = load(&options, Context { batch: 4, seed: 1 }).unwrap();
        let all = reviews(20, false, 1);
        let known = |reviews: &[Review]| -> BTreeSet<String> {
            reviews.iter().flat_map(|review| words(&review.text)).collect()
        };
        assert!(known(&all).len() > known(&all[..10]).len());
        assert_eq!(loaded.codec.vocabulary().unwrap().len(), 1 + known(&all[..10]).len());
        let many = "examples = 9223372036854775807".parse().unwrap();
        let fault = load(&many, Context { batch: 4, seed: 1 }).err().unwrap().to_string();
        let told = "option `examples` of task `reviews`: 9223372036854775807 is too much";
        assert!(fault.starts_with(told), "{fault}");
    }

    #[test]
    fn a_little_more_than_half_would_buy() {
        let reviews = reviews(4000, false, 1);
        let share = reviews.iter().filter(|review| review.buy).count() as f64 / 4000.0;
        assert!((0.51..0.57).contains(&share), "{share}");
    }

    #[test]
    fn held_out_reviews_are_new_but_their_words_are_not() {
        let training = reviews(4000, false, 1);
        let held_out = reviews(500, true, 1);
        let known: BTreeSet<_> = training.iter().flat_map(|review| words(&review.text)).collect();
        assert!(held_out.iter().all(|r| words(&r.text).iter().all(|word| known.contains(word))));
        let texts: BTreeSet<_> = training.iter().map(|review| &review.text).collect();
        assert!(held_out.iter().all(|review| !texts.contains(&review.text)));
    }

    /// A classifier by how often each word occurs among the last `tail` words (naive Bayes).
    fn accuracy_of_counting(tail: usize) -> f64 {
        let last = |review: &Review| {
            let words = words(&review.text);
            words[words.len().saturating_sub(tail)..].to_vec()
        };
        let mut counts = BTreeMap::<String, [f64; 2]>::new();
        for review in reviews(6000, false, 1) {
            for word in last(&review) {
                counts.entry(word).or_insert([1.0; 2])[usize::from(review.buy)] += 1.0;
            }
        }
        let held_out = reviews(1000, true, 1);
        let right = held_out.iter().filter(|review| {
            let evidence = |word: &String| counts.get(word).map_or(0.0, |c| (c[1] / c[0]).ln());
            (last(review).iter().map(evidence).sum::<f64>() > 0.0) == review.buy
        });
        right.count() as f64 / 1000.0
    }

    #[test]
    fn counting_words_does_not_tell() {
        let (all, end) = (accuracy_of_counting(usize::MAX), accuracy_of_counting(20));
        assert!(all < 0.75, "counting all words reaches {all}");
        assert!(end < 0.62, "counting the last words reaches {end}");
    }

    #[test]
    fn reviews_are_plain_english_sentences() {
        for review in reviews(200, false, 3) {
            assert!(review.text.ends_with(['.', '!']) && !review.text.contains("  "));
            assert!(!review.text.contains(['{', '}']), "{}", review.text);
            assert!((5..=130).contains(&words(&review.text).len()), "{}", review.text);
        }
    }
}
