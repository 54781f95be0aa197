//! Applies a cell to arrays that come from elsewhere, so that it can be held against any other
//! system.
//!
//! The arrays are the tensors of a safetensors file under the cell's own names. `T` is the number
//! of time steps, `B` the number of examples, `..` the cell's own shape:
//!
//! | tensor | shape | |
//! |---|---|---|
//! | a param's name | `..` | |
//! | an input's name | `[T, B, ..]` | an index input: I64, I32, U32 or U8 |
//! | a state's name | `[B, ..]` | before the first step; zero if absent |
//! | `lengths` | `[B]` | the steps of each example, I64, I32, U32 or U8; `T` if absent |
//! | `cotangent.out.NAME` | `[T, B, ..]` | of an output; zero if absent |
//! | `cotangent.final.NAME` | `[B, ..]` | of a state after the last step; zero if absent |
//!
//! The results are `out.NAME`, `final.NAME` and, if any cotangent was given, `grad.NAME` for every
//! param, real input and initial state, each in the shape of what it is the gradient of.

mod bind;
mod fault;
mod file;
mod results;

pub use bind::{Arrays, Cotangents, file_precision, file_reals};
pub use fault::{Axis, Fault, FileError, Pattern};
pub use file::ArrayFile;
pub use results::Results;

#[cfg(test)]
mod tests;
