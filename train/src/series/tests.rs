use std::cell::RefCell;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Duration;

use super::budget::{Budget, parameters};
use super::compare::compare;
use super::report::Report;
use super::sweep::{Axis, Search, choices, keyed, sweep};
use super::*;
use crate::experiment::Settings;
use crate::trainer::{Evaluation, Step, estimate};

/// A few reviews, a small model, few steps.
fn base(more: &str) -> Experiment {
    let small = "[task]\nexamples = 60\n[model]\nhidden = 4\nembedding = 3\n\
                 [training]\nbatch = 4\nsteps = 6\nevaluate_every = 3\n";
    let layers = [small, more].map(|layer| layer.parse().unwrap());
    Experiment::layered(&layers).unwrap()
}

fn cells(names: &[&str]) -> (Vec<String>, Vec<CellText>) {
    let texts = names.iter().map(|name| CellText::of_catalogue(name).unwrap());
    (names.iter().map(ToString::to_string).collect(), texts.collect())
}

fn compared(names: &[&str], more: &str, budget: Budget) -> Result<Plan, String> {
    let (names, texts) = cells(names);
    compare(&base(more), &names, texts, 2, budget).map_err(|error| error.to_string())
}

/// Breaks after so many steps of all runs, and notes which runs and steps there were.
struct Stop {
    after: usize,
    seen: Rc<RefCell<Vec<(usize, u64)>>>,
    number: usize,
}

impl Watcher for Stop {
    fn step(&mut self, step: &Step) -> ControlFlow<()> {
        let mut seen = self.seen.borrow_mut();
        seen.push((self.number, step.step));
        if seen.len() == self.after { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn evaluated(&mut self, _: &Evaluation) {}

    fn not_kept(&mut self, error: &CheckpointError) {
        panic!("{error}");
    }

    fn ended(&mut self, _: Option<&RunResult>) {}
}

/// Trains until so many steps were taken; gives the results and the steps.
fn train(series: &Series, after: usize) -> (Vec<Option<RunResult>>, Vec<(usize, u64)>) {
    let seen = Rc::default();
    let watch = &mut |turn: &Turn<'_>| -> Box<dyn Watcher> {
        Box::new(Stop { after, seen: Rc::clone(&seen), number: turn.number })
    };
    let results = series.run(watch).unwrap();
    let seen = seen.borrow().clone();
    (results, seen)
}

#[test]
fn a_comparison_that_is_gone_on_with_is_the_one_that_was_not_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let plan = compared(&["rnn", "gru"], "", Budget::Steps).unwrap();
    let names: Vec<&str> = plan.trials.iter().map(|trial| trial.name.as_str()).collect();
    assert_eq!(names, ["rnn-1", "gru-1", "rnn-2", "gru-2"]);
    let whole = Series::create(&folder.path().join("whole"), plan.clone()).unwrap();
    let (expected, seen) = train(&whole, 0);
    assert_eq!(seen.len(), 24);

    let path = folder.path().join("cut");
    let series = Series::create(&path, plan.clone()).unwrap();
    // In the middle of the second run.
    let (results, _) = train(&series, 8);
    assert_eq!(
        results.iter().map(Option::is_some).collect::<Vec<_>>(),
        [true, false, false, false]
    );
    let taken = Series::open(&path, Purpose::Compare).unwrap_err().to_string();
    assert!(taken.contains("another process is training in this folder"), "{taken}");
    drop(series);
    let series = Series::open(&path, Purpose::Compare).unwrap();
    assert_eq!(series.plan(), &plan);
    let (results, seen) = train(&series, 0);
    assert_eq!(seen.len(), 24 - 8, "{seen:?}");
    assert_eq!(seen[0], (1, 3));
    let scores = |results: &[Option<RunResult>]| {
        let score = |result: &Option<RunResult>| result.as_ref().unwrap().held_out.unwrap();
        results.iter().map(score).collect::<Vec<_>>()
    };
    assert_eq!(scores(&results), scores(&expected));
    // Nothing is left to be done.
    assert_eq!(train(&series, 0).1, []);
}

