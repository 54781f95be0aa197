use super::*;
use crate::blueprint::CellText;
use crate::experiment::Experiment;
use crate::task::{self, KINDS, Kind};
use crate::trainer::{End, Silent, train};

const NAMES: [&str; 8] =
    ["adding", "copy", "temporal_order", "two_sequence", "reber", "anbn", "anbncn", "mackey_glass"];

fn kinds() -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().filter(|kind| NAMES.contains(&kind.name))
}

fn loaded(name: &str, options: &str, seed: u64) -> Loaded {
    let options = options.parse().unwrap();
    (task::find(name).unwrap().load)(&options, Context { batch: 4, seed }).unwrap()
}

fn refused(name: &str, options: &str) -> String {
    let options = options.parse().unwrap();
    let loaded = (task::find(name).unwrap().load)(&options, Context { batch: 4, seed: 1 });
    loaded.err().unwrap().to_string()
}

fn numbers(data: &Data) -> &[f32] {
    match data {
        Data::Reals(reals) => reals,
        Data::Symbols(_) => panic!("numbers are read"),
    }
}

fn classes(targets: &Targets) -> &[u32] {
    match targets {
        Targets::Classes(classes) => classes,
        Targets::Reals(_) => panic!("classes are answered"),
    }
}

fn reals(targets: &Targets) -> &[f32] {
    match targets {
        Targets::Reals(reals) => reals,
        Targets::Classes(_) => panic!("numbers are answered"),
    }
}

/// Batches as text: a NaN is not equal to itself.
fn said(batches: Vec<Batch>) -> String {
    format!("{batches:?}")
}

#[test]
fn batches_depend_on_seed_epoch_and_number_alone() {
    for kind in kinds() {
        let epoch = |seed, epoch, skipped| {
            let loaded = loaded(kind.name, "examples = 10", seed);
            assert_eq!(loaded.task.batches_per_epoch(), 3, "{}", kind.name);
            loaded.task.epoch(epoch, skipped).map(Result::unwrap).collect::<Vec<_>>()
        };
        let first = epoch(1, 0, 0);
        assert_eq!(first.iter().map(|batch| batch.extent.batch).sum::<usize>(), 10);
        assert_eq!(said(epoch(1, 0, 1)), said(first[1..].to_vec()), "{}", kind.name);
        for other in [epoch(1, 1, 0), epoch(2, 0, 0)] {
            assert_ne!(said(other), said(first.clone()), "{}", kind.name);
        }
        assert_ne!(said(first[..1].to_vec()), said(first[1..2].to_vec()), "{}", kind.name);
    }
}

#[test]
fn codecs_are_what_was_kept() {
    for kind in kinds() {
        let codec = loaded(kind.name, "examples = 10", 1).codec;
        let again = (kind.codec)(codec.kept()).unwrap();
        assert_eq!((again.kept(), again.interface()), (codec.kept(), codec.interface()));
        assert_eq!(again.labels(), codec.labels());
    }
}

#[test]
fn options_without_a_meaning_are_refused() {
    let cases = [
        ("adding", "length = 1", "length"),
        ("copy", "delay = 0", "delay"),
        ("temporal_order", "marks = 4", "marks"),
        ("two_sequence", "informative = 101", "informative"),
        ("anbn", "most = 0", "most"),
        ("anbncn", "judged = 0", "judged"),
        ("mackey_glass", "silent = 300", "silent"),
        ("mackey_glass", "points = 383", "points"),
        ("reber", "examples = 0", "examples"),
    ];
    for (name, options, option) in cases {
        let fault = refused(name, options);
        assert!(fault.starts_with(&format!("option `{option}` of task `{name}`: ")), "{fault}");
    }
    assert!(refused("two_sequence", "variant = 'd'").contains("option `variant`"));
}

