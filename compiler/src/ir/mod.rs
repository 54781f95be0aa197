//! The dataflow graph: one time step of a cell, for one example.
//!
//! [`op`] states every fact about an operation, [`graph`] holds operations and their ordered
//! operands, [`text`] prints and parses graphs, [`verify`] checks their invariants, and [`eval`]
//! is the slow, obvious interpreter that defines what they mean.

pub mod eval;
pub mod graph;
pub mod op;
pub mod text;
pub mod verify;

#[cfg(test)]
mod tests;
