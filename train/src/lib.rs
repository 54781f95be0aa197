//! Trains models made of recurrent cells.

pub mod batch;
pub mod blueprint;
pub mod checkpoint;
pub mod data;
#[cfg(test)]
mod fixtures;
pub mod generate;
pub mod model;
pub mod optimizer;
pub mod run_folder;
pub mod task;
pub mod trainer;