#[test]
fn folders_that_hold_no_such_series_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let plan = compared(&["rnn"], "", Budget::Steps).unwrap();
    Series::create(folder.path(), plan.clone()).unwrap();
    let fault =
        |error: SeriesError| error.to_string().replace(folder.path().to_str().unwrap(), "FOLDER");
    let again = fault(Series::create(folder.path(), plan).unwrap_err());
    assert!(again.starts_with("FOLDER: the folder holds a series already"), "{again}");
    let other = fault(Series::open(folder.path(), Purpose::Sweep).unwrap_err());
    assert_eq!(other, "FOLDER: it was begun by `compare`: go on with `cellc compare --resume`");
    let none = fault(Series::open(&folder.path().join("none"), Purpose::Sweep).unwrap_err());
    assert!(none.starts_with("FOLDER/none: this is no folder of `sweep`"), "{none}");
    let file = folder.path().join(PLAN);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("group = 0", "group = 9")).unwrap();
    let wrong = fault(Series::open(folder.path(), Purpose::Compare).unwrap_err());
    assert_eq!(wrong, "FOLDER/plan.toml: the file is damaged: there is no group of `rnn-1`");
    std::fs::write(&file, text.replace("format = 1", "format = 2")).unwrap();
    let wrong = fault(Series::open(folder.path(), Purpose::Compare).unwrap_err());
    assert_eq!(wrong, "FOLDER/plan.toml: the plan's format is 2; this program reads 1");
    std::fs::write(&file, &text[..text.len() / 2]).unwrap();
    let wrong = fault(Series::open(folder.path(), Purpose::Compare).unwrap_err());
    assert!(wrong.starts_with("FOLDER/plan.toml: the file is damaged: "), "{wrong}");
}

#[test]
fn a_budget_of_params_takes_the_size_whose_count_is_nearest() {
    let plan = compared(&["lstm", "rnn", "gru"], "[model]\nhidden = 20", Budget::Params).unwrap();
    let target = plan.groups[0].parameters;
    assert_eq!(plan.groups[0].chosen("model.hidden"), "20");
    for (group, trial) in plan.groups.iter().zip(&plan.trials) {
        let experiment = &trial.experiment;
        assert_eq!(group.chosen("model.hidden"), experiment.model.hidden.to_string());
        let context = crate::task::Context { batch: 4, seed: 1 };
        let loaded = (experiment.kind().unwrap().load)(&experiment.task, context).unwrap();
        let interface = loaded.codec.interface();
        let count = |hidden: usize| {
            let mut sized = experiment.clone();
            sized.model.hidden = hidden;
            parameters(&sized, &plan.cells, interface).unwrap()
        };
        let hidden = experiment.model.hidden;
        // The count is that of the model that is made.
        let ready = experiment.clone().ready(plan.cells.clone()).unwrap();
        assert_eq!((group.parameters, count(hidden)), (ready.model.size(), ready.model.size()));
        let off = |hidden| count(hidden).abs_diff(target);
        assert!(off(hidden) <= off(hidden - 1) && off(hidden) <= off(hidden + 1), "{hidden}");
    }
    assert!(plan.trials[1].experiment.model.hidden > 30);
}

#[test]
fn a_budget_of_time_gives_each_cell_steps_of_its_own() {
    let large = "[model]\nhidden = 48\n[training]\nsteps = 0\nevaluations = 2\nevaluate_every = 0";
    let budget = Budget::Time(Duration::from_secs(20));
    let plan = compared(&["rnn", "lstm"], large, budget).unwrap();
    assert!(plan.timed);
    let steps = |i: usize| plan.trials[i].experiment.training.steps;
    assert!(steps(0) > steps(1) && steps(1) > 10, "{} {}", steps(0), steps(1));
    assert_eq!(plan.groups[0].chosen("training.steps"), steps(0).to_string());
    assert_eq!(steps(0), steps(2), "all seeds have as many");
    let fault = compared(&["rnn"], "", Budget::Time(Duration::from_nanos(1))).unwrap_err();
    assert!(fault.contains("too little for `rnn`") && fault.contains("evaluations=1"), "{fault}");
}

