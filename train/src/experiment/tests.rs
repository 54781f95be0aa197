use super::*;

fn layered(layers: &[&str]) -> Result<Experiment, String> {
    let layers: Vec<toml::Table> = layers.iter().map(|layer| layer.parse().unwrap()).collect();
    Experiment::layered(&layers).map_err(|error| error.to_string())
}

#[test]
fn a_model_that_no_memory_is_there_for_is_refused() {
    assert!(check_memory(1000).is_ok());
    let refused = check_memory(usize::MAX / 64).unwrap_err().to_string();
    assert!(refused.contains("which there is no memory for; take smaller layers"), "{refused}");
}

#[test]
fn later_layers_override_earlier_ones_and_these_the_defaults_of_the_task() {
    let experiment = layered(&[
        "[task]\nname = 'chars'\nseq = 7\n[model]\nhidden = 3",
        "[task]\nseq = 8\n[training]\nbatch = 2",
    ])
    .unwrap();
    assert_eq!(experiment.task["seq"].as_integer(), Some(8));
    let model = &experiment.model;
    assert_eq!((model.hidden, model.layers, experiment.training.batch), (3, 2, 2));
    assert_eq!(layered(&[]).unwrap().task["name"].as_str(), Some("reviews"));
}

#[test]
fn what_follows_does_so_anew_and_what_is_given_stays() {
    let training = |layers: &[&str]| layered(layers).unwrap().training;
    let given = "[training]\nsteps = 30\nevaluate_every = 3";
    let over = training(&[given, "[training]\nbatch = 8\naccumulate = 2\nleast_steps = 1"]);
    assert_eq!((over.steps, over.evaluate_every), (30, 3));
    let longer = training(&[given, "[training]\nepochs = 50.0"]);
    assert_eq!((longer.epochs, longer.steps, longer.evaluate_every), (50.0, 0, 3));
    assert_eq!(training(&["[training]\nepochs = 50.0", given]).steps, 30);

    let mut resolved = layered(&["[training]\nepochs = 2.0"]).unwrap();
    resolved.resolve(15);
    assert_eq!((resolved.training.steps, resolved.training.evaluate_every), (30, 3));
    let resolved = toml::to_string(&resolved).unwrap();
    let again = layered(&[&resolved, "[training]\noptimizer = 'sgd'"]).unwrap().training;
    assert_eq!((again.epochs, again.steps, again.evaluate_every), (2.0, 0, 0));
    assert_eq!(again.learning_rate, 1.0, "that of the method");
}

#[test]
fn constants_of_one_method_are_none_of_another() {
    let methods = "[training]\noptimizer = { name = 'rmsprop', epsilon = 1e-3 }";
    let one = layered(&[methods, "[training]\noptimizer = { name = 'adamw' }"]).unwrap();
    assert_eq!(one.training.optimizer, Method::ADAMW);
}

#[test]
fn what_a_task_sets_in_its_cell_is_none_of_another() {
    let copy = "[task]\nname = 'copy'";
    let of = |layers: &[&str]| layered(&[&[copy], layers].concat()).unwrap();
    let default = of(&[]);
    assert_eq!(default.model.set["update_bias"], 5.0);
    assert_eq!(of(&["[model]\ncell = 'gru'"]).model, default.model);
    assert!(of(&["[model]\ncell = 'lstm'"]).model.set.is_empty());
    let given = "[model]\ncell = 'lstm'\nset = { forget_bias = 2.0 }";
    let set = of(&[given]).model.set;
    assert_eq!(set.into_iter().collect::<Vec<_>>(), [("forget_bias".to_owned(), 2.0)]);
    // What is given stays, to be an error of a cell that does not have it.
    assert_eq!(of(&[given, "[model]\ncell = 'rnn'"]).model.set["forget_bias"], 2.0);
    // As it is written down, it is still the task's.
    let written = toml::to_string(&default).unwrap();
    assert!(layered(&[&written, "[model]\ncell = 'lstm'"]).unwrap().model.set.is_empty());
}

#[test]
fn what_followed_and_is_edited_is_given() {
    let mut resolved = layered(&["[training]\nepochs = 2.0"]).unwrap();
    resolved.resolve(15);
    let written = toml::to_string(&resolved).unwrap();
    let edited = written.replacen("\nsteps = 30", "\nsteps = 77", 1);
    let edited = edited.replacen("\nlearning_rate = 0.005", "\nlearning_rate = 0.5", 1);
    let training = layered(&[&edited]).unwrap().training;
    assert_eq!((training.steps, training.evaluate_every, training.learning_rate), (77, 0, 0.5));
}