#[test]
fn sizes_beyond_any_memory_are_refused() {
    let beyond = [
        ("adding", "length"),
        ("copy", "delay"),
        ("two_sequence", "length"),
        ("anbn", "most"),
        ("anbn", "judged"),
        ("anbncn", "judged"),
        ("mackey_glass", "length"),
        ("mackey_glass", "points"),
        ("mackey_glass", "ahead"),
        ("adding", "examples"),
        ("reber", "examples"),
        ("temporal_order", "examples"),
    ];
    for (name, option) in beyond {
        for value in ["100000000000", "9223372036854775807"] {
            let fault = refused(name, &format!("{option} = {value}\n"));
            let told = if option == "ahead" { "points" } else { option };
            assert!(fault.starts_with(&format!("option `{told}` of task `{name}`: ")), "{fault}");
            // What is ahead has its bound by the points.
            assert!(option == "ahead" || fault.contains(": take up to "), "{fault}");
        }
    }
    let fault = refused("mackey_glass", "points = 1000000\nsilent = 299");
    assert!(fault.contains("numbers would be held out, of up to 100000000; take less"), "{fault}");
    let fault = refused("adding", "length = 10001");
    assert_eq!(fault, "option `length` of task `adding`: 10001 is too much: take up to 10000");
}

#[test]
fn one_of_either_half_is_marked_and_their_sum_answered() {
    let mut rng = rng(1, "test", [0, 0]);
    let problem: adding::Adding = parse("adding", &"length = 7".parse().unwrap()).unwrap();
    let mut seen = [false; 7];
    for _ in 0..200 {
        let example = problem.example(&mut rng);
        let pairs: Vec<_> = numbers(&example.data).chunks_exact(2).collect();
        let marked: Vec<_> = (0..7).filter(|&i| pairs[i][1] == 1.0).collect();
        assert!(marked.len() == 2 && marked[0] < 3 && marked[1] >= 3, "{marked:?}");
        marked.iter().for_each(|&i| seen[i] = true);
        assert_eq!(reals(&example.targets), [pairs[marked[0]][0] + pairs[marked[1]][0]]);
    }
    assert_eq!(seen, [true; 7]);
    let baseline = loaded("adding", "", 1).task.baseline().unwrap();
    assert!((baseline - 1.0 / 6.0).abs() < 0.02, "{baseline}");
}

#[test]
fn a_copy_comes_after_the_sign() {
    let codec = loaded("copy", "delay = 3", 1).codec;
    let example = codec.question("1122334455").unwrap();
    let width = 10;
    let read = symbols::of_one_hot(&example.data, width);
    assert_eq!(symbols::written(&read, "12345678_!"), "1122334455__!__________");
    let answered = symbols::written(classes(&example.targets), "12345678_!");
    assert_eq!(answered, "_____________1122334455");
    assert!(codec.question("112233445").unwrap_err().contains("found 9"));
    assert!(codec.question("1122334459").unwrap_err().contains("symbol 10 is `9`"));
}

/// Answers that are certain of the right classes, or right themselves.
fn perfect(batch: &Batch, answers: Answers) -> Vec<f32> {
    match (&batch.targets, answers) {
        (Targets::Reals(reals), _) => {
            reals.iter().map(|x| if x.is_nan() { 9.0 } else { *x }).collect()
        }
        (Targets::Classes(classes), Answers::Classes(count)) => {
            let row = |class: &u32| {
                (0..count as u32).map(|i| if i == *class { 9.0 } else { 0.0 }).collect::<Vec<_>>()
            };
            classes.iter().flat_map(row).collect()
        }
        _ => panic!("classes are numbered"),
    }
}

