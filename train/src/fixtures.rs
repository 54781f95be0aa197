//! What tests of this crate have in common: small cells, in the graph's own text, and small trainings.

use std::ops::ControlFlow;

use cellc_compiler::cell::Cell;
use cellc_runtime::program::Engine;
use cellc_runtime::sequence::RunError;

use crate::batch::Batch;
use crate::blueprint::Blueprint;
use crate::experiment::{Experiment, Settings};
use crate::model::{Answers, Architecture, Feed, Interface, Model, Readout, Reads, Score, Stage};
use crate::task::Loaded;
use crate::trainer::{Observer, Resumed, Snapshot, Step, TrainError, train};

// Those of the tests of the runtime: a crate for both would be there for tests alone.
#[path = "../../runtime/src/fixtures.rs"]
mod cells;

pub(crate) use self::cells::{cell, embedding, rnn};

/// `y = W x + b`
pub(crate) fn linear(width: usize, classes: usize) -> Cell {
    cell(&format!(
        "graph linear
        %0 = param W : [{classes}, {width}]
        %1 = param b : [{classes}]
        %2 = input x : [{width}]
        %3 = matvec %0, %2 : [{classes}]
        %4 = add %3, %1 : [{classes}]
        output y = %4"
    ))
}

/// `loss = log(sum(exp(logits))) - logits[label]`
pub(crate) fn cross_entropy(classes: usize) -> Cell {
    cell(&format!(
        "graph cross_entropy
        %0 = input logits : [{classes}]
        %1 = input label : index({classes})
        %2 = exp %0 : [{classes}]
        %3 = reduce_sum %2 : []
        %4 = log %3 : []
        %5 = take %0, %1 : []
        %6 = sub %4, %5 : []
        output loss = %6"
    ))
}

/// What a task of symbols and classes asks.
pub(crate) fn interface(symbols: usize, classes: usize, readout: Readout) -> Interface {
    Interface {
        reads: Reads::Symbols(symbols),
        answers: Answers::Classes(classes),
        readout,
        masked: readout == Readout::Last,
        resets: false,
    }
}

/// Two layers between an embedding and a softmax.
pub(crate) fn architecture(symbols: usize, classes: usize, readout: Readout) -> Architecture {
    let stage = |name: &str, cell: Cell, feeds: Vec<Feed>, answers: bool| Stage {
        name: name.to_owned(),
        cell,
        feeds,
        reverse: false,
        answers,
        shared: None,
    };
    let after = |stage| vec![Feed::Stages(vec![stage])];
    let stages = vec![
        stage("embedding", embedding(symbols, 3), vec![Feed::Data], false),
        stage("layer0", rnn(3, 4), after(0), false),
        stage("layer1", rnn(4, 5), after(1), false),
        stage("head", linear(5, classes), after(2), true),
        stage("loss", cross_entropy(classes), vec![Feed::Stages(vec![3]), Feed::Targets], true),
    ];
    Architecture { stages, interface: interface(symbols, classes, readout) }
}

/// A small model of what a task asks, and settings for it.
fn small(loaded: &Loaded, kind: &str, steps: u64) -> (Model<f32>, Settings) {
    let layer = format!(
        "[task]\nname = '{kind}'\n[model]\ncell = 'gru'\nlayers = 1\nhidden = 16\nembedding = 8\n\
         dropout = 0.0\n[training]\nsteps = {steps}\nevaluate_every = 7\nlearning_rate = 0.03"
    );
    let experiment = Experiment::layered(&[layer.parse().unwrap()]).unwrap();
    let blueprint = Blueprint::of_catalogue(experiment.model).unwrap();
    let architecture = blueprint.architecture(loaded.codec.interface()).unwrap();
    let model = Model::new(&architecture, Engine::default(), 1).unwrap();
    (model, experiment.training)
}

/// Keeps a training as it stood last.
#[derive(Default)]
struct Keeper {
    kept: Option<Resumed>,
    best: Vec<Vec<f32>>,
    stop: Option<u64>,
}

fn params(model: &Model<f32>) -> Vec<Vec<f32>> {
    model.params().into_iter().map(<[f32]>::to_vec).collect()
}

impl Observer for Keeper {
    fn step(&mut self, step: &Step) -> Result<ControlFlow<()>, TrainError> {
        let stop = self.stop == Some(step.step);
        Ok(if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn best(&mut self, model: &Model<f32>, _: u64) -> Result<bool, TrainError> {
        self.best = params(model);
        Ok(true)
    }

    fn save(&mut self, snapshot: &Snapshot<'_>) -> Result<(), TrainError> {
        let moments = snapshot.optimizer.moments().into_iter().map(<[_]>::to_vec).collect();
        self.kept = Some(Resumed {
            params: params(snapshot.model),
            best: self.best.clone(),
            optimizer: (snapshot.optimizer.steps(), moments),
            average: None,
            states: snapshot.states.clone(),
            progress: snapshot.progress.clone(),
        });
        Ok(())
    }
}

/// How well a small model does on what is held out of a task that it learnt for so many steps.
pub(crate) fn learnt(loaded: &Loaded, kind: &str, steps: u64) -> Score {
    let (mut model, settings) = small(loaded, kind, steps);
    let task = loaded.task.as_ref();
    let outcome = train(task, &mut model, &settings, None, &mut Keeper::default()).unwrap();
    task.figures(&mut answers(&model)).unwrap();
    outcome.held_out.unwrap()
}

/// What a model answers to a batch.
pub(crate) fn answers(model: &Model<f32>) -> impl FnMut(&Batch) -> Result<Vec<f32>, RunError> {
    let mut run = model.run(1);
    move |batch| {
        run.forward(model, batch)?;
        Ok(run.logits().to_vec())
    }
}

/// Checks that a training of a task that is stopped and gone on with, its data loaded anew, is the
/// one that was not stopped.
pub(crate) fn resumes(load: impl Fn() -> Loaded, kind: &str) {
    let (steps, stop) = (20, 9);
    let (mut whole, settings) = small(&load(), kind, steps);
    train(load().task.as_ref(), &mut whole, &settings, None, &mut Keeper::default()).unwrap();
    let (mut model, _) = small(&load(), kind, steps);
    let mut first = Keeper { stop: Some(stop), ..Keeper::default() };
    train(load().task.as_ref(), &mut model, &settings, None, &mut first).unwrap();
    let (mut rest, _) = small(&load(), kind, steps);
    let mut second = Keeper { best: first.best, ..Keeper::default() };
    train(load().task.as_ref(), &mut rest, &settings, first.kept, &mut second).unwrap();
    assert_eq!(params(&rest), params(&whole));
}
