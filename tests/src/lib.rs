//! What the tests of the workspace share: random graphs, and comparing engines.

pub mod compare;
pub mod random_graph;