#[test]
fn figures_tell_right_from_wrong() {
    let figure = |name: &str, answer: &mut Answer<'_>| {
        let task = loaded(name, "", 1).task;
        (task.figures(answer).unwrap()[0].value, task.solved(answer).unwrap())
    };
    let right = [
        ("adding", 0.0, false),
        ("copy", 1.0, true),
        ("temporal_order", 0.0, true),
        ("two_sequence", 0.0, true),
        ("anbn", 200.0, false),
        ("anbncn", 200.0, false),
        ("mackey_glass", 0.0, false),
    ];
    for (name, expected, solved) in right {
        let answers = loaded(name, "", 1).codec.interface().answers;
        let found = figure(name, &mut |batch| Ok(perfect(batch, answers)));
        assert_eq!(found, (expected, solved), "{name}");
        // The answers to the last batch in another order.
        let (value, solved) = figure(name, &mut |batch| {
            let mut answers = perfect(batch, answers);
            answers.rotate_right(1);
            Ok(answers)
        });
        assert!((value - expected).abs() > 0.01 && !solved, "{name}: {value}");
    }
}

#[test]
fn a_string_of_the_grammar_is_foreseen_by_all_that_may_follow() {
    let task = loaded("reber", "", 1).task;
    // Who knows the grammar, but not the second symbol any more.
    let foreseen = |answer: &mut dyn FnMut(usize, &[u32]) -> Vec<u32>| {
        let mut answers = |batch: &Batch| {
            let Extent { steps, batch: columns } = batch.extent;
            let mut scores = vec![0.0; steps * columns * 7];
            let read = symbols::of_one_hot(&batch.data, 7);
            for column in 0..columns {
                let string: Vec<_> = (0..steps).map(|step| read[step * columns + column]).collect();
                for step in 0..steps {
                    for symbol in answer(step, &string[..=step]) {
                        scores[(step * columns + column) * 7 + symbol as usize] = 1.0;
                    }
                }
            }
            Ok(scores)
        };
        let figures = task.figures(&mut answers).unwrap();
        let solved = task.solved(&mut answers).unwrap();
        (figures[0].value, figures[1].value, solved)
    };
    let legal = |string: &[u32]| {
        let places = reber::places(string);
        places.map_or_else(|_| Vec::new(), |places| places[string.len()].legal())
    };
    assert_eq!(foreseen(&mut |_, string| legal(string)), (1.0, 1.0, true));
    let (all, outer, solved) = foreseen(&mut |_, string| {
        let mut forgot = string.to_vec();
        if forgot.len() > 1 {
            forgot[1] = 1;
        }
        legal(&forgot)
    });
    assert!((0.3..0.7).contains(&all) && all == outer && !solved, "{all}, {outer}");
    // One of two that may follow is not enough.
    let (all, outer, _) = foreseen(&mut |_, string| legal(string).into_iter().take(1).collect());
    assert_eq!((all, outer), (0.0, 1.0));
}

#[test]
fn strings_of_the_grammar_are_legal_and_others_refused() {
    let codec = loaded("reber", "", 1).codec;
    let mut rng = rng(1, "test", [0, 0]);
    for _ in 0..100 {
        let string = reber::string(&mut rng);
        assert_eq!(string[1], string[string.len() - 2]);
        let example = codec.question(&symbols::written(&string, "BTPSXVE")).unwrap();
        assert_eq!(classes(&example.targets), &string[1..]);
    }
    for string in ["BTBTXSETE", "BPBPVVEPE", "BTBTSSXXTVPSETE"] {
        assert!(codec.question(string).is_ok(), "{string}");
    }
    let refused = |string| codec.question(string).unwrap_err();
    assert_eq!(refused("BTBTXSEPE"), "symbol 8 cannot follow: only one of `T` can");
    assert_eq!(refused("BTBTXB"), "symbol 6 cannot follow: only one of `XS` can");
    assert_eq!(refused("BTBTX"), "the string is not complete");
    assert_eq!(refused("BQ"), "symbol 2 is `Q`, not one of `BTPSXVE`");
}

