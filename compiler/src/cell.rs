//! A checked cell: its graph, and what the runtime must know to make its parameters.

use crate::ir::graph::Graph;

/// How the elements of a parameter are first drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Initializer {
    /// Every element is this number.
    Constant(f64),
    /// Uniform between two numbers.
    Uniform {
        /// The least.
        low: f64,
        /// The largest.
        high: f64,
    },
    /// Normal with mean 0.
    Normal {
        /// The standard deviation.
        deviation: f64,
    },
    /// Ones on the diagonal of a matrix, zeros elsewhere.
    Identity {
        /// The number on the diagonal.
        scale: f64,
    },
    /// A random matrix with orthonormal rows or columns, whichever are fewer (Saxe et al. 2014).
    Orthogonal {
        /// What the matrix is scaled by.
        scale: f64,
    },
}

/// Where a state is at the start of a sequence, for every example.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Initial {
    /// Every element is this number.
    Constant(f64),
    /// As the parameter of this number among the graph's parameters, which is of the state's shape.
    /// What the gradient by the state is there, summed over the batch, belongs to the parameter.
    Param(usize),
}

impl Initial {
    /// Where a state begins of which nothing is said.
    pub const ZERO: Self = Self::Constant(0.0);
}

/// A cell with its dimensions bound: what checking makes of a cell's text.
#[derive(Clone, Debug)]
pub struct Cell {
    /// One time step for one example.
    pub graph: Graph,
    /// The dimensions in the order of their declaration, each with what it is bound to.
    pub dims: Vec<(String, usize)>,
    /// The hyper-parameters in the order of their declaration, each with its value. In the graph they
    /// are constants.
    pub hypers: Vec<(String, f64)>,
    /// How each parameter is first drawn, in the order of the graph's parameters.
    pub initializers: Vec<Initializer>,
    /// Where each state begins, in the order of the graph's states.
    pub initial: Vec<Initial>,
}
