//! What the tests of the workspace share: random graphs, all operations, and comparing engines.

pub mod compare;
pub mod ops;
pub mod random_graph;
