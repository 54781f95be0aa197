//! Searches through settings: a grid, or random choices (Bergstra & Bengio, Random search for
//! hyper-parameter optimization, 2012).

use rand::RngExt;
use rand::seq::IndexedRandom;
use toml::{Table, Value};

use crate::blueprint::CellText;
use crate::draws::rng;
use crate::experiment::{Experiment, ExperimentError};
use crate::task::{Context, Goal, Loaded, Part, TaskError};

use super::budget::parameters;
use super::compare::in_turn;
use super::{FORMAT, Group, Plan, Purpose, SeriesError, Trial, seeded, texts};

/// The most choices of a grid.
const MOST: usize = 10_000;

/// The share that the best is chosen by, of tasks that set none aside.
const SHARE: f64 = 0.1;

/// A key of an experiment, and the values that it may have.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// The key, such as `training.learning_rate`.
    pub key: String,
    /// Its values.
    pub values: Values,
}

/// Values to choose from.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// One of these.
    List(Vec<Value>),
    /// A number from `low` to `high`, both included.
    Range {
        /// The least.
        low: f64,
        /// The greatest.
        high: f64,
        /// Whether it is whole.
        whole: bool,
    },
}

impl Axis {
    /// Reads values such as `1e-3,3e-3` and `1e-4..1e-2`; `None` if it is a single value.
    ///
    /// A range is of whole numbers if both ends are. What is one value of TOML, such as `"a,b"` and
    /// `[1, 2]`, is not taken apart.
    ///
    /// # Errors
    /// What is wrong with the values.
    pub fn parse(key: &str, text: &str) -> Result<Option<Self>, String> {
        if parsed(text).is_some() {
            return Ok(None);
        }
        let values = match range(text) {
            Some(range) => range.map_err(|fault| format!("{key}={text}: {fault}"))?,
            None if text.contains(',') => {
                let parts = parts(text);
                if parts.len() == 1 {
                    return Ok(None);
                }
                if parts.contains(&"") {
                    return Err(format!("{key}={text}: a value is missing beside a comma"));
                }
                Values::List(parts.into_iter().map(value).collect())
            }
            None => return Ok(None),
        };
        Ok(Some(Self { key: key.to_owned(), values }))
    }

    /// A value that it may have.
    pub fn any(&self) -> Value {
        match &self.values {
            Values::List(values) => values.first().cloned().unwrap_or(Value::Boolean(false)),
            Values::Range { low, whole: true, .. } => Value::Integer(*low as i64),
            Values::Range { low, .. } => Value::Float(*low),
        }
    }
}

/// The values of a list: what stands between commas outside of brackets and quotes. A text that closes
/// not all of these has none of them.
fn parts(text: &str) -> Vec<&str> {
    let (mut parts, mut from) = (Vec::new(), 0);
    let (mut depth, mut quote) = (0_usize, None);
    for (i, c) in text.char_indices() {
        match (c, quote) {
            (_, Some(open)) => quote = quote.filter(|_| c != open),
            ('"' | '\'', None) => quote = Some(c),
            ('[' | '{', None) => depth += 1,
            (']' | '}', None) => depth = depth.saturating_sub(1),
            (',', None) if depth == 0 => {
                parts.push(text[from..i].trim());
                from = i + 1;
            }
            _ => {}
        }
    }
    if depth > 0 || quote.is_some() {
        return text.split(',').map(str::trim).collect();
    }
    parts.push(text[from..].trim());
    parts
}

/// A value as TOML reads it.
fn parsed(text: &str) -> Option<Value> {
    format!("v = {text}").parse::<Table>().ok()?.remove("v")
}

/// A value; what is nothing else is a text.
pub fn value(text: &str) -> Value {
    parsed(text).unwrap_or_else(|| Value::String(text.to_owned()))
}

