//! Runs recurrent cells over sequences, forward and backward.
//!
//! A [`Program`](program::Program) is a cell and its gradient, made ready for an
//! [`Engine`](program::Engine): native code, or the reference interpreter. A
//! [`Sequence`](sequence::Sequence) is the memory of one run of it over `T` steps of `B` examples,
//! forward and backward. Everything else stands on these two:
//!
//! - a [`Segmented`](segmented::Segmented) sequence runs long sequences in little memory;
//! - [`second`] computes directional derivatives of runs, and products with their Hessians;
//! - [`gradcheck`] holds gradients against central differences, and [`arrays`] applies a cell to
//!   the tensors of a file;
//! - a [`Ragged`](ragged::Ragged) sequence runs examples of several lengths side by side, or from
//!   their end, and a [`Stack`](stack::Stack) layers and both directions; [`convert`] takes weights
//!   of other systems;
//! - [`masks`] are what a cell draws at random;
//! - [`measure`] says how long a cell takes.
//!
//! # Example
//!
//! A cell of one's own, forward and backward over 50 steps of 8 examples:
//!
//! ```
//! use cellc_compiler::check::check;
//! use cellc_compiler::diagnostic::Source;
//! use cellc_compiler::syntax::parse;
//! use cellc_runtime::program::{Engine, Program};
//! use cellc_runtime::sequence::{Extent, InputMut};
//!
//! let source = Source::new(
//!     "leaky.cell",
//!     "cell leaky(I, H) {
//!         input x: [I]
//!         state h: [H]
//!         param W: [H, I]
//!
//!         next h = 0.9 * h + 0.1 * tanh(W @ x)
//!         output h
//!     }",
//! );
//! // Faults are a list of diagnostics; `cellc_compiler::diagnostic::render` draws them.
//! let cell = parse(&source)
//!     .and_then(|tree| check(&tree, &[("I".into(), 3), ("H".into(), 4)]))
//!     .expect("a cell without faults");
//! let program = Program::<f32>::of(&cell, Engine::Jit)?;
//!
//! let mut run = program.sequence(2); // on up to 2 threads
//! run.reshape(Extent { steps: 50, batch: 8 });
//! if let InputMut::Real(x) = run.input_mut(0) {
//!     x.fill(1.0); // [T, B, I]
//! }
//! let params = vec![vec![0.5; 4 * 3]];
//! run.forward_with_tape(&params)?;
//! run.output_cotangent_mut(0).fill(1.0); // [T, B, H]
//! run.backward(&params)?;
//! assert_eq!(run.final_state(0).len(), 8 * 4); // [B, H]
//! assert!(run.param_gradient(0).iter().all(|g| *g > 0.0)); // [H, I]
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod arrays;
pub mod convert;
pub mod files;
#[cfg(test)]
mod fixtures;
pub mod gradcheck;
pub mod initialize;
pub mod interpreter;
pub mod kernels;
pub mod masks;
pub mod measure;
pub mod native;
pub mod program;
pub mod ragged;
pub mod second;
pub mod segmented;
pub mod sequence;
pub mod stack;
pub mod step;

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
