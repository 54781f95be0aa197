//! Runs recurrent cells over sequences and trains them.
//!
//! A [`program::Program`] is a cell and its gradient, ready for an engine (native code, or the
//! reference interpreter); a [`sequence::Sequence`] is the memory of one run of it over many
//! steps of a batch, forward and backward.

pub mod arrays;
pub mod batch;
pub mod blueprint;
pub mod checkpoint;
pub mod files;
#[cfg(test)]
mod fixtures;
pub mod generate;
pub mod gradcheck;
pub mod initialize;
pub mod interpreter;
pub mod model;
pub mod native;
pub mod optimizer;
pub mod program;
pub mod run_folder;
pub mod sequence;
pub mod task;
pub mod trainer;