fn range(text: &str) -> Option<Result<Values, String>> {
    let (low, high) = text.split_once("..")?;
    let number = |text: &str| match parsed(text.trim())? {
        Value::Integer(n) => Some((n as f64, true)),
        Value::Float(x) if x.is_finite() => Some((x, false)),
        _ => None,
    };
    let ((low, one), (high, other)) = (number(low)?, number(high)?);
    if low >= high {
        return Some(Err("a range goes from a lower number to a higher one".to_owned()));
    }
    Some(Ok(Values::Range { low, high, whole: one && other }))
}

impl Values {
    /// Draws one. Numbers of a range are drawn evenly; evenly by their logarithm, if it reaches from
    /// above 0 to ten times as much or more.
    fn draw(&self, rng: &mut impl RngExt) -> Value {
        let (low, high, whole) = match self {
            Self::List(values) => {
                return values.choose(rng).cloned().unwrap_or(Value::Boolean(false));
            }
            Self::Range { low, high, whole } => (*low, *high, *whole),
        };
        let share: f64 = rng.random();
        let between = |low: f64, high: f64| low + share * (high - low);
        // A whole number stands for all that are rounded to it.
        let (from, to) = if whole { (low - 0.5, high + 0.5) } else { (low, high) };
        let drawn = match low > 0.0 && high >= 10.0 * low {
            true => between(from.ln(), to.ln()).exp(),
            false => between(from, to),
        };
        match whole {
            #[allow(clippy::cast_possible_truncation, reason = "both ends were whole numbers")]
            true => Value::Integer(drawn.round().clamp(low, high) as i64),
            false => Value::Float(drawn.clamp(low, high)),
        }
    }
}

/// Which of all choices there are are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// All of them.
    Grid,
    /// So many, drawn at random by the seed of the training.
    Random(usize),
}

/// The choices that are tried: for each axis a value.
///
/// # Errors
/// If there is nothing to choose, a grid over a range, or too many of them.
pub fn choices(axes: &[Axis], search: Search, seed: u64) -> Result<Vec<Vec<Value>>, SeriesError> {
    let fault = |text: String| Err(SeriesError::Settings(text));
    if axes.is_empty() {
        return fault(
            "there is nothing to search through: give a key several values, such as \
             `training.learning_rate=1e-3,3e-3`, or with --random a range, `1e-4..1e-2`"
                .to_owned(),
        );
    }
    let key = |i: usize| &axes[i].key;
    if let Some(i) = (0..axes.len()).find(|&i| (0..i).any(|before| key(before) == key(i))) {
        return fault(format!("`{}` is given values twice", key(i)));
    }
    let count = match search {
        Search::Random(count) => count,
        Search::Grid => {
            let lengths = axes.iter().map(|axis| match &axis.values {
                Values::List(values) => Ok(values.len()),
                Values::Range { .. } => Err(&axis.key),
            });
            match lengths.collect::<Result<Vec<_>, _>>() {
                Ok(lengths) => lengths.into_iter().fold(1, usize::saturating_mul),
                Err(key) => {
                    return fault(format!(
                        "`{key}` has a range, of which a grid has no end; give single values, or \
                         draw some by --random 20"
                    ));
                }
            }
        }
    };
    if count > MOST {
        return fault(format!("these are {count} choices; draw some of them by --random 20"));
    }
    let mut choices: Vec<Vec<Value>> = Vec::new();
    for i in 0..count {
        let mut rng = rng(seed, "sweep", [i as u64, 0]);
        let mut rest = i;
        let mut choice: Vec<Value> = Vec::new();
        // The last key changes fastest.
        for axis in axes.iter().rev() {
            choice.push(match (&axis.values, search) {
                (Values::List(values), Search::Grid) => {
                    let value = values[rest % values.len()].clone();
                    rest /= values.len();
                    value
                }
                (values, _) => values.draw(&mut rng),
            });
        }
        choice.reverse();
        // What was drawn before teaches nothing new.
        if !choices.contains(&choice) {
            choices.push(choice);
        }
    }
    Ok(choices)
}

