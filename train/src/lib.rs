//! Trains models made of recurrent cells.

pub mod batch;
pub mod blueprint;
pub mod chart;
pub mod checkpoint;
#[cfg(test)]
mod fixtures;
pub mod generate;
pub mod metrics;
pub mod model;
pub mod optimizer;
pub mod run_folder;
pub mod task;
pub mod trainer;
