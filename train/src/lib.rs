//! Trains models made of recurrent cells, and uses them.
//!
//! An [`Experiment`](experiment::Experiment) says everything that a training is started with. A
//! [`task`] makes batches of [`data`]; a [`Model`](model::Model) is made of cells' texts by a
//! [`Blueprint`](blueprint::Blueprint); the [`trainer`] trains it by an [`optimizer`], and a
//! [`run_folder`] keeps what comes of it: both together are a [`run`]. A [`series`] of runs compares
//! cells, or searches through settings; [`generate`] lets a model continue a text, [`metrics`] say
//! how good its answers are, and [`chart`] draws them.
//!
//! # Example
//!
//! A cell of one's own learns whether the reviewers of products would buy again:
//!
//! ```
//! use cellc_compiler::diagnostic::Source;
//! use cellc_compiler::unit::Unit;
//! use cellc_train::blueprint::CellText;
//! use cellc_train::experiment::{Experiment, Ready};
//! use cellc_train::trainer::{Silent, train};
//!
//! let text = "cell leaky(I, H) {
//!     input x: [I]
//!     state h: [H]
//!     param W: [H, I], U: [H, H], b: [H] = 0
//!
//!     next h = 0.9 * h + 0.1 * tanh(W @ x + U @ h + b)
//!     output h
//! }";
//! // Faults are diagnostics; `cellc_compiler::diagnostic::render` draws them.
//! let unit = Unit::load(Source::new("leaky.cell", text), &mut |_, _| Err("no imports".into()))
//!     .expect("well-formed text");
//! let cells = vec![CellText::new("leaky.cell", &unit)];
//!
//! let experiment = Experiment::layered(&["
//!     task = { name = 'reviews', examples = 200 }
//!     model = { cell = 'leaky.cell', hidden = 16 }
//!     training = { steps = 20, seed = 7 }
//! ".parse()?])?;
//! let Ready { experiment, loaded, mut model, .. } = experiment.ready(cells)?;
//! let task = loaded.task.as_ref();
//! let outcome = train(task, &mut model, &experiment.training, None, &mut Silent)?;
//! let score = outcome.held_out.expect("it was not interrupted");
//! assert!(score.mean_loss() < 1.0); // nats
//!
//! // One answer: the scores (logits) of the classes, which the codec turns into labels.
//! let question = loaded.codec.question("Anything but great!")?;
//! let batch = loaded.codec.batch(&[&question]);
//! let mut run = model.run(1);
//! run.forward(&model, &batch)?;
//! let answer = loaded.codec.answer(&question, run.logits());
//! assert!(answer["probabilities"]["buy"].is_number());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod batch;
pub mod blueprint;
pub mod chart;
pub mod checkpoint;
pub mod culprit;
pub mod data;
pub mod data_files;
mod draws;
pub mod experiment;
#[cfg(test)]
mod fixtures;
pub mod generate;
pub mod judge;
mod machine;
pub mod metrics;
pub mod model;
pub mod number;
pub mod optimizer;
pub mod run;
pub mod run_folder;
pub mod series;
pub mod task;
pub mod trainer;
