use super::*;
use crate::batch::{Batch, Data, Example, IGNORED, Targets};
use crate::blueprint::{
    Blueprint, LayerConfig, LossConfig, MOST_LAYERS, MOST_UNITS, ModelConfig, Pooling,
};
use crate::fixtures::{architecture, cell, interface, rnn};
use cellc_runtime::segmented::Limit;
use cellc_runtime::sequence::{Extent, RunError};

const SYMBOLS: usize = 6;
const CLASSES: usize = 3;

fn model(readout: Readout) -> Model<f64> {
    Model::new(&architecture(SYMBOLS, CLASSES, readout), Engine::default(), 5).unwrap()
}

fn each_batch() -> Batch {
    let extent = Extent { steps: 4, batch: 2 };
    let targets = Targets::Classes(vec![0, 1, 2, IGNORED, 1, 1, 0, 2]);
    let data = Data::Symbols(vec![0, 5, 1, 4, 2, 3, 3, 2]);
    Batch { extent, data, targets, ..Batch::default() }
}

/// Sequences of symbols, each with one label.
fn labelled(examples: &[(&[u32], u32)]) -> Batch {
    let example = |(symbols, label): &(&[u32], u32)| Example {
        data: Data::Symbols(symbols.to_vec()),
        targets: Targets::Classes(vec![*label]),
    };
    Batch::padded(&examples.iter().map(example).collect::<Vec<_>>(), 1, false, 1)
}

fn last_batch() -> Batch {
    labelled(&[(&[1, 2, 3, 4], 0), (&[5], 2), (&[0, 2], 1)])
}

fn symbols(batch: &Batch) -> &[u32] {
    match &batch.data {
        Data::Symbols(symbols) => symbols,
        Data::Reals(_) => panic!("symbols are read"),
    }
}

fn classes(batch: &Batch) -> &[u32] {
    match &batch.targets {
        Targets::Classes(classes) => classes,
        Targets::Reals(_) => panic!("classes are answered"),
    }
}

/// Compares every gradient with central differences of the mean loss.
fn check_gradients(model: Model<f64>, batch: &Batch) {
    check_some_gradients(model, batch, 1);
}

/// The same for one element of so many.
fn check_some_gradients(mut model: Model<f64>, batch: &Batch, every: usize) {
    let mut run = model.run(1);
    run.forward_backward(&model, batch, None).unwrap();
    let gradients: Vec<Vec<f64>> = run.gradients().iter().map(|g| g.to_vec()).collect();
    let step = 1e-5;
    for (i, gradient) in gradients.iter().enumerate() {
        for (j, &found) in gradient.iter().enumerate().step_by(every) {
            let at = model.params()[i][j];
            let [above, below] = [at + step, at - step].map(|value| {
                model.update(|params| params[i][j] = value);
                run.forward(&model, batch).unwrap().mean_loss()
            });
            model.update(|params| params[i][j] = at);
            let expected = (above - below) / (2.0 * step);
            let name = &model.parameters()[i].name;
            assert!((found - expected).abs() < 1e-8, "{name}[{j}]: {found}, not {expected}");
        }
    }
}

#[test]
fn gradients_agree_with_central_differences() {
    check_gradients(model(Readout::Each), &each_batch());
    check_gradients(model(Readout::Last), &last_batch());
}

#[test]
fn a_padded_sequence_is_exactly_the_one_that_runs_alone() {
    let model = model(Readout::Last);
    let padded = labelled(&[(&[1, 2, 3, 4, 5, 0], 0), (&[4, 2], 2)]);
    let alone = [labelled(&[(&[1, 2, 3, 4, 5, 0], 0)]), labelled(&[(&[4, 2], 2)])];
    let mut run = model.run(1);
    let together = run.forward_backward(&model, &padded, None).unwrap();
    let logits = run.logits().to_vec();
    let gradients: Vec<Vec<f64>> = run.gradients().iter().map(|g| g.to_vec()).collect();
    let mut sum: Vec<Vec<f64>> = gradients.iter().map(|g| vec![0.0; g.len()]).collect();
    let mut score = Score::default();
    for (i, batch) in alone.iter().enumerate() {
        score += run.forward_backward(&model, batch, None).unwrap();
        assert_eq!(run.logits(), &logits[i * CLASSES..][..CLASSES]);
        for (sum, gradient) in sum.iter_mut().zip(run.gradients()) {
            // The loss is a mean over the batch, here of two.
            sum.iter_mut().zip(gradient).for_each(|(sum, g)| *sum += g / 2.0);
        }
    }
    assert_eq!(score.count, together.count);
    assert!((score.loss - together.loss).abs() < 1e-14);
    for (sum, gradient) in sum.iter().zip(&gradients) {
        assert!(sum.iter().zip(gradient).all(|(a, b)| (a - b).abs() < 1e-14));
    }
}

