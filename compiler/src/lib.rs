//! A compiler for recurrent cells: from a cell's text to native code.
//!
//! Each stage is a module with a type of its own, in the order in which a cell goes through them:
//!
//! 1. [`syntax`] parses text, [`mod@unit`] brings together a file and what it imports, and [`check`]
//!    makes a graph of them ([`cell::Cell`], [`ir`]);
//! 2. [`opt`] simplifies graphs, [`autodiff`] differentiates them, graph to graph, and [`recompute`]
//!    chooses what the tape keeps;
//! 3. [`phases`] finds what leaves the loop over time, [`fuse`] makes kernels, [`plan`] lays out
//!    memory ([`pipeline`] puts these stages together);
//! 4. [`codegen`] and [`jit`] make machine code.
//!
//! Faults of a text are [`diagnostic`]s. [`mod@draw`] draws a cell as its text has it. [`freeze`] makes a cell's states stand still under a mask.
//! The library does no input or output, reads no clock and starts no threads; `cellc-runtime` does,
//! and runs what is compiled here.
//!
//! ```
//! use cellc_compiler::{check::check, diagnostic::Source, syntax::parse};
//!
//! let text = "cell decay(N) {
//!     state h: [N]
//!     next h = 0.5 * h
//!     output h
//! }";
//! let tree = parse(&Source::new("decay.cell", text)).expect("well-formed text");
//! let cell = check(&tree, &[("N".into(), 3)]).expect("shapes that agree");
//! assert_eq!(
//!     cell.graph.to_string(),
//!     "graph decay
//! %0 = state h : [3]
//! %1 = constant 0.5 : []
//! %2 = broadcast %1 : [3]
//! %3 = mul %2, %0 : [3]
//! next h = %3
//! output h = %3
//! "
//! );
//! ```

pub mod autodiff;
pub mod cell;
pub mod check;
pub mod codegen;
pub mod diagnostic;
pub mod draw;
mod foreign;
pub mod freeze;
pub mod fuse;
pub mod ir;
pub mod jit;
pub mod opt;
pub mod phases;
pub mod pipeline;
pub mod plan;
pub mod recompute;
pub mod reset;
pub mod suggest;
pub mod syntax;
pub mod unit;
