use super::*;
use crate::batch::{Batch, IGNORED};
use crate::fixtures::{architecture, cell, rnn};
use cellc_runtime::segmented::Limit;
use cellc_runtime::sequence::{Extent, RunError};

const SYMBOLS: usize = 6;
const CLASSES: usize = 3;

fn model(readout: Readout) -> Model<f64> {
    Model::new(&architecture(SYMBOLS, CLASSES, readout), Engine::default(), 5).unwrap()
}

fn each_batch() -> Batch {
    let extent = Extent { steps: 4, batch: 2 };
    let targets = vec![0, 1, 2, IGNORED, 1, 1, 0, 2];
    Batch { extent, symbols: vec![0, 5, 1, 4, 2, 3, 3, 2], targets, ..Batch::default() }
}

fn last_batch() -> Batch {
    let examples: [(&[u32], u32); 3] = [(&[1, 2, 3, 4], 0), (&[5], 2), (&[0, 2], 1)];
    Batch::labelled(examples, 0)
}

/// Compares every gradient with central differences of the mean loss.
fn check_gradients(mut model: Model<f64>, batch: &Batch) {
    let mut run = model.run(1);
    run.forward_backward(&model, batch).unwrap();
    let gradients: Vec<Vec<f64>> = run.gradients().iter().map(|g| g.to_vec()).collect();
    let step = 1e-5;
    for (i, gradient) in gradients.iter().enumerate() {
        for (j, &found) in gradient.iter().enumerate() {
            let at = model.params()[i][j];
            let [above, below] = [at + step, at - step].map(|value| {
                model.params_mut()[i][j] = value;
                run.forward(&model, batch).unwrap().mean_loss()
            });
            model.params_mut()[i][j] = at;
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
    let padded = Batch::labelled([(&[1_u32, 2, 3, 4, 5, 0][..], 0), (&[4, 2], 2)], 0);
    let alone = [
        Batch::labelled([(&[1_u32, 2, 3, 4, 5, 0][..], 0)], 0),
        Batch::labelled([(&[4_u32, 2][..], 2)], 0),
    ];
    let mut run = model.run(1);
    let together = run.forward_backward(&model, &padded).unwrap();
    let logits = run.logits().to_vec();
    let gradients: Vec<Vec<f64>> = run.gradients().iter().map(|g| g.to_vec()).collect();
    let mut sum: Vec<Vec<f64>> = gradients.iter().map(|g| vec![0.0; g.len()]).collect();
    let mut score = Score::default();
    for (i, batch) in alone.iter().enumerate() {
        score += run.forward_backward(&model, batch).unwrap();
        assert_eq!(run.logits(), &logits[i * CLASSES..][..CLASSES]);
        for (sum, gradient) in sum.iter_mut().zip(run.gradients()) {
            // The loss is a mean over the batch, here of two.
            sum.iter_mut().zip(gradient).for_each(|(sum, g)| *sum += g / 2.0);
        }
    }
    assert_eq!((score.count, score.correct), (together.count, together.correct));
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
        symbols: whole.symbols[part * 4..][..4].to_vec(),
        targets: whole.targets[part * 4..][..4].to_vec(),
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
    let refused = |change: &dyn Fn(&mut Architecture)| {
        let mut architecture = architecture(SYMBOLS, CLASSES, Readout::Last);
        change(&mut architecture);
        match Model::<f32>::new(&architecture, Engine::default(), 0) {
            Ok(_) => panic!("the cells were accepted"),
            Err(error) => error.to_string(),
        }
    };
    assert_eq!(
        refused(&|a| a.layers[1] = rnn(3, 5)),
        "cell `rnn` cannot be a layer of a model: it needs one input `x: [4]`, found `x: [3]`"
    );
    assert_eq!(
        refused(&|a| a.embedding = rnn(3, 3)),
        "cell `rnn` cannot be the embedding of a model: it has no input of symbols"
    );
    let silent = "graph silent\n%0 = input x : [3]\n%1 = state h : [3]\nnext h = %0";
    assert_eq!(
        refused(&|a| a.layers[0] = cell(silent)),
        "cell `silent` cannot be a layer of a model: it has no output, and needs a vector"
    );
    let deaf = "graph deaf\n%0 = state h : [3]\nnext h = %0\noutput h = %0";
    assert_eq!(
        refused(&|a| a.layers[0] = cell(deaf)),
        "cell `deaf` cannot be a layer of a model: it needs one input `x: [3]`, and has no input"
    );
    let two = "graph two\n%0 = input x : [3]\n%1 = input i : index(2)\noutput y = %0";
    assert_eq!(
        refused(&|a| a.layers[0] = cell(two)),
        "cell `two` cannot be a layer of a model: nothing feeds its input `i`"
    );
    assert_eq!(
        refused(&|a| a.loss = crate::fixtures::cross_entropy(4)),
        "cell `cross_entropy` cannot be the loss of a model: there are 3 classes, and its answers \
         are index(4)"
    );
}

#[test]
fn a_symbol_out_of_its_bound_is_an_error() {
    let model = model(Readout::Each);
    let mut batch = each_batch();
    batch.symbols[2] = 6;
    assert!(matches!(model.run(1).forward(&model, &batch), Err(RunError::Index { .. })));
}

/// A batch of long sequences.
fn long_batch(readout: Readout) -> Batch {
    let symbols = |len: u32| (0..len).map(|i| i * i % 7 % 6).collect::<Vec<_>>();
    let lengths = [400, 3, 250];
    let batch = lengths.map(symbols);
    let labelled = batch.iter().map(Vec::as_slice).zip([0, 2, 1]);
    let batch = Batch::labelled(labelled, 0);
    match readout {
        Readout::Last => batch,
        Readout::Each => {
            let targets = batch.symbols.iter().map(|symbol| symbol % 3).collect();
            Batch { mask: Vec::new(), targets, ..batch }
        }
    }
}

#[test]
fn a_model_within_a_limit_finds_the_same_gradients() {
    for readout in [Readout::Each, Readout::Last] {
        let model = model(readout);
        let batch = long_batch(readout);
        let mut run = model.run(1);
        let expected = run.forward_backward(&model, &batch).unwrap();
        let within = |bytes| model.run_within(1, Some(Limit { bytes, taken: 1000 }));
        let refused = within(1500).forward_backward(&model, &batch).unwrap_err();
        let RunError::Memory { extent, needed, limit: 1500 } = refused else {
            panic!("{refused}");
        };
        assert_eq!(extent, batch.extent);
        let error = within(needed - 1).forward_backward(&model, &batch).unwrap_err();
        assert_eq!(error, RunError::Memory { extent, needed, limit: needed - 1 });
        for bytes in [needed, needed + needed / 20, needed + needed / 5, needed * 10] {
            let mut cut = within(bytes);
            for _ in 0..2 {
                assert_eq!(cut.forward_backward(&model, &batch).unwrap(), expected);
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