#[test]
fn carried_states_continue_a_sequence_and_ignored_answers_count_nothing() {
    let model = model(Readout::Each);
    let mut run = model.run(1);
    let whole = each_batch();
    let expected = run.forward(&model, &whole).unwrap();
    assert_eq!(expected.count, 7);
    let half = |part: usize, continues| Batch {
        extent: Extent { steps: 2, batch: 2 },
        data: Data::Symbols(symbols(&whole)[part * 4..][..4].to_vec()),
        targets: Targets::Classes(classes(&whole)[part * 4..][..4].to_vec()),
        continues,
        ..Batch::default()
    };
    let mut score = run.forward(&model, &half(0, false)).unwrap();
    score += run.forward(&model, &half(1, true)).unwrap();
    assert_eq!(score.count, 7);
    assert!((score.loss - expected.loss).abs() < 1e-14);
    let afresh = run.forward(&model, &half(1, false)).unwrap();
    assert_ne!(afresh, run.forward(&model, &half(1, true)).unwrap());
}

#[test]
fn the_same_seed_makes_the_same_model() {
    let made = |seed| {
        let architecture = architecture(SYMBOLS, CLASSES, Readout::Each);
        Model::<f32>::new(&architecture, Engine::default(), seed).unwrap()
    };
    assert_eq!(made(1).params(), made(1).params());
    assert_ne!(made(1).params(), made(2).params());
    let names: Vec<_> = made(1).parameters().into_iter().map(|p| p.name).collect();
    let expected =
        ["embedding.table", "layer0.W", "layer0.U", "layer1.W", "layer1.U", "head.W", "head.b"];
    assert_eq!(names, expected);
}

#[test]
fn cells_that_do_not_fit_their_place_are_refused() {
    let refused = |change: &dyn Fn(&mut [Stage])| {
        let mut architecture = architecture(SYMBOLS, CLASSES, Readout::Last);
        change(&mut architecture.stages);
        match Model::<f32>::new(&architecture, Engine::default(), 0) {
            Ok(_) => panic!("the cells were accepted"),
            Err(error) => error.to_string(),
        }
    };
    assert_eq!(
        refused(&|stages| stages[2].cell = rnn(3, 5)),
        "cell `rnn` cannot be `layer1` of a model: it needs one input `x: [4]`, found `x: [3]`"
    );
    assert_eq!(
        refused(&|stages| stages[0].cell = rnn(3, 3)),
        "cell `rnn` cannot be `embedding` of a model: it needs one input `x: index(6)`, found \
         `x: [3]`"
    );
    let silent = "graph silent\n%0 = input x : [3]\n%1 = state h : [3]\nnext h = %0";
    assert_eq!(
        refused(&|stages| stages[1].cell = cell(silent)),
        "cell `silent` cannot be `layer0` of a model: it has no output, and needs a vector"
    );
    let deaf = "graph deaf\n%0 = state h : [3]\nnext h = %0\noutput h = %0";
    assert_eq!(
        refused(&|stages| stages[1].cell = cell(deaf)),
        "cell `deaf` cannot be `layer0` of a model: it needs one input `x: [3]`, and has no input"
    );
    let two = "graph two\n%0 = input x : [3]\n%1 = input i : index(2)\noutput y = %0";
    assert_eq!(
        refused(&|stages| stages[1].cell = cell(two)),
        "cell `two` cannot be `layer0` of a model: nothing feeds its input `i`"
    );
    assert_eq!(
        refused(&|stages| stages[4].cell = crate::fixtures::cross_entropy(4)),
        "cell `cross_entropy` cannot be `loss` of a model: it needs one input `x: [3]`, found \
         `logits: [4]`"
    );
}