#[test]
fn what_may_follow_in_a_language_that_counts() {
    let codec = loaded("anbncn", "", 1).codec;
    let example = codec.question("SaabbccT").unwrap();
    // Of S T a b c, after each of S a a b b c c.
    let expected = ["001__", "0011_", "0011_", "0001_", "00001", "00001", "01000"];
    for (row, expected) in reals(&example.targets).chunks_exact(5).zip(expected) {
        let found: Vec<_> = row.iter().map(|x| *x == 1.0).collect();
        assert_eq!(found, expected.chars().map(|c| c == '1').collect::<Vec<_>>());
    }
    assert!(codec.question("SaabbcT").is_err() && codec.question("ST").is_err());
    let task = loaded("anbn", "most = 3", 1).task;
    let batches = task.epoch(0, 0).take(50).map(Result::unwrap);
    let longest = batches.map(|batch| batch.extent.steps).max().unwrap();
    assert_eq!(longest, 1 + 2 * 3);
}

#[test]
fn marks_stand_where_the_paper_has_them() {
    let mut rng = rng(1, "test", [0, 0]);
    for marks in [2, 3] {
        let options = format!("marks = {marks}").parse().unwrap();
        let problem: temporal_order::TemporalOrder = parse("temporal_order", &options).unwrap();
        let codec = loaded("temporal_order", &format!("marks = {marks}"), 1).codec;
        let places: &[_] = match marks {
            2 => &[10..=20, 50..=60],
            _ => &[10..=20, 33..=43, 66..=76],
        };
        for _ in 0..100 {
            let example = problem.example(&mut rng);
            let string = symbols::written(&symbols::of_one_hot(&example.data, 8), "EBabcdXY");
            assert!((100..=110).contains(&string.len()));
            assert!(string.starts_with('E') && string.ends_with('B'));
            let found: Vec<_> = string.char_indices().filter(|(_, c)| "XY".contains(*c)).collect();
            assert_eq!(found.len(), marks);
            assert!(found.iter().zip(places).all(|((at, _), place)| place.contains(&(at + 1))));
            let label: String = found.iter().map(|(_, mark)| *mark).collect();
            assert_eq!(codec.labels()[classes(&example.targets)[0] as usize], label);
            assert_eq!(codec.question(&string).unwrap(), example);
        }
    }
    let baseline = loaded("temporal_order", "", 1).task.baseline().unwrap();
    assert!((0.25..0.3).contains(&baseline), "{baseline}");
}

#[test]
fn the_beginning_tells_the_class() {
    let mut rng = rng(1, "test", [0, 0]);
    for (variant, targets) in [("a", [1.0, 0.0]), ("b", [1.0, 0.0]), ("c", [0.2, 0.8])] {
        let options = format!("variant = '{variant}'\nlength = 50").parse().unwrap();
        let problem: two_sequence::TwoSequence = parse("two_sequence", &options).unwrap();
        let judged = problem.held_out(&mut rng);
        let mut noise = Vec::new();
        for example in &judged {
            let read = numbers(&example.data);
            assert!((50..=55).contains(&read.len()));
            let positive = read[..3].iter().sum::<f32>() > 0.0;
            // Noise turns the sum of three round once in ten thousand times.
            let target = targets[usize::from(!positive)];
            assert_eq!(reals(&example.targets), [target], "{read:?}");
            noise.extend(read[3..].iter().map(|x| f64::from(x * x)));
        }
        let variance = noise.iter().sum::<f64>() / noise.len() as f64;
        assert!((variance - 0.2).abs() < 0.01, "{variance}");
        let learnt: Vec<_> = (0..500).map(|_| problem.example(&mut rng)).collect();
        let exact = learnt.iter().filter(|e| targets.contains(&reals(&e.targets)[0])).count();
        assert_eq!(exact, if variant == "c" { 0 } else { 500 });
    }
}