#[test]
fn what_is_written_down_makes_the_same_experiment() {
    for kind in task::KINDS {
        let experiment = layered(&[&format!("[task]\nname = '{}'", kind.name)]).unwrap();
        let text = toml::to_string(&experiment).unwrap();
        assert_eq!(layered(&[&text]).unwrap(), experiment, "{text}");
    }
}

#[test]
fn what_is_shown_has_all_options_of_the_task_and_no_key_without_a_meaning() {
    let shown = |task: &str| {
        let experiment = layered(&[&format!("[task]\nname = '{task}'\nexamples = 20")]).unwrap();
        let loaded = (experiment.kind().unwrap().load)(
            &experiment.task,
            Context { batch: experiment.training.batch, seed: 1 },
        );
        let shown = experiment.shown(loaded.unwrap().codec.as_ref()).unwrap();
        // It makes the same experiment again, but for options that were left out.
        let again = Experiment::layered(std::slice::from_ref(&shown)).unwrap();
        assert_eq!((again.model, again.training), (experiment.model, experiment.training));
        shown
    };
    let reviews = shown("reviews");
    assert_eq!(reviews["task"]["validation"].as_float(), Some(0.0));
    assert!(reviews["model"].get("embedding").is_some() && reviews.contains_key("loss"));
    let adding = shown("adding");
    assert!(adding["task"].as_table().unwrap().len() > 2, "{adding}");
    assert!(adding["model"].get("embedding").is_none() && !adding.contains_key("loss"));
}

#[test]
fn keys_that_there_are_not_are_errors_with_a_suggestion() {
    let fault = Experiment::layer("[training]\nlerning_rate = 1").unwrap_err().to_string();
    assert!(fault.contains("line 2"), "{fault}");
    assert!(fault.ends_with("did you mean `learning_rate`?"), "{fault}");
    let fault = Experiment::layer("[training]\noptimizer = 'adm'").unwrap_err().to_string();
    assert!(fault.ends_with("did you mean `adam`?"), "{fault}");
    let fault = layered(&["[task]\nname = 'char'"]).unwrap_err();
    assert!(fault.starts_with("there is no task `char` (did you mean `chars`?)"), "{fault}");
    let fault = layered(&["[training]\nclip = -1"]).unwrap_err();
    assert_eq!(fault, "training.clip is a number from 0 up, not -1");
    let fault = layered(&["[training]\nclip = -1e30"]).unwrap_err();
    assert_eq!(fault, "training.clip is a number from 0 up, not -1e30");
    let fault = layered(&["[training]\ntied = true"]).unwrap_err();
    assert!(
        fault.starts_with("`training`: there is no key `tied`; there are `batch`, "),
        "{fault}"
    );
    assert!(fault.ends_with("did you mean `model.tied`?"), "{fault}");
}

#[test]
fn values_are_told_by_key_or_place_and_taken_for_what_they_are_meant_to_be() {
    let fault = layered(&["[training]\nsteps = 4.5"]).unwrap_err();
    assert_eq!(fault, "`training.steps`: expected a whole number from 0, found 4.5");
    let fault = Experiment::layer("[training]\nbatch = 4.0\nsteps = -1").unwrap_err().to_string();
    assert_eq!(fault, "`training.steps`: expected a whole number from 0, found -1");
    let fault = Experiment::layer("[training]\nsteps = 'many'").unwrap_err().to_string();
    assert!(fault.starts_with("at line 2, column 9\n"), "{fault}");
    assert!(fault.ends_with("expected a whole number from 0, found \"many\""), "{fault}");
    let text = "[training]\nsteps = 4.0\nlog = 'csv'\nmemory = 1e6\n[model]\nlayers = 2.0";
    let layer = Experiment::layer(text).unwrap();
    let meant =
        layered(&["[training]\nsteps = 4\nlog = ['csv']\nmemory = 1000000\n[model]\nlayers = 2"]);
    assert_eq!(Experiment::layered(&[layer]).unwrap(), meant.clone().unwrap());
    assert_eq!(layered(&[text]), meant);
}