/// A model of catalogue cells.
fn made(config: ModelConfig, interface: Interface) -> Model<f64> {
    let config = ModelConfig { hidden: 4, embedding: 4, layers: 2, ..config };
    let blueprint = Blueprint::of_catalogue(config).unwrap();
    let architecture = blueprint.architecture(interface).unwrap();
    Model::new(&architecture, Engine::default(), 3).unwrap()
}

#[test]
fn every_way_of_putting_cells_together_has_the_gradient_of_its_loss() {
    let last = interface(SYMBOLS, CLASSES, Readout::Last);
    let each = interface(SYMBOLS, SYMBOLS, Readout::Each);
    let gru = || ModelConfig { cell: "gru".into(), ..ModelConfig::default() };
    for pooling in [Pooling::Last, Pooling::Mean, Pooling::Max, Pooling::Attention] {
        let config = ModelConfig { pooling, bidirectional: true, ..gru() };
        check_gradients(made(config, last), &last_batch());
    }
    let config = ModelConfig { residual: true, tied: true, ..gru() };
    check_gradients(made(config, each), &each_batch());
    // Dropout is what is expected of it where no masks are drawn.
    let config = ModelConfig { residual: true, dropout: 0.3, ..gru() };
    check_gradients(made(config, each), &each_batch());
    let layer = |cell: &str, hidden| LayerConfig {
        cell: Some(cell.into()),
        hidden: Some(hidden),
        ..LayerConfig::default()
    };
    let config = ModelConfig { layer: vec![layer("rnn", 3), layer("mgu", 5)], ..gru() };
    check_gradients(made(config, each), &each_batch());
    // Answers at each step of sequences of several lengths, read from both ends.
    let tagged = Interface { masked: true, ..each };
    let config = ModelConfig { bidirectional: true, residual: true, ..gru() };
    let example = |symbols: &[u32]| Example {
        data: Data::Symbols(symbols.to_vec()),
        targets: Targets::Classes(symbols.iter().map(|s| (s + 1) % 6).collect()),
    };
    let examples = [example(&[1, 2, 3, 4]), example(&[5]), example(&[0, 2])];
    check_gradients(made(config, tagged), &Batch::padded(&examples, 1, true, 1));
}

#[test]
fn numbers_are_read_and_answered() {
    let interface = Interface {
        reads: Reads::Reals(2),
        answers: Answers::Reals(3),
        readout: Readout::Each,
        masked: false,
        resets: true,
    };
    let extent = Extent { steps: 4, batch: 2 };
    let number = |i: usize| (i as f32 * 0.7).sin();
    let mut targets: Vec<f32> = (0..24).map(|i| number(i + 3)).collect();
    // A number of an answer, and all of another.
    [5, 9, 10, 11].iter().for_each(|&i| targets[i] = f32::NAN);
    let resets = vec![false, false, false, true, true, false, false, false];
    let (data, targets) = (Data::Reals((0..16).map(number).collect()), Targets::Reals(targets));
    let batch = Batch { extent, data, targets, resets, ..Batch::default() };
    for name in ["squared_error", "absolute_error", "huber"] {
        let mut blueprint = Blueprint::of_catalogue(ModelConfig::default()).unwrap();
        blueprint.loss = LossConfig { name: Some(name.into()), ..LossConfig::default() };
        let architecture = blueprint.architecture(interface).unwrap();
        let model = Model::<f64>::new(&architecture, Engine::default(), 3).unwrap();
        let score = model.run(1).forward(&model, &batch).unwrap();
        assert_eq!((score.count, score.numbers), (7, 20));
        if name == "squared_error" {
            assert!((score.mean_loss() - score.mean_squared_error()).abs() < 1e-12);
        }
        check_some_gradients(model, &batch, 17);
    }
}

