//! Scores against those of scikit-learn 1.9.1 (`accuracy_score`, `balanced_accuracy_score`,
//! `f1_score`, `matthews_corrcoef` and `precision_recall_fscore_support`, `zero_division=0`).

use super::*;

fn confusion(truth: &[usize], predictions: &[usize]) -> Confusion {
    let mut confusion = Confusion::new(["a", "b", "c", "d"].map(String::from).to_vec());
    for (&truth, &prediction) in truth.iter().zip(predictions) {
        confusion.add(truth, prediction);
    }
    confusion
}

#[track_caller]
fn check(truth: &[usize], predictions: &[usize], expected: [f64; 6]) -> Classification {
    let scores = confusion(truth, predictions).scores().unwrap();
    let got = [
        scores.accuracy,
        scores.balanced_accuracy,
        scores.macro_f1,
        scores.micro_f1,
        scores.weighted_f1,
        scores.matthews,
    ];
    for (got, expected) in got.into_iter().zip(expected) {
        assert!((got - expected).abs() < 1e-15, "{got} and not {expected}: {scores:?}");
    }
    scores
}

#[test]
fn scores_are_those_of_scikit_learn() {
    let scores = check(
        &[0, 0, 0, 1, 1, 2, 2, 2, 2, 1],
        &[0, 1, 0, 1, 1, 2, 0, 2, 1, 1],
        [0.7, 0.7222222222222222, 0.6944444444444443, 0.7, 0.6916666666666667, 0.5940401295066863],
    );
    let class = |i: usize| {
        let class = &scores.classes[i];
        (class.precision, class.recall, class.f1, class.support, class.predicted)
    };
    assert_eq!(class(0), (2.0 / 3.0, 2.0 / 3.0, 2.0 / 3.0, 3, 3));
    assert_eq!(class(1), (0.6, 1.0, 0.75, 3, 5));
    assert_eq!(class(2), (1.0, 0.5, 2.0 / 3.0, 4, 2));
    assert_eq!(class(3), (0.0, 0.0, 0.0, 0, 0));
}

#[test]
fn quotients_by_zero_are_zero_and_absent_classes_do_not_count() {
    // `d` is predicted but never right, `c` does neither.
    let sixth = 1.0 / 6.0;
    let expected =
        [4.0 * sixth, 0.75, 0.5555555555555555, 4.0 * sixth, 7.0 / 9.0, 0.6123724356957946];
    check(&[0, 0, 1], &[0, 3, 1], expected);
    check(&[1, 1], &[1, 1], [1.0, 1.0, 1.0, 1.0, 1.0, 0.0]);
    check(&[0, 1], &[1, 0], [0.0, 0.0, 0.0, 0.0, 0.0, -1.0]);
    check(&[0, 0, 0], &[0, 0, 1], [2.0 / 3.0, 2.0 / 3.0, 0.4, 2.0 / 3.0, 0.8, 0.0]);
}

#[test]
fn nothing_has_no_scores() {
    assert_eq!(confusion(&[], &[]).scores(), None);
    assert_eq!(Confusion::new(Vec::new()).scores(), None);
    assert_eq!(Confusion::new(Vec::new()).to_string(), "truth \\ predicted\n");
}

#[test]
#[should_panic(expected = "a class beyond the 4 there are")]
fn there_are_no_other_classes() {
    confusion(&[0], &[4]);
}

#[test]
fn a_small_matrix_is_drawn_with_its_labels() {
    let mut confusion = Confusion::new(vec!["bad".into(), "a rather long label".into()]);
    for (truth, prediction) in [(0, 0), (0, 0), (1, 0), (1, 1)] {
        confusion.add(truth, prediction);
    }
    let expected = "\
truth \\ predicted  bad  a rather …
bad                  2           ·
a rather long l…     1           1
";
    assert_eq!(confusion.to_string(), expected);
    let expected = "\
class                precision  recall     F1  examples
bad                      0.667   1.000  0.800         2
a rather long label      1.000   0.500  0.667         2

accuracy              0.750
balanced accuracy     0.750
macro F1              0.733
weighted F1           0.733
Matthews correlation  0.577
";
    assert_eq!(confusion.scores().unwrap().to_string(), expected);
}

#[test]
fn of_many_classes_the_most_frequent_are_drawn_and_the_worst_confusions_listed() {
    let labels = (0..25).map(|i| format!("label {i}")).collect();
    let mut confusion = Confusion::new(labels);
    for class in 0..25 {
        for _ in 0..class + 10 {
            confusion.add(class, class);
        }
    }
    confusion.add(24, 0);
    confusion.add(24, 0);
    confusion.add(7, 8);
    let text = confusion.to_string();
    let lines: Vec<&str> = text.lines().collect();
    // The head, 20 classes, the rest; a blank, the head of the list, two confusions.
    assert_eq!(lines.len(), 1 + 20 + 1 + 2 + 2, "{text}");
    assert!(lines[1].starts_with(" 1 label 5 "), "{text}");
    assert!(lines[20].starts_with("20 label 24 ") && lines[20].ends_with("34   2"), "{text}");
    assert!(lines[21].starts_with("21 5 others ") && lines[21].ends_with(" 60"), "{text}");
    assert_eq!(lines[23], "worst confusions");
    assert_eq!(lines[24], "label 24 taken for label 0  2");
    assert_eq!(lines[25], "label 7 taken for label 8   1");
    assert!(lines.iter().all(|line| line.chars().count() <= 130), "{text}");
}

#[test]
fn scores_are_kept_as_json() {
    let scores = confusion(&[0, 1, 1], &[0, 0, 0]).scores().unwrap();
    let json = serde_json::to_value(&scores).unwrap();
    assert_eq!(json["examples"], 3);
    assert_eq!(json["classes"][1]["label"], "b");
    let confused = serde_json::json!([
        { "truth": "a", "prediction": "a", "count": 1 },
        { "truth": "b", "prediction": "a", "count": 2 },
    ]);
    assert_eq!(json["confusion"], confused);
    assert_eq!(serde_json::from_value::<Classification>(json).unwrap(), scores);
}