/// A choice as keys and values.
pub fn keyed(axes: &[Axis], choice: &[Value]) -> Table {
    axes.iter().zip(choice).map(|(axis, value)| (axis.key.clone(), value.clone())).collect()
}

fn load(experiment: &Experiment) -> Result<Loaded, ExperimentError> {
    let training = &experiment.training;
    let context = Context { batch: training.batch, seed: training.seed };
    Ok((experiment.kind()?.load)(&experiment.task, context)?)
}

/// The data of an experiment, with a part to choose the best by. Of a task that has none, a share of
/// what there is to learn from is set aside.
fn with_validation(experiment: &mut Experiment) -> Result<(Loaded, bool), SeriesError> {
    let loaded = load(experiment)?;
    if loaded.task.part(Part::Validation).is_some() {
        return Ok((loaded, false));
    }
    experiment.task.insert("validation".to_owned(), SHARE.into());
    match load(experiment) {
        Ok(loaded) if loaded.task.part(Part::Validation).is_some() => Ok((loaded, true)),
        Ok(_) | Err(ExperimentError::Data(TaskError::Option(_))) => {
            Err(SeriesError::Settings(format!(
                "task `{}` has no validation part to choose the best settings by, and what is held \
                 out is to judge them; take data of your own, by --data and --validation-data",
                experiment.kind()?.name
            )))
        }
        Err(error) => Err(error.into()),
    }
}