#[test]
fn what_is_set_is_set_in_those_cells_that_have_it() {
    let set = "[model]\nset = { forget_bias = 4.0, update_bias = 3.0 }\n";
    let plan = compared(&["rnn", "lstm", "gru"], set, Budget::Steps).unwrap();
    let of = |name: &str| {
        let of_name = |trial: &&Trial| trial.experiment.model.cell == name;
        &plan.trials.iter().find(of_name).unwrap().experiment.model.set
    };
    assert!(of("rnn").is_empty());
    assert_eq!(of("lstm").iter().collect::<Vec<_>>(), [(&"forget_bias".to_owned(), &4.0)]);
    assert_eq!(of("gru").iter().collect::<Vec<_>>(), [(&"update_bias".to_owned(), &3.0)]);
    // What the task sets in the cell of its choice is set in none.
    let copy = "[task]\nname = 'copy'\nexamples = 100\n";
    let copy = [copy, "[training]\nsteps = 2"].map(|layer| layer.parse().unwrap());
    let copy = Experiment::layered(&copy).unwrap();
    for names in [["gru", "lstm"], ["lstm", "rnn"]] {
        let (names, texts) = cells(&names);
        let plan = compare(&copy, &names, texts, 1, Budget::Steps).unwrap();
        assert!(plan.trials.iter().all(|trial| trial.experiment.model.set.is_empty()));
    }
    let none = compared(&["rnn", "lstm"], "[model]\nset = { bias = 4.0 }\n", Budget::Steps);
    assert!(none.is_err(), "no cell has it");
}

#[test]
fn comparisons_that_cannot_be() {
    let fault = |names, more, budget| compared(names, more, budget).unwrap_err();
    let twice = fault(&["rnn", "rnn"], "", Budget::Steps);
    assert_eq!(twice, "cell `rnn` is named twice");
    let own = "[[model.layer]]\ncell = 'lstm'";
    assert!(fault(&["rnn", "lstm"], own, Budget::Steps).contains("a cell of its own"));
    let sized = "[[model.layer]]\nhidden = 3";
    assert!(fault(&["rnn"], sized, Budget::Params).contains("leave out `hidden`"));
    let tied = "[model]\ntied = true";
    assert!(fault(&["rnn"], tied, Budget::Params).contains("leave out `tied`"));
}

#[test]
fn runs_that_diverge_are_reported_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let diverging = "[training]\nlearning_rate = 1e30\noptimizer = 'sgd'\nclip = 0";
    // Squares of what is far away are infinite, while those of bounded states are not.
    let plan = compared(&["rnn_relu", "lstm"], diverging, Budget::Steps).unwrap();
    let mut plan = plan;
    for trial in plan.trials.iter_mut().filter(|trial| trial.group == 1) {
        trial.experiment.training.learning_rate = 1e-3;
    }
    let series = Series::create(folder.path(), plan).unwrap();
    let (results, _) = train(&series, 0);
    let report = Report::of(&series, &results);
    let names: Vec<_> = report.groups.iter().map(|group| group.group.name.as_str()).collect();
    assert_eq!(names, ["lstm", "rnn_relu"]);
    let failed = &report.groups[1];
    assert_eq!((failed.summary, failed.apart, failed.runs.len()), (None, None, 2));
    let failure = failed.runs[0].failure.as_deref().unwrap();
    assert!(failure.contains(" at step 2"), "{failure}");
    assert_eq!(report.groups[0].summary.unwrap().count, 2);
    assert_eq!(report.write(&series).unwrap(), ["results.csv", "comparison.svg", "quality.svg"]);
    let csv = std::fs::read_to_string(folder.path().join("results.csv")).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(
        lines[0],
        "place,name,model.cell,model.hidden,parameters,seed,run,heldout_accuracy,steps,best_step,\
         ms_per_step,seconds,failure"
    );
    assert!(lines[1].starts_with("1,lstm,lstm,4,") && lines.len() == 5, "{csv}");
    assert!(lines[3].starts_with("2,rnn_relu,") && lines[3].contains(" at step 2"), "{csv}");
    let picture = std::fs::read_to_string(folder.path().join("comparison.svg")).unwrap();
    assert!(picture.contains("lstm") && picture.contains("held-out accuracy"));
}

fn searched(axes: &[&str], more: &str, seeds: u64) -> Result<(Plan, Option<f64>), String> {
    let axes = axes.iter().map(|axis| {
        let (key, values) = axis.split_once('=').unwrap();
        Axis::parse(key, values).unwrap().unwrap()
    });
    let axes: Vec<Axis> = axes.collect();
    let choices = choices(&axes, Search::Grid, 1).unwrap().into_iter().map(|choice| {
        let choice = keyed(&axes, &choice);
        let layers = choice.iter().map(|(key, value)| {
            let (table, key) = key.split_once('.').unwrap();
            format!("[{table}]\n{key} = {value}\n")
        });
        let experiment = base(&(layers.collect::<String>() + more));
        (choice, experiment)
    });
    let (_, texts) = cells(&["lstm"]);
    sweep(choices.collect(), texts, seeds).map_err(|error| error.to_string())
}

