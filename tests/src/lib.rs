//! What the tests of the workspace share: cells and what they are compiled to, random graphs, all
//! operations, and comparing engines.

pub mod cells;
pub mod compare;
pub mod inventory;
pub mod ops;
pub mod random_cell;
pub mod random_graph;
pub mod random_text;
pub mod texts;
