//! What several runs say together: the same training from several seeds, and groups of such runs
//! against each other.

use serde::{Deserialize, Serialize};

/// A summary of the results of several runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// How many results are summarised, at least 1.
    pub count: usize,
    /// How many were infinite or no numbers, as those of trainings that diverged. They are not part
    /// of what follows.
    pub failed: usize,
    /// The mean.
    pub mean: f64,
    /// The standard deviation of the results, estimated with `count - 1`; `None` of one.
    pub deviation: Option<f64>,
    /// The middle one, or the mean of the two in the middle.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The greatest.
    pub greatest: f64,
    /// The interval that holds the mean of all possible runs with a confidence of 95 %, by Student's
    /// t-distribution; `None` of one.
    pub interval: Option<Interval>,
}

/// From where to where.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    fn about(middle: f64, reach: f64) -> Self {
        Self { low: middle - reach, high: middle + reach }
    }

    /// Whether it holds a number.
    pub fn holds(self, x: f64) -> bool {
        self.low <= x && x <= self.high
    }
}

/// Summarises results. `None` if there are none, or none that is finite.
pub fn summarize(results: &[f64]) -> Option<Summary> {
    let mut finite: Vec<f64> = results.iter().copied().filter(|x| x.is_finite()).collect();
    finite.sort_by(f64::total_cmp);
    let (&least, &greatest) = (finite.first()?, finite.last()?);
    let count = finite.len();
    let mean = finite.iter().sum::<f64>() / count as f64;
    let squares: f64 = finite.iter().map(|x| (x - mean).powi(2)).sum();
    let freedom = (count - 1) as f64;
    let deviation = (count > 1).then(|| (squares / freedom).sqrt());
    Some(Summary {
        count,
        failed: results.len() - count,
        mean,
        deviation,
        median: f64::midpoint(finite[(count - 1) / 2], finite[count / 2]),
        least,
        greatest,
        interval: deviation.map(|deviation| {
            Interval::about(mean, student(freedom) * deviation / (count as f64).sqrt())
        }),
    })
}

/// Which of two results is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// The lower one, as of losses.
    Lower,
    /// The higher one, as of accuracies.
    Higher,
}

/// A group of runs, as compared with others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ranked {
    /// Its name.
    pub name: String,
    /// Its place, from 1; groups that are equal share a place.
    pub place: usize,
    /// Its results; `None` if it has none.
    pub summary: Option<Summary>,
    /// By how much its mean is above that of the group in the first place, with a confidence of 95 %
    /// (Welch, The generalization of Student's problem, 1947; each group by itself, without
    /// correction for several comparisons). If it holds 0 the two are not told apart. `None` of the
    /// first group, and if either has fewer than two results.
    pub behind: Option<Interval>,
}

/// Ranks groups of results by their means, the best first. A group with fewer failed runs goes before
/// one with more, since the mean of what was left over flatters; one without any result is last.
/// Equal ones stay in their order.
pub fn rank(groups: &[(String, Vec<f64>)], better: Better) -> Vec<Ranked> {
    let mut ranked: Vec<Ranked> = groups
        .iter()
        .map(|(name, results)| Ranked {
            name: name.clone(),
            place: 0,
            summary: summarize(results),
            behind: None,
        })
        .collect();
    let key = |ranked: &Ranked| {
        let worth = |mean: f64| if better == Better::Lower { mean } else { -mean };
        ranked.summary.map_or((usize::MAX, 0.0), |s| (s.failed, worth(s.mean)))
    };
    ranked.sort_by(|a, b| {
        let ((failed, mean), (other_failed, other_mean)) = (key(a), key(b));
        failed.cmp(&other_failed).then(mean.total_cmp(&other_mean))
    });
    for i in 0..ranked.len() {
        let equal = i > 0 && key(&ranked[i - 1]) == key(&ranked[i]);
        ranked[i].place = if equal { ranked[i - 1].place } else { i + 1 };
    }
    if let Some((best, others)) = ranked.split_first_mut() {
        for other in others {
            other.behind = other.summary.zip(best.summary).and_then(|(a, b)| difference(&a, &b));
        }
    }
    ranked
}

/// The interval of the difference of two means, `a - b`, by Welch.
fn difference(a: &Summary, b: &Summary) -> Option<Interval> {
    let error = |s: &Summary| s.deviation.map(|deviation| deviation.powi(2) / s.count as f64);
    let (error_a, error_b) = (error(a)?, error(b)?);
    let error = error_a + error_b;
    let lost = error_a.powi(2) / (a.count - 1) as f64 + error_b.powi(2) / (b.count - 1) as f64;
    let reach = if error > 0.0 { student(error.powi(2) / lost) * error.sqrt() } else { 0.0 };
    Some(Interval::about(a.mean - b.mean, reach))
}