#[test]
fn a_search_is_ranked_by_the_validation_part_and_its_best_can_be_trained_again() {
    let folder = tempfile::tempdir().unwrap();
    let (plan, aside) = searched(&["training.learning_rate=1e-6,0.05,1e-7"], "", 2).unwrap();
    assert_eq!(aside, Some(0.1));
    assert_eq!((plan.groups.len(), plan.trials.len()), (3, 6));
    let mut longer = plan;
    longer.trials.iter_mut().for_each(|trial| trial.experiment.training.steps = 60);
    let series = Series::create(folder.path(), longer).unwrap();
    let (results, _) = train(&series, 0);
    let report = Report::of(&series, &results);
    for (group, trial) in report.groups.iter().flat_map(|group| &group.runs).map(|run| {
        (run, series.plan().trials.iter().position(|trial| trial.name == run.run).unwrap())
    }) {
        let result = results[trial].as_ref().unwrap();
        assert_eq!(group.figure, result.validation.unwrap().accuracy());
        assert_eq!(group.held_out, result.held_out.unwrap().accuracy());
    }
    let figures: Vec<f64> = report.groups.iter().map(|g| g.summary.unwrap().mean).collect();
    assert!(figures.is_sorted_by(|a, b| a >= b), "{figures:?}");
    let files = report.write(&series).unwrap();
    assert_eq!(files, ["sweep.csv", "curves.svg", "best.toml", "quality.svg"]);
    let best = std::fs::read_to_string(folder.path().join("best.toml")).unwrap();
    let best = Experiment::layered(&[Experiment::layer(&best).unwrap()]).unwrap();
    let rate = report.groups[0].group.choice["training.learning_rate"].as_float();
    assert_eq!(Some(best.training.learning_rate), rate);
    assert_eq!(best.task["validation"].as_float(), Some(0.1));
}

#[test]
fn a_part_to_choose_by_that_is_there_is_left_as_it_is() {
    let (plan, aside) = searched(&["model.hidden=2,3"], "[task]\nvalidation = 0.3", 1).unwrap();
    assert_eq!(aside, None);
    assert_eq!(plan.trials[0].experiment.task["validation"].as_float(), Some(0.3));
    assert_eq!(plan.trials.iter().map(|trial| &trial.name).collect::<Vec<_>>(), ["1-1", "2-1"]);
    assert!(plan.groups[0].parameters < plan.groups[1].parameters);
}

#[test]
fn an_estimate_leaves_the_model_as_it_is_and_counts_what_is_kept() {
    let (_, texts) = cells(&["lstm"]);
    let mut ready = base("[task]\nvalidation = 0.2").ready(texts).unwrap();
    let before: Vec<Vec<f32>> = ready.model.params().into_iter().map(<[f32]>::to_vec).collect();
    let settings = &ready.experiment.training;
    let estimate = estimate(ready.loaded.task.as_ref(), &mut ready.model, settings).unwrap();
    assert!(ready.model.params().into_iter().eq(before.iter().map(Vec::as_slice)));
    let bytes = 4 * ready.model.size();
    let memory = estimate.memory;
    // Adam keeps two moments; the best model is kept beside the present one.
    assert_eq!((memory.parameters, memory.optimizer), (2 * bytes, 2 * bytes));
    assert_eq!(memory.gradients, 2 * bytes);
    assert!(memory.tape > 0 && memory.evaluation > 0 && memory.extent.batch == 4, "{memory:?}");
    let extents = ready.loaded.task.epoch(0, 0).map(|batch| batch.unwrap().extent);
    let most = extents.map(|extent| extent.steps * extent.batch).max();
    assert_eq!(most, Some(memory.extent.steps * memory.extent.batch));
    assert!(!estimate.update.is_zero() && !estimate.evaluation.is_zero());
    assert!(!estimate.last.is_zero());
    // What fits into a time takes no longer than that, and little less.
    for every in [0, 7] {
        let time = Duration::from_secs(60);
        let mut settings = Settings { steps: 0, evaluate_every: every, ..settings.clone() };
        settings.steps = estimate.steps_within(time, &settings);
        settings.resolve(1);
        let total = estimate.total(&settings);
        assert!(total > time.mul_f64(0.9) && total < time.mul_f64(1.05), "{total:?}");
    }
    let none = estimate.steps_within(Duration::ZERO, settings);
    assert_eq!(none, 0);
}