#[test]
fn a_model_that_reads_from_both_ends_reads_them_alike() {
    // Both directions have the same parameters: a sequence and its reverse are then the same.
    let config = ModelConfig { bidirectional: true, layers: 1, ..ModelConfig::default() };
    let config = ModelConfig { hidden: 4, embedding: 4, ..config };
    let blueprint = Blueprint::of_catalogue(config).unwrap();
    let interface = interface(SYMBOLS, CLASSES, Readout::Last);
    let architecture = blueprint.architecture(interface).unwrap();
    let mut model = Model::<f64>::new(&architecture, Engine::default(), 3).unwrap();
    let names: Vec<String> = model.parameters().into_iter().map(|p| p.name).collect();
    model.update(|params| {
        for (i, name) in names.iter().enumerate().filter(|(_, name)| name.contains(".reverse.")) {
            let other = names.iter().position(|n| *n == name.replace(".reverse", "")).unwrap();
            let theirs = params[other].to_vec();
            params[i].copy_from_slice(&theirs);
        }
        let head = names.iter().position(|name| name == "head.W").unwrap();
        for row in params[head].chunks_exact_mut(8) {
            let (forward, reverse) = row.split_at_mut(4);
            reverse.copy_from_slice(forward);
        }
    });
    let mut run = model.run(1);
    run.forward(&model, &labelled(&[(&[1, 2, 3, 4, 5], 0), (&[3, 5], 0)])).unwrap();
    let there = run.logits().to_vec();
    run.forward(&model, &labelled(&[(&[5, 4, 3, 2, 1], 0), (&[5, 3], 0)])).unwrap();
    let close = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-12;
    assert!(there.iter().zip(run.logits()).all(close), "{there:?}, {:?}", run.logits());
}

#[test]
fn settings_that_make_no_model_are_refused() {
    let refused = |config: ModelConfig, interface: Interface| {
        let config = ModelConfig { layers: 2, hidden: 8, embedding: 4, ..config };
        let blueprint = Blueprint::of_catalogue(config).unwrap();
        blueprint.architecture(interface).unwrap_err().to_string()
    };
    let each = interface(SYMBOLS, SYMBOLS, Readout::Each);
    assert_eq!(
        refused(ModelConfig { bidirectional: true, ..ModelConfig::default() }, each),
        "a bidirectional layer would read the answers: this task predicts what comes next"
    );
    assert_eq!(
        refused(ModelConfig { tied: true, ..ModelConfig::default() }, each),
        "the head cannot be tied to the embedding: it maps 8 numbers to 6 scores, and the \
         embedding 6 symbols to 4 numbers; take `model.embedding = 8`"
    );
    for (name, most) in [("layers", MOST_LAYERS), ("hidden", MOST_UNITS), ("embedding", MOST_UNITS)]
    {
        for size in [0, most + 1] {
            let mut model = ModelConfig::default();
            match name {
                "layers" => model.layers = size,
                "hidden" => model.hidden = size,
                _ => model.embedding = size,
            }
            let blueprint = Blueprint::of_catalogue(model).unwrap();
            let fault =
                format!("model.{name} is {size}; it must be a whole number from 1 to {most}");
            assert_eq!(blueprint.architecture(each).unwrap_err().to_string(), fault);
        }
    }
    let layer = LayerConfig { residual: Some(true), ..LayerConfig::default() };
    assert_eq!(
        refused(ModelConfig { layer: vec![layer.clone(), layer], ..ModelConfig::default() }, each),
        "layer 0 cannot be residual: it reads 4 numbers and gives 8"
    );
    assert_eq!(
        refused(ModelConfig { dropout: 1.0, ..ModelConfig::default() }, each),
        "dropout is a share from 0 up and below 1, not 1"
    );
}

#[test]
fn smoothed_labels_are_learnt_from_and_plain_ones_judged_by() {
    let interface = interface(SYMBOLS, CLASSES, Readout::Last);
    let blueprint = |smoothing| Blueprint {
        loss: LossConfig { name: None, label_smoothing: smoothing },
        ..Blueprint::of_catalogue(ModelConfig::default()).unwrap()
    };
    let made = |smoothing| {
        let architecture = blueprint(smoothing).architecture(interface).unwrap();
        Model::<f64>::new(&architecture, Engine::default(), 3).unwrap()
    };
    let (plain, smoothed) = (made(0.0), made(0.2));
    let (mut one, mut other) = (plain.run(1), smoothed.run(1));
    let score = one.forward_backward(&plain, &last_batch(), None).unwrap();
    let judged = other.forward_backward(&smoothed, &last_batch(), None).unwrap();
    assert!((score.loss - judged.loss).abs() < 1e-12);
    assert_ne!(one.gradients(), other.gradients());
}

