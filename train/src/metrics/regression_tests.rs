//! Scores against those of scikit-learn 1.9.1 (`mean_absolute_error`, the root of
//! `mean_squared_error`, `r2_score` with `multioutput="variance_weighted"`); sMAPE and MASE, which it
//! does not have, against their formulas in NumPy.

use super::*;

fn channels(naive: [Option<f64>; 2]) -> Vec<Channel> {
    let named = ["heat", "load"].into_iter().zip(naive);
    named.map(|(name, naive)| Channel { name: name.into(), naive }).collect()
}

fn forecasts() -> Regression {
    let mut regression = Regression::new(2, channels([Some(0.5), Some(4.0)]));
    regression.add(&[1.0, 10.0, 2.0, 20.0], &[1.5, 12.0, 2.0, 18.0]);
    regression.add(&[3.0, -30.0, 5.0, 40.0], &[2.0, -33.0, 6.0, 40.0]);
    regression.add(&[2.0, 10.0, 2.5, 0.0], &[2.0, 9.0, 3.0, 0.0]);
    regression
}

#[track_caller]
fn check(score: Option<RegressionScore>, count: u64, expected: [f64; 5]) {
    let score = score.unwrap();
    assert_eq!(score.count, count);
    let got = [score.mae, score.rmse, score.r2.unwrap(), score.smape, score.mase.unwrap()];
    for (got, expected) in got.into_iter().zip(expected) {
        assert!((got - expected).abs() < 1e-14 * expected.abs().max(1.0), "{got}, not {expected}");
    }
}

#[test]
fn what_is_constant_has_no_share_in_what_is_explained() {
    let mut regression = Regression::new(1, channels([None, None]));
    for (truth, forecast) in [([1.0, 5.0], [1.5, 5.0]), ([2.0, 5.0], [2.0, 6.0])] {
        regression.add(&truth, &forecast);
    }
    regression.add(&[4.0, 5.0], &[4.0, 5.0]);
    let r2 = regression.scores().unwrap().overall.r2.unwrap();
    assert!((r2 - (1.0 - 0.25 / (14.0 / 3.0))).abs() < 1e-14, "{r2}");
    // Of each place there is one number alone, so nothing varies.
    let mut one = Regression::new(1, channels([None, None]));
    one.add(&[1.0, 5.0], &[1.5, 5.0]);
    assert_eq!(one.scores().unwrap().overall.r2, None);
}

#[test]
fn scores_are_those_of_scikit_learn() {
    let scores = forecasts().scores().unwrap();
    let overall =
        [0.9166666666666666, 1.3070322617798436, 0.9890598594681135, 13.76015797068429, 2.0 / 3.0];
    check(Some(scores.overall), 12, overall);
    let first = [1.25, 1.594260539142416, 0.9857298814722395, 19.705323915850233, 0.75];
    check(scores.steps[0], 6, first);
    let second = 7.0 / 12.0;
    let second = [second, 0.9354143466934853, 0.9934796108466156, 7.814992025518342, second];
    check(scores.steps[1], 6, second);
    let heat = [0.5, 0.6454972243679028, 0.6511627906976745, 19.393939393939394, 1.0];
    check(scores.channels[0].score, 6, heat);
    let load = [4.0 / 3.0, 1.7320508075688772, 0.9903571428571428, 8.12637654742918, 1.0 / 3.0];
    check(scores.channels[1].score, 6, load);
}

fn of_one(truth: &[f64], forecast: &[f64], naive: Option<f64>) -> RegressionScore {
    let mut regression = Regression::new(1, vec![Channel { name: "x".into(), naive }]);
    for (&truth, &forecast) in truth.iter().zip(forecast) {
        regression.add(&[truth], &[forecast]);
    }
    regression.scores().unwrap().overall
}

#[test]
fn what_does_not_vary_has_scikit_learns_determination() {
    assert_eq!(of_one(&[1.0, 1.0], &[1.0, 1.0], None).r2, Some(1.0));
    assert_eq!(of_one(&[1.0, 1.0], &[1.0, 2.0], None).r2, Some(0.0));
    assert_eq!(of_one(&[1.0], &[2.0], None).r2, None);
    // Squares of what varies little about a large mean are not lost.
    let r2 = of_one(&[1e9, 1e9 + 1.0, 1e9 + 2.0], &[1e9, 1e9 + 1.0, 1e9 + 1.0], None).r2;
    assert!((r2.unwrap() - 0.5).abs() < 1e-6, "{r2:?}");
}

#[test]
fn zeros_and_naive_forecasts_without_error_divide_nothing() {
    let score = of_one(&[0.0, 0.0], &[0.0, 3.0], Some(0.0));
    assert_eq!((score.smape, score.mase), (100.0, None));
    let mut regression = Regression::new(1, channels([None, Some(2.0)]));
    regression.add(&[0.0, 0.0], &[9.0, 1.0]);
    let scores = regression.scores().unwrap();
    assert_eq!(scores.overall.mase, Some(0.5));
    assert_eq!(scores.channels[0].score.unwrap().mase, None);
}

