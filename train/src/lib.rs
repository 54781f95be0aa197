//! Trains models made of recurrent cells, and uses them.
//!
//! An [`Experiment`](experiment::Experiment) says everything that a training is started with. A
//! [`task`] makes batches of data; a [`Model`](model::Model) is made of cells' texts by a
//! [`Blueprint`](blueprint::Blueprint); the [`trainer`] trains it by an [`optimizer`], and a
//! [`run_folder`] keeps what comes of it; [`generate`] lets a model continue a text.

pub mod batch;
pub mod blueprint;
pub mod chart;
pub mod checkpoint;
pub mod culprit;
pub mod data_files;
mod draws;
pub mod experiment;
#[cfg(test)]
mod fixtures;
pub mod generate;
pub mod judge;
pub mod metrics;
pub mod model;
pub mod optimizer;
pub mod run_folder;
pub mod task;
pub mod trainer;
