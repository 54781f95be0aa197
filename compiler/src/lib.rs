//! A compiler for recurrent cells: from a cell's text to native code.
//!
//! Each stage is a module with a type of its own, in the order in which a cell goes through them:
//! [`syntax`] parses text, [`check`] makes a graph of it ([`cell::Cell`], [`ir`]), [`autodiff`]
//! differentiates the graph, [`opt`] simplifies it, [`phases`] finds what leaves the loop over time,
//! [`fuse`] makes kernels, [`plan`] lays out memory, [`codegen`] and [`jit`] make machine code.
//! The library does no input or output, reads no clock and starts no threads.

pub mod autodiff;
pub mod cell;
pub mod check;
pub mod codegen;
pub mod diagnostic;
pub mod freeze;
pub mod fuse;
pub mod ir;
pub mod jit;
pub mod opt;
pub mod phases;
pub mod pipeline;
pub mod plan;
pub mod suggest;
pub mod syntax;