#[test]
fn a_symbol_out_of_its_bound_is_an_error() {
    let model = model(Readout::Each);
    let mut batch = each_batch();
    batch.data = Data::Symbols(vec![0, 5, 6, 4, 2, 3, 3, 2]);
    assert!(matches!(model.run(1).forward(&model, &batch), Err(RunError::Index { .. })));
}

/// A batch of long sequences.
fn long_batch(readout: Readout) -> Batch {
    let made = |len: u32| (0..len).map(|i| i * i % 7 % 6).collect::<Vec<_>>();
    let [a, b, c] = [400, 3, 250].map(made);
    let batch = labelled(&[(&a, 0), (&b, 2), (&c, 1)]);
    match readout {
        Readout::Last => batch,
        Readout::Each => {
            let targets = symbols(&batch).iter().map(|symbol| symbol % 3).collect();
            let targets = Targets::Classes(targets);
            Batch { mask: Vec::new(), targets, ..batch }
        }
    }
}

#[test]
fn a_batch_that_the_machine_has_no_memory_for_is_refused() {
    let model = model(Readout::Each);
    let mut run = model.run(1);
    let extent = Extent { steps: (1 << 29) - 1, batch: 1 };
    let needed = run.bytes(&model, extent);
    // On a machine that has it, this would take a while.
    if let Some(limit) = crate::machine::memory().filter(|limit| *limit < needed) {
        let batch = Batch { extent, ..long_batch(Readout::Each) };
        let refused = run.forward_backward(&model, &batch, None).unwrap_err();
        assert_eq!(refused, RunError::Memory { extent, needed, limit });
    }
}

#[test]
fn a_model_within_a_limit_finds_the_same_gradients() {
    for readout in [Readout::Each, Readout::Last] {
        let model = model(readout);
        let batch = long_batch(readout);
        let mut run = model.run(1);
        let expected = run.forward_backward(&model, &batch, None).unwrap();
        let within = |bytes| model.run_within(1, Some(Limit { bytes, taken: 1000 }));
        let refused = within(1500).forward_backward(&model, &batch, None).unwrap_err();
        let RunError::Memory { extent, needed, limit: 1500 } = refused else {
            panic!("{refused}");
        };
        assert_eq!(extent, batch.extent);
        let error = within(needed - 1).forward_backward(&model, &batch, None).unwrap_err();
        assert_eq!(error, RunError::Memory { extent, needed, limit: needed - 1 });
        for bytes in [needed, needed + needed / 20, needed + needed / 5, needed * 10] {
            let mut cut = within(bytes);
            for _ in 0..2 {
                assert_eq!(cut.forward_backward(&model, &batch, None).unwrap(), expected);
                assert_eq!(cut.logits(), run.logits());
                for (ours, theirs) in cut.gradients().iter().zip(run.gradients()) {
                    let largest = theirs.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
                    let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-12 * largest;
                    assert!(ours.iter().zip(theirs).all(close), "{readout:?}, {bytes} bytes");
                }
                // Another extent, and memory given back, before it is run again.
                let short = match readout {
                    Readout::Each => each_batch(),
                    Readout::Last => last_batch(),
                };
                cut.forward(&model, &short).unwrap();
                cut.release();
            }
        }
    }
}

#[test]
fn states_are_carried_over_while_memory_is_given_back() {
    let model = model(Readout::Each);
    let batch = long_batch(Readout::Each);
    let next = Batch { continues: true, ..batch.clone() };
    let mut run = model.run(1);
    run.forward(&model, &batch).unwrap();
    let expected = run.forward(&model, &next).unwrap();
    let mut other = model.run(1);
    other.forward(&model, &batch).unwrap();
    other.release();
    assert_eq!(other.forward(&model, &next).unwrap(), expected);
}
