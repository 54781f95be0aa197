//! Budgets: by what trainings of several cells are made comparable.

use std::str::FromStr;
use std::time::Duration;

use crate::blueprint::{Blueprint, BlueprintError, CellText};
use crate::experiment::Experiment;
use crate::model::Interface;

/// By what trainings of several cells are made comparable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Budget {
    /// As many updates for each, of layers of one size.
    #[default]
    Steps,
    /// As many updates for each, of layers of such sizes that the models have as many parameters.
    Params,
    /// As much time for each run, on this machine.
    Time(Duration),
}

impl FromStr for Budget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || {
            format!(
                "expected steps, params, or a time for each run such as 5m or 90s, found `{text}`"
            )
        };
        let units = [('s', 1.0), ('m', 60.0), ('h', 3600.0)];
        match text {
            "steps" => return Ok(Self::Steps),
            "params" => return Ok(Self::Params),
            _ => {}
        }
        let unit =
            units.into_iter().find_map(|(unit, size)| Some((text.strip_suffix(unit)?, size)));
        let (number, unit) = unit.ok_or_else(expected)?;
        let number = number.trim().parse().ok().filter(|number: &f64| *number > 0.0);
        let time = number.and_then(|number| Duration::try_from_secs_f64(number * unit).ok());
        time.filter(|time| !time.is_zero()).map(Self::Time).ok_or_else(expected)
    }
}

/// The largest size of layers that is thought of.
const MOST: usize = 1 << 16;

/// How far the next size that a cell can have may be: one may need its `H` to be a multiple of this.
const GAP: usize = 64;

/// How many parameters a model has, without making it.
///
/// # Errors
/// If the texts make no model.
pub fn parameters(
    experiment: &Experiment,
    cells: &[CellText],
    interface: Interface,
) -> Result<usize, BlueprintError> {
    let blueprint: Blueprint = experiment.blueprint(cells.to_vec());
    Ok(blueprint.architecture(interface)?.size())
}

/// The size `H` of layers for which a count of parameters, which rises with it, is nearest to
/// `target`; the smaller of two. Sizes that a cell cannot have are left out.
///
/// # Errors
/// That of the smallest size, if none makes a model.
pub fn nearest<E>(target: usize, count: impl Fn(usize) -> Result<usize, E>) -> Result<usize, E> {
    // The first possible size from a given one on.
    let possible = |from: usize| {
        let found = (from..from + GAP).find_map(|size| Some((size, count(size).ok()?)));
        found.filter(|(size, _)| *size <= MOST)
    };
    let Some((least, _)) = possible(1) else { return count(1).map(|_| 1) };
    // Below `low` all are too small; from `high` on all are large enough, or there are none.
    let (mut low, mut high) = (least, least);
    while possible(high).is_some_and(|(_, count)| count < target) {
        (low, high) = (high, high * 2);
    }
    while low + 1 < high {
        let middle = usize::midpoint(low, high);
        match possible(middle) {
            Some((_, count)) if count < target => low = middle,
            _ => high = middle,
        }
    }
    let below = (high.saturating_sub(GAP).max(1)..high).rev();
    let below = below.into_iter().find_map(|size| Some((size, count(size).ok()?)));
    let candidates = [below, possible(high)].into_iter().flatten();
    let best = candidates.min_by_key(|(_, count)| count.abs_diff(target));
    Ok(best.map_or(least, |(size, _)| size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_read() {
        let time = |seconds| Ok(Budget::Time(Duration::from_secs(seconds)));
        assert_eq!("steps".parse(), Ok(Budget::Steps));
        assert_eq!("params".parse(), Ok(Budget::Params));
        assert_eq!("5m".parse(), time(300));
        assert_eq!("90s".parse(), time(90));
        assert_eq!("1.5 h".parse(), time(5400));
        for text in ["", "5", "m", "-5m", "0s", "NaNs", "infm", "5 days", "much"] {
            let fault = text.parse::<Budget>().unwrap_err();
            assert!(fault.contains("such as 5m"), "{fault}");
        }
    }

    #[test]
    fn sizes_are_found_whose_count_is_nearest() {
        let square = |h: usize| Ok::<usize, ()>(h * h + 10);
        for (target, expected) in [(0, 1), (11, 1), (110, 10), (120, 10), (121, 11), (10_010, 100)]
        {
            assert_eq!(nearest(target, square), Ok(expected), "{target}");
        }
        // Every answer is that of looking at all.
        let even = |h: usize| {
            if h.is_multiple_of(6) { Ok(h * h) } else { Err("H / 6 is no whole number") }
        };
        for target in 0..3000 {
            let all = (1..100).filter_map(|h| Some((even(h).ok()?.abs_diff(target), h)));
            assert_eq!(nearest(target, even).ok(), all.min().map(|(_, h)| h), "{target}");
        }
        assert_eq!(nearest(5, |_| Err::<usize, _>("never")), Err("never"));
        assert!(nearest(usize::MAX, square).is_ok_and(|h| h <= MOST));
    }
}
