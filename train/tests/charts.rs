//! Charts as they are drawn; `UPDATE_EXPECT=1` rewrites them. Look at the pictures before a commit.

use cellc_train::chart::{Axis, Bar, BarChart, Line, LineChart, Point, Spread, Theme, sparkline};
use expect_test::{ExpectFile, expect_file};

/// A run that falls towards an end, without any chance.
fn run(end: f64, rate: f64, places: u32) -> Vec<(f64, f64)> {
    let fallen = |i: u32| end + 2.0 * (-rate * f64::from(i) / 10.0).exp();
    (0..places).map(|i| (f64::from(i) * 500.0, fallen(i))).collect()
}

fn line(name: &str, end: f64, rate: f64, places: u32) -> Line {
    let runs = [0.7, 1.0, 1.2].map(|factor| run(end * factor, rate * factor, places));
    Line::of_runs(name, &runs, Spread::Deviation)
}

fn curves(y: Axis, lines: Vec<Line>) -> LineChart {
    LineChart { title: "Adding problem <100>".into(), x: Axis::linear("step", ""), y, lines }
}

fn some() -> Vec<Line> {
    let mut broken = line("broken & mended", 1.0, 0.5, 21);
    broken.points[10].y = f64::NAN;
    vec![line("lstm", 0.05, 2.0, 21), line("gru", 0.1, 1.5, 21), line("rnn", 0.6, 1.0, 13), broken]
}

fn check(chart: &str, expected: ExpectFile) {
    assert!(!chart.contains("NaN") && !chart.contains("inf"), "{chart}");
    expected.assert_eq(chart);
}

#[test]
fn curves_are_drawn_with_bands_and_names() {
    let chart = curves(Axis::linear("validation loss", "nats"), some());
    check(&chart.to_svg(Theme::Auto), expect_file!["charts/lines.svg"]);
    check(&chart.to_text(80, 20, false), expect_file!["charts/lines.txt"]);
    let plain = chart.to_text(80, 20, false);
    let coloured = chart.to_text(80, 20, true);
    assert!(coloured.contains("\u{1b}[38;5;33m"));
    let mut stripped = String::new();
    for part in coloured.split('\u{1b}') {
        stripped += part.strip_prefix('[').and_then(|p| p.split_once('m')).map_or(part, |p| p.1);
    }
    assert_eq!(stripped, plain);
    assert!(plain.lines().all(|line| line.chars().count() <= 80), "{plain}");
}

#[test]
fn a_logarithmic_axis_and_more_lines_than_colours() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let of = |(i, name): (u32, &str)| line(name, 0.01 * f64::from(i + 1), 2.0, 11);
    let mut lines: Vec<Line> = (0..).zip(names).map(of).collect();
    // A spread that reaches below 0 is drawn down to the end of the chart.
    lines[0].points[10].low = -1.0;
    let chart = curves(Axis::log("loss", ""), lines);
    check(&chart.to_svg(Theme::Light), expect_file!["charts/log.svg"]);
    check(&chart.to_text(70, 16, false), expect_file!["charts/log.txt"]);
}

fn bars(from_zero: bool) -> BarChart {
    let results =
        [("lstm", vec![0.94, 0.95, 0.93]), ("gru", vec![0.9, 0.92, 0.88]), ("rnn", vec![0.81])];
    let mut bars: Vec<Bar> = results
        .into_iter()
        .map(|(name, runs)| Bar::of_runs(name, &runs, Spread::Interval))
        .collect();
    bars.push(Bar::of_runs("diverged", &[f64::NAN], Spread::Interval));
    let axis = Axis::linear("held-out accuracy", "");
    BarChart { title: "Final quality".into(), axis, from_zero, bars }
}

#[test]
fn results_are_bars_from_zero_or_points() {
    check(&bars(true).to_svg(Theme::Auto), expect_file!["charts/bars.svg"]);
    check(&bars(false).to_svg(Theme::Dark), expect_file!["charts/points.svg"]);
}

#[test]
fn charts_of_nothing_are_charts() {
    let point = |y| Point { x: 1.0, y, low: y, high: y };
    let nothing = Line { name: "x".into(), points: vec![point(f64::NAN)] };
    let one = Line { name: "y".into(), points: vec![point(3.0)] };
    for y in [Axis::linear("loss", ""), Axis::log("loss", "")] {
        for lines in [vec![], vec![nothing.clone()], vec![one.clone(), nothing.clone()]] {
            let chart = LineChart { title: String::new(), ..curves(y.clone(), lines.clone()) };
            let has = |name| lines.iter().any(|line| line.name == name);
            let (svg, text) = (chart.to_svg(Theme::Auto), chart.to_text(0, 0, true));
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            assert_eq!(text.contains("x no result"), has("x"), "{text}");
            assert_eq!(text.contains("y 3.00"), has("y"), "{text}");
        }
    }
    let chart = BarChart { bars: vec![], ..bars(true) };
    assert!(chart.to_svg(Theme::Auto).ends_with("</svg>\n"));
}

#[test]
fn a_sparkline_shows_the_course() {
    assert_eq!(sparkline(&[0.0, 1.0, 2.0, 7.0], 10), "▁▂▃█");
    assert_eq!(sparkline(&[0.0, 0.0, 7.0, 7.0, f64::NAN, 1.0], 3), "▁█ ");
    assert_eq!(sparkline(&[2.0, 2.0], 10), "▅▅");
    assert_eq!(sparkline(&[], 10), "");
    assert_eq!(sparkline(&[1.0], 0), "");
}