/// Of Student's t-distribution with 1, 2, .. degrees of freedom, what 2.5 % are above.
const STUDENT: [f64; 30] = [
    12.706205, 4.302653, 3.182446, 2.776445, 2.570582, 2.446912, 2.364624, 2.306004, 2.262157,
    2.228139, 2.200985, 2.178813, 2.160369, 2.144787, 2.131450, 2.119905, 2.109816, 2.100922,
    2.093024, 2.085963, 2.079614, 2.073873, 2.068658, 2.063899, 2.059539, 2.055529, 2.051831,
    2.048407, 2.045230, 2.042272,
];

/// What 2.5 % of Student's t-distribution are above, for at least one degree of freedom: by the
/// table, between its entries by a line over the inverse of the degrees, which errs upwards, and
/// beyond it by the expansion of Fisher & Cornish (1960, The percentile points of distributions
/// having known cumulants), to within 2e-6.
fn student(freedom: f64) -> f64 {
    let below = freedom.floor();
    if let Some(&[more, less]) = STUDENT.windows(2).nth(below as usize - 1) {
        let share = (1.0 / below - 1.0 / freedom) / (1.0 / below - 1.0 / (below + 1.0));
        return more + share * (less - more);
    }
    let z = 1.959963984540054_f64;
    let first = (z.powi(3) + z) / 4.0;
    let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0;
    let third = (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0;
    z + first / freedom + second / freedom.powi(2) + third / freedom.powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-6
    }

    #[test]
    fn summaries_are_those_of_scipy() {
        let summary = summarize(&[0.91, 0.93, 0.90, 0.92, 0.95]).unwrap();
        assert_eq!((summary.count, summary.failed), (5, 0));
        assert_eq!((summary.median, summary.least, summary.greatest), (0.92, 0.90, 0.95));
        assert!(
            near(summary.mean, 0.922) && near(summary.deviation.unwrap(), 0.019235384061671322)
        );
        let Interval { low, high } = summary.interval.unwrap();
        assert!(near(low, 0.8981161161190002) && near(high, 0.9458838838809999), "{low} {high}");
    }

    #[test]
    fn few_results_and_failed_ones() {
        assert_eq!(summarize(&[]), None);
        assert_eq!(summarize(&[f64::NAN, f64::INFINITY]), None);
        let one = summarize(&[2.0, f64::NAN]).unwrap();
        assert_eq!((one.count, one.failed, one.mean, one.median), (1, 1, 2.0, 2.0));
        assert_eq!((one.deviation, one.interval), (None, None));
        let same = summarize(&[2.0, 2.0]).unwrap();
        assert_eq!(same.interval, Some(Interval { low: 2.0, high: 2.0 }));
        assert_eq!(summarize(&[4.0, 1.0]).unwrap().median, 2.5);
    }

    #[test]
    fn the_distribution_is_students() {
        // scipy 1.x, `stats.t.ppf(0.975, d)`.
        for (freedom, expected) in [
            (1.0, 12.706205),
            (30.0, 2.042272),
            (31.0, 2.039513446396408),
            (40.0, 2.021075390306273),
            (60.0, 2.0002978220142604),
            (1000.0, 1.9623390808264083),
        ] {
            let error = (student(freedom) - expected).abs();
            assert!(error < 2e-6, "{freedom}: {error}");
        }
        let between = student(3.4367105818760844);
        assert!((2.9655..2.98).contains(&between), "{between}");
        assert!(student(30.5) < student(30.0) && student(30.5) > student(31.0));
    }

    fn group(name: &str, results: &[f64]) -> (String, Vec<f64>) {
        (name.into(), results.to_vec())
    }

    #[test]
    fn groups_are_ranked_by_means_and_told_apart_by_welch() {
        let groups = [
            group("worse", &[0.88, 0.91, 0.86]),
            group("none", &[f64::NAN]),
            group("flattered", &[0.99, f64::NAN]),
            group("better", &[0.91, 0.93, 0.90, 0.92, 0.95]),
            group("far", &[0.1, 0.1, 0.11]),
            group("far too", &[0.1, 0.1, 0.11]),
        ];
        let ranked = rank(&groups, Better::Higher);
        let places: Vec<_> = ranked.iter().map(|r| (r.place, r.name.as_str())).collect();
        let expected = [
            (1, "better"),
            (2, "worse"),
            (3, "far"),
            (3, "far too"),
            (5, "flattered"),
            (6, "none"),
        ];
        assert_eq!(places, expected);
        assert_eq!((ranked[0].behind, ranked[4].behind, ranked[5].behind), (None, None, None));
        // scipy: `ttest_ind(equal_var=False).confidence_interval()`, turned round.
        let Interval { low, high } = ranked[1].behind.unwrap();
        assert!((low + 0.08873918629702102).abs() < 3e-4, "{low}");
        assert!((high - 0.011405852963687534).abs() < 3e-4, "{high}");
        assert!(ranked[1].behind.unwrap().holds(0.0) && !ranked[2].behind.unwrap().holds(0.0));
        let lower = rank(&groups, Better::Lower);
        assert_eq!(lower[0].name, "far");
        assert_eq!(rank(&[], Better::Lower), []);
    }
}