/// Plans a search: each choice with the experiment that it makes, trained from so many seeds. `cells`
/// are the texts of all cells. Says also what share of the data was set aside to choose the best by,
/// if it had to be.
///
/// # Errors
/// If one of them makes no model, or the task has no part to choose the best by and can set none
/// aside.
pub fn sweep(
    choices: Vec<(Table, Experiment)>,
    cells: Vec<CellText>,
    seeds: u64,
) -> Result<(Plan, Option<f64>), SeriesError> {
    let digits = choices.len().to_string().len();
    let (mut groups, mut experiments) = (Vec::new(), Vec::new());
    // Only a choice of other data would change it.
    let mut known = None;
    for (i, (choice, mut experiment)) in choices.into_iter().enumerate() {
        experiment.absolute();
        let of_task = choice.keys().any(|key| key.starts_with("task."));
        let (interface, _, aside) = match known {
            Some(known) if !of_task => known,
            _ => {
                let (loaded, aside) = with_validation(&mut experiment)?;
                *known.insert((loaded.codec.interface(), loaded.task.goal(), aside))
            }
        };
        if aside {
            experiment.task.insert("validation".to_owned(), SHARE.into());
        }
        let texts = texts(&experiment, &cells);
        let parameters = parameters(&experiment, &texts, interface);
        let parameters = parameters.map_err(ExperimentError::from)?;
        groups.push(Group { name: format!("{:0digits$}", i + 1), choice, parameters });
        experiments.push(seeded(&experiment, seeds).collect::<Vec<_>>());
    }
    let trials: Vec<Trial> = in_turn(&groups, experiments);
    let (goal, aside) = known.map_or((Goal::Loss, false), |(_, goal, aside)| (goal, aside));
    let (purpose, timed) = (Purpose::Sweep, false);
    let plan = Plan { format: FORMAT, purpose, goal, timed, groups, trials, cells };
    Ok((plan, aside.then_some(SHARE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(key: &str, text: &str) -> Axis {
        Axis::parse(key, text).unwrap().unwrap()
    }

    #[test]
    fn values_are_lists_ranges_or_single() {
        let list = |values: &[f64]| Values::List(values.iter().map(|&x| x.into()).collect());
        assert_eq!(axis("a.b", "1e-3, 3e-3").values, list(&[1e-3, 3e-3]));
        let names = Values::List(vec!["adam".into(), "lion".into()]);
        assert_eq!(axis("a.b", "adam,lion").values, names);
        let lists = Values::List(vec![Value::Array(vec!["a".into(), "b".into()]), "c,d".into()]);
        assert_eq!(axis("a.b", "['a','b'], 'c,d'").values, lists);
        let table = Value::Table(Table::from_iter([("name".to_owned(), "adamw".into())]));
        let tables = Values::List(vec![table, "adam".into()]);
        assert_eq!(axis("a.b", "{name=\"adamw\"},adam").values, tables);
        let open = Values::List(vec!["it's".into(), "[a".into()]);
        assert_eq!(axis("a.b", "it's,[a").values, open);
        let range = |low, high, whole| Values::Range { low, high, whole };
        assert_eq!(axis("a.b", "1e-4..1e-2").values, range(1e-4, 1e-2, false));
        assert_eq!(axis("a.b", "32..256").values, range(32.0, 256.0, true));
        for single in ["4", "adam", "[1, 2]", "\"a,b\"", "../a.txt", "a..b", "{ a = 1, b = 2 }"] {
            assert_eq!(Axis::parse("a.b", single), Ok(None), "{single}");
        }
        assert!(Axis::parse("a.b", "1,,2").unwrap_err().contains("missing beside a comma"));
        assert!(Axis::parse("a.b", "2..1").unwrap_err().contains("lower number to a higher"));
    }

    #[test]
    fn a_grid_has_all_choices_once() {
        let axes = [axis("a.a", "1,2"), axis("a.b", "x,y,x")];
        let found = choices(&axes, Search::Grid, 1).unwrap();
        let expected = [(1, "x"), (1, "y"), (2, "x"), (2, "y")];
        let expected = expected.map(|(n, text)| vec![Value::from(n), text.into()]);
        assert_eq!(found, expected);
        let keyed = keyed(&axes, &found[1]);
        assert_eq!((&keyed["a.a"], &keyed["a.b"]), (&1.into(), &"y".into()));
        let fault = |axes: &[Axis]| choices(axes, Search::Grid, 1).unwrap_err().to_string();
        assert!(fault(&[]).contains("nothing to search through"));
        assert!(fault(&[axis("a.a", "1..2")]).contains("--random 20"));
        assert!(fault(&[axis("a.a", "1,2"), axis("a.a", "3,4")]).contains("`a.a` is given"));
        let many = vec!["0"; 101].join(",");
        assert!(fault(&[axis("a", &many), axis("b", &many)]).contains("10201 choices"));
    }

    #[test]
    fn random_choices_are_drawn_by_the_seed_evenly_or_by_their_logarithm() {
        let axes = [axis("rate", "1e-4..1e-2"), axis("share", "0.0..0.5"), axis("size", "1..3")];
        let drawn = choices(&axes, Search::Random(2000), 1).unwrap();
        assert_eq!(choices(&axes, Search::Random(2000), 1).unwrap(), drawn);
        assert_ne!(choices(&axes, Search::Random(2000), 2).unwrap(), drawn);
        let below = |key: usize, bound: f64| {
            let number = |value: &Value| match value {
                Value::Integer(n) => *n as f64,
                value => value.as_float().unwrap(),
            };
            let below = drawn.iter().filter(|choice| number(&choice[key]) < bound).count();
            below as f64 / drawn.len() as f64
        };
        for (key, bound, share) in [
            (0, 1e-4, 0.0),
            (0, 1e-3, 0.5),
            (0, 1.0001e-2, 1.0),
            (1, 0.1, 0.2),
            (1, 0.5001, 1.0),
            (2, 1.5, 1.0 / 3.0),
            (2, 3.5, 1.0),
        ] {
            assert!((below(key, bound) - share).abs() < 0.04, "{key} {bound}");
        }
        // Fewer than were asked for, if there are no more.
        assert_eq!(choices(&[axis("a", "1,2")], Search::Random(50), 1).unwrap().len(), 2);
    }
}