#[test]
fn gaps_do_not_count_and_forecasts_that_are_no_numbers_do() {
    assert_eq!(Regression::new(2, channels([None, None])).scores(), None);
    assert_eq!(Regression::new(0, Vec::new()).scores(), None);
    let mut regression = Regression::new(2, channels([None, None]));
    regression.add(&[1.0_f32, f32::NAN, f32::NAN, f32::NAN], &[2.0, 0.0, 0.0, f32::NAN]);
    let scores = regression.scores().unwrap();
    assert_eq!((scores.overall.count, scores.overall.mae), (1, 1.0));
    assert_eq!((scores.steps[1], scores.channels[1].score), (None, None));
    let expected = "           MAE   RMSE  MASE  R2  sMAPE %  numbers
overall      -      -     -   -    66.67        1
step 1       -      -     -   -    66.67        1
step 2       -      -     -   -        -        0
heat     1.000  1.000     -   -    66.67        1
load         -      -     -   -        -        0
";
    assert_eq!(scores.to_string(), expected);
    let json = serde_json::to_value(&scores).unwrap();
    assert_eq!(serde_json::from_value::<RegressionScores>(json).unwrap(), scores);
    let score = of_one(&[1.0, 1.0], &[1.0, f64::NAN], None);
    assert!(score.mae.is_nan() && score.smape.is_nan() && score.r2.unwrap().is_nan());
    assert_eq!(serde_json::to_value(score).unwrap()["rmse"], serde_json::Value::Null);
}

#[test]
fn the_naive_forecast_says_what_was_a_season_ago() {
    let mut naive = NaiveErrors::new(2, 1);
    naive.add(&[1.0, 5.0, 2.0, 5.0, 4.0, 5.0]);
    naive.add(&[100.0, f64::NAN]);
    assert_eq!(naive.means(), [Some(1.5), Some(0.0)]);
    let mut naive = NaiveErrors::new(1, 2);
    naive.add(&[1.0, f64::NAN, 4.0, 7.0]);
    assert_eq!(naive.means(), [Some(3.0)]);
    assert_eq!(NaiveErrors::new(1, 1).means(), [None]);
}

#[test]
fn units_are_not_mixed_and_the_naive_forecast_stands_beside() {
    let scores = forecasts().scores().unwrap();
    let mut naive = Regression::new(2, channels([Some(0.5), Some(4.0)]));
    naive.add(&[1.0, 10.0, 2.0, 20.0], &[2.0, 14.0, 3.0, 24.0]);
    let naive = naive.scores().unwrap();
    let expected = "            MAE  naive    RMSE  naive    MASE  naive      R2  sMAPE %  numbers
overall       -      -       -      -  0.6667  1.500       -    13.76       12
heat     0.5000  1.000  0.6455  1.000   1.000  2.000  0.6512    19.39        6
load      1.333  4.000   1.732  4.000  0.3333  1.000  0.9904    8.126        6
";
    assert_eq!(scores.table(Some(&naive), false), expected);
    assert_eq!(scores.table(Some(&naive), true).lines().count(), 6);
    let headline = "MASE 0.6667 (the naive forecast: 1.500), the mean over 2 targets";
    assert_eq!(scores.headline(Some(&naive)), headline);
    let unmixed = scores.clone().unmixed();
    assert!(unmixed.overall.mae.is_nan() && unmixed.steps[1].unwrap().r2.is_none());
    assert_eq!((unmixed.channels, unmixed.overall.mase), (scores.channels, scores.overall.mase));
    let one = |forecast: &[f64]| {
        let mut one = Regression::new(1, vec![Channel { name: "load".into(), naive: Some(2.0) }]);
        one.add(&[1.0], forecast);
        one.scores().unwrap()
    };
    let headline = "MAE 1.000 (the naive forecast: 3.000), RMSE 1.000 (3.000) of `load` in its unit, \
                    MASE 0.5000 (1.500)";
    assert_eq!(one(&[2.0]).headline(Some(&one(&[4.0]))), headline);
    // A target without a naive error has no MASE, which is said.
    let mut partly = Regression::new(1, channels([None, Some(2.0)]));
    partly.add(&[1.0, 1.0], &[2.0, 2.0]);
    let partly = partly.scores().unwrap().headline(None);
    assert_eq!(partly, "MASE 0.5000, the mean over 1 of 2 targets");
}

#[test]
fn numbers_have_four_digits() {
    let shown = [12345.6, 0.00012345, 1e-9, 0.0, -2.5, f64::NAN, 9.99996].map(four_digits);
    assert_eq!(shown, ["12346", "0.0001234", "1.000e-9", "0", "-2.500", "NaN", "10.000"]);
}