#[test]
fn the_series_is_that_of_the_equation() {
    // Ten times finer steps, in the plainest way (Euler), from the same past.
    let (fine, delay, past) = (1000, 17 * 1000, 1.2);
    let mut x = vec![past; delay + 1];
    for i in 0..60 * fine {
        let (now, then): (f64, f64) = (x[x.len() - 1], x[i]);
        x.push(now + (0.2 * then / (1.0 + then.powi(10)) - 0.1 * now) / f64::from(fine as u32));
    }
    let found = mackey_glass::integrate(past, 60);
    for (unit, found) in found.iter().enumerate() {
        let expected = x[delay + unit * fine];
        assert!((found - expected).abs() < 1e-3, "{found}, not {expected}, at {unit}");
    }
    let task = loaded("mackey_glass", "ahead = 5\nlength = 20\nsilent = 3", 1).task;
    let batch = task.epoch(0, 0).next().unwrap().unwrap();
    let (read, targets) = (numbers(&batch.data), reals(&batch.targets));
    for at in 0..80 {
        match at / 4 {
            0..3 => assert!(targets[at].is_nan()),
            3..15 => assert_eq!(targets[at], read[at + 5 * 4]),
            _ => assert!(targets[at].is_finite()),
        }
    }
    let baseline = task.baseline().unwrap();
    assert!((0.8..1.2).contains(&baseline), "{baseline}");
}

#[test]
fn shorter_strings_are_padded_at_their_ends() {
    let codec = loaded("anbn", "", 1).codec;
    let examples = ["SabT", "SaabbT"].map(|line| codec.question(line).unwrap());
    let batch = beside(&examples, &codec.interface());
    assert_eq!(batch.extent, Extent { steps: 5, batch: 2 });
    assert!(batch.mask.is_empty());
    let (read, targets) = (numbers(&batch.data), reals(&batch.targets));
    assert_eq!(read[6 * 4..7 * 4], [0.0; 4], "nothing comes after the shorter");
    assert_eq!(batch.targets.count(4), 8.0);
    assert!(targets[6 * 4].is_nan() && !targets[7 * 4].is_nan());
}

#[test]
fn lines_of_a_file_are_judged_one_by_one() {
    let codec = loaded("reber", "", 1).codec;
    let path = tempfile::NamedTempFile::new().unwrap();
    let judged = |text: &str| {
        std::fs::write(path.path(), text).unwrap();
        let mut options = toml::Table::new();
        options.insert("data".into(), path.path().to_str().unwrap().into());
        codec.judged(&options).map_err(|error| error.to_string())
    };
    assert_eq!(judged("BTBTXSETE\n\nBPBPVVEPE\n").unwrap().batches().count(), 2);
    let fault = judged("BTBTXSETE\nBX\n").unwrap_err();
    assert!(fault.ends_with(":2: symbol 2 cannot follow: only one of `TP` can"), "{fault}");
}

/// Trains by the defaults of a kind, but for a layer: the reason for the end, the steps, and the loss.
fn trained(name: &str, layer: &str) -> (End, u64, f64) {
    let named = format!("[task]\nname = '{name}'").parse().unwrap();
    let experiment = Experiment::layered(&[named, layer.parse().unwrap()]).unwrap();
    let cells = experiment.model.cell_names().into_iter().map(CellText::of_catalogue);
    let cells = cells.collect::<Result<_, _>>().unwrap();
    let mut ready = experiment.ready(cells).unwrap();
    let settings = &ready.experiment.training;
    let task = ready.loaded.task.as_ref();
    let outcome = train(task, &mut ready.model, settings, None, &mut Silent).unwrap();
    (outcome.end, outcome.steps, outcome.held_out.unwrap().mean_loss())
}

#[test]
fn problems_are_learnt_from() {
    let few = "[training]\nsteps = 1\nevaluate_every = 100";
    let more = "[training]\nsteps = 40\nevaluate_every = 100";
    // One of each way to ask: numbers at the end, symbols at each step, a class at the end.
    for name in ["adding", "reber", "temporal_order"] {
        let [begun, learnt] = [few, more].map(|layer| trained(name, layer).2);
        assert!(learnt < begun, "{name}: {learnt} after {begun}");
    }
}

#[test]
fn a_training_ends_when_its_task_is_solved() {
    let (end, steps, loss) =
        trained("two_sequence", "[task]\nlength = 5\n[training]\nsteps = 4000");
    assert_eq!(end, End::Solved, "loss {loss} after {steps}");
    assert!(steps < 4000 && steps % 50 == 0, "{steps}");
}
